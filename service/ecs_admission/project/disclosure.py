"""Which names of a caller may be shown, and what stands for the others."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ecs_admission.project.detectors.protocol import Detector

_RUN = re.compile(r"[A-Za-z0-9]{16,}")
_CDK_SUFFIX = re.compile(r"[0-9A-F]{8}$")
_CHANGES = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])|(?<=[A-Z])(?=[a-z][A-Z])")
_RANDOM_SHARE = 0.22
_REMEMBERED_NAMES = 50_000


class Disclosure:
    """Remembers for each name (names only, never values) whether it may be shown. Thread-safe: a race only repeats work."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self._detectors = tuple(detectors)
        self._known: dict[tuple[str, re.Pattern[str]], bool] = {}

    def allows(self, text: str, grammar: re.Pattern[str]) -> bool:
        """True where `text` fits the grammar, does not look random, and no detector knows it."""
        key = (text, grammar)
        known = self._known.get(key)
        if known is None:
            known = (
                grammar.fullmatch(text) is not None
                and not looks_random(text)
                and not any(detector.knows(text) for detector in self._detectors)
            )
            if len(self._known) >= _REMEMBERED_NAMES:
                self._known.clear()
            self._known[key] = known
        return known


def looks_random(text: str) -> bool:
    """True where a run of letters and digits changes between them as only generated text does.

    A run of 16 characters or more is compared with how often words change: CamelCase changes every fifth character,
    hexadecimal and base64 every second. The hash that the CDK puts behind a logical id is left out of it.
    """
    return any(_is_random(run) for run in _RUN.findall(text))


def _is_random(run: str) -> bool:
    core = _CDK_SUFFIX.sub("", run) or run
    return len(_CHANGES.findall(core)) > len(core) * _RANDOM_SHARE


class Aliases:
    """Stands for the names of one request that are not shown: equal names get equal aliases, `<redacted-1>` and so on."""

    def __init__(self) -> None:
        self._aliases: dict[str, str] = {}

    def alias(self, text: str) -> str:
        """The alias of `text`."""
        return self._aliases.setdefault(text, f"<redacted-{len(self._aliases) + 1}>")
