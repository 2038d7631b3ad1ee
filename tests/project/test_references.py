"""The grammar of references: what the ECS agent reads, and a word for each way in which it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.engines.pack import Pack
from ecs_admission.project.references import (
    ParsedReference,
    parse_configuration_file,
    parse_credential_spec,
    parse_credentials_arn,
    parse_credentials_parameter,
    parse_environment_file,
    parse_security_option,
    parse_value_from,
)
from tests.project.samples import unhurried

SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf"
PARAMETER = "arn:aws:ssm:eu-west-1:111122223333:parameter/prod/db"
PARTS = {"partition": "aws", "region": "eu-west-1", "account": "111122223333"}


def secret(**parts: Any) -> ParsedReference:
    return ParsedReference(service="secretsmanager", **{"resource": "db-AbCdEf", "complete": True, **PARTS, **parts})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SECRET, secret()),
        (f"{SECRET}:password::", secret(json_key="password")),
        (f"{SECRET}:::", secret()),
        (f"{SECRET}::AWSPREVIOUS:", secret(version_stage="AWSPREVIOUS")),
        (f"{SECRET}:::1f0c", secret(version_id="1f0c")),
        (f"{SECRET}:a b:S:V", secret(json_key="a b", version_stage="S", version_id="V")),
        ("arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db/main", ParsedReference(
            service="secretsmanager", resource="prod/db/main", complete=False, **PARTS)),
        ("arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-secret", secret(
            resource="prod/db-secret", complete=None)),
        (PARAMETER, ParsedReference(service="ssm", resource="prod/db", **PARTS)),
        ("arn:aws:ssm:eu-west-1:111122223333:parameter/aws/reference/secretsmanager/db", ParsedReference(
            service="ssm", resource="aws/reference/secretsmanager/db", **PARTS)),
        ("/prod/db", ParsedReference(service="ssm", resource="/prod/db")),
        ("prod.db-1_x", ParsedReference(service="ssm", resource="prod.db-1_x")),
        ("a" * 2048, ParsedReference(service="ssm", resource="a" * 2048)),
    ],
)  # fmt: skip
def test_what_the_agent_reads(text: str, expected: ParsedReference) -> None:
    assert parse_value_from(text) == expected


@pytest.mark.parametrize(
    ("partition", "region"),
    [("aws", "us-east-1"), ("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1"), ("aws-iso", "us-iso-east-1"),
     ("aws-iso-b", "us-isob-east-1"), ("aws-iso-e", "eu-isoe-west-1"), ("aws-iso-f", "us-isof-south-1"),
     ("aws-eusc", "eusc-de-east-1"), ("aws", "ap-southeast-4"), ("aws", "mx-central-1")],
)  # fmt: skip
def test_every_partition_has_secrets(partition: str, region: str) -> None:
    parsed = parse_value_from(f"arn:{partition}:secretsmanager:{region}:111122223333:secret:x:k::")
    assert (parsed.partition, parsed.region, parsed.json_key, parsed.problem) == (partition, region, "k", None)
    parsed = parse_value_from(f"arn:{partition}:ssm:{region}:111122223333:parameter/x")
    assert (parsed.partition, parsed.region, parsed.resource, parsed.problem) == (partition, region, "x", None)


PROBLEMS = {
    "": "empty",
    "arn:": "malformed-arn",
    "arn:aws": "malformed-arn",
    "arn:aws:secretsmanager:eu-west-1:111122223333": "malformed-arn",
    "arn:aws:secretsmanager:eu-west-1:111122223333:": "malformed-arn",
    "arn:aws:secretsmanager::111122223333:secret:db": "malformed-arn",
    "arn:aws:secretsmanager:eu-west-1::secret:db": "malformed-arn",
    "arn:aws:secretsmanager:eu-west-1:ACCOUNT:secret:db": "malformed-arn",
    "arn:aws:secretsmanager:eu-west-1:1234:secret:db": "malformed-arn",
    "arn:aws:secretsmanager:Ireland:111122223333:secret:db": "malformed-arn",
    "arn:azure:secretsmanager:eu-west-1:111122223333:secret:db": "malformed-arn",
    "arn:aws:secretsmanager:eu-west-1:\u0661\u0661\u0661\u0661\u0662\u0662\u0662\u0662\u0663\u0663\u0663\u0663:secret:db":
        "malformed-arn",
    "arn:aws:s3:eu-west-1:111122223333:bucket/key": "wrong-service",
    "arn:aws:kms:eu-west-1:111122223333:key/x": "wrong-service",
    "arn:aws:secretsmanager:eu-west-1:111122223333:db": "not-a-secret",
    "arn:aws:secretsmanager:eu-west-1:111122223333:secret:": "not-a-secret",
    "arn:aws:secretsmanager:eu-west-1:111122223333:secret/db": "not-a-secret",
    "arn:aws:secretsmanager:eu-west-1:111122223333:secret:a b": "not-a-secret",
    f"{SECRET}:pass\nword::": "not-a-secret",
    f"{SECRET}::two words:": "not-a-secret",
    f"{SECRET}:password": "json-key-parts",
    f"{SECRET}:password:": "json-key-parts",
    f"{SECRET}::BOOTSTRAP_SERVERS::": "json-key-parts",
    "arn:aws:secretsmanager:eu-west-1:111122223333:secret": "json-key-parts",
    "arn:aws:ssm:eu-west-1:111122223333:parameter:/db": "parameter-colon",
    "arn:aws:ssm:eu-west-1:111122223333:parameter:db": "parameter-colon",
    "arn:aws:ssm:eu-west-1:111122223333:parameter/": "not-a-parameter",
    "arn:aws:ssm:eu-west-1:111122223333:document/x": "not-a-parameter",
    "arn:aws:ssm:eu-west-1:111122223333:parameter/db:2": "not-a-parameter",
    "arn:aws:ssm:eu-west-1:111122223333:parameter": "not-a-parameter",
    "name:2": "invalid-name",
    "name:label": "invalid-name",
    "my secret": "invalid-name",
    "{{resolve:ssm:x}}": "invalid-name",
    " /prod/db": "invalid-name",
    "prod/db\n": "invalid-name",
    "a" * 2049: "invalid-name",
}  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), PROBLEMS.items(), ids=lambda text: text[-40:])
def test_what_the_agent_does_not_read_has_a_problem(text: str, problem: str) -> None:
    assert parse_value_from(text) == ParsedReference(problem=problem)


def test_every_problem_of_a_value_from_has_words_in_the_catalogue(pack: Pack) -> None:
    variants = pack.catalogue["references/invalid-value-from"].variants
    assert set(PROBLEMS.values()) == variants.keys()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (SECRET, None),
        ("registry-login", None),
        ("prod/registry+x=y@z!", None),
        ("", "empty"),
        ("two words", "invalid-name"),
        (PARAMETER, "wrong-service"),
        (f"{SECRET}:username::", "json-key-parts"),
        (f"{SECRET}:::", "json-key-parts"),
        (f"{SECRET}:username", "json-key-parts"),
        ("arn:aws:secretsmanager:eu-west-1:111122223333:db", "not-a-secret"),
        ("arn:aws:secretsmanager:eu-west-1:1:secret:db", "malformed-arn"),
        ("arn:aws:s3:eu-west-1:111122223333:b/k", "wrong-service"),
    ],
)
def test_registry_credentials_are_a_whole_secret(text: str, problem: str | None) -> None:
    parsed = parse_credentials_parameter(text)
    assert parsed.problem == problem
    assert parsed.service == (None if problem else "secretsmanager")


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_an_environment_file_is_an_object_in_s3(partition: str) -> None:
    expected = ParsedReference(service="s3", partition=partition, resource="my-bucket/conf/prod.env")
    assert parse_environment_file(f"arn:{partition}:s3:::my-bucket/conf/prod.env") == expected


@pytest.mark.parametrize(
    "text",
    ["", "s3://b/k", "my-bucket/prod.env", "arn:aws:s3:::bucket-only", "arn:aws:s3:eu-west-1::bucket/key.env",
     "arn:aws:s3::111122223333:bucket/key.env", "arn:aws:ssm:::bucket/key.env", "arn:x:s3:::bucket/key.env",
     "arn:aws:s3:::b/k", "arn:aws:s3:::bucket/"],
)  # fmt: skip
def test_anything_else_is_no_environment_file(text: str) -> None:
    assert parse_environment_file(text) == ParsedReference(problem="malformed-arn")


almost_arns = st.lists(
    st.sampled_from(
        ["arn", "aws", "aws-cn", "secretsmanager", "ssm", "s3", "eu-west-1", "111122223333", "secret", "parameter/x",
         "parameter", "db-AbCdEf", "key", ""]
    )
    | st.text(max_size=10),
    max_size=14,
).map(":".join)  # fmt: skip


@pytest.mark.parametrize("parse", [parse_value_from, parse_credentials_parameter, parse_environment_file])
@unhurried
@given(text=st.text() | almost_arns)
def test_any_text_is_read_and_never_both_understood_and_a_problem(
    parse: Callable[[str], ParsedReference], text: str
) -> None:
    parsed = parse(text)
    assert (parsed.problem is None) == (parsed.service is not None and parsed.resource is not None)
    assert parsed.problem is None or parsed == ParsedReference(problem=parsed.problem)


@unhurried
@given(parts=st.lists(st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=8), min_size=1, max_size=8))
def test_a_secret_has_one_or_four_parts_after_the_word_secret(parts: list[str]) -> None:
    parsed = parse_value_from("arn:aws:secretsmanager:eu-west-1:111122223333:secret:" + ":".join(parts))
    assert (parsed.problem is None) == (len(parts) in (1, 4) and parts[0] != "")


FILE = ParsedReference(service="s3", partition="aws", resource="specs/web.json")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (SECRET, None),
        (PARAMETER, None),
        (f"{SECRET}:password::", "json-key-parts"),
        ("db", "malformed-arn"),
        ("/prod/db", "malformed-arn"),
        ("", "empty"),
        ("arn:aws:s3:::specs/web.json", "malformed-arn"),
        ("arn:aws:kms:eu-west-1:111122223333:key/x", "wrong-service"),
    ],
)
def test_credentials_of_a_share_are_a_whole_arn(text: str, problem: str | None) -> None:
    assert parse_credentials_arn(text).problem == problem


@pytest.mark.parametrize("prefix", ["credentialspec", "credentialspecdomainless"])
def test_a_credential_spec_is_an_object_in_s3_or_a_parameter(prefix: str) -> None:
    assert parse_credential_spec(f"{prefix}:arn:aws:s3:::specs/web.json") == FILE
    assert parse_credential_spec(f"{prefix}:{PARAMETER}") == ParsedReference(service="ssm", resource="prod/db", **PARTS)


def test_a_credential_spec_in_a_file_is_no_reference() -> None:
    assert parse_credential_spec("credentialspec:file://web.json") is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "invalid-name"),
        ("hunter2", "invalid-name"),
        ("arn:aws:s3:::specs/web.json", "invalid-name"),
        ("credentialspec:", "empty"),
        ("credentialspec:web.json", "malformed-arn"),
        ("credentialspec:arn:aws:s3:::specs", "malformed-arn"),
        (f"credentialspec:{SECRET}", "wrong-service"),
    ],
)
def test_anything_else_is_no_credential_spec(text: str, problem: str) -> None:
    parsed = parse_credential_spec(text)
    assert parsed is not None
    assert parsed.problem == problem


def test_a_security_option_is_a_reference_where_it_is_a_credential_spec() -> None:
    assert parse_security_option("credentialspec:arn:aws:s3:::specs/web.json") == FILE
    assert [parse_security_option(text) for text in ("no-new-privileges", "label:type:x", "")] == [None] * 3


def test_a_configuration_file_of_firelens_is_a_reference_where_it_is_in_s3() -> None:
    assert parse_configuration_file("arn:aws:s3:::specs/web.json") == FILE
    assert parse_configuration_file("/fluent-bit/etc/extra.conf") is None
    parsed = parse_configuration_file("arn:aws:s3:::specs")
    assert parsed is not None
    assert parsed.problem == "malformed-arn"
