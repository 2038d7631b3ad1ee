"""No body keeps the service busy: a megabyte of anything is judged in less than two seconds of CPU."""

from __future__ import annotations

import time

import pytest

from ecs_admission.adapt.bounds import MAX_BYTES
from ecs_admission.model import Outcome
from ecs_admission.revision import Revision
from tests.bypass.hiding import Submission
from tests.bypass.hostile import HOSTILE
from tests.bypass.test_bypass import Judge

_CPU_SECONDS = 2.0
_SMALL = MAX_BYTES // 4
_TIMES = 4
_MARGIN = 1.6
"""How much more than in proportion a large body may cost: caches do not grow with it."""

LINEAR = (
    "a value of assignments",
    "a value of userinfo",
    "a value of look-alikes",
    "a value of keys of XML",
    "a value of names with quotes",
    "a value of fallbacks within fallbacks",
    "a value of base64 of gzip",
    "variables",
    "containers",
    "unknown members of a list",
)


@pytest.fixture(scope="module")
def judge(revision: Revision) -> Judge:
    return Judge(revision)


def cpu_seconds(judge: Judge, body: bytes) -> float:
    """What it takes to judge a body. It is judged or refused, and never for an error of ours."""
    begin = time.process_time()
    decision, _ = judge.judge(Submission(body))
    seconds = time.process_time() - begin
    assert decision.outcome in (Outcome.ALLOWED, Outcome.DENIED, Outcome.INVALID)
    return seconds


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_megabyte_costs_less_than_two_seconds(judge: Judge, kind: str) -> None:
    body = HOSTILE[kind](MAX_BYTES)
    assert MAX_BYTES * 0.3 < len(body) <= MAX_BYTES
    assert cpu_seconds(judge, body) < _CPU_SECONDS


@pytest.mark.parametrize("kind", LINEAR)
def test_the_cost_grows_no_faster_than_the_body(judge: Judge, kind: str) -> None:
    small, large = (
        min(cpu_seconds(judge, HOSTILE[kind](size)) for _ in range(3)) for size in (_SMALL, _TIMES * _SMALL)
    )
    assert large < max(small, 0.005) * _TIMES * _MARGIN


def test_there_are_as_many_kinds_as_promised() -> None:
    assert len(HOSTILE) >= 150
