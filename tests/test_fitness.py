"""What judges is tried again and again, with the engine that judges; what changes is told once."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from ecs_admission.errors import PolicyError
from ecs_admission.fitness import AGAIN_SECONDS, EVERY_SECONDS, LATE_SECONDS, Fitness
from ecs_admission.model import Refusal


class Tried:
    """A revision that is fit or not, as the test says, and time as the test lets it pass."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, is_tried: bool) -> None:
        self.reason: str | None = None
        self.tries = 0
        self.now = 0.0
        self.told: list[Refusal | None] = []
        monkeypatch.setattr("ecs_admission.fitness.check_revision", self._check)
        monkeypatch.setattr("ecs_admission.fitness.time", SimpleNamespace(monotonic=lambda: self.now))
        activation: Any = SimpleNamespace(active=SimpleNamespace(revision="r"), find=lambda _: None)
        self.fitness = Fitness(activation, is_tried=is_tried, clock=lambda: 1_790_000_000 + self.now)
        self.fitness.on_change = self.told.append

    def _check(self, _: object, *, find: Callable[[str], object]) -> None:
        self.tries += 1
        if self.reason is not None:
            raise PolicyError(self.reason)

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.fitness.check()


def test_what_was_tried_is_tried_again_a_minute_later(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = Tried(monkeypatch, is_tried=True)
    tried.after(EVERY_SECONDS - 1)
    assert tried.tries == 0
    for count in (1, 2):
        tried.after(EVERY_SECONDS)
        assert (tried.tries, tried.fitness.unfit, tried.told) == (count, None, [])


def test_what_is_no_longer_fit_is_told_once_and_tried_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = Tried(monkeypatch, is_tried=True)
    tried.reason = "a password is allowed"
    tried.after(EVERY_SECONDS)
    unfit = Refusal("a password is allowed", 1_790_000_060)
    assert tried.fitness.unfit == unfit
    for _ in range(3):
        tried.after(AGAIN_SECONDS)
    assert tried.told == [unfit]
    tried.reason = "the engine is away"
    tried.after(AGAIN_SECONDS)
    assert tried.fitness.unfit is not None
    assert (tried.fitness.unfit.reason, tried.told) == ("the engine is away", [unfit])
    tried.reason = None
    tried.after(AGAIN_SECONDS)
    assert (tried.fitness.unfit, tried.told, tried.tries) == (None, [unfit, None], 6)
    tried.after(AGAIN_SECONDS)
    assert tried.tries == 6


def test_an_engine_that_was_not_tried_is_not_fit_until_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = Tried(monkeypatch, is_tried=False)
    assert tried.fitness.unfit is not None
    tried.after(0)
    assert (tried.fitness.unfit, tried.tries, tried.told) == (None, 1, [None])


def test_what_nobody_tries_any_more_is_not_known_to_be_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ended the thread that tries: a service without its tripwires takes no requests."""
    tried = Tried(monkeypatch, is_tried=True)
    tried.now += EVERY_SECONDS + LATE_SECONDS
    assert tried.fitness.unfit is None
    tried.now += 1
    assert tried.fitness.unfit is not None
    assert tried.fitness.unfit.reason == "the policies were not tried when they should have been"
    tried.after(0)
    assert tried.fitness.unfit is None
