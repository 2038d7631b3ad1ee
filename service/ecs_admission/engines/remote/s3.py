"""A bundle in S3. Credentials and Region are what boto3 finds, proxies of the environment are not used.

Loaded only where a setting names a bucket.
"""

from __future__ import annotations

import time
from typing import Any, Final, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ecs_admission.engines.remote import DEADLINE_SECONDS, MAX_BYTES, Fetched
from ecs_admission.errors import PolicyUnavailableError
from ecs_admission.places import Remote

# botocore takes a mapping for an answer to the question which proxies there are, and else asks the environment.
_CONFIG: Final = Config(
    connect_timeout=3, read_timeout=5, retries={"max_attempts": 2, "mode": "standard"}, proxies={"none": ""}
)
_CHUNK_BYTES: Final = 256 * 1024


class S3Source:
    """See `Source`. `client` is boto3's for S3."""

    def __init__(
        self,
        client: Any,
        *,
        bucket: str,
        key: str,
        max_bytes: int = MAX_BYTES,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._client = client
        self._bucket, self._key = bucket, key
        self._max_bytes, self._deadline_seconds = max_bytes, deadline_seconds
        self._name = f"s3://{bucket}/{key}"

    @classmethod
    def at(cls, remote: Remote) -> Self:
        """The source at a URL. Raises `PolicyUnavailableError`."""
        try:
            client = boto3.client("s3", config=_CONFIG)
        except BotoCoreError as error:
            raise PolicyUnavailableError(f"S3 cannot be used: {type(error).__name__}") from None
        return cls(client, bucket=remote.parts.netloc, key=remote.parts.path.removeprefix("/"))

    def fetch(self, etag: str | None) -> Fetched | None:
        """See `Source.fetch`."""
        condition = {"IfNoneMatch": etag} if etag is not None else {}
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key, **condition)
            return Fetched(self._read(answer["Body"]), answer.get("ETag"))
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            if etag is not None and code in ("304", "NotModified"):
                return None
        except (BotoCoreError, OSError) as error:
            code = type(error).__name__
        # Their texts may hold names of keys and accounts.
        raise PolicyUnavailableError(f"{self._name}: cannot be read: {code}")

    def _read(self, body: Any) -> bytes:
        ends_at, content = time.monotonic() + self._deadline_seconds, bytearray()
        try:
            while chunk := body.read(_CHUNK_BYTES):
                content += chunk
                if len(content) > self._max_bytes:
                    raise PolicyUnavailableError(f"{self._name}: is longer than {self._max_bytes} bytes")
                if time.monotonic() > ends_at:
                    raise PolicyUnavailableError(f"{self._name}: no answer within {self._deadline_seconds:g} s")
        finally:
            body.close()
        return bytes(content)
