"""Secrets of AWS as files that nobody else can read, for a container that runs before the service and exits.

ECS has no secret files: it offers environment variables, which every process of the container inherits and a crash dump
holds. AWS's page "Secrets management" therefore has a sidecar write them to a volume.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
import orjson
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ecs_admission.errors import SettingsError
from ecs_admission.private_files import sync_folder

_SECRET: Final = re.compile(
    r"(arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]{1,519})"
    r"(?::([^:]*):([^:]*):([^:]*))?"
)
_PARAMETER: Final = re.compile(r"(arn:aws[a-z-]*:ssm:([a-z0-9-]+):[0-9]{12}:parameter/[A-Za-z0-9_./-]{1,2048})")
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_TIMEOUTS: Final = Config(connect_timeout=3, read_timeout=10, retries={"max_attempts": 5, "mode": "standard"})


@dataclass(frozen=True, slots=True)
class Source:
    """Where a secret is: an ARN as ECS takes it in `valueFrom`, of Secrets Manager or of a parameter."""

    service: str
    region: str
    arn: str
    json_key: str = ""
    stage: str = ""
    version: str = ""

    @classmethod
    def parse(cls, text: str) -> Source:
        """Raises `SettingsError`, with the text's form and not the text."""
        if match := _SECRET.fullmatch(text):
            arn, region, *rest = match.groups(default="")
            return cls("secretsmanager", region, arn, *rest)
        if match := _PARAMETER.fullmatch(text):
            return cls("ssm", match[2], match[1])
        raise SettingsError(
            "a source is an ARN of Secrets Manager, with :JSON-KEY:STAGE:VERSION or without, or of an SSM parameter"
        )


def write_secrets(
    sources: Mapping[str, str], folder: Path, *, client: Callable[[str, str], Any] | None = None
) -> None:  # fmt: skip
    """Write each secret to the file of its name in `folder`, mode 0600: all that were fetched, or none.

    `client` makes boto3's for a service and a Region. Raises `SettingsError`, which names files and never a value.
    """
    wanted = {_checked(name): Source.parse(text) for name, text in sources.items()}
    make = client or (lambda service, region: boto3.client(service, region_name=region, config=_TIMEOUTS))
    fetched = {name: _fetch(name, source, make(source.service, source.region)) for name, source in wanted.items()}
    try:
        for name, value in fetched.items():
            _replace(folder / name, value)
        sync_folder(folder)
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written: {error.strerror}") from None


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise SettingsError("the name of a file is letters, digits, dots, hyphens and underscores, and no path")
    return name


def _fetch(name: str, source: Source, client: Any) -> bytes:
    try:
        value = _parameter(client, source) if source.service == "ssm" else _secret(client, source)
    except ClientError as error:
        raise SettingsError(f"{name}: AWS answers {error.response['Error']['Code']}") from None
    except BotoCoreError as error:
        raise SettingsError(f"{name}: AWS cannot be asked: {type(error).__name__}") from None
    if not source.json_key:
        return value
    try:
        document = orjson.loads(value)
        member = document[source.json_key]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise SettingsError(f"{name}: the secret is no JSON object with that key") from None
    if not isinstance(member, str):
        raise SettingsError(f"{name}: what the secret has under that key is no text")
    return member.encode()


def _secret(client: Any, source: Source) -> bytes:
    chosen = {"VersionStage": source.stage, "VersionId": source.version}
    answer = client.get_secret_value(SecretId=source.arn, **{name: value for name, value in chosen.items() if value})
    if "SecretString" in answer:
        return str(answer["SecretString"]).encode()
    return bytes(answer["SecretBinary"])


def _parameter(client: Any, source: Source) -> bytes:
    return str(client.get_parameter(Name=source.arn, WithDecryption=True)["Parameter"]["Value"]).encode()


def _replace(path: Path, content: bytes) -> None:
    """A reader sees the file of before or the whole new one."""
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError:
        os.unlink(draft)
        raise
