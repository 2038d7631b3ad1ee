"""Detection keeps the bar on the first set, and the sets themselves hold what they promise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecs_admission.project.detectors.kingfisher import KingfisherDetector
from ecs_admission.project.detectors.native import NativeDetector
from ecs_admission.revision import Revision
from tests.detection import benign_set, holdout_set, secrets_set
from tests.detection.cases import PLACES, Case, build, neutral
from tests.detection.judges import Pipeline
from tests.detection.run import RECALL_GOAL, describe_results, judge


@pytest.fixture(scope="module")
def pipeline(revision: Revision) -> Pipeline:
    return Pipeline(revision)


def test_the_request_that_all_cases_are_made_of_is_allowed(pipeline: Pipeline) -> None:
    assert pipeline.judge(Case("neutral", "", "", neutral())).outcome == "allowed"


def test_secrets_are_found(pipeline: Pipeline) -> None:
    outcome = judge(pipeline, secrets_set.secrets())
    assert outcome.recall >= RECALL_GOAL, f"{outcome.recall:.1%}\n{describe_results(outcome.misses)}"


def test_nothing_harmless_is_denied(pipeline: Pipeline) -> None:
    outcome = judge(pipeline, benign_set.benign())
    assert not outcome.false_alarms, describe_results(outcome.false_alarms)


def test_the_sets_are_as_large_as_promised() -> None:
    secrets, benign = secrets_set.secrets(), benign_set.benign()
    assert len(secrets) >= 180
    assert len({case.kind for case in secrets}) >= 70
    assert len(benign) >= 260
    assert len(holdout_set.secrets()) >= 120
    assert len(holdout_set.benign()) >= 200


def test_every_place_holds_a_secret_and_something_harmless() -> None:
    only_secret = {"volumesFrom", "dockerLabelKey"}
    assert PLACES.keys() - {case.field for case in secrets_set.secrets()} <= {"volumesFrom"}
    assert PLACES.keys() - {case.field for case in benign_set.benign()} <= only_secret


@pytest.mark.parametrize("where", PLACES)
def test_a_pointer_leads_to_the_value(where: str) -> None:
    built = build(where, "domain", "something")
    for pointer in built.pointers:
        value = built.document
        for token in pointer.split("/")[1:]:
            if token.startswith("<"):
                value = next(iter(value))
            else:
                value = value[int(token)] if isinstance(value, list) else value[token]
        assert value in ("something", "domain")


def test_a_set_is_the_same_in_each_run() -> None:
    assert json.dumps([case.document for case in secrets_set.secrets()]) == json.dumps(
        [case.document for case in secrets_set.secrets()]
    )


def test_no_report_of_a_case_holds_its_secret() -> None:
    for case in (*secrets_set.secrets(), *holdout_set.secrets()):
        assert "document" not in repr(case)
        assert not any(detector.knows(str(case)) for detector in (NativeDetector(), KingfisherDetector()))


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("*.py")), ids=lambda path: path.name)
def test_no_detector_knows_a_file_that_makes_secrets(path: Path) -> None:
    text = path.read_text()
    assert not any(detector.knows(text) for detector in (NativeDetector(), KingfisherDetector()))
