"""Times the command line as a pipeline uses it: one process for one file."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

from bench.bodies import ACCOUNT, REGION, Size, request_body
from bench.load import median
from bench.targets import clean_environment

SIZE = Size(3, 20)
_RUNS = 10


def time_check(program: Path, folder: Path) -> tuple[float, float]:
    """Minimum and median wall time in seconds of `ecs-admission check` on one clean file of 3 x 20."""
    file, data = folder / "task-definition.json", folder / "check-data"
    file.write_bytes(request_body(SIZE, leaky=False))
    data.mkdir()
    context = ["--environment", "prod", "--account", ACCOUNT, "--region", REGION]
    command = [str(program), "check", *context, str(file)]
    environment = clean_environment({"ECS_ADMISSION_DATA_DIR": str(data)})
    times = (_hyperfine if shutil.which("hyperfine") else _loop)(command, environment, folder)
    return min(times), median(times)


def _hyperfine(command: list[str], environment: dict[str, str], folder: Path) -> list[float]:
    report = folder / "hyperfine.json"
    options = ["--shell=none", "--warmup=1", f"--runs={_RUNS}", "--style=none", f"--export-json={report}"]
    line = " ".join(command)  # no argument of ours holds a blank
    subprocess.run(["hyperfine", *options, line], check=True, capture_output=True, env=environment)
    times: list[float] = json.loads(report.read_text())["results"][0]["times"]
    return times


def _loop(command: list[str], environment: dict[str, str], _: Path) -> list[float]:
    times = []
    for _run in range(_RUNS + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environment)
        times.append(time.perf_counter() - start)
    return times[1:]
