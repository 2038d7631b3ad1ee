"""A sum over terms that two walks can make in different orders."""

from __future__ import annotations

from typing import Any, Final

_MASK: Final = (1 << 64) - 1


class TermSum:
    """A sum over terms. Python's own hash of a text has a secret key in each process, so no set can be made to fit."""

    def __init__(self) -> None:
        self.total = self.count = 0

    def add(self, term: str, time_us: Any, entry_id: Any) -> None:
        """Take one in."""
        self.total = (self.total + hash((term, time_us, entry_id))) & _MASK
        self.count += 1
