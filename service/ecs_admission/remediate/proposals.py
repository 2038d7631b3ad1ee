"""Names for what is to be made: a parameter for a value, a role for a task, and what has to be permitted and run.

Proposals are made of what the request says of itself and may be shown. What it does not say stands in angle brackets,
for a person to fill in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecs_admission.model import JSONObject

_SEGMENT = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_ROLE = re.compile(r"arn:(aws[a-z-]{0,20}):iam::([0-9]{12}):role/.+")
_PARTITIONS: Mapping[str, str] = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}
_RESERVED = re.compile(r"(?i)aws|ssm")
"""How no name of a parameter may begin:
https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-parameter-name-constraints.html"""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a request deploys to, as far as it says. `subject` is its family or service."""

    environment: str | None
    account: str | None
    region: str | None
    subject: str | None
    role: str | None

    @property
    def owner(self) -> str | None:
        """The account: that of the context, else that of the execution role, which is always the task's own."""
        if self.account is not None:
            return self.account
        match = _ROLE.fullmatch(self.role or "")
        return match.group(2) if match else None

    @property
    def partition(self) -> str:
        """The partition of the Region, else that of the execution role."""
        match = _ROLE.fullmatch(self.role or "")
        known = (name for prefix, name in _PARTITIONS.items() if (self.region or "").startswith(prefix))
        return next(known, match.group(1) if match and self.region is None else "aws")


@dataclass(frozen=True, slots=True)
class Parameter:
    """An SSM parameter that is to hold a value. Unlike a secret's, its ARN is known before it is made."""

    name: str
    arn: str | None
    region: str | None

    @property
    def value_from(self) -> str:
        """What `valueFrom` is to say: the ARN, or where the account or Region is not known the name, which AWS looks up
        in those of the task."""
        return self.arn or self.name

    def command(self) -> str:
        """The command that makes it of a value typed at the terminal: not shown, in no history, with no newline."""
        region = f" --region {self.region}" if self.region else ""
        put = f"aws ssm put-parameter{region} --type SecureString --name {self.name} --value file:///dev/stdin"
        return f'read -rs VALUE && printf %s "$VALUE" | {put}; unset VALUE'


def parameter(setting: Setting, name: str, owner: str | None = None) -> Parameter | None:
    """The parameter for a value that goes by `name` in the container `owner`. None where the name may not be shown."""
    if not _SEGMENT.fullmatch(name):
        return None
    segments = [text for text in (setting.environment, setting.subject, owner) if text and _SEGMENT.fullmatch(text)]
    path = "/".join([*segments, name])
    if _RESERVED.match(path):
        path = f"app/{path}"
    arn = None
    if setting.owner and setting.region:
        arn = f"arn:{setting.partition}:ssm:{setting.region}:{setting.owner}:parameter/{path}"
    return Parameter(f"/{path}", arn, setting.region)


def role_arn(setting: Setting, purpose: str) -> str:
    """The ARN of a role for a task: `execution` or `task`."""
    subject = setting.subject if setting.subject and _SEGMENT.fullmatch(setting.subject) else "<family>"
    return f"arn:{setting.partition}:iam::{setting.owner or '<account-id>'}:role/{subject}-{purpose}"


def read_parameter(setting: Setting, made: Parameter) -> tuple[JSONObject, ...]:
    """What the execution role must be permitted for ECS to read a parameter."""
    arn = made.arn or f"arn:{setting.partition}:ssm:*:*:parameter{made.name}"
    return (_allow("ssm:GetParameters", arn), decrypt(setting))


def decrypt(setting: Setting) -> JSONObject:
    """Needed only where a customer managed key encrypts the value: keys of AWS's own need no permission."""
    region, owner = setting.region or "<region>", setting.owner or "<account-id>"
    key = f"arn:{setting.partition}:kms:{region}:{owner}:key/<key-id>"
    return _allow("kms:Decrypt", key) | {"Sid": "OnlyForACustomerManagedKey"}


def read_references(setting: Setting, references: Sequence[JSONObject]) -> tuple[JSONObject, ...]:
    """What a role must be permitted to read these references, which are those of the PolicyInput."""
    statements = {str(statement): statement for r in references for statement in _read_reference(setting, r)}
    has_key = any(reference["service"] in ("secretsmanager", "ssm") for reference in references)
    return (*statements.values(), *([decrypt(setting)] if statements and has_key else []))


def _read_reference(setting: Setting, reference: JSONObject) -> list[JSONObject]:
    service, resource = reference["service"], reference["resource"]
    if reference["problem"] is not None or resource is None or resource.startswith("<"):
        return []
    partition = reference["partition"] or setting.partition
    where = f"{reference['region'] or setting.region or '*'}:{reference['account'] or setting.owner or '*'}"
    if service == "ssm" and reference["partition"] is None and "/" not in resource:
        # A bare word may be the secret itself, pasted where its reference belongs.
        return [_allow("ssm:GetParameters", f"arn:{partition}:ssm:{where}:parameter/<parameter-name>")]
    if service == "ssm":
        return [_allow("ssm:GetParameters", f"arn:{partition}:ssm:{where}:parameter/{resource.removeprefix('/')}")]
    if service == "secretsmanager":
        suffix = "" if reference["complete"] is True else "-??????"
        return [
            _allow("secretsmanager:GetSecretValue", f"arn:{partition}:secretsmanager:{where}:secret:{resource}{suffix}")
        ]
    if service == "s3":
        bucket = resource.partition("/")[0]
        return [
            _allow("s3:GetObject", f"arn:{partition}:s3:::{resource}"),
            _allow("s3:GetBucketLocation", f"arn:{partition}:s3:::{bucket}"),
        ]
    return []


def _allow(action: str, resource: str) -> JSONObject:
    return {"Effect": "Allow", "Action": [action], "Resource": [resource]}
