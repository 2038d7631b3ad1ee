"""What every policy engine promises, and the one reader of their answers.

An engine gets the bytes of a PolicyInput and answers an `Evaluation`. The reader is strict: an answer of any
other shape proves nothing and is an error, never an empty list of findings.
"""

from __future__ import annotations

from typing import Any, Protocol

from ecs_admission.errors import CannotDecideError
from ecs_admission.model import Evaluation, PolicyInput, RawFinding

MAX_FINDINGS = 200
"""More findings than this are a denial of their own, see `decide`."""

_EVALUATION_KEYS = frozenset({"decisionId", "revision", "evaluated", "findings"})
_FINDING_KEYS = frozenset({"rule", "at", "variant"})


class PolicyEngine(Protocol):
    """Evaluates policies. Thread-safe; made after fork.

    `evaluate` raises `EngineUnavailableError` (`EngineUnreachableError` only where nothing of the request was sent to
    anybody), `DeadlineError` or `CannotDecideError`, none of which holds or
    chains anything of the input. It returns within the deadline that the engine was made with.
    """

    name: str

    def evaluate(self, policy_input: PolicyInput) -> Evaluation: ...

    def probe(self) -> None:
        """Raise when the engine cannot evaluate now. Called by the readiness check."""

    def is_unreachable(self) -> bool:
        """Whether nobody listens where the engine should be, and no request can have made it so.

        Found out now, by a connection that has nothing to do with any request. Never raises. An engine that is slow,
        busy or ill is not unreachable, and neither is one that went away while it had a request of ours.
        """

    def close(self) -> None: ...


def read_evaluation(answer: Any) -> Evaluation:
    """Read what `data.admission.main.evaluation` returned.

    Raises `CannotDecideError` for any other shape than
    `{"decisionId", "revision", "evaluated": [rule ids], "findings": [{"rule", "at", "variant"?}]}`.
    """
    if not isinstance(answer, dict) or answer.keys() != _EVALUATION_KEYS:
        raise CannotDecideError("the engine's answer is not an evaluation")
    evaluated, findings = answer["evaluated"], answer["findings"]
    if not isinstance(evaluated, list) or not isinstance(findings, list):
        raise CannotDecideError("the engine's answer is not an evaluation")
    return Evaluation(
        decision_id=_text(answer["decisionId"]),
        revision=_text(answer["revision"]),
        evaluated=frozenset(_text(rule) for rule in evaluated),
        findings=tuple(_finding(finding) for finding in findings),
    )


def _finding(value: Any) -> RawFinding:
    if not isinstance(value, dict) or not value.keys() <= _FINDING_KEYS:
        raise CannotDecideError("a finding of the engine has an unknown shape")
    variant = value.get("variant")
    return RawFinding(
        rule=_text(value.get("rule")),
        at=_text(value.get("at"), empty_allowed=True),
        variant=None if variant is None else _text(variant),
    )


def _text(value: Any, *, empty_allowed: bool = False) -> str:
    if not isinstance(value, str) or not (value or empty_allowed):
        raise CannotDecideError("the engine's answer is not an evaluation")
    return value
