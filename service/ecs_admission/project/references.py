"""The grammar of references to secret stores, as the ECS agent reads it.

Sources: the agent's asmsecret.go (a Secrets Manager resource splits at ":" into exactly two or five parts), the API
reference of Secret and RepositoryCredentials, and the developer guide on environment files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_ARN_PARTS = 6
_PARTITION = re.compile(r"aws(?:-[a-z]{1,8}){0,3}")
_REGION = re.compile(r"[a-z]{2,5}(?:-[a-z]{1,12}){1,3}-[0-9]{1,2}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_SECRET_ID = re.compile(r"[A-Za-z0-9/_+=.@!-]{1,512}")
_SUFFIX = re.compile(r"-([A-Za-z0-9]{6})$")
_WORD_SUFFIX = re.compile(r"[a-z]{6}|[A-Z]{6}|[0-9]{6}")
_JSON_KEY = re.compile(r"[^\x00-\x1f:]{0,256}")
_STAGE = re.compile(r"[^\x00-\x1f:\s]{0,256}")
_PARAMETER = re.compile(r"[A-Za-z0-9_./-]{1,2048}")
_BUCKET_OBJECT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9])/(.{1,1024})")
"""Names of old buckets in us-east-1 have capitals, underscores and up to 255 characters."""


@dataclass(frozen=True, slots=True)
class ParsedReference:
    """The parts of a reference; where `problem` is set, the parts that could still be read.

    `complete` says whether a Secrets Manager ARN ends in the six characters that AWS adds to a name. None where that
    cannot be told: where a word of six letters or digits ends it, which AWS reads as such a suffix, and for all else.
    """

    service: str | None = None
    partition: str | None = None
    region: str | None = None
    account: str | None = None
    resource: str | None = None
    json_key: str | None = None
    version_stage: str | None = None
    version_id: str | None = None
    complete: bool | None = None
    problem: str | None = None


def parse_value_from(text: str) -> ParsedReference:
    """Read a `valueFrom` of `secrets` or `secretOptions`."""
    if not text:
        return ParsedReference(problem="empty")
    if not text.startswith("arn:"):
        if _PARAMETER.fullmatch(text):
            return ParsedReference(service="ssm", resource=text)
        return ParsedReference(problem="invalid-name")
    arn = _parse_arn(text)
    if arn is None:
        return ParsedReference(problem="malformed-arn")
    service, partition, region, account, resource = arn
    common: dict[str, Any] = {"service": service, "partition": partition, "region": region, "account": account}
    if service == "secretsmanager":
        return _secret(resource, common)
    if service == "ssm":
        return _parameter(resource, common)
    return ParsedReference(problem="wrong-service")


def parse_credentials_parameter(text: str) -> ParsedReference:
    """Read a `repositoryCredentials.credentialsParameter`: a Secrets Manager ARN without JSON key, or a bare name."""
    if not text:
        return ParsedReference(problem="empty")
    if not text.startswith("arn:"):
        known = _SECRET_ID.fullmatch(text) is not None
        return (
            ParsedReference(service="secretsmanager", resource=text)
            if known
            else ParsedReference(problem="invalid-name")
        )
    parsed = parse_value_from(text)
    if parsed.problem is None and parsed.service != "secretsmanager":
        return ParsedReference(problem="wrong-service")
    if parsed.problem is None and ":secret:" in text and text.count(":") > _ARN_PARTS:
        return ParsedReference(problem="json-key-parts")
    return parsed


def parse_environment_file(text: str) -> ParsedReference:
    """Read an `environmentFiles[].value`: the ARN of an S3 object whose name ends in `.env`."""
    parsed = parse_object_arn(text)
    if parsed.problem is None and not text.endswith(".env"):
        return ParsedReference(service="s3", partition=parsed.partition, resource=parsed.resource, problem="extension")
    return parsed


def parse_object_arn(text: str) -> ParsedReference:
    """Read the ARN of an S3 object. The agent's pattern has no Region or account."""
    parts = text.split(":", _ARN_PARTS - 1)
    if len(parts) != _ARN_PARTS or parts[0] != "arn" or parts[2] != "s3" or parts[3] or parts[4]:
        return ParsedReference(problem="malformed-arn")
    if not _PARTITION.fullmatch(parts[1]) or not _BUCKET_OBJECT.fullmatch(parts[5]):
        return ParsedReference(problem="malformed-arn")
    return ParsedReference(service="s3", partition=parts[1], resource=parts[5])


