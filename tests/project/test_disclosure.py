"""Which names may be shown."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.project.detectors import Detector
from ecs_admission.project.disclosure import Aliases, Disclosure, looks_random
from ecs_admission.project.fields import ARN, IMAGE, NAME, SIZE
from tests.project.samples import BASE62, aws_key_id, github_token, jwt, letters, unhurried

WORDS = [
    "web",
    "LOG_LEVEL",
    "DB_PASSWORD",
    "spring.datasource.hikari.maximumPoolSize",
    "AIRFLOW__CORE__SQL_ALCHEMY_CONN",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "com.datadoghq.ad.init_configs",
    "internationalization",
    "ecsTaskExecutionRole",
    "mycompanyPaymentGatewayService",
    "prodOrdersApiTaskDefinitionV2",
    "Base64EncodedHTTPHeaders2",
    "AWSServiceRoleForECS",
    "MyServiceTaskDefinitionF7A3B2C1",
    "ApiStackWebServiceTaskDef8D1B0E5F",
    "arn:aws:iam::111122223333:role/ecsTaskExecutionRole",
    "111122223333",
    "2024-01-31",
    "awsvpc",
]


@pytest.mark.parametrize("name", WORDS)
def test_words_do_not_look_random(name: str) -> None:
    assert not looks_random(name)


@pytest.mark.parametrize("alphabet", [BASE62, string.hexdigits.lower()[:16]], ids=["base62", "hex"])
@pytest.mark.parametrize("length", [32, 40, 64])
def test_almost_all_generated_text_looks_random(alphabet: str, length: int) -> None:
    source = random.Random(length)
    texts = ["".join(source.choices(alphabet, k=length)) for _ in range(500)]
    assert sum(map(looks_random, texts)) >= 495


def test_a_random_run_is_found_wherever_it_stands() -> None:
    assert looks_random(f"prod/my.service-{letters(24)}_x")


@pytest.mark.parametrize("padding", ["x" * 176, "0" * 90, "word" * 30, "Words" * 20])
def test_what_stands_around_a_random_run_does_not_hide_it(padding: str) -> None:
    generated = "5Nm4GUo35co2hoQETzRBV9ib"
    assert looks_random(generated + padding)
    assert looks_random(padding + generated)
    assert looks_random(padding + generated + padding)


def test_short_runs_are_not_judged() -> None:
    assert not looks_random("a1B2c3D-e5F6g7H")
    assert looks_random("a1B2c3D4-e5F6g7H8")


@pytest.mark.parametrize("text", ["01890a5d-ac96-774b-bcce-b302099a8057", "x/01890A5D-AC96-x", "4" * 13])
def test_uuids_and_long_numbers_are_taken_for_generated(text: str) -> None:
    assert looks_random(text)
    assert looks_random(text, hashes=True)


@pytest.mark.parametrize("digest", ["3f2a9c1b" * 5, "0b1d" * 16])
def test_hashes_are_only_shown_where_they_belong(digest: str) -> None:
    assert looks_random(digest)
    assert not looks_random(digest, hashes=True)
    assert looks_random(letters(40), hashes=True)


def test_the_hash_of_the_cdk_is_left_out_only_at_the_end() -> None:
    assert looks_random("F7A3B2C1A9B8C7D6E5F4MyTask")


@unhurried
@given(text=st.text())
def test_any_text_can_be_looked_at(text: str) -> None:
    assert looks_random(text) in (True, False)


@pytest.fixture(scope="module")
def disclosure(detectors: tuple[Detector, ...]) -> Disclosure:
    return Disclosure(detectors)


@pytest.mark.parametrize("name", ["a", "A-1", "a.b/c_d", "x" * 128, "DB_PASSWORD"])
def test_names_of_the_grammar_are_shown(disclosure: Disclosure, name: str) -> None:
    assert disclosure.allows(name, NAME)
    assert disclosure.allows(name, NAME)


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a=b", "a:b", "\u00e4", "a\n", "x" * 129, "<redacted-1>", "\u200b", "a\x00"], ids=ascii
)
def test_other_names_are_not(disclosure: Disclosure, name: str) -> None:
    assert not disclosure.allows(name, NAME)


@pytest.mark.parametrize("make", [github_token, aws_key_id, jwt])
def test_names_that_a_detector_knows_are_not(disclosure: Disclosure, make: object) -> None:
    secret = make()  # type: ignore[operator]
    assert NAME.fullmatch(secret)
    assert not disclosure.allows(secret, NAME)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("nginx", True),
        ("nginx:1.27", True),
        ("111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/web:v1.2.3-rc1", True),
        ("localhost:5000/web:latest", True),
        ("web@sha256:" + "0b1d" * 16, True),
        ("web:" + "3f2a9c1b" * 5, True),
        ("web:" + letters(40), False),
        ("user:pw@registry.example.com/web", False),
        ("https://registry.example.com/web", False),
        ("<IMAGE1_NAME>", False),
    ],
)
def test_an_image_is_shown_without_userinfo(disclosure: Disclosure, text: str, allowed: bool) -> None:
    assert disclosure.allows(text, IMAGE, hashes=True) is allowed


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("ecsTaskExecutionRole", True),
        ("arn:aws:iam::111122223333:role/team/app", True),
        ("arn:aws-cn:iam::111122223333:role/app", True),
        ("arn:aws:iam::111122223333:role/app:x y", False),
        ("two words", False),
    ],
)
def test_a_role_is_a_name_or_an_arn(disclosure: Disclosure, text: str, allowed: bool) -> None:
    assert disclosure.allows(text, ARN) is allowed


@pytest.mark.parametrize(
    ("text", "allowed"),
    [("256", True), (".25 vCPU", True), ("0.5GB", True), ("2 GB", True), ("lots", False), ("", False)],
)
def test_sizes_are_numbers_with_their_unit(disclosure: Disclosure, text: str, allowed: bool) -> None:
    assert disclosure.allows(text, SIZE) is allowed


def test_what_is_remembered_is_bounded_and_stays_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecs_admission.project.disclosure._REMEMBERED_NAMES", 3)
    disclosure = Disclosure(())
    assert [disclosure.allows(name, NAME) for name in ["a", "b c", "d", "e", "a", "b c"]] == [
        True, False, True, True, True, False
    ]  # fmt: skip
    assert len(disclosure.remembered(NAME)) <= 3


def test_a_text_longer_than_a_name_is_not_remembered() -> None:
    disclosure = Disclosure(())
    for text in ("a" * 256, "b" * 257, "c" * 100_000):
        assert not disclosure.allows(text, NAME)
    assert list(disclosure.remembered(NAME)) == ["a" * 256]


@unhurried
@given(texts=st.lists(st.text(), max_size=20))
def test_equal_names_have_equal_aliases_and_different_ones_different(texts: list[str]) -> None:
    aliases = Aliases()
    given_ = [aliases.alias(text) for text in texts]
    assert len(set(given_)) == len(set(texts))
    assert given_ == [aliases.alias(text) for text in texts]
