"""What a request holds, as keyed hashes: so that somebody who has a value can ask where it was deployed.

No engine sees it. It is kept beside the PolicyInput, and holds of a literal no more than where it stood, what it went
by and a hash that says nothing to who does not have the key.
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
    """`{"fingerprints", "key", "leftOut", "names", "pointers"}` in canonical JSON.

    Of each literal its pointer, its name as it may be shown or null, and 32 hex digits in the one text of
    `fingerprints`, see `FingerprintKey.marker`.
    """
    mark = key.marker()
    marks: dict[str, bytes] = {}
    found: list[bytes] = []
    pointers: list[str] = []
    names: list[str | None] = []
    # Unpacked and in lists of their own: a request can have thousands, and each object more is felt.
    for pointer, _, _, value, _, shown, _, _, whole in leaves:
        if len(value) >= MIN_CHARS:
            found.append(marks.get(value) or marks.setdefault(value, mark(value)))
            pointers.append(pointer)
            names.append(whole or shown)
    document: dict[str, Any] = {
        "fingerprints": b"".join(found[:MAX_LITERALS]).hex(),
        "key": key.id,
        "leftOut": max(0, len(found) - MAX_LITERALS),
        "names": names[:MAX_LITERALS],
        "pointers": pointers[:MAX_LITERALS],
    }
    return orjson.dumps(document)
