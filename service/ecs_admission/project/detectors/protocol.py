"""What a detector gets and gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

from ecs_admission.project.patterns import JoinedText


class Leaf(NamedTuple):
    """One free-form string of the request, or a named part of one. Holds a literal: never logged, never sent.

    `offset` is where a part begins in the string that `pointer` points at, in characters; None for a whole string.
    `name` is the raw name that the value goes by (variable, flag, label ...), `shown` what may be shown of it, and
    `whole` what may be shown of the name of the string that a part stands in.

    A tuple, since a request can have tens of thousands and a dataclass takes three times as long to make.
    """

    pointer: str
    container: str | None
    field: str
    value: str
    name: str | None = None
    shown: str | None = None
    offset: int | None = None
    hint: str | None = None
    whole: str | None = None

    def __repr__(self) -> str:
        return f"Leaf({self.field})"


@dataclass(frozen=True, slots=True)
class Signal:
    """One observation about a leaf. `confidence` is low, medium or high."""

    detector: str
    rule: str
    confidence: str = "high"


class Batch:
    """The leaves of one request, with their values joined once for all that search them."""

    def __init__(self, leaves: Sequence[Leaf]) -> None:
        self.leaves = leaves

    @cached_property
    def values(self) -> JoinedText:
        """The values alone."""
        return JoinedText([leaf.value for leaf in self.leaves], "\n")


class Detector(Protocol):
    """Looks at many leaves at once, since one pass over joined text is far cheaper than one a leaf.

    What is found in a leaf does not depend on the other leaves. Thread-safe. Never opens a connection.
    """

    name: str

    def scan(self, batch: Batch) -> Iterator[tuple[int, Signal]]: ...

    def knows(self, text: str) -> bool:
        """True where the text by itself looks like a secret; asked before a caller's name is shown."""
        ...
