"""Group commit: many threads append, one of them commits for all.

An fsync costs more than everything else in an append, so threads that wait for one share the next. A thread puts a
ticket into the queue. If nobody leads, it leads: it takes all tickets that wait, commits them in one transaction
and settles them. The others wait until their ticket is settled, or until they must lead, or give up.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from ecs_admission.decision_log.chain import Entry
from ecs_admission.decision_log.entries import EntryDraft


@dataclass(slots=True, eq=False)
class Ticket:
    """One append under way. Settled when it has an `entry`, which is then durable, or a `failure` to tell."""

    draft: EntryDraft
    entry: Entry | None = field(default=None, init=False)
    failure: str | None = field(default=None, init=False)

    @property
    def settled(self) -> bool:
        return self.entry is not None or self.failure is not None


class CommitQueue:
    """Who leads, and which tickets wait. Knows nothing of databases.

    A lock handed from thread to thread would do, but a newcomer could overtake those whose tickets are settled
    and make them wait for its own commit. With a condition a settled ticket never waits.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[Ticket] = []
        self._taken: list[Ticket] = []
        self._led = False

    def join(self, ticket: Ticket, *, deadline: float) -> bool:
        """Wait until `ticket` is settled (False) or its thread has to lead (True) and then to call `leave`.

        At `deadline` (of `time.monotonic`) the ticket is withdrawn and settled with a failure. Was it already taken,
        its entry may still be written: the log may hold what its caller was not told, never the reverse.
        """
        with self._changed:
            self._waiting.append(ticket)
            while not ticket.settled:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    self._withdraw(ticket)
                    ticket.failure = "the decision log did not take the entry inside the deadline"
                elif self._led:
                    self._changed.wait(remaining)
                else:
                    self._led = True
                    return True
            return False

    def take(self) -> list[Ticket]:
        """All tickets that wait now, in their order. For the leader, when it is ready to write them."""
        with self._changed:
            self._taken, self._waiting = self._waiting, []
            return self._taken

    def leave(self, ticket: Ticket) -> None:
        """Stop leading with one's own `ticket`. What was taken and not settled, however that came, has failed."""
        with self._changed:
            self._withdraw(ticket)
            for taken in (*self._taken, ticket):
                if not taken.settled:
                    taken.failure = "the decision log broke off while it took the entry"
            self._taken = []
            self._led = False
            self._changed.notify_all()

    def _withdraw(self, ticket: Ticket) -> None:
        if ticket in self._waiting:
            self._waiting.remove(ticket)
