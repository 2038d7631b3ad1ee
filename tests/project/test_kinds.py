"""What a value is, by its form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.engines.pack import Pack
from ecs_admission.errors import PolicyError
from ecs_admission.project.kinds import KindModel, length_bucket
from tests.project.samples import letters, unhurried

KINDS = [
    "empty",
    "placeholder",
    "template",
    "boolean",
    "number",
    "arn",
    "url",
    "email",
    "path",
    "host",
    "opaque",
    "text",
]

TABLE = {
    "": "empty",
    "   ": "empty",
    "\t\n": "empty",
    "<your-password>": "placeholder",
    "[password]": "placeholder",
    "****": "placeholder",
    "xxxx": "placeholder",
    "XXXX": "placeholder",
    "...": "placeholder",
    "-": "placeholder",
    "__TOKEN__": "placeholder",
    "%TOKEN%": "placeholder",
    "changeme": "placeholder",
    "CHANGE_ME": "placeholder",
    "change-it": "placeholder",
    "replace me please": "placeholder",
    "todo": "placeholder",
    "none": "placeholder",
    "N/A": "placeholder",
    "not-set": "placeholder",
    "dummy": "placeholder",
    "your-api-key-here": "placeholder",
    "${DB_PASSWORD}": "template",
    "$(cat /run/secret)": "template",
    "$DB_PASSWORD": "template",
    "${DB_PASSWORD:-x}": "opaque",
    "true": "boolean",
    "No": "boolean",
    "enabled": "boolean",
    "0": "number",
    "-17": "number",
    "3.25": "number",
    "30s": "number",
    "50%": "number",
    "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf": "arn",
    "arn:aws-cn:ssm:cn-north-1:111122223333:parameter/db": "arn",
    "arn:aws-us-gov:iam::111122223333:role/x": "arn",
    "https://example.com/a?b=c": "url",
    "postgres://db:5432/app": "url",
    "https://user@example.com": "opaque",
    "ops@example.com": "email",
    "/run/secrets/db": "path",
    "./certs/key.pem": "path",
    "~/.pgpass": "path",
    "db.internal": "host",
    "redis-1.cache.local:6379": "host",
    "hunter2": "opaque",
    "Tr0ub4dor&3": "opaque",
    "correct horse battery": "text",
    "orange": "text",
    "ab1": "text",
}


@pytest.fixture(scope="module")
def model(pack: Pack) -> KindModel:
    return KindModel(pack.config["words"]["placeholders"])


@pytest.mark.parametrize(("value", "kind"), TABLE.items())
def test_a_value_has_the_kind_of_its_form(model: KindModel, value: str, kind: str) -> None:
    assert model.classify(value) == kind


@pytest.mark.parametrize("value", [value for value in TABLE if value.strip()])
def test_white_space_around_a_value_changes_nothing(model: KindModel, value: str) -> None:
    assert model.classify(f" {value}\n") == TABLE[value]


@pytest.mark.parametrize("filler", ["x", "*", "/a", "a.", "1", "$(", "a@"])
def test_no_form_is_read_into_very_long_values(model: KindModel, filler: str) -> None:
    assert model.classify(filler * 5000) == "text"


@unhurried
@given(value=st.text())
def test_any_text_has_one_of_the_kinds(model: KindModel, value: str) -> None:
    assert model.classify(value) in KINDS


@unhurried
@given(seed=st.integers(0, 10**6), length=st.integers(12, 60))
def test_generated_credentials_are_opaque(model: KindModel, seed: int, length: int) -> None:
    assert model.classify("aA1!" + letters(length, seed=seed)) == "opaque"


def test_placeholders_that_are_no_pattern_are_refused_without_being_shown() -> None:
    with pytest.raises(PolicyError) as caught:
        KindModel(["fine", "a(b"])
    assert str(caught.value) == "a pattern is not valid RE2"


def test_a_backreference_is_no_pattern_since_it_could_hang() -> None:
    with pytest.raises(PolicyError):
        KindModel([r"(a)\1"])


@pytest.mark.parametrize(
    ("length", "bucket"),
    [(0, "0"), (1, "1-8"), (8, "1-8"), (9, "9-16"), (16, "9-16"), (17, "17-32"), (33, "33-64"), (64, "33-64"),
     (65, "65-128"), (128, "65-128"), (129, "129+"), (10**6, "129+")],
)  # fmt: skip
def test_lengths_are_told_in_seven_ranges(length: int, bucket: str) -> None:
    assert length_bucket(length) == bucket
