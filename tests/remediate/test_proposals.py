"""Names for what is to be made: from what a request says of itself, and in angle brackets where it does not."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.model import JSONObject
from ecs_admission.remediate.proposals import Parameter, Setting, parameter, read_parameter, read_references, role_arn
from tests.project.samples import unhurried

PLACED = Setting("prod", "111122223333", "eu-central-1", "web", None)
UNPLACED = Setting(None, None, None, None, None)
ROLE = "arn:aws-cn:iam::444455556666:role/web"


def reference(**parts: Any) -> JSONObject:
    known = {"service": "secretsmanager", "partition": "aws", "region": "eu-west-1", "account": "999900001111"}
    return {**known, "resource": "db-AbCdEf", "complete": True, "problem": None, **parts}


def test_a_parameter_is_named_by_where_it_belongs() -> None:
    made = parameter(PLACED, "DB_PASSWORD")
    arn = "arn:aws:ssm:eu-central-1:111122223333:parameter/prod/web/DB_PASSWORD"
    assert made == Parameter("/prod/web/DB_PASSWORD", arn, "eu-central-1")
    assert made is not None
    assert made.value_from == arn


def test_without_a_place_the_name_alone_is_the_reference() -> None:
    """AWS looks a bare name up in the account and the Region of the task."""
    made = parameter(UNPLACED, "DB_PASSWORD")
    assert made == Parameter("/DB_PASSWORD", None, None)
    assert made is not None
    assert made.value_from == "/DB_PASSWORD"


@pytest.mark.parametrize("name", ["", "a b", "a/b", "<redacted-1>", "a;b", "$(x)", "a\nb", "a" * 129, "\u00e4"])
def test_a_name_that_is_no_part_of_a_path_has_no_parameter(name: str) -> None:
    assert parameter(PLACED, name) is None


@pytest.mark.parametrize("subject", ["<redacted-1>", "arn:aws:ecs:eu-west-1:111122223333:service/main/web", "a b"])
def test_a_subject_that_is_no_part_of_a_path_is_left_out(subject: str) -> None:
    setting = Setting("prod", None, None, subject, None)
    made = parameter(setting, "DB_PASSWORD")
    assert made is not None
    assert made.name == "/prod/DB_PASSWORD"
    assert role_arn(setting, "execution") == "arn:aws:iam::<account-id>:role/<family>-execution"


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-central-1", "aws"), ("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"), ("us-isob-east-1", "aws-iso-b"), ("us-isof-south-1", "aws-iso-f"),
        ("eu-isoe-west-1", "aws-iso-e"), ("eusc-de-east-1", "aws-eusc"),
    ],
)  # fmt: skip
def test_the_partition_is_that_of_the_region(region: str, partition: str) -> None:
    setting = Setting("prod", "111122223333", region, "web", None)
    assert role_arn(setting, "task") == f"arn:{partition}:iam::111122223333:role/web-task"
    made = parameter(setting, "X")
    assert made is not None
    assert str(made.arn).startswith(f"arn:{partition}:ssm:{region}:")


def test_what_the_context_does_not_say_the_execution_role_may() -> None:
    """It is always of the task's own account."""
    setting = Setting(None, None, None, "web", ROLE)
    assert (setting.owner, setting.partition) == ("444455556666", "aws-cn")
    assert Setting(None, "111122223333", None, None, ROLE).owner == "111122223333"
    assert Setting(None, None, "eu-west-1", None, ROLE).partition == "aws"
    assert Setting(None, None, None, None, "my-role").owner is None


def test_the_value_is_typed_at_the_terminal() -> None:
    made = parameter(PLACED, "DB_PASSWORD")
    assert made is not None
    typed, _, put = made.command().rpartition(" | ")
    # Not shown, in no history, and without the newline that ends it.
    assert typed == 'read -rs VALUE && printf %s "$VALUE"'
    assert shlex.split(put.removesuffix("; unset VALUE")) == [
        "aws", "ssm", "put-parameter", "--region", "eu-central-1", "--type", "SecureString",
        "--name", "/prod/web/DB_PASSWORD", "--value", "file:///dev/stdin",
    ]  # fmt: skip


safe = st.none() | st.text(max_size=20) | st.sampled_from(["web", "$(id)", "`id`", "a;b", "a|b", "-x", "a\nb", "a'b"])


