"""Detection keeps the bar on the first set, and the sets themselves hold what they promise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ecs_admission.revision import Revision
from tests.detection import benign_set, holdout_set, secrets_set
from tests.detection.cases import PLACES, Case, build, neutral, secret_cases
from tests.detection.judges import KingfisherAlone, Pipeline
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
    assert PLACES.keys() <= {case.field for case in secrets_set.secrets()}
    assert PLACES.keys() <= {case.field for case in benign_set.benign()}


@pytest.mark.parametrize("where", PLACES)
def test_a_pointer_leads_to_the_value(where: str) -> None:
    built = build(where, "domain", "something")
    for pointer in built.pointers:
        value: Any = built.document
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


def test_what_is_reported_of_a_case_does_not_depend_on_its_secret() -> None:
    for rows in (secrets_set.ROWS, holdout_set.SECRETS):
        assert [str(case) for case in secret_cases(rows, 1)] == [str(case) for case in secret_cases(rows, 2)]


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("*.py")), ids=lambda path: path.name)
def test_no_scanner_takes_a_file_that_makes_secrets_for_a_leak(path: Path) -> None:
    assert [False] == KingfisherAlone().flagged([path.read_text()])
