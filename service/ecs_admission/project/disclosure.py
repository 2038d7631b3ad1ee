"""Which names of a caller may be shown, and what stands for the others."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from ecs_admission.project.detectors.protocol import Detector

_RUN = re.compile(r"[A-Za-z0-9]{8,}")
_HASH = re.compile(r"[0-9a-f]{7,12}|[0-9A-F]{8}")
_DIGITS = re.compile(r"[0-9]{13,}")
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-")
_CDK_SUFFIX = re.compile(r"[0-9A-F]{8}$")
_CHANGES = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])|(?<=[A-Z])(?=[a-z][A-Z])")
_RANDOM_SHARE = 0.22
_FEW_CHANGES = 3
_WINDOW_CHARS = 24
_MANY_CHANGES = int(_WINDOW_CHARS * _RANDOM_SHARE) + 1
_REMEMBERED_NAMES = 50_000
_LONGEST_REMEMBERED = 256


class Disclosure:
    """Remembers for each name (names only, never values) whether it may be shown.

    Thread-safe: a race only repeats work.
    """

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self._detectors = tuple(detectors)
        self._remembered: dict[re.Pattern[str], dict[str, bool]] = defaultdict(dict)

    def remembered(self, grammar: re.Pattern[str]) -> Mapping[str, bool]:
        """What `allows` has answered so far: for loops in which a call for each name would cost too much."""
        return self._remembered[grammar]

    def allows(self, text: str, grammar: re.Pattern[str], *, hashes: bool = False) -> bool:
        """True where `text` fits the grammar, does not look random, and no detector knows it.

        `hashes` allows commit ids and digests of any length, as image tags hold them.
        """
        remembered = self._remembered[grammar]
        known = remembered.get(text)
        if known is None:
            known = (
                grammar.fullmatch(text) is not None
                and not looks_random(text, hashes=hashes)
                and not any(detector.knows(text) for detector in self._detectors)
            )
            if len(text) <= _LONGEST_REMEMBERED:
                if len(remembered) >= _REMEMBERED_NAMES:
                    remembered.clear()
                remembered[text] = known
        return known


def looks_random(text: str, *, hashes: bool = False) -> bool:
    """True where a run of letters and digits changes between them as only generated text does.

    A run of 8 characters or more is compared with how often words change: CamelCase changes every fifth character,
    hexadecimal and base64 every second. Of a longer run any 24 characters are enough. Short hashes, as pipelines put
    behind names, and the one that the CDK puts behind a logical id are left out of it. So is no UUID and no number of
    more than 12 digits.
    """
    if _UUID.search(text) or _DIGITS.search(text):
        return True
    return any(_is_random(run, hashes=hashes) for run in _RUN.findall(text))


def _is_random(run: str, *, hashes: bool) -> bool:
    if _HASH.fullmatch(run) or (hashes and re.fullmatch(r"[0-9a-f]+", run)):
        return False
    core = _CDK_SUFFIX.sub("", run) or run
    changes = [match.start() for match in _CHANGES.finditer(core)]
    if len(changes) > len(core) * _RANDOM_SHARE and len(changes) >= _FEW_CHANGES:
        return True
    # What is random in a part of a long run stays so, however much is put around it.
    return any(
        last - first <= _WINDOW_CHARS - 2 for first, last in zip(changes, changes[_MANY_CHANGES - 1 :], strict=False)
    )


class Aliases:
    """Stands for the names of one request that are not shown: equal names get equal aliases, as `<redacted-1>`."""

    def __init__(self) -> None:
        self._aliases: dict[str, str] = {}

    def alias(self, text: str) -> str:
        """The alias of `text`."""
        return self._aliases.setdefault(text, f"<redacted-{len(self._aliases) + 1}>")
