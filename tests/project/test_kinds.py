"""What a value is, by its form."""

from __future__ import annotations

import re
import string
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.engines.pack import Pack
from ecs_admission.errors import PolicyError
from ecs_admission.project.kinds import KindModel, length_bucket
from tests.policies.examples import POLICIES
from tests.project.samples import letters, unhurried

TABLE = {
    "": "empty",
    "   ": "empty",
    "\t\n": "empty",
    "<your-password>": "placeholder",
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
    "ops@example.com": "email",
    "/run/secrets/db": "path",
    "./certs/key.pem": "path",
    "~/.pgpass": "path",
    "db.internal": "host",
    "redis-1.cache.local:6379": "host",
}


CREDENTIALS = ["hunter2", "Tr0ub4dor&3", "aB3dE6fG9hJ2"]
WORDS = ["orange", "correct horse battery", "blue-green", "eu-west-1", "a, b, c"]


@pytest.fixture(scope="module")
def model(pack: Pack) -> KindModel:
    words = pack.config["words"]
    return KindModel(words["placeholders"], words["settings"])


@pytest.mark.parametrize(("value", "kind"), TABLE.items())
def test_a_value_has_the_kind_of_its_form(model: KindModel, value: str, kind: str) -> None:
    assert model.classify(value) == kind


@pytest.mark.parametrize("value", [value for value in TABLE if value.strip()])
def test_white_space_around_a_value_changes_nothing(model: KindModel, value: str) -> None:
    assert model.classify(f" {value}\n") == TABLE[value]


@pytest.mark.parametrize("value", CREDENTIALS)
def test_a_value_that_could_be_a_password_is_one_under_the_name_of_one(
    model: KindModel, pack: Pack, value: str
) -> None:
    assert model.classify(value) in pack.config["kinds"]["credential_like"]


@pytest.mark.parametrize("value", WORDS)
def test_words_are_none_where_the_name_only_might_be_one_of_a_secret(
    model: KindModel, pack: Pack, value: str
) -> None:  # fmt: skip
    assert model.classify(value) not in pack.config["kinds"]["credential_like"]


@pytest.mark.parametrize("value", [*CREDENTIALS, *WORDS])
def test_neither_is_harmless_under_the_name_of_a_secret(model: KindModel, pack: Pack, value: str) -> None:
    assert model.classify(value) not in pack.config["kinds"]["harmless"]


@pytest.mark.parametrize("filler", ["x", "*", "/a", "a.", "1", "$(", "a@"])
def test_no_form_is_read_into_very_long_values(model: KindModel, pack: Pack, filler: str) -> None:
    assert model.classify(filler * 5000) == "long"
    assert "long" not in pack.config["kinds"]["harmless"]


@pytest.fixture(scope="module")
def known() -> frozenset[str]:
    """The kinds that the comment in `policies/config/kinds` explains to policy authors, each before its meaning."""
    text = (POLICIES / "config" / "kinds" / "data.yaml").read_text()
    return frozenset(re.findall(r"[a-z]+", "".join(line for line in text.splitlines() if line.startswith("#   "))))


@unhurried
@given(value=st.text())
def test_any_text_has_one_of_the_kinds(model: KindModel, known: frozenset[str], value: str) -> None:
    assert model.classify(value) in known


def test_rules_ask_for_kinds_that_there_are(pack: Pack, known: frozenset[str]) -> None:
    kinds = pack.config["kinds"]
    assert {*kinds["harmless"], *kinds["credential_like"], *kinds["generated"]} <= known
    assert set(kinds["harmless"]).isdisjoint(kinds["credential_like"])
    assert set(kinds["generated"]) <= set(kinds["credential_like"])


@unhurried
@given(seed=st.integers(0, 10**6), length=st.integers(12, 60))
def test_generated_credentials_look_like_credentials(model: KindModel, pack: Pack, seed: int, length: int) -> None:
    assert model.classify("aA1!" + letters(length, seed=seed)) in pack.config["kinds"]["credential_like"]


@unhurried
@given(seed=st.integers(0, 10**6))
def test_long_generated_text_is_known_as_that(model: KindModel, pack: Pack, seed: int) -> None:
    assert model.classify("zQ7xK" + letters(40, seed=seed)) in pack.config["kinds"]["generated"]


@pytest.mark.parametrize(
    ("placeholders", "settings", "at"),
    [(["fine", "a(b"], ["x"], ("placeholders", 1)), (["x"], ["fine", "a(b", "c(d"], ("settings", 1))],
)
def test_what_is_no_pattern_is_refused_by_its_place_and_without_being_shown(
    placeholders: list[str], settings: list[str], at: tuple[str, int]
) -> None:
    with pytest.raises(PolicyError) as caught:
        KindModel(placeholders, settings)
    assert str(caught.value) == f"config/words/{at[0]}/{at[1]}: a pattern is not valid RE2"
    assert caught.value.at == ("config", "words", *at)


def test_a_backreference_is_no_pattern_since_it_could_hang() -> None:
    with pytest.raises(PolicyError):
        KindModel([r"(a)\1"], ["x"])


@pytest.mark.parametrize(
    ("length", "bucket"),
    [(0, "0"), (1, "1-8"), (8, "1-8"), (9, "9-16"), (16, "9-16"), (17, "17-32"), (33, "33-64"), (64, "33-64"),
     (65, "65-128"), (128, "65-128"), (129, "129+"), (10**6, "129+")],
)  # fmt: skip
def test_lengths_are_told_in_seven_ranges(length: int, bucket: str) -> None:
    assert length_bucket(length) == bucket


def test_random_text_is_no_name_of_a_setting_however_it_is_parted(model: KindModel) -> None:
    """A token of letters with an underscore in it has the form of a setting's name, but not its case."""
    random = Random(7)
    for _ in range(5_000):
        parts = ["x", *("".join(random.choices(string.ascii_letters, k=10)) for _ in range(2))]
        for separator in "_-":
            for text in (separator.join(parts), separator.join(parts[:2]), separator.join(parts[1:])):
                if not (text.islower() or text.isupper()):
                    assert model.classify(text) not in ("setting", "placeholder", "boolean", "path", "url")


@pytest.mark.parametrize(
    "text", ["client_secret_basic", "DB_PASSWORD", "x-api-key", "X-Api-Key", "mysql_native_password"]
)
def test_the_name_of_a_setting_is_one(model: KindModel, text: str) -> None:
    assert model.classify(text) == "setting"