@unhurried
@given(environment=safe, subject=safe, name=safe.filter(lambda text: text is not None))
def test_a_command_does_nothing_else_than_it_says(environment: str | None, subject: str | None, name: str) -> None:
    made = parameter(Setting(environment, None, None, subject, None), name)
    if made is not None:
        put = made.command().rpartition(" | ")[2].removesuffix("; unset VALUE")
        words = shlex.split(put)
        assert put.split(" ") == words
        assert re.fullmatch(r"/[A-Za-z0-9_./-]+", words[words.index("--name") + 1])
        assert len(words) == 9


@pytest.mark.parametrize("subject", ["ssm-proxy", "AWSome", "aws"])
def test_no_name_begins_as_those_that_aws_keeps_for_itself(subject: str) -> None:
    made = parameter(Setting(None, None, None, subject, None), "X")
    assert made is not None
    assert made.name == f"/app/{subject}/X"


def test_two_containers_of_one_task_have_a_parameter_each() -> None:
    made = parameter(PLACED, "PASSWORD", "db")
    assert made is not None
    assert made.name == "/prod/web/db/PASSWORD"


def test_a_bare_word_is_not_repeated() -> None:
    """It may be the secret itself, pasted where its reference belongs."""
    word = reference(service="ssm", partition=None, region=None, account=None, resource="Summer2024", complete=None)
    (statement, _) = read_references(PLACED, [word])
    assert statement["Resource"] == ["arn:aws:ssm:eu-central-1:111122223333:parameter/<parameter-name>"]


def test_a_parameter_is_read_with_one_permission_and_a_key_only_where_there_is_one() -> None:
    made = parameter(PLACED, "DB_PASSWORD")
    assert made is not None
    assert read_parameter(PLACED, made) == (
        {"Effect": "Allow", "Action": ["ssm:GetParameters"], "Resource": [made.arn]},
        {"Effect": "Allow", "Action": ["kms:Decrypt"], "Sid": "OnlyForACustomerManagedKey",
         "Resource": ["arn:aws:kms:eu-central-1:111122223333:key/<key-id>"]},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "action", "resource"),
    [
        ({}, "secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-west-1:999900001111:secret:db-AbCdEf"),
        ({"complete": False}, "secretsmanager:GetSecretValue",
         "arn:aws:secretsmanager:eu-west-1:999900001111:secret:db-AbCdEf-??????"),
        ({"complete": None, "resource": "db-secret"}, "secretsmanager:GetSecretValue",
         "arn:aws:secretsmanager:eu-west-1:999900001111:secret:db-secret-??????"),
        ({"service": "ssm", "resource": "prod/db"}, "ssm:GetParameters",
         "arn:aws:ssm:eu-west-1:999900001111:parameter/prod/db"),
        ({"service": "ssm", "resource": "/prod/db", "region": None, "account": None, "partition": None},
         "ssm:GetParameters", "arn:aws:ssm:eu-central-1:111122223333:parameter/prod/db"),
    ],
)  # fmt: skip
def test_a_reference_is_read_with_the_permission_of_its_store(parts: JSONObject, action: str, resource: str) -> None:
    first, key = read_references(PLACED, [reference(**parts)])
    assert (first["Action"], first["Resource"]) == ([action], [resource])
    assert key["Action"] == ["kms:Decrypt"]


def test_an_object_needs_its_bucket_too_and_no_key_of_ours() -> None:
    found = read_references(
        PLACED, [reference(service="s3", resource="bucket/a/b.env", region=None, account=None, complete=None)]
    )
    assert [(statement["Action"], statement["Resource"]) for statement in found] == [
        (["s3:GetObject"], ["arn:aws:s3:::bucket/a/b.env"]),
        (["s3:GetBucketLocation"], ["arn:aws:s3:::bucket"]),
    ]


@pytest.mark.parametrize("parts", [{"problem": "malformed-arn"}, {"resource": None}, {"resource": "<redacted-1>"}])
def test_what_is_no_reference_or_may_not_be_shown_needs_no_permission(parts: JSONObject) -> None:
    assert read_references(PLACED, [reference(**parts)]) == ()


def test_the_same_permission_is_asked_for_once() -> None:
    assert len(read_references(PLACED, [reference(), reference(), reference(resource="other-AbCdEf")])) == 3
