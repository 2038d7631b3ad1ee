"""Whether this service is about to end: said by the master, known to every worker at once."""

from __future__ import annotations

import mmap


class Drain:
    """A word in memory that the master shares with the workers that it forks, those it forks later included."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1)

    def begin(self) -> None:
        """From now on nothing new should come here."""
        self._memory[0] = 1

    @property
    def has_begun(self) -> bool:
        """True once it has begun. It does not end but with the process."""
        return self._memory[0] != 0
