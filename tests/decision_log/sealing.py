"""A sealer for tests: its clocks are the test's, and its turns are taken one by one."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecs_admission.decision_log.anchors import Anchor, FolderAnchor
from ecs_admission.decision_log.keys import SigningKey, make_signing_key
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.sealer import Sealer
from ecs_admission.decision_log.verdicts import Report
from ecs_admission.decision_log.verify import Evidence, Extent, verify_log

from .conftest import LOG_KEY
from .databases import LogDatabase

SEALER_KEY: SigningKey = make_signing_key()
SECOND_US = 1_000_000


@dataclass(slots=True)
class Clock:
    """A wall clock and a monotonic one, which go where the test moves them."""

    now_us: int = field(default_factory=lambda: time.time_ns() // 1000)
    seconds: float = 0.0

    def pass_by(self, seconds: float) -> None:
        self.now_us += int(seconds * SECOND_US)
        self.seconds += seconds


@dataclass(slots=True)
class Sealing:
    """What seals a log of a test, and what verifies it."""

    database: LogDatabase
    folder: Path
    clock: Clock = field(default_factory=Clock)
    key: SigningKey = field(default_factory=lambda: SEALER_KEY)
    made: list[Sealer] = field(default_factory=list)

    @property
    def anchor(self) -> FolderAnchor:
        return FolderAnchor(self.folder)

    def sealer(self, *, holder: str = "sealer-1", **changes: Any) -> Sealer:
        arguments: dict[str, Any] = {
            "key": self.key,
            "log_keys": [LOG_KEY.public],
            "anchors": [self.anchor],
            "holder": holder,
            "clock_us": lambda: self.clock.now_us,
            "monotonic": lambda: self.clock.seconds,
        }
        self.made.append(Sealer(self.database.seal_url, **(arguments | changes)))
        return self.made[-1]

    def verify(self, *anchors: Anchor, reader: LogReader | None = None, receipts: Any = None, **extent: Any) -> Report:
        """What an auditor finds who has both public keys and the anchor."""
        evidence = Evidence([LOG_KEY.public], [SEALER_KEY.public], anchors or (self.anchor,), receipts)
        if reader is not None:
            return verify_log(reader, evidence, Extent(**extent))
        reader = LogReader.open(self.database.read_url, timeout_seconds=30)
        try:
            return verify_log(reader, evidence, Extent(**extent))
        finally:
            reader.close()

    def close(self) -> None:
        for sealer in self.made:
            sealer._disconnect()
            sealer._engine.dispose()
            sealer._readers.dispose()


def problems(report: Report) -> set[tuple[str, int | None]]:
    """What was found, and in which digest."""
    return {(problem.problem, problem.digest) for problem in report.problems}
