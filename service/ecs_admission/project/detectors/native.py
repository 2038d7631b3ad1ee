"""Our own forms of secrets. RE2, so that no value can slow them down."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ecs_admission.errors import PolicyError
from ecs_admission.project.detectors.protocol import Batch, Leaf, Signal
from ecs_admission.project.patterns import PatternSet, compile_pattern

_CHANGES = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[a-z0-9])|(?<=[0-9])(?=[A-Za-z])")
_MANY_CHANGES = 12
_RUN = re.compile(r"[A-Za-z0-9/+]{40,}={0,2}")
_KEY_CHARS = 40
_CHECKED = "aws-secret-access-key"
"""The rule whose pattern alone says too little."""


class NativeDetector:
    """See `Detector`."""

    name = "native"

    def __init__(self, tokens: Mapping[str, Sequence[str]]) -> None:
        """`tokens` are the lists of `policies/config/tokens`. Raises `PolicyError` for a pattern that is not RE2."""
        forms = [(rule, pattern) for rule, patterns in sorted(tokens.items()) for pattern in patterns]
        self._rules = tuple(rule for rule, _ in forms)
        self._set = PatternSet([pattern for _, pattern in forms])

    def scan(self, batch: Batch) -> Iterator[tuple[int, Signal]]:
        """See `Detector`."""
        for number, index in self._set.candidates(batch.values):
            rule, value = self._rules[number], batch.leaves[index].value
            if _holds_key(value) if rule == _CHECKED else self._set.patterns[number].search(value):
                yield index, Signal(self.name, rule)

    def knows(self, text: str) -> bool:
        """See `Detector`."""
        return any(True for _ in self.scan(Batch([Leaf("", None, "", text)])))


def _holds_key(value: str) -> bool:
    """True where some run of the value is a key: not only the first, which may be there to distract."""
    return any(_is_mixed(run) for run in _RUN.findall(value))


def _is_mixed(text: str) -> bool:
    """An AWS secret access key has capitals, small letters and digits in no order, and most have a slash or a plus.

    What has neither is left to its name: too many ids and public keys have 40 letters and digits.
    """
    has_all = all(any(test(c) for c in text) for test in (str.isupper, str.islower, str.isdigit))
    return (
        len(text) == _KEY_CHARS
        and has_all
        and ("/" in text or "+" in text)
        and len(_CHANGES.findall(text)) >= _MANY_CHANGES
    )


def read_tokens(config: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
    """The patterns of `policies/config/tokens`. Raises `PolicyError` where they are no lists of texts."""
    tokens = config.get("tokens")
    if not isinstance(tokens, dict) or not tokens:
        raise PolicyError("expected lists of patterns by rule", at=("config", "tokens"))
    for rule, patterns in tokens.items():
        if not isinstance(patterns, list):
            at: tuple[str | int, ...] = ("config", "tokens", rule)
            raise PolicyError("must be a list of RE2 patterns", at=at)
        for index, pattern in enumerate(patterns):
            at = ("config", "tokens", rule, index)
            if not isinstance(pattern, str) or not pattern:
                raise PolicyError("must be a RE2 pattern", at=at)
            compile_pattern(pattern, at=at)
    return tokens
