"""Puts load on one target at a time with wrk, and lets no wrong answer count."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.bodies import Size
from bench.processes import ask
from bench.targets import Target, WrongAnswerError

CONNECTIONS = (1, 8)
_THREADS = {1: 1, 8: 2}
_SCRIPT = Path(__file__).with_name("post.lua")
_LOOKS = 3  # plain requests before and after a cell whose answers are read in full


@dataclass(frozen=True)
class Case:
    """One kind of load: a body and how many connections send it."""

    size: Size
    leaky: bool
    connections: int

    @property
    def label(self) -> str:
        """The case as progress lines print it."""
        return f"{self.size.label} {'leaky' if self.leaky else 'clean'}, {self.connections} connection(s)"


@dataclass(frozen=True)
class Cell:
    """What one target did under one case. Times in milliseconds; `steps` in microseconds, median per step."""

    case: Case
    target: str
    body_bytes: int
    requests: int
    p50: float
    p99: float
    per_second: float
    steps: dict[str, float]


def measure(target: Target, case: Case, *, seconds: int, warm_up_seconds: int, folder: Path) -> Cell:
    """Warm up, measure, and check the verdicts before, during and after."""
    body = folder / "body.json"
    body.write_bytes(target.make_body(case.size, case.leaky))
    _look(target, case, body.read_bytes())
    if warm_up_seconds:
        _wrk(target, case, body, warm_up_seconds)
    summary = _wrk(target, case, body, seconds)
    _judge(target, case, summary)
    steps = _steps(target, case, summary["requests"]) if case.connections == 1 else {}
    _look(target, case, body.read_bytes())
    return Cell(
        case=case,
        target=target.name,
        body_bytes=body.stat().st_size,
        requests=summary["requests"],
        p50=summary["p50"] / 1e3,
        p99=summary["p99"] / 1e3,
        per_second=summary["requests"] / (summary["duration"] / 1e6),
        steps=steps,
    )


def median(values: list[float]) -> float:
    """The middle value (the lower of two)."""
    return sorted(values)[(len(values) - 1) // 2]


def _look(target: Target, case: Case, body: bytes) -> None:
    for _ in range(_LOOKS):
        if target.is_allow(*ask(target.url, body)) == case.leaky:
            raise WrongAnswerError(f"{target.name}: {case.label}: not the verdict that the body calls for")


def _wrk(target: Target, case: Case, body: Path, seconds: int) -> dict[str, Any]:
    load = ["-t", str(_THREADS[case.connections]), "-c", str(case.connections), "-d", f"{seconds}s", "--timeout", "30s"]
    command = ["wrk", *load, "--latency", "-s", str(_SCRIPT), target.url, "--", str(body)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return summary


def _judge(target: Target, case: Case, summary: dict[str, Any]) -> None:
    """wrk counts every status above 399, so a deny of the service is one for each request and all else is none."""
    expected = summary["requests"] if case.leaky and target.denies_with_403 else 0
    if not summary["requests"] or summary["socket_errors"] or summary["not_ok"] != expected:
        raise WrongAnswerError(f"{target.name}: {case.label}: {json.dumps(summary)}")


def _steps(target: Target, case: Case, requests: int) -> dict[str, float]:
    """Median time of each step over the newest entries of the decision log, all of which this cell made."""
    if target.decisions_url is None:
        return {}
    status, answer = ask(target.decisions_url)
    if status != 200:
        raise WrongAnswerError(f"{target.name}: GET /v1/decisions answered {status}")
    entries = json.loads(answer)["items"][:requests]
    outcome = "denied" if case.leaky else "allowed"
    if any(entry.get("outcome", outcome) != outcome for entry in entries):
        raise WrongAnswerError(f"{target.name}: {case.label}: the decision log holds another outcome")
    taken: dict[str, list[float]] = {}
    for entry in entries:
        for step, microseconds in entry.get("timings", {}).items():
            taken.setdefault(step, []).append(microseconds)
    return {step: median(values) for step, values in taken.items()}
