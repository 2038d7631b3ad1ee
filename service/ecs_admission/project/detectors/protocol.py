"""What a detector gets and gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Leaf:
    """One free-form string of the request, or a named part of one. Holds a literal: never logged, never sent.

    `offset` is where a part begins in the string that `pointer` points at, in characters; None for a whole string.
    `name` is the raw name that the value goes by (variable, flag, label ...), `shown` what may be shown of it.
    """

    pointer: str
    container: str | None
    field: str
    value: str = field(repr=False)
    name: str | None = field(default=None, repr=False)
    shown: str | None = None
    offset: int | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """One observation about a leaf. `confidence` is low, medium or high."""

    detector: str
    rule: str
    confidence: str = "high"


class Detector(Protocol):
    """Looks at many leaves at once, since one pass over joined text is far cheaper than one a leaf.

    What is found in a leaf does not depend on the other leaves. Thread-safe. Never opens a connection.
    """

    name: str

    def scan(self, leaves: Sequence[Leaf]) -> Iterator[tuple[int, Signal]]: ...

    def knows(self, text: str) -> bool:
        """True where the text by itself looks like a secret; asked before a caller's name is shown."""
        ...
