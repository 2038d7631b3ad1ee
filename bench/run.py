"""Compares bare OPA with the service and each of its engines, and writes `docs/performance.md`.

`python -m bench.run`; a full run takes about seven minutes, `--quick` under two.
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from bench import goals, machine, report
from bench.bodies import SIZES
from bench.check import time_check
from bench.load import CONNECTIONS, Case, Cell, measure
from bench.log_section import with_section_of
from bench.processes import StartError, children, memory_megabytes
from bench.targets import NAMES, ROOT, SERVICE, Target, WrongAnswerError, started

_WORK = ROOT / "var/bench"
_PAGE = ROOT / "docs/performance.md"
_QUICK_PAGE = _WORK / "performance.md"


def main(arguments: list[str] | None = None) -> int:
    """Exit 0 when everything was measured, 1 with `--strict` when a goal is missed, 2 when measuring failed."""
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, _leave)
    _WORK.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_WORK, prefix="run-") as name:
        try:
            results = _run(options, Path(name))
        except (StartError, WrongAnswerError) as error:
            print(f"bench: {error}", file=sys.stderr)
            return 2
    output: Path = options.output or (_QUICK_PAGE if options.quick else _PAGE)
    before = output.read_text() if output.exists() else ""
    output.write_text(with_section_of(report.render(results), before))
    (_WORK / "latest.json").write_text(json.dumps(asdict(results), indent=1) + "\n")
    missed = [verdict for verdict in results.verdicts if not verdict.is_met]
    print(report.render(results))
    print(f"wrote {output}; {len(results.verdicts) - len(missed)} of {len(results.verdicts)} goals met")
    return 1 if options.strict and missed else 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--seconds", type=int, default=6, help="length of each measurement (default 6)")
    parser.add_argument("--warm-up", type=int, default=2, help="seconds of load before each of them (default 2)")
    parser.add_argument("--quick", action="store_true", help="1 second each, and do not touch docs/performance.md")
    parser.add_argument("--targets", default=",".join(NAMES), help="which to measure (default all: %(default)s)")
    parser.add_argument("--program", type=Path, default=SERVICE, help="the service's command (default %(default)s)")
    parser.add_argument("--output", type=Path, help="the page to write (default docs/performance.md)")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a goal is missed")
    options = parser.parse_args(arguments)
    if unknown := set(options.targets.split(",")) - set(NAMES):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if options.quick:
        options.seconds = options.warm_up = 1
    options.command = shlex.join(["python", "-m", "bench.run", *arguments])
    return options


def _run(options: argparse.Namespace, folder: Path) -> report.Results:
    names = [name for name in NAMES if name in options.targets.split(",")]
    facts = machine.describe(folder)
    with started(names, options.program, folder) as targets:
        cells = _measure_all(targets, options, folder)
        memory = {target.name: _largest_worker(target) for target in targets if target.name != "bare"}
    check = time_check(options.program, folder) if "embedded" in names else None
    peaks = {engine: megabytes["VmHWM"] for engine, megabytes in memory.items()}
    return report.Results(
        command=options.command,
        date=datetime.now(UTC).date().isoformat(),
        machine=facts,
        cells=cells,
        worker_megabytes=memory,
        check_seconds=check,
        verdicts=goals.judge(cells, peaks, check[1] if check else None),
    )


def _measure_all(targets: list[Target], options: argparse.Namespace, folder: Path) -> list[Cell]:
    """Every case on every target; the targets take turns within a case, so that drift of the machine hits all alike."""
    cells = []
    for case in (Case(size, leaky, n) for size in SIZES for leaky in (False, True) for n in CONNECTIONS):
        for target in targets:
            cell = measure(target, case, seconds=options.seconds, warm_up_seconds=options.warm_up, folder=folder)
            print(f"{case.label:34} {cell.target:9} p50 {cell.p50:8.2f} ms  {cell.per_second:7.0f}/s", file=sys.stderr)
            cells.append(cell)
    return cells


def _largest_worker(target: Target) -> dict[str, float]:
    """Memory of the worker that was largest at its peak; a program without children is its own worker."""
    workers = children(target.pid) or [target.pid]
    return max((memory_megabytes(pid) for pid in workers), key=lambda megabytes: megabytes["VmHWM"])


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """End through `finally`, so that a terminated bench ends what it started."""
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main())
