"""The detectors: what they know, and that no text can silence them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.project.detectors import Detector, Leaf
from ecs_admission.project.detectors.kingfisher import KingfisherDetector
from ecs_admission.project.detectors.native import NativeDetector
from ecs_admission.project.detectors.protocol import Batch
from tests.project.samples import aws_key_id, github_token, jwt, letters, private_key, unhurried

Found = list[tuple[int, str]]


@pytest.fixture(scope="module")
def native(detectors: tuple[Detector, ...]) -> Detector:
    return next(detector for detector in detectors if isinstance(detector, NativeDetector))


@pytest.fixture(scope="module")
def kingfisher(detectors: tuple[Detector, ...]) -> Detector:
    return next(detector for detector in detectors if isinstance(detector, KingfisherDetector))


def scan(detector: Detector, values: Sequence[str]) -> Found:
    leaves = [Leaf(f"/{index}", None, "environment", value, "NAME") for index, value in enumerate(values)]
    return sorted((index, signal.rule) for index, signal in detector.scan(Batch(leaves)))


NATIVE: dict[str, Callable[[], str]] = {
    "aws-access-key-id": aws_key_id,
    "private-key": private_key,
    "jwt": jwt,
    "authorization": lambda: "Authorization: Bearer " + letters(24),
    "resolved-at-deploy": lambda: "{{resolve:secretsmanager:db:SecretString:password}}",
}
MORE_FORMS: list[tuple[str, Callable[[], str]]] = [
    ("aws-access-key-id", lambda: aws_key_id().replace("AKIA", "ASIA", 1)),
    ("aws-access-key-id", lambda: f"key {aws_key_id()}, rotated"),
    ("private-key", lambda: private_key("")),
    ("private-key", lambda: private_key("EC ")),
    ("private-key", lambda: private_key("OPENSSH ")),
    ("private-key", lambda: private_key("ENCRYPTED ")),
    ("private-key", lambda: "PGP: " + private_key("PGP ").replace("KEY-", "KEY BLOCK-", 1)),
    ("authorization", lambda: "basic " + letters(16) + "=="),
    ("authorization", lambda: "BEARER  " + letters(12)),
    ("resolved-at-deploy", lambda: "x{{resolve:ssm:/db/password:1}}"),
    ("resolved-at-deploy", lambda: "{{resolve:ssm-secure:/db/password}}"),
]


@pytest.mark.parametrize(("rule", "make"), [*NATIVE.items(), *MORE_FORMS])
def test_native_forms_are_known(native: Detector, rule: str, make: Callable[[], str]) -> None:
    value = make()
    assert scan(native, [value]) == [(0, rule)]
    assert native.knows(value)


@pytest.mark.parametrize(
    "value",
    ["", "AKIA", "AKIAlowercaseisnotone", "xAKIA" + "A" * 16, "-----BEGIN PUBLIC KEY-----",
     "-----BEGIN CERTIFICATE-----",
     "bearer", "basic auth", "Bearer ${TOKEN}", "eyJ.eyJ.x", "resolve:ssm:x", "hello"],
)  # fmt: skip
def test_other_values_are_not(native: Detector, value: str) -> None:
    assert scan(native, [value]) == []
    assert not native.knows(value)


KNOWN_TO_PROVIDERS: list[Callable[[], str]] = [
    github_token,
    lambda: f"git clone https://x-access-token:{github_token()}@h/x",
]


@pytest.mark.parametrize("make", KNOWN_TO_PROVIDERS)
def test_provider_formats_are_known(kingfisher: Detector, make: Callable[[], str]) -> None:
    assert scan(kingfisher, [make()])
    assert kingfisher.knows(make())


def test_the_same_secret_is_found_at_each_of_its_places(kingfisher: Detector) -> None:
    token = github_token()
    assert {index for index, _ in scan(kingfisher, [token, "a", token, f"x {token}", token])} == {0, 2, 3, 4}


def test_nothing_is_found_in_nothing(native: Detector, kingfisher: Detector) -> None:
    for detector in (native, kingfisher):
        assert scan(detector, []) == []
        assert scan(detector, ["", "", ""]) == []


SUPPRESSIONS = [
    "kingfisher:ignore",
    "kingfisher:ignore-next-line",
    "kingfisher:ignore-start",
    "# kingfisher:ignore",
    "gitleaks:allow",
    "# gitleaks:allow",
    "trufflehog:ignore",
    "pragma: allowlist secret",
    "# pragma: allowlist nextline secret",
    "noqa",
    "nosec",
    "# nosemgrep",
    "trivy:ignore:*",
    "tfsec:ignore:*",
    "checkov:skip=CKV_SECRET_6:test",
    "ggignore",
    "betterleaks:allow",
    "detect-secrets:ignore",
    "-- sonar-ignore",
    "NOSONAR",
]
CONTEXTS = [
    "\x00",
    "\x1f\x8b\x08",
    "PK\x03\x04",
    "%PDF-1.4",
    "\x7fELF",
    "SQLite format 3\x00",
    "<!--",
    "<script>",
    "<a href='",
    "/*",
    "//",
    "#",
    "'''",
    '"""',
    '"',
    "{",
    "-----BEGIN PUBLIC KEY-----",
    "x" * 100_000,
    "\n" * 5_000,
    "example test fake dummy sample",
]


