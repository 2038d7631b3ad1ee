"""Which revision judges: the one that passed every check, until another one has.

All or nothing. What cannot be read, does not check or lets a tripwire through leaves the active revision as it is, and
says why. What fails for a passing cause, such as a file that goes while it is read, is tried again at the next look.

An OPA server gets its policies on its own. A new revision is then incoming until the server has first judged by it, and
the one before stays known: during a roll either may answer, both having passed every check here.
"""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from ecs_admission.delivery import Delivery, Serials
from ecs_admission.engines.bundles.served import ServedBundle, serve_merged, serve_signed
from ecs_admission.engines.pack import Pack
from ecs_admission.engines.protocol import PolicyEngine
from ecs_admission.errors import AdmissionError, PolicyUnavailableError, RecordUnavailableError
from ecs_admission.model import Refusal
from ecs_admission.places import PolicyPlace
from ecs_admission.policies import Policies, load_policies, signature
from ecs_admission.revision import Revision
from ecs_admission.serials import Mark

Prepare = Callable[[Pack], Revision]
"""Builds a revision of a pack, with an engine of its own, and tries it. Raises `AdmissionError`."""

UNKNOWN_PAUSE_SECONDS: Final = 2.0
"""Between two looks for a revision that an engine answered by and nobody here knows."""


_PASSING: Final = (PolicyUnavailableError, RecordUnavailableError)


@dataclass(frozen=True, slots=True)
class Active:
    """The revision that judges, and what it judges more mildly than the one that ships.

    `mark` and `commit` are of the bundle it came from, `highest` is that with the highest serial that was ever active.
    """

    revision: Revision
    weakened: tuple[str, ...]
    mark: Mark | None = None
    highest: Mark | None = None
    commit: str | None = None
    bundle: ServedBundle | None = field(default=None, repr=False)
    signed: ServedBundle | None = field(default=None, repr=False)


