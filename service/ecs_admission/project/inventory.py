"""What a request holds, as keyed hashes: so that somebody who has a value can ask where it was deployed.

No engine sees it. It is kept beside the PolicyInput, and holds of a literal no more than where it stood, what it went by
and a hash that says nothing to who does not have the key.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import orjson

from ecs_admission.project.detectors.protocol import Leaf
from ecs_admission.project.fingerprints import FingerprintKey

MIN_CHARS: Final = 8
"""Shorter literals are left out: every log would hold `true`, and whoever has the key could try all short ones."""

MAX_LITERALS: Final = 5_000
"""Of one request; what is beyond is counted in `leftOut`. Ten containers with 200 variables have 2,000."""


def take_inventory(leaves: Iterable[Leaf], key: FingerprintKey) -> bytes:
    """`{"fingerprints", "key", "leftOut", "places"}` in canonical JSON.

    `places` are pairs of a pointer and a name as it may be shown or null, `fingerprints` 32 hex digits for each, in one
    text: see `FingerprintKey.marker`.
    """
    mark = key.marker()
    marks: dict[str, bytes] = {}
    found: list[bytes] = []
    places: list[tuple[str, str | None]] = []
    for leaf in leaves:
        value = leaf.value
        if len(value) < MIN_CHARS:
            continue
        known = marks.get(value)
        if known is None:
            known = marks[value] = mark(value)
        found.append(known)
        places.append((leaf.pointer, leaf.whole or leaf.shown))
    document: dict[str, Any] = {
        "fingerprints": b"".join(found[:MAX_LITERALS]).hex(),
        "key": key.id,
        "leftOut": max(0, len(found) - MAX_LITERALS),
        "places": places[:MAX_LITERALS],
    }
    return orjson.dumps(document)
