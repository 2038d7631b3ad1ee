"""A real OPA server for tests: the pinned program, started with a bundle, stopped by its process id."""

from __future__ import annotations

import functools
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[2]
_NO_PROGRAM = 3
_START_SECONDS = 30


@dataclass(frozen=True, slots=True)
class OpaServer:
    """A running server: what `OpaEngine` is given, and the process, for tests that stop or kill it."""

    url: str
    process: subprocess.Popen[bytes]

    def pause(self) -> None:
        """Stop it as a hanging machine does, and wait until it stands still: a signal takes its time."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)


def opa_program() -> str:
    """The path of the pinned OPA. Without one the test is skipped, but fails where CI=true."""
    status, path, told = _find_opa()
    if status == 0:
        return path
    if status == _NO_PROGRAM and os.environ.get("CI") != "true":
        pytest.skip(told)
    pytest.fail(told)


@functools.cache
def _find_opa() -> tuple[int, str, str]:
    found = subprocess.run([_ROOT / "tools" / "opa"], capture_output=True, text=True, check=False)
    return found.returncode, found.stdout.strip(), found.stderr.strip().rpartition("\n")[2]


def build_bundle(rego: str, folder: Path) -> Path:
    """Build a bundle of one module, `rego`, in `folder`."""
    sources = folder / "sources"
    sources.mkdir(parents=True)
    (sources / "main.rego").write_text(rego)
    bundle = folder / "bundle.tar.gz"
    subprocess.run([opa_program(), "build", "--bundle", sources, "--output", bundle], check=True)
    return bundle


@contextmanager
def serve_bundle(
    bundle: Path, *, unix_socket: Path | None = None, log: Path | None = None, options: tuple[str, ...] = ()
) -> Iterator[OpaServer]:
    """Run OPA on `bundle` until the block ends, on a free port of the loopback or on `unix_socket`.

    With `log`, what OPA writes at level debug, bodies of requests included, goes to that file. `options` are more
    options of `opa run`; with those for TLS, `url` is still to be changed to https.
    """
    if unix_socket is not None:
        with _run(bundle, f"unix://{unix_socket}", log, options) as process:
            if not _is_ready(process, socket.AF_UNIX, str(unix_socket)):
                pytest.fail("OPA ended before it was ready")
            yield OpaServer(f"unix://{unix_socket}", process)
        return
    for _ in range(3):  # the port may be taken between choosing and using it
        port = _free_port()
        with _run(bundle, f"127.0.0.1:{port}", log, options) as process:
            if _is_ready(process, socket.AF_INET, ("127.0.0.1", port)):
                yield OpaServer(f"http://127.0.0.1:{port}", process)
                return
    pytest.fail("OPA ended before it was ready")


@contextmanager
def follow_service(unix_socket: Path, folder: Path, config: Mapping[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
    """Run OPA with a configuration alone, as a sidecar that gets its policies from a service, on `unix_socket`."""
    file = folder / "opa.json"
    file.write_text(json.dumps(config))
    command = [
        opa_program(), "run", "--server", "--config-file", str(file), "--addr", f"unix://{unix_socket}",
        "--skip-version-check", "--log-level", "error",
    ]  # fmt: skip
    with (
        open(folder / "opa.log", "ab") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def _run(bundle: Path, address: str, log: Path | None, options: tuple[str, ...]) -> Iterator[subprocess.Popen[bytes]]:
    level = "error" if log is None else "debug"
    command = [
        opa_program(), "run", "--server", "--bundle", str(bundle), "--addr", address, "--skip-version-check",
        "--log-level", level, *options,
    ]  # fmt: skip
    with open(log or os.devnull, "ab") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield process
        finally:
            process.kill()  # it keeps nothing, and a stopped process would not hear anything milder


def _is_ready(process: subprocess.Popen[bytes], family: int, address: str | tuple[str, int]) -> bool:
    """Wait until the bundle is active: True, or False when the process ended."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if _is_healthy(family, address):
            return True
        try:
            process.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            continue
        return False
    pytest.fail(f"OPA was not ready after {_START_SECONDS} s")


def _is_healthy(family: int, address: str | tuple[str, int]) -> bool:
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.sock.settimeout(_START_SECONDS)
        connection.sock.connect(address)
        connection.request("GET", "/health?bundles")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
