"""What was measured on: the machine and the versions, as the report states them."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import tempfile
import time
from importlib import metadata
from pathlib import Path

from bench.targets import OPA, ROOT

_SYNC_ROUNDS = 50


def describe(folder: Path) -> dict[str, str]:
    """Facts of this machine and of what runs on it, in the order to print; `folder` is where decision logs lie."""
    return {
        "Processor": f"{_field('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores, shared with the client",
        "Memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) * 1024 / 1e9:.1f} GB",
        "Kernel": f"{platform.system()} {platform.release()}",
        "Durable write": f"{_sync_milliseconds(folder):.2f} ms (4 KB appended and fsynced beside the decision logs)",
        "Python": platform.python_version(),
        "OPA": _output(str(OPA), "version").split("\n")[0].removeprefix("Version: "),
        "ecs-admission": f"{metadata.version('ecs-admission')}, commit {_commit()}",
        "wrk": _output("wrk", "-v").split(" [")[0].removeprefix("wrk "),
    }


def _field(path: str, name: str) -> str:
    lines = (line.partition(":") for line in Path(path).read_text().splitlines())
    return next((text.strip() for key, _, text in lines if key.strip() == name), "unknown")


def _output(*command: str) -> str:
    """What a program prints; not its exit code, since `wrk -v` exits with 1."""
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def _commit() -> str:
    changed = " with changes" if _output("git", "status", "--porcelain", "--untracked-files=no") else ""
    return (_output("git", "rev-parse", "--short", "HEAD") or "unknown") + changed


def _sync_milliseconds(folder: Path) -> float:
    """What one durable write costs here: it is part of every answer of ours and of none of bare OPA."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_SYNC_ROUNDS):
            start = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3
