"""Provider formats, by MongoDB's kingfisher-secret-scanner: offline, never validating, inline suppressions off."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kingfisher_sdk import DetectionPolicy, Rules, Scanner

from ecs_admission.project.detectors.protocol import Batch, Leaf, Signal
from ecs_admission.project.patterns import JoinedText

# Wider than the context that a rule of kingfisher looks at, so that no match spans two leaves.
_PADDING = "\n" + " " * 128 + "\n"

_SHORTEST_TOKEN = 8
"""Characters of the shortest value that a provider's format can be."""

# A variable that holds `kingfisher:ignore` must not silence itself or its neighbours, nor may markup.
_POLICY = DetectionPolicy(inline_ignores=False, ignore_comments=(), markup_context=False)


class KingfisherDetector:
    """See `Detector`. Compiled rules are kept in `cache`, a folder only we may write (else 3 s a start, not 0.3)."""

    name = "kingfisher"

    def __init__(self, cache: Path | None = None) -> None:
        self._scanner = Scanner(_load_rules(cache or default_cache()), redact=True, policy=_POLICY)

    def scan(self, batch: Batch) -> Iterator[tuple[int, Signal]]:
        """See `Detector`. What the pass over the joined text points at is scanned again alone, and that counts."""
        worth = [index for index, leaf in enumerate(batch.leaves) if len(leaf.value) >= _SHORTEST_TOKEN]
        documents = [_document(batch.leaves[index]) for index in worth]
        joined = JoinedText(documents, _PADDING)
        hits = self._scanner.scan(joined.content) if documents else ()
        for number in sorted({joined.index(finding.location["start_offset"]) for finding in hits}):
            for rule_id, confidence in self._rules(documents[number]):
                yield worth[number], Signal(self.name, rule_id, confidence)

    def knows(self, text: str) -> bool:
        """See `Detector`."""
        return len(text) >= _SHORTEST_TOKEN and bool(self._rules(text))

    def _rules(self, document: str) -> list[tuple[str, str]]:
        findings = self._scanner.scan(document.encode("utf-8", "replace"))
        return sorted({f.rule_id: f.confidence.lower() for f in findings if f.visible}.items())


def _document(leaf: Leaf) -> str:
    """Some formats are only known beside a name."""
    return f"{leaf.name}={leaf.value}" if leaf.name else leaf.value


def default_cache() -> Path:
    """Where compiled rules are kept: `KF_RULE_CACHE_DIR`, or a folder of ours in the user's cache."""
    given = os.environ.get("KF_RULE_CACHE_DIR")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        folder = Path(base) if base else Path.home() / ".cache"
    except RuntimeError:  # a user without a home, as containers have
        folder = Path(tempfile.gettempdir()) / f"ecs-admission-{os.getuid()}"
    return folder / "ecs-admission" / "kingfisher"


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