@pytest.mark.parametrize("text", SUPPRESSIONS + CONTEXTS, ids=lambda text: repr(text[:30]))
def test_no_neighbour_silences_a_secret(kingfisher: Detector, native: Detector, text: str) -> None:
    for detector, secret in ((kingfisher, github_token()), (native, aws_key_id())):
        expected = scan(detector, [secret])
        assert expected
        alone = [rule for _, rule in scan(detector, [text])]
        assert scan(detector, [text, secret]) == [*((0, rule) for rule in alone), *((1, rule) for _, rule in expected)]
        assert scan(detector, [secret, text]) == [*expected, *((1, rule) for rule in alone)]


@pytest.mark.parametrize("text", SUPPRESSIONS)
@pytest.mark.parametrize("joint", ["{secret} # {text}", "{text} {secret}", "{secret}\n{text}", "{text}\n{secret}"])
def test_a_secret_does_not_silence_itself(kingfisher: Detector, native: Detector, text: str, joint: str) -> None:
    for detector, secret in ((kingfisher, github_token()), (native, aws_key_id())):
        assert scan(detector, [joint.format(secret=secret, text=text)])


SECRETS = st.integers(0, 10**6).flatmap(lambda seed: st.sampled_from([github_token(seed), aws_key_id(seed)]))
PIECES = (
    st.text(max_size=15)
    | SECRETS
    | st.sampled_from(SUPPRESSIONS + CONTEXTS[:-4])
    | st.sampled_from(["gh" + "p_", "AK" + "IA", "eyJ", "Bearer ", "-----BEGIN ", "password=", "\n", "token", "=", "'"])
)
VALUES = st.lists(st.lists(PIECES, max_size=3).map("".join), min_size=1, max_size=7)


@unhurried
@given(values=VALUES, data=st.data())
def test_what_is_found_in_a_leaf_depends_on_nothing_but_the_leaf(
    native: Detector, kingfisher: Detector, values: list[str], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(values))))
    for detector in (native, kingfisher):
        alone = sorted((index, rule) for index, value in enumerate(values) for _, rule in scan(detector, [value]))
        assert scan(detector, values) == alone
        shuffled = scan(detector, [values[index] for index in order])
        assert sorted((order[index], rule) for index, rule in shuffled) == alone


@unhurried
@given(text=st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_text_can_be_scanned(native: Detector, kingfisher: Detector, text: str) -> None:
    assert native.knows(text) == bool(scan(native, [text]))
    assert len(scan(kingfisher, [text])) >= 0


@pytest.mark.parametrize(
    "filler", ["-----BEGIN ", "eyJ" + "a" * 9 + ".", "Bearer ", "AK" + "IA", "\u00e4", "{{resolve:"]
)
def test_what_almost_matches_does_not_hide_what_does(native: Detector, filler: str) -> None:
    values = [filler * (200_000 // len(filler)), aws_key_id()]
    assert (1, "aws-access-key-id") in scan(native, values)
    assert (0, "aws-access-key-id") in scan(native, [" ".join(values)])


def aws_secret_key(seed: int = 3) -> str:
    return "wJalr/" + letters(34, seed=seed)


def test_a_run_that_is_no_key_does_not_hide_one_behind_it(native: Detector) -> None:
    assert scan(native, ["a" * 40 + " " + aws_secret_key()]) == [(0, "aws-secret-access-key")]


@pytest.mark.parametrize(
    "path", ["/srv/App/releases/2024/config/production", "/containerDefinitions/0/dockerLabels/com"]
)
def test_a_path_of_forty_characters_is_no_key(native: Detector, path: str) -> None:
    assert scan(native, [path]) == []
