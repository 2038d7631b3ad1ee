"""Provider formats, by MongoDB's kingfisher-secret-scanner: offline, never validating, inline suppressions off."""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from kingfisher_sdk import DetectionPolicy, Rules, Scanner

from ecs_admission.project.detectors.protocol import Leaf, Signal

# Wider than the context that a rule of kingfisher looks at, so that no match spans two leaves.
_PADDING = "\n" + " " * 128 + "\n"

# A variable that holds `kingfisher:ignore` must not silence itself or its neighbours, nor may markup.
_POLICY = DetectionPolicy(inline_ignores=False, ignore_comments=(), markup_context=False)


class KingfisherDetector:
    """See `Detector`. Compiled rules are kept in `cache`, a folder only we may write (else 3 s a start, not 0.3)."""

    name = "kingfisher"

    def __init__(self, cache: Path | None = None) -> None:
        self._scanner = Scanner(_load_rules(cache or default_cache()), redact=True, policy=_POLICY)

    def scan(self, leaves: Sequence[Leaf]) -> Iterator[tuple[int, Signal]]:
        """See `Detector`. What the pass over the joined text points at is scanned again alone, and that counts."""
        documents = [f"{leaf.name}={leaf.value}" if leaf.name else leaf.value for leaf in leaves]
        encoded = [document.encode("utf-8", "replace") for document in documents]
        padding = _PADDING.encode()
        starts = list(accumulate((len(document) + len(padding) for document in encoded), initial=0))
        hits = self._scanner.scan(padding.join(encoded)) if encoded else ()
        touched = {bisect_right(starts, finding.location["start_offset"]) - 1 for finding in hits}
        for index in sorted(touched):
            for rule_id, confidence in self._rules(encoded[index]):
                yield index, Signal(self.name, rule_id, confidence)

    def knows(self, text: str) -> bool:
        """See `Detector`."""
        return bool(self._rules(text.encode("utf-8", "replace")))

    def _rules(self, document: bytes) -> list[tuple[str, str]]:
        found = {f.rule_id: f.confidence.lower() for f in self._scanner.scan(document) if f.visible}
        return sorted(found.items())


def default_cache() -> Path:
    """Where compiled rules are kept: `KF_RULE_CACHE_DIR`, or a folder of ours in the user's cache."""
    given = os.environ.get("KF_RULE_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given) if given else Path(base) / "ecs-admission" / "kingfisher"


def warm_cache() -> None:
    """Compile the rules into the cache unless something is there. A wrong entry is noticed and compiled again."""
    cache = default_cache()
    if not cache.is_dir() or not any(cache.iterdir()):
        _load_rules(cache)


def _load_rules(cache: Path) -> Rules:
    # Where the folder cannot be made (a read-only root), the library compiles without it.
    with contextlib.suppress(OSError):
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Rules(confidence="medium", cache_dir=cache)
