"""An S3 bucket with Object Lock as an anchor: in compliance mode nobody, not even the account's root, can delete early.

Loaded only where a setting names a bucket. Credentials and Region are what boto3 finds, as for any other program.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ecs_admission.decision_log.anchors import NAME, AnchorConflictError, Anchored, AnchorError, file_name, folder_name
from ecs_admission.decision_log.digests import SignedDigest
from ecs_admission.errors import SettingsError

RETENTION_DAYS: Final = 400
"""How long a digest is locked. Each names the one before it, so the newest ones vouch for all that are older."""

_WHERE: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9!_.*'()/-]*))?")
_TIMEOUTS: Final = Config(connect_timeout=3, read_timeout=10, retries={"max_attempts": 2, "mode": "standard"})


class S3Anchor:
    """See `Anchor`. `client` is boto3's for S3, `now` the time from which a lock is counted."""

    def __init__(
        self,
        client: Any,
        *,
        bucket: str,
        prefix: str,
        retention_days: int = RETENTION_DAYS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        prefix = prefix.strip("/")
        self.name = f"s3://{bucket}/{prefix}".rstrip("/")
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._retention = timedelta(days=retention_days)
        self._now = now

    @classmethod
    def at(cls, where: str, *, retention_days: int = RETENTION_DAYS) -> Self:
        """The anchor that a setting names. Raises `SettingsError`."""
        match = _WHERE.fullmatch(where)
        if match is None:
            raise SettingsError("an anchor in S3 is s3://BUCKET/PREFIX")
        try:
            client = boto3.client("s3", config=_TIMEOUTS)
        except BotoCoreError as error:
            raise SettingsError(f"S3 cannot be used: {type(error).__name__}") from None
        return cls(client, bucket=match[1], prefix=match[2] or "", retention_days=retention_days)

    def put(self, digest: SignedDigest) -> None:
        """See `Anchor`. A bucket that does not lock what it is given gets nothing.

        S3 refuses a lock for a bucket without Object Lock, and `If-None-Match` a second object of one name.
        """
        key = self._key(digest.number, digest.hash)
        for found in self._versions(digest.number, digest.number):
            if found.hash != digest.hash:
                raise AnchorConflictError(f"{self.name} holds another digest {digest.number}")
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=digest.line + b"\n",
                ContentType="application/json",
                IfNoneMatch="*",
                ChecksumAlgorithm="SHA256",
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=self._now() + self._retention,
            )
        except ClientError as error:
            if _code(error) != "PreconditionFailed":
                raise AnchorError(f"{self.name} does not take a digest: {_code(error)}") from None
            if self._read(key).rstrip(b"\n") != digest.line:
                raise AnchorConflictError(f"{self.name} holds something else as digest {digest.number}") from None
        except BotoCoreError as error:
            raise AnchorError(f"{self.name} cannot be reached: {type(error).__name__}") from None

    def listed(self, first: int) -> Iterator[Anchored]:
        """See `Anchor`. All versions are listed, so that one that a newer one or a deletion hides is still seen."""
        return self._versions(first, None)

    def read(self, anchored: Anchored) -> bytes:
        """See `Anchor`."""
        return self._read(self._key(anchored.number, anchored.hash))

    def _read(self, key: str) -> bytes:
        try:
            body: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise AnchorError(f"{self.name} cannot be read: {_code(error)}") from None
        return body

    def _versions(self, first: int, last: int | None) -> Iterator[Anchored]:
        """The digests from `first` to `last`: S3 lists keys in their order, and of each key all versions."""
        prefix = self._prefix if last is None else self._key(first, "").removesuffix(".json")
        # One digest earlier than is wanted, and left out below: servers that speak S3 do not agree on whether a list
        # begins with the first key after a marker that is no key, or after that one.
        marker = {} if last is not None or first < 2 else {"KeyMarker": self._key(first - 1, "").removesuffix("-.json")}
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=self._bucket, Prefix=prefix, **marker
        )
        current: Anchored | None = None
        try:
            for page in pages:
                # Versions and deletions come in lists of their own, each in the order of keys.
                listed = [(each["Key"], 0) for each in page.get("Versions", ())]
                listed += [(each["Key"], 1) for each in page.get("DeleteMarkers", ())]
                for key, is_deletion in sorted(listed):
                    match = NAME.fullmatch(key.rpartition("/")[2])
                    if match is None or int(match[1]) < first:
                        continue
                    found = Anchored(int(match[1]), match[2], 1 + is_deletion)
                    if current is not None and (current.number, current.hash) == (found.number, found.hash):
                        current = Anchored(found.number, found.hash, current.versions + 1)
                        continue
                    if current is not None:
                        yield current
                    current = found
        except (ClientError, BotoCoreError) as error:
            raise AnchorError(f"{self.name} cannot be read: {_code(error)}") from None
        if current is not None:
            yield current

    def _key(self, number: int, digest_hash: str) -> str:
        return f"{self._prefix}{folder_name(number)}/{file_name(number, digest_hash)}"


def _code(error: Exception) -> str:
    """What S3 calls the error; its text may hold names of keys and accounts."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", type(error).__name__))
    return type(error).__name__
