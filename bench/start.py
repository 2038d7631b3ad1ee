"""How long the service takes from its start until it is ready, and where that goes: `python -m bench.start`."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from bench.targets import clean_environment

_TRIES = 5
_PATIENCE_SECONDS = 30.0
_PROGRAM = str(Path(sys.executable).with_name("ecs-admission"))


def main() -> None:
    """Start it some times, and print the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        first = _seconds_to_ready(Path(folder))
        times = sorted(_seconds_to_ready(Path(folder)) for _ in range(_TRIES))
        check = _seconds(_PROGRAM, "serve", "--check", folder=Path(folder))
        _print(f"first start, with keys and database to make: {first:.2f} s")
        _print(f"start to ready: minimum {times[0]:.2f} s, median {statistics.median(times):.2f} s of {_TRIES}")
        _print(f"of that, all before the first worker (serve --check): {check:.2f} s")
        for module in ("ecs_admission.cli.serve", "ecs_admission.app", "ecs_admission.server"):
            took = _seconds(sys.executable, "-c", f"import {module}", folder=Path(folder))
            _print(f"  import {module}, with Python's own start: {took:.2f} s")
    _print(f"load average: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def _seconds_to_ready(folder: Path) -> float:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = _environment(folder) | {"ECS_ADMISSION_BIND": f"127.0.0.1:{port}"}
    begin = time.monotonic()
    process = subprocess.Popen(
        [_PROGRAM, "serve"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )  # fmt: skip
    try:
        while time.monotonic() - begin < _PATIENCE_SECONDS and process.poll() is None:
            with suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == http.HTTPStatus.OK:
                    return time.monotonic() - begin
            time.sleep(0.005)
        raise SystemExit("the service did not become ready")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _seconds(*command: str, folder: Path) -> float:
    begin = time.monotonic()
    subprocess.run(command, env=_environment(folder), check=True, capture_output=True)
    return time.monotonic() - begin


def _environment(folder: Path) -> dict[str, str]:
    return clean_environment(
        {
            "ECS_ADMISSION_DATA_DIR": str(folder / "data"),
            "ECS_ADMISSION_DRAIN_SECONDS": "0",
            "ECS_ADMISSION_METRICS_BIND": "off",
        }
    )


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
