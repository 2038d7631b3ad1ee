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
_PART = MAX_BYTES // 8
_SMALL = MAX_BYTES // 16
_TIMES = 4
_MARGIN = 1.6
"""How much more than in proportion a large body may cost: caches do not grow with it."""

WHOLE = (
    "a value of schemes and userinfo",
    "a value of assignments",
    "a value of names with colons",
    "a value of lines of names",
    "a value of double quotes",
    "a value of backslashes",
    "a value of fallbacks within fallbacks",
    "a value of double braces",
    "a value of keys of XML",
    "a value of look-alikes",
    "a password of letters",
    "an argument of short flags",
    "variables of secrets",
    "unknown members",
    "unknown numbers",
    "deep objects of secrets",
    "JSON in JSON in JSON",
    "base64 of JSON",
    "a long name of secrets",
    "open lists",
    "a key again and again",
    "YAML: variables",
    "YAML: open flow",
    "YAML: flow of objects",
)
"""Kinds that are judged at full size. The others are judged at an eighth of it, in a quarter of the time: a cost that
grows faster than the body shows there as well."""

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


def made(kind: str, size: int) -> bytes:
    """A body that is neither refused for its size nor much smaller."""
    body = HOSTILE[kind](size)
    assert size * 0.3 < len(body) <= size
    return body


def cpu_seconds(judge: Judge, body: bytes) -> float:
    """What it takes to judge a body. It is judged or refused, and never for an error of ours."""
    begin = time.process_time()
    decision, _ = judge.judge(Submission(body))
    seconds = time.process_time() - begin
    assert decision.outcome in (Outcome.ALLOWED, Outcome.DENIED, Outcome.INVALID)
    return seconds


@pytest.mark.parametrize("kind", WHOLE)
def test_a_megabyte_costs_less_than_two_seconds(judge: Judge, kind: str) -> None:
    assert cpu_seconds(judge, made(kind, MAX_BYTES)) < _CPU_SECONDS


@pytest.mark.parametrize("kind", sorted(HOSTILE.keys() - set(WHOLE)))
def test_an_eighth_of_it_costs_less_than_a_quarter_of_that(judge: Judge, kind: str) -> None:
    assert cpu_seconds(judge, made(kind, _PART)) < _CPU_SECONDS / 4


@pytest.mark.parametrize("kind", LINEAR)
def test_the_cost_grows_no_faster_than_the_body(judge: Judge, kind: str) -> None:
    small, large = (
        min(cpu_seconds(judge, HOSTILE[kind](size)) for _ in range(3)) for size in (_SMALL, _TIMES * _SMALL)
    )
    assert large < max(small, 0.005) * _TIMES * _MARGIN


def test_there_are_as_many_kinds_as_promised() -> None:
    assert len(HOSTILE) >= 150
