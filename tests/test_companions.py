"""Companions: what ends is started again, less and less often, and what is told to end is waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

from ecs_admission.companions import LONGEST_WAIT_SECONDS, SETTLED_SECONDS, Companion, Companions
from tests.service.running_service import RunningService, run_service, runs, wait_until


@dataclass(frozen=True)
class Program(Companion):
    """A companion that is any program."""

    code: str = ""

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-S", "-c", self.code, self.name]


@dataclass
class Clock:
    """A clock that tests set."""

    now: float = 0.0
    companions: list[Companions] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def watch(self, *companions: Companion) -> Companions:
        watched = Companions(companions, clock=self)
        self.companions.append(watched)
        return watched


@pytest.fixture
def clock() -> Iterator[Clock]:
    made = Clock()
    yield made
    for each in made.companions:
        each.end()


def counting(folder: Path) -> tuple[Program, Callable[[], int]]:
    """A program that leaves a mark each time and ends, and how many there are."""
    code = f"import tempfile; tempfile.mkstemp(dir={str(folder)!r})"
    return Program("counting", (), code=code), lambda: len(list(folder.iterdir()))


def test_what_ends_is_started_again_less_and_less_often(clock: Clock, tmp_path: Path) -> None:
    program, count = counting(tmp_path)
    companions = clock.watch(program)
    companions.supervise()
    waits = []
    for number in range(1, 10):
        wait_until(lambda number=number: count() == number, "it has run")  # type: ignore[misc]
        wait_until(lambda: not _is_running(companions), "it is seen to have ended")
        before = clock.now
        while not _is_running(companions):
            clock.now += 0.25
            companions.supervise()
        waits.append(clock.now - before)
    assert waits == [0.5, 1, 2, 4, 8, 16, 32, LONGEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS]


def test_one_that_ran_for_long_is_started_again_soon(clock: Clock, tmp_path: Path) -> None:
    companions = clock.watch(Program("waiting", (), code="import time; time.sleep(600)"))
    companions.supervise()
    for _ in range(3):
        clock.now += SETTLED_SECONDS
        _process(companions).kill()
        wait_until(lambda: not _is_running(companions), "it is seen to have ended")
        clock.now += 0.5
        companions.supervise()
        assert _is_running(companions)


def test_they_end_in_the_reverse_order_each_when_it_is_ready(clock: Clock, tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = (
        "import signal, sys\n"
        f"def note(*_):\n open({str(log)!r}, 'a').write(sys.argv[1] + '\\n'); sys.exit()\n"
        "signal.signal(signal.SIGTERM, note)\n"
        f"open({str(tmp_path)!r} + '/' + sys.argv[1], 'w')\n"
        "signal.pause()\n"
    )
    companions = clock.watch(Program("first", (), code=code), Program("second", (), code=code))
    companions.supervise()
    wait_until(lambda: {"first", "second"} <= {path.name for path in tmp_path.iterdir()}, "both run")
    companions.end()
    assert log.read_text().split() == ["second", "first"]
    companions.supervise()
    assert not _is_running(companions)


def test_one_that_does_not_end_is_killed(clock: Clock, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    code = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"open({str(ready)!r}, 'w')\ntime.sleep(600)\n"
    )
    companions = clock.watch(Program("stubborn", (), end_seconds=0.05, code=code))
    companions.supervise()
    wait_until(ready.exists, "it runs")
    process = _process(companions)
    companions.end()
    assert process.returncode == -signal.SIGKILL


def test_a_program_that_cannot_be_started_is_tried_again(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    companions = clock.watch(Program("any", (), code="import time; time.sleep(600)"))
    with monkeypatch.context() as patched:
        patched.setattr("ecs_admission.companions.subprocess.Popen", _no_memory)
        companions.supervise()
    assert not _is_running(companions)
    clock.now += 0.5
    companions.supervise()
    assert _is_running(companions)


def _no_memory(*_: object, **__: object) -> None:
    raise BlockingIOError(11, "Resource temporarily unavailable")


def _process(companions: Companions) -> subprocess.Popen[bytes]:
    process = companions._supervised[0].process
    assert process is not None
    return process


def _is_running(companions: Companions) -> bool:
    companions.reap()
    return companions._supervised[0].process is not None


@pytest.mark.service
class TestBesideTheService:
    @pytest.fixture(scope="class")
    @classmethod
    def service(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
        with run_service(tmp_path_factory.mktemp("service"), seal_seconds="1") as running:
            yield running

    def test_a_killed_sealer_is_replaced(self, service: RunningService) -> None:
        workers = service.workers()
        wait_until(lambda: len(service.sealers()) == 1, "the sealer runs")
        (before,) = service.sealers()
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: service.sealers() not in ([], [before]), "another runs")
        assert service.workers() == workers
        lines = [orjson.loads(line) for line in service.stderr.read_text().splitlines()]
        ended = [line for line in lines if line["event"] == "companion ended"]
        assert [(line["companion"], line["status"]) for line in ended] == [("sealer", -signal.SIGKILL)]

    def test_it_ends_with_a_master_that_is_killed(self, service: RunningService) -> None:
        (sealer,) = service.sealers()
        os.kill(service.process.pid, signal.SIGKILL)
        wait_until(lambda: not runs(sealer), "the sealer has noticed")
