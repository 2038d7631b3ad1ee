"""How the last call ended that an engine outside this process was sent, as all processes of a node know it.

Whoever can crash an engine with a request, or keep it busy until it dies, could have the next request let through where
its failure is ignored. So an engine counts as unreachable only where it went away by itself: the last call that reached
it was answered. Why: ADR 0014.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class LastCall:
    """Thread-safe, and shared by those that are given the same `mark`, a file that is there while no answer came."""

    def __init__(self, mark: Path | None) -> None:
        self._mark = mark
        self._is_unanswered = False

    def was_unanswered(self) -> bool:
        """Whether the last call that reached the engine broke off or took too long."""
        return self._is_unanswered or (self._mark is not None and os.path.lexists(self._mark))

    def note_answer(self) -> None:
        """The engine lives, whatever it answered."""
        self._is_unanswered = False
        if self._mark is not None and os.path.lexists(self._mark):
            with suppress(OSError):  # what cannot be taken away goes on counting
                self._mark.unlink()

    def note_failure(self) -> None:
        """The engine had a call, and no answer came."""
        self._is_unanswered = True
        if self._mark is not None:
            with suppress(OSError):  # this process at least knows
                self._mark.touch(mode=0o600)