def parse_credentials_arn(text: str) -> ParsedReference:
    """Read the `credentialsParameter` of an FSx volume: the full ARN of a secret or a parameter, without a JSON key."""
    if text and not text.startswith("arn:"):
        return ParsedReference(problem="malformed-arn")
    parsed = parse_value_from(text)
    has_key = parsed.service == "secretsmanager" and text.count(":") > _ARN_PARTS
    return ParsedReference(problem="json-key-parts") if has_key else parsed


def parse_credential_spec(text: str) -> ParsedReference | None:
    """Read an item of `credentialSpecs`: a prefix, and the ARN of an S3 object or an SSM parameter or a file's URL.

    None for a file, which is on the host already. Source: the API reference of ContainerDefinition.
    """
    prefix, colon, rest = text.partition(":")
    if not colon or prefix not in ("credentialspec", "credentialspecdomainless"):
        return ParsedReference(problem="invalid-name")
    if rest.startswith("file://"):
        return None
    if ":s3:" in rest:
        return parse_object_arn(rest)
    parsed = parse_credentials_arn(rest)
    is_known = parsed.problem is not None or parsed.service == "ssm"
    return parsed if is_known else ParsedReference(problem="wrong-service")


def parse_security_option(text: str) -> ParsedReference | None:
    """Read an item of `dockerSecurityOptions`. None for one that is no credential spec."""
    return parse_credential_spec(text) if text.startswith("credentialspec") else None


def parse_configuration_file(text: str) -> ParsedReference | None:
    """Read FireLens' `config-file-value`: the ARN of an S3 object. None for a path in the container."""
    return parse_object_arn(text) if text.startswith("arn:") else None


def parse_application_reference(text: str) -> ParsedReference | None:
    """Read a value that an application is to resolve itself, with the task role: the ARN of a secret or a parameter, or
    the ARN or URI of an S3 object. None for any other text.
    """
    if text[:5].lower() == "s3://":
        known = _BUCKET_OBJECT.fullmatch(text[5:])
        return ParsedReference(service="s3", resource=known.group(0)) if known else None
    parsed = parse_object_arn(text) if ":s3:" in text[:24] else parse_value_from(text)
    return parsed if parsed.problem is None and parsed.partition is not None else None


def _parse_arn(text: str) -> tuple[str, str, str, str, str] | None:
    parts = text.split(":", _ARN_PARTS - 1)
    if len(parts) != _ARN_PARTS:
        return None
    _, partition, service, region, account, resource = parts
    well_formed = _PARTITION.fullmatch(partition) and _REGION.fullmatch(region) and _ACCOUNT.fullmatch(account)
    return (service, partition, region, account, resource) if well_formed and resource else None


def _secret(resource: str, common: dict[str, Any]) -> ParsedReference:
    parts = resource.split(":")
    if parts[0] != "secret":
        return ParsedReference(problem="not-a-secret")
    if len(parts) not in (2, 5):
        return ParsedReference(problem="json-key-parts")
    if not _SECRET_ID.fullmatch(parts[1]):
        return ParsedReference(problem="not-a-secret")
    key, stage, version = parts[2:] if len(parts) > 2 else ("", "", "")
    if not (_JSON_KEY.fullmatch(key) and _STAGE.fullmatch(stage) and _STAGE.fullmatch(version)):
        return ParsedReference(problem="not-a-secret")
    return ParsedReference(
        **common,
        resource=parts[1],
        json_key=key or None,
        version_stage=stage or None,
        version_id=version or None,
        complete=_is_complete(parts[1]),
    )


def _is_complete(secret_id: str) -> bool | None:
    match = _SUFFIX.search(secret_id)
    if match is None:
        return False
    return None if _WORD_SUFFIX.fullmatch(match.group(1)) else True


def _parameter(resource: str, common: dict[str, Any]) -> ParsedReference:
    if resource.startswith("parameter:"):
        return ParsedReference(problem="parameter-colon")
    name = resource.removeprefix("parameter/")
    if name == resource or not _PARAMETER.fullmatch(name):
        return ParsedReference(problem="not-a-parameter")
    return ParsedReference(**common, resource=name)
