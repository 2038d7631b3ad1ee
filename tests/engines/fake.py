"""An engine in plain Python for tests that need no policies: honest unless it is told otherwise."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from typing import Any

import orjson

from ecs_admission.errors import AdmissionError, CannotDecideError, EngineUnavailableError
from ecs_admission.model import Evaluation, PolicyInput, RawFinding

Judge = Callable[[Any], Iterable[RawFinding]]
"""What is wrong with a PolicyInput, given as parsed JSON."""


def no_findings(_: Any) -> Iterable[RawFinding]:
    """Find nothing."""
    return ()


class FakeEngine:
    """See `PolicyEngine`. Says that it evaluated `rules` of `revision`, and finds what `judge` finds.

    With a `failure` it raises that instead, as often as it is asked. `asked` keeps every PolicyInput.
    """

    name = "fake"

    def __init__(
        self,
        *,
        revision: str,
        rules: Collection[str],
        judge: Judge = no_findings,
        failure: AdmissionError | None = None,
    ) -> None:
        self.asked: list[PolicyInput] = []
        self.failure = failure
        self._revision = revision
        self._rules = frozenset(rules)
        self._judge = judge
        self._closed = threading.Event()

    def evaluate(self, policy_input: PolicyInput) -> Evaluation:
        """See `PolicyEngine`."""
        self.probe()
        self.asked.append(policy_input)
        document = _parse(policy_input.body)
        if not isinstance(document, dict) or not all(isinstance(document.get(x), dict) for x in ("request", "counts")):
            raise CannotDecideError("the fake engine was given no PolicyInput")
        if not isinstance(document["counts"].get("literals"), int):
            raise CannotDecideError("the fake engine was not told how many literals were looked at")
        decision_id = document["request"].get("uid")
        if not isinstance(decision_id, str) or not decision_id:
            raise CannotDecideError("the fake engine was given no decision id")
        findings = tuple(sorted(set(self._judge(document)), key=lambda found: (found.at, found.rule)))
        return Evaluation(decision_id, self._revision, self._rules, findings)

    def probe(self) -> None:
        """See `PolicyEngine`."""
        if self._closed.is_set():
            raise EngineUnavailableError("the fake engine is closed")
        if self.failure is not None:
            raise self.failure

    def is_unreachable(self) -> bool:
        """See `PolicyEngine`."""
        return False

    def close(self) -> None:
        """See `PolicyEngine`."""
        self._closed.set()


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
