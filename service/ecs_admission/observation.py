"""What there is to see of a process that runs: events without a literal, for whoever counts, traces or logs them.

The pipeline and the routes tell one function of them, and do not know who listens. By default nobody does, as in the
command line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ecs_admission.model import Decision


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A review was answered. `environment` and `operation` are None where they are not among those that are known.

    `began_ns` is UTC in nanoseconds since the epoch, `begins_us` when each step began after that.
    `groups` are what the caller is, from a list of ours, and `trace_id` names the trace that the review is a part of.
    """

    decision: Decision = field(repr=False)
    decision_id: str
    revision: str
    engine: str
    enforcement_point: str
    operation: str | None
    environment: str | None
    duration_us: int
    timings_us: Mapping[str, int]
    groups: tuple[str, ...] = ()
    began_ns: int = 0
    begins_us: Mapping[str, int] = field(default_factory=dict)
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry was given to the decision log; it `is_durable` now or was not taken."""

    kind: Literal["decision", "event"]
    is_durable: bool


@dataclass(frozen=True, slots=True)
class RequestBegan:
    """A thread answers a request."""


@dataclass(frozen=True, slots=True)
class RequestEnded:
    """It has. `route` is the name of the endpoint, None for what is at no path, `status` None where it broke off."""

    route: str | None
    status: int | None


@dataclass(frozen=True, slots=True)
class RequestBroken:
    """Something could not be read as HTTP."""


@dataclass(frozen=True, slots=True)
class AuthenticationFailed:
    """Nothing that was sent shows who asks. `code` is that of the `UnauthorizedError`."""

    code: str


@dataclass(frozen=True, slots=True)
class AccessRefused:
    """The request was refused before it came to its endpoint. `code` is that of the `ForbiddenError`."""

    code: str


@dataclass(frozen=True, slots=True)
class PoliciesState:
    """What judges now. `next_expiry` is in seconds since the epoch.

    `is_refused` says that something else is in place and did not pass, `is_waiting` that a revision that did waits for
    the engine to have it, and `is_fit` that the last trial with tripwires was passed.
    """

    revision: str
    weakened: int
    exceptions: int
    next_expiry: int | None
    is_refused: bool = False
    is_waiting: bool = False
    is_fit: bool = True


@dataclass(frozen=True, slots=True)
class PoliciesChanged:
    """What was in place became active, or was refused."""

    is_active: bool


@dataclass(frozen=True, slots=True)
class InternalError:
    """An error of our own kept a review from a decision."""


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """A worker begins, and will have that many threads."""

    threads: int


@dataclass(frozen=True, slots=True)
class WorkerStopped:
    """A worker ends as it should."""


@dataclass(frozen=True, slots=True)
class SealerTurned:
    """A sealer had its turn: see `metrics.SEALER_TURNS`."""

    result: Literal["sealed", "waited", "failed"]
    entries: int = 0
    refused_chains: int = 0


Event: TypeAlias = (
    Reviewed
    | Recorded
    | RequestBegan
    | RequestEnded
    | RequestBroken
    | AuthenticationFailed
    | AccessRefused
    | PoliciesState
    | PoliciesChanged
    | InternalError
    | WorkerStarted
    | WorkerStopped
    | SealerTurned
)
Observe: TypeAlias = Callable[[Event], None]
"""Is told of an event. Never raises, and returns at once."""


def unobserved(_: Event) -> None:
    """For a process that nobody watches."""
