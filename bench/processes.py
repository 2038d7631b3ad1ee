"""Starts the programs that the bench compares, and ends each by its own process id, whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_READY_SECONDS = 30
_STOP_SECONDS = 15
_LOG_TAIL_CHARACTERS = 2000
# Loopback only: a proxy of the environment would get the requests and their secrets.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class StartError(RuntimeError):
    """A program did not become ready; the message ends with what it printed last."""


@dataclass(frozen=True)
class Program:
    """A program to start: its arguments, what it finds in its environment, where it says that it is ready."""

    name: str
    arguments: Sequence[str]
    ready_url: str
    environment: Mapping[str, str]


def free_port() -> int:
    """A TCP port of the loopback that nobody listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def ask(url: str, body: bytes | None = None) -> tuple[int, bytes]:
    """One plain request (POST when there is a body): status and body of the answer, for every status."""
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})  # noqa: S310 loopback
    try:
        with _OPENER.open(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@contextlib.contextmanager
def running(program: Program, folder: Path) -> Iterator[int]:
    """Run a program until the block is left; yields its process id once it is ready. Output goes to `folder`."""
    log = folder / f"{program.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            program.arguments,
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_ready(program, process, log)
        yield process.pid
    finally:
        _stop(process)


def children(pid: int) -> list[int]:
    """The direct child processes of a process, such as gunicorn's workers."""
    text = "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for child in text.split()]


def memory_megabytes(pid: int) -> dict[str, float]:
    """Resident memory of a process now (`VmRSS`) and at most (`VmHWM`), in MB of 1,000,000 bytes."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {line[0][:-1]: int(line[1]) * 1024 / 1e6 for line in lines if line and line[0] in ("VmRSS:", "VmHWM:")}


def _wait_until_ready(program: Program, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            if ask(program.ready_url)[0] == 200:
                return
        time.sleep(0.05)
    state = "was not ready in time" if process.poll() is None else f"ended with {process.returncode}"
    tail = log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:]
    raise StartError(f"{program.name} {state}; its last output:\n{tail}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask politely, then end what is left of the session that this process leads, which only we started."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
