"""Which revision judges: the one that passed every check, until another one has.

All or nothing. What cannot be read, does not check or lets a tripwire through leaves the active revision as it is, and
says why.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecs_admission.engines.pack import Pack
from ecs_admission.errors import AdmissionError
from ecs_admission.model import Refusal
from ecs_admission.policies import Policies, load_policies, signature
from ecs_admission.revision import Revision

Prepare = Callable[[Pack], Revision]
"""Builds a revision of a pack, with an engine of its own, and tries it. Raises `AdmissionError`."""


@dataclass(frozen=True, slots=True)
class Active:
    """The revision that judges, and what it judges more mildly than the one that ships."""

    revision: Revision
    weakened: tuple[str, ...]


class Activation:
    """Follows the places of the policies. `check` may be called from any thread; one at a time does something."""

    def __init__(
        self, places: Sequence[Path], prepare: Prepare, *, clock: Callable[[], float] = time.time
    ) -> None:  # fmt: skip
        """Activate what is there. Raises `PolicyError`: a service without a revision cannot start."""
        self._places = tuple(places)
        self._prepare = prepare
        self._clock = clock
        self._lock = threading.Lock()
        self._retired: Revision | None = None
        self._signature = signature(self._places)
        self.active = self._prepared(load_policies(self._places, now=clock()))
        self.refused: Refusal | None = None
        self.on_change: Callable[[Active], None] = lambda _: None
        self.on_refusal: Callable[[Refusal], None] = lambda _: None

    def check(self) -> None:
        """Activate what is there now, where it has changed. Never raises for what is wrong with it."""
        with self._lock:
            found = signature(self._places)
            if found == self._signature:
                return
            self._signature = found
            try:
                policies = load_policies(self._places, now=self._clock())
                if policies.pack.revision != self.active.revision.id:
                    self._replace(self._prepared(policies))
            except (AdmissionError, OSError) as error:
                # A file may go while it is read. Whatever it is, the thread that follows has to live on.
                reason = str(error) if isinstance(error, AdmissionError) else "the policies cannot be read"
                self.refused = Refusal(reason, int(self._clock()))
                self.on_refusal(self.refused)
                return
            self.refused = None

    def _prepared(self, policies: Policies) -> Active:
        return Active(self._prepare(policies.pack), policies.weakened)

    def _replace(self, active: Active) -> None:
        # Reviews that began with the revision before may still run: its engine is closed when the next one goes.
        retired, self._retired = self._retired, self.active.revision
        self.active = active
        self.on_change(active)
        if retired is not None:
            retired.engine.close()


def follow(activation: Activation, *, every_seconds: float) -> threading.Event:
    """Check from a thread of its own until the returned event is set."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(every_seconds):
            activation.check()

    if every_seconds > 0:
        threading.Thread(target=run, name="policies", daemon=True).start()
    return stop
