"""The values that stand for secrets are taken for secrets, and leave no trace in the files that ask for them."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from ecs_admission.project.detectors.protocol import Batch, Detector, Leaf
from tests import secret_values
from tests.policies.examples import RULES
from tests.secret_values import KINDS, fill, make_secret, traces

RECOGNISED = {
    "github-pat": ("kingfisher", "github"),
    "aws-access-key-id": ("native", "aws-access-key-id"),
    "private-key": ("native", "private-key"),
    "jwt": ("native", "jwt"),
}


@pytest.mark.parametrize("kind", RECOGNISED)
@pytest.mark.parametrize("seed", range(5))
def test_a_form_is_recognised_by_its_detector(kind: str, seed: int, detectors: tuple[Detector, ...]) -> None:
    leaf = Leaf("/x", None, "command", make_secret(kind, Random(seed)))
    by, rule = RECOGNISED[kind]
    found = {(signal.detector, signal.rule) for detector in detectors for _, signal in detector.scan(Batch([leaf]))}
    assert any(detector == by and rule in name for detector, name in found), found


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_is_the_same_for_a_seed_and_another_for_another(kind: str) -> None:
    assert make_secret(kind, Random(1)) == make_secret(kind, Random(1)) != make_secret(kind, Random(2))


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(KeyError):
        fill({"value": "{{secret:no-such-kind}}"}, Random(1))


def test_keys_and_parts_of_strings_are_filled() -> None:
    document = {"{{secret:hex}}": ["a={{secret:hex}};b={{secret:hex}}", 1, None]}
    filled, secrets = fill(document, Random(1))
    assert len(set(secrets)) == 3
    assert filled == {secrets[0]: [f"a={secrets[1]};b={secrets[2]}", 1, None]}
    assert "{{" not in str(filled)


def test_a_text_is_repeated() -> None:
    assert fill(["{{repeat:3:a=$B; }}x", {"{{repeat:2:k}}": 1}], Random(1)) == (["a=$B; a=$B; a=$B; x", {"kk": 1}], [])


def test_a_key_is_traced_by_its_lines_and_not_by_its_frame() -> None:
    secret = make_secret("private-key", Random(1))
    assert all("PRIVATE" not in trace and trace in secret for trace in traces(secret))
    assert len(traces(secret)) > 10


@pytest.mark.parametrize(
    "path", [Path(secret_values.__file__), *sorted(RULES.glob("*/*/examples.yaml"))], ids=lambda path: path.parent.name
)
def test_no_detector_knows_a_file_that_makes_secrets(path: Path, detectors: tuple[Detector, ...]) -> None:
    text = path.read_text()
    assert [detector.name for detector in detectors if detector.knows(text)] == []
