"""No body is too much to judge. How long each takes, `python -m tests.bypass.cost` tells, which `make bench` runs."""

from __future__ import annotations

import pytest

from ecs_admission.adapt.bounds import MAX_BYTES
from ecs_admission.model import Outcome
from ecs_admission.revision import Revision
from tests.bypass.hiding import Submission
from tests.bypass.hostile import HOSTILE
from tests.bypass.test_bypass import Judge

_PART = MAX_BYTES // 8


@pytest.fixture(scope="module")
def judge(revision: Revision) -> Judge:
    return Judge(revision)


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_a_hostile_body_is_judged_or_refused(judge: Judge, kind: str) -> None:
    body = HOSTILE[kind](_PART)
    assert _PART * 0.3 < len(body) <= _PART
    decision, _ = judge.judge(Submission(body))
    assert decision.outcome in (Outcome.ALLOWED, Outcome.DENIED, Outcome.INVALID)


def test_there_are_as_many_kinds_as_promised() -> None:
    assert len(HOSTILE) >= 150