class Activation:
    """Follows the places of the policies. `check` may be called from any thread; one at a time does something.

    `is_followed` says that the engine is a server which follows on its own, and answers by what it has.
    """

    def __init__(
        self,
        places: Sequence[PolicyPlace],
        prepare: Prepare,
        *,
        clock: Callable[[], float] = time.time,
        is_followed: bool = False,
        delivery: Delivery | None = None,
        serials: Serials | None = None,
    ) -> None:
        """Activate what is there. Raises `PolicyError`: a service without a revision cannot start."""
        self._places = tuple(places)
        self._prepare = prepare
        self._clock = clock
        self._is_followed = is_followed
        self._lock = threading.RLock()
        self._switch = threading.RLock()
        self._delivery = delivery
        self._serials = serials
        self._unused: deque[PolicyEngine] = deque()
        self._seen: Hashable = None
        self._unknown_until = 0.0
        self._by_last_good = ""
        self.previous: Active | None = None
        self.incoming: Active | None = None
        self.refused: Refusal | None = None
        self.on_change: Callable[[Active], None] = lambda _: None
        self.on_refusal: Callable[[Refusal], None] = lambda _: None
        self.active = self._start()

    @property
    def newest(self) -> Active:
        """The newest revision that passed every check: what a server that follows has to get."""
        return self.incoming or self.active

    def check(self) -> None:
        """Activate what is there now, where it has changed. Never raises for what is wrong with it."""
        while self._unused:
            with contextlib.suppress(IndexError):  # another thread was faster
                self._unused.popleft().close()
        with self._lock:
            found: Hashable = None
            try:
                found = self._look()
                if found == self._seen:
                    return
                self._take(self._load())
            except (*_PASSING, OSError) as error:
                # A file may go while it is read. Whatever it is, the thread that follows has to live on.
                self._seen = None
                told = str(error) if isinstance(error, AdmissionError) else "the policies cannot be read"
                self._refuse(told + self._by_last_good)
            except AdmissionError as error:
                self._seen = found
                self._refuse(str(error) + self._by_last_good)
            else:
                self._seen, self.refused, self._by_last_good = found, None, ""

    def _start(self) -> Active:
        """The revision to begin with: where what is there cannot judge, the last good bundle that was kept."""
        try:
            found = self._look()
            active = self._prepared(self._load())
        except AdmissionError as error:
            failure = error
        else:
            self._seen = found
            return active
        base = self._delivery.last_good() if self._delivery is not None else None
        if base is None or base.mark is None:
            raise failure
        active = self._prepared(load_policies(self._places, now=self._clock(), base=base))
        self._by_last_good = f"; meanwhile the last good bundle judges, serial {base.mark.serial}"
        self._refuse(str(failure) + self._by_last_good)
        return active

    def _look(self) -> Hashable:
        """What there is now: changes with it, and with a rollback. Raises what is wrong with the source."""
        rollback = self._serials.look() if self._serials is not None else None
        return signature(self._places), rollback, self._delivery.look() if self._delivery is not None else None

    def _load(self) -> Policies:
        if self._serials is not None:
            self._serials.refresh()
        base = self._delivery.pack() if self._delivery is not None else None
        return load_policies(self._places, now=self._clock(), base=base)

    def find(self, revision_id: str) -> Revision | None:
        """A revision other than the active one that an engine answered by, None where nobody here knows it.

        The first answer by the one that is incoming makes it the active one. One that is unknown may have been
        published a moment ago, and reached the engine first: the places are looked at, once in a while.
        """
        found = self._known(revision_id)
        # A source that is slow holds the lock while it is asked: a review waits for that no longer than for an engine.
        if found is not None or not self._lock.acquire(timeout=UNKNOWN_PAUSE_SECONDS):
            return found
        try:
            found = self._known(revision_id)
            if found is None and time.monotonic() >= self._unknown_until:
                self.check()
                found = self._known(revision_id)
                self._unknown_until = 0.0 if found else time.monotonic() + UNKNOWN_PAUSE_SECONDS
            return found
        finally:
            self._lock.release()

    def _known(self, revision_id: str) -> Revision | None:
        with self._switch:
            if self.incoming is not None and self.incoming.revision.id == revision_id:
                self._activate(self.incoming)
                return self.active.revision
            known = (self.active, self.previous)
            return next((each.revision for each in known if each is not None and each.revision.id == revision_id), None)

    def _take(self, policies: Policies) -> None:
        revision_id = policies.pack.revision
        with self._switch:
            if revision_id == self.active.revision.id:
                self.incoming = None
                return
            if self.incoming is not None and revision_id == self.incoming.revision.id:
                return
        prepared = self._prepared(policies)
        with self._switch:
            if self._is_followed:
                self.incoming = prepared
            else:
                self._activate(prepared)

    def _prepared(self, policies: Policies) -> Active:
        pack = policies.pack
        if self._serials is not None:
            self._serials.check(pack.mark)
        revision = self._prepare(pack)
        # Reviews that began with a revision go on with it, however many come after. Its engine is to close with the
        # last, and not here: this may run wherever Python collects garbage, under a lock that closing takes as well.
        weakref.finalize(revision, self._unused.append, revision.engine).atexit = False
        if self._delivery is not None:
            self._delivery.keep(pack)
        if self._serials is not None:
            self._serials.keep(pack.mark)
        highest = self._serials.history.highest if self._serials is not None else pack.mark
        return Active(
            revision,
            policies.weakened,
            mark=pack.mark,
            highest=highest,
            commit=pack.release.commit if pack.release else None,
            bundle=serve_merged(pack),
            signed=serve_signed(pack),
        )

    def _activate(self, active: Active) -> None:
        self.previous = self.active if self._is_followed else None
        self.active, self.incoming = active, None
        self.on_change(active)

    def _refuse(self, reason: str) -> None:
        if self.refused is not None and self.refused.reason == reason:
            return  # it was told, and is tried again
        self.refused = Refusal(reason, int(self._clock()))
        self.on_refusal(self.refused)


class Followed(Protocol):
    """What is looked at again and again."""

    def check(self) -> None: ...


def follow(followed: Followed, *, every_seconds: float, stop: threading.Event | None = None) -> threading.Event:
    """Check from a thread of its own until the returned event is set."""
    stop = stop or threading.Event()

    def run() -> None:
        while not stop.wait(every_seconds):
            followed.check()

    if every_seconds > 0:
        threading.Thread(target=run, name="policies", daemon=True).start()
    return stop
