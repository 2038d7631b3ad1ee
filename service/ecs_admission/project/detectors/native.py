"""Our own forms of secrets: those that need no provider's catalogue. RE2, so that no value can slow them down."""

from __future__ import annotations

from collections.abc import Iterator

from ecs_admission.project.detectors.protocol import Batch, Signal
from ecs_admission.project.patterns import PatternSet

# Rule id, pattern, confidence. Every quantifier is bounded.
_PATTERNS: tuple[tuple[str, str, str], ...] = (
    ("aws-access-key-id", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b", "high"),
    ("private-key", r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY", "high"),
    ("jwt", r"\beyJ[A-Za-z0-9_-]{8,1000}\.eyJ[A-Za-z0-9_-]{8,1000}\.[A-Za-z0-9_-]{8,1000}", "high"),
    ("authorization", r"(?i)\b(?:bearer|basic)[ \t]{1,4}[A-Za-z0-9._~+/-]{12,1000}={0,2}", "high"),
    ("resolved-at-deploy", r"\{\{resolve:(?:secretsmanager|ssm-secure|ssm):", "high"),
)


class NativeDetector:
    """See `Detector`."""

    name = "native"

    def __init__(self) -> None:
        self._set = PatternSet([pattern for _, pattern, _ in _PATTERNS])

    def scan(self, batch: Batch) -> Iterator[tuple[int, Signal]]:
        """See `Detector`."""
        for number, index in self._set.candidates(batch.values):
            if self._set.patterns[number].search(batch.leaves[index].value):
                rule, _, confidence = _PATTERNS[number]
                yield index, Signal(self.name, rule, confidence)

    def knows(self, text: str) -> bool:
        """See `Detector`."""
        return self._set.occurs(text)
