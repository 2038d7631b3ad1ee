"""Processes beside the workers: started with the service, started again when they end, and ended after the workers.

A companion is no fork of the master but a program of its own, `ecs-admission ... --parent PID`, so that a key that only
it has is never in the memory of a process that answers requests. It ends by itself when the master is gone, also when
that was killed: it looks at its parent's process id.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ecs_admission.telemetry import logger

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 60.0
SETTLED_SECONDS = 60.0
"""Who has run that long is started again at once, as if for the first time."""

_CODE = "from ecs_admission.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Companion:
    """What to run: arguments of `ecs-admission`, to which `--parent PID` is added, and how long its end may take."""

    name: str
    arguments: tuple[str, ...]
    end_seconds: float = 10.0

    @property
    def command(self) -> list[str]:
        """The command line."""
        return [sys.executable, "-c", _CODE, *self.arguments, "--parent", str(os.getpid())]


@dataclass(slots=True)
class _Supervised:
    companion: Companion
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    not_before: float = field(default=0.0)


class Companions:
    """Some companions and whether they run. Used by the master alone, which calls `supervise` about once a second."""

    def __init__(self, companions: Sequence[Companion], *, clock: Callable[[], float] = time.monotonic) -> None:
        """They are started in this order, and ended in the reverse one."""
        self._supervised = [_Supervised(companion) for companion in companions]
        self._clock = clock
        self._is_over = False

    def reap(self) -> None:
        """See who has ended. Called before gunicorn collects all children of the process, with their statuses."""
        for each in self._supervised:
            if each.process is not None and each.process.poll() is not None:
                self._note_end(each, each.process.returncode)

    def supervise(self) -> None:
        """Start those that do not run and whose time has come."""
        if self._is_over:
            return
        self.reap()
        for each in self._supervised:
            if each.process is None and self._clock() >= each.not_before:
                self._start(each)

    def end(self) -> None:
        """End them one after another, each with the time that it needs, and start none again."""
        self._is_over = True
        for each in reversed(self._supervised):
            process, each.process = each.process, None
            if process is None:
                continue
            process.terminate()
            try:
                process.wait(timeout=each.companion.end_seconds)
            except subprocess.TimeoutExpired:
                logger().error("companion does not end", companion=each.companion.name)
                process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=1.0)

    def _start(self, each: _Supervised) -> None:
        each.started = self._clock()
        try:
            each.process = subprocess.Popen(each.companion.command, stdin=subprocess.DEVNULL)
        except OSError as error:  # no more processes, or no memory
            self._note_end(each, -(error.errno or 1))

    def _note_end(self, each: _Supervised, status: int) -> None:
        now = self._clock()
        each.process = None
        each.failures = 1 if now - each.started >= SETTLED_SECONDS else each.failures + 1
        wait = min(FIRST_WAIT_SECONDS * 2 ** (each.failures - 1), LONGEST_WAIT_SECONDS)
        each.not_before = now + wait
        logger().error("companion ended", companion=each.companion.name, status=status, wait_seconds=wait)
