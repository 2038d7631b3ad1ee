"""Failed authentications: counted for the record, and slowed down for each address. In the memory of one process."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ecs_admission.model import JSONObject

LIMIT: Final = 60
WINDOW_SECONDS: Final = 60.0
"""An address may fail `LIMIT` times in this long. What fails after that is told to wait, and not looked up."""

REPORT_SECONDS: Final = 60.0
"""Between two entries of the log that say how often it failed: a flood makes one entry, not a million."""

_MAX_ADDRESSES: Final = 4096
_MAX_REPORTED: Final = 20


@dataclass(slots=True)
class _Window:
    began: float
    failures: int = 0


class Attempts:
    """Thread-safe. Of more addresses than it can hold it forgets the oldest."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: OrderedDict[str, _Window] = OrderedDict()
        self._reasons: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()
        self._reported = -REPORT_SECONDS

    def is_limited(self, address: str) -> bool:
        """Whether this address has failed too often of late."""
        with self._lock:
            window = self._windows.get(address)
            return window is not None and self._is_open(window) and window.failures >= LIMIT

    def fail(self, address: str, reason: str) -> None:
        """Count a failure. `reason` is a code of ours."""
        with self._lock:
            window = self._windows.get(address)
            if window is None or not self._is_open(window):
                window = self._windows[address] = _Window(self._clock())
                self._windows.move_to_end(address)
                if len(self._windows) > _MAX_ADDRESSES:
                    self._windows.popitem(last=False)
            window.failures += 1
            self._reasons[reason] += 1
            if address in self._addresses or len(self._addresses) < _MAX_ADDRESSES:
                self._addresses[address] += 1

    def report(self, *, now: bool = False) -> JSONObject | None:
        """The `details` of an entry about all failures since the last one, None while it is not time for one."""
        with self._lock:
            due = now or self._clock() - self._reported >= REPORT_SECONDS
            if not due or not self._reasons:
                return None
            self._reported = self._clock()
            details: JSONObject = {
                "count": self._reasons.total(),
                "reasons": [f"{reason} {count}" for reason, count in sorted(self._reasons.items())],
                "addresses": [f"{address} {count}" for address, count in self._addresses.most_common(_MAX_REPORTED)],
            }
            self._reasons.clear()
            self._addresses.clear()
            return details

    def _is_open(self, window: _Window) -> bool:
        return self._clock() - window.began < WINDOW_SECONDS
