"""Whether what judges is still fit to judge: the tripwires, end to end, once a minute while the service runs.

Before a revision becomes active it is tried in this process. Here it is tried as callers are served: with the very
engine, which may be a server that got other policies, lost them, or went away.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from ecs_admission.activation import Activation
from ecs_admission.errors import AdmissionError
from ecs_admission.model import Refusal
from ecs_admission.tripwires import check_revision

EVERY_SECONDS: Final = 60.0
AGAIN_SECONDS: Final = 1.0
"""How soon what is not fit is tried again."""
LATE_SECONDS: Final = 120.0
"""How long after its time a try may be over. What nobody tries any more is not known to be fit."""


class Fitness:
    """Tries the active revision, whenever `check` is called and it is time."""

    def __init__(
        self, activation: Activation, *, is_tried: bool, clock: Callable[[], float] = time.time
    ) -> None:  # fmt: skip
        """`is_tried` says that the revision was tried with the engine that judges when it became active."""
        self._activation = activation
        self._clock = clock
        self._lock = threading.Lock()
        self._due = time.monotonic() + EVERY_SECONDS if is_tried else 0.0
        self._unfit = None if is_tried else Refusal("the engine was not tried yet", int(clock()))
        self.on_change: Callable[[Refusal | None], None] = lambda _: None

    @property
    def unfit(self) -> Refusal | None:
        """Why the active revision is not fit to judge, None where it is. Also when nobody has looked for too long."""
        if self._unfit is None and time.monotonic() > self._due + LATE_SECONDS:
            return Refusal("the policies were not tried when they should have been", int(self._clock()))
        return self._unfit

    def check(self) -> None:
        """Try the active revision where that is due."""
        with self._lock:
            if time.monotonic() < self._due:
                return
            reason = self._try()
            self._due = time.monotonic() + (EVERY_SECONDS if reason is None else AGAIN_SECONDS)
            was_fit = self._unfit is None
            if self._unfit is None or reason != self._unfit.reason:
                self._unfit = None if reason is None else Refusal(reason, int(self._clock()))
            if was_fit is not (self._unfit is None):
                self.on_change(self._unfit)

    def _try(self) -> str | None:
        try:
            check_revision(self._activation.active.revision, find=self._activation.find)
        except AdmissionError as error:
            return str(error)
        return None
