"""Which bundle may follow which: a serial that grows, save for a rollback that somebody asked for. Pure.

Whoever can answer in a source's place, or put an old file there, could otherwise bring back policies with a hole that
was closed since; they would be signed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

from ecs_admission.errors import PolicyError


@dataclass(frozen=True, slots=True)
class Mark:
    """A bundle by its serial and the revision it holds, before anything is laid over it."""

    serial: int
    revision: str


@dataclass(frozen=True, slots=True)
class Rollback:
    """That `to` is to judge, although `highest` had been active. `id` is that of the entry which says so."""

    id: str
    highest: Mark
    to: Mark


@dataclass(frozen=True, slots=True)
class History:
    """The bundle with the highest serial that was ever active, and the newest rollback."""

    highest: Mark | None = None
    rollback: Rollback | None = None

    @property
    def in_force(self) -> Rollback | None:
        """The rollback that still counts: nothing newer than what it left has been active since."""
        if self.rollback is None or (self.highest is not None and self.highest.serial > self.rollback.highest.serial):
            return None
        return self.rollback


def check_serial(mark: Mark, history: History) -> None:
    """Raise `PolicyError` where the bundle of a mark may not become active."""
    highest = _highest((history.highest, history.in_force.highest if history.in_force else None))
    if highest is None or mark.serial > highest.serial:
        return
    if history.in_force is not None:
        to = history.in_force.to
        if mark == to:
            return
        told = f"serial {mark.serial} is not {to.serial}, which was rolled back to"
        raise PolicyError(f"{told}, and not higher than {highest.serial}, which that left")
    if mark == highest:
        return
    if mark.serial == highest.serial:
        raise PolicyError(f"serial {mark.serial} was that of other policies: build them with a larger --serial")
    raise PolicyError(
        f"serial {mark.serial} is older than {highest.serial}, which was active: `policies rollback` goes back"
    )


def later(one: Mark | None, other: Mark | None) -> Mark | None:
    """The mark with the higher serial; of two with the same the first."""
    return _highest((one, other))


def _highest(marks: Iterable[Mark | None]) -> Mark | None:
    def higher(one: Mark | None, other: Mark | None) -> Mark | None:
        return one if other is None or (one is not None and one.serial >= other.serial) else other

    return reduce(higher, marks, None)
