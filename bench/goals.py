"""The goals of the project for speed and memory, and whether measurements meet them."""

from __future__ import annotations

from dataclasses import dataclass

from bench.bodies import Size
from bench.load import Cell

# p50 of ours over p50 of bare OPA, with one connection: containers x variables -> at most.
RATIOS: dict[str, dict[Size, float]] = {
    "embedded": {Size(1, 10): 2.0, Size(3, 20): 0.7, Size(10, 30): 0.3, Size(10, 200): 0.15},
    "opa": {Size(1, 10): 2.5, Size(3, 20): 0.9, Size(10, 30): 0.35, Size(10, 200): 0.2},
}
WORKER_MEGABYTES = 200.0
CHECK_SECONDS = 0.5


@dataclass(frozen=True)
class Verdict:
    """One goal beside what was measured; a goal is met when the measurement is not above it."""

    what: str
    goal: float
    measured: float
    unit: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the goal is met."""
        return self.measured <= self.goal

    def __str__(self) -> str:
        return f"{self.what}: {self.measured:.3g}{self.unit}, goal at most {self.goal:g}{self.unit}"


def ratio_to_bare(cell: Cell, cells: list[Cell]) -> float | None:
    """p50 of a cell over that of bare OPA under the same case; None where bare OPA was not measured."""
    bare = [other for other in cells if other.target == "bare" and other.case == cell.case]
    return cell.p50 / bare[0].p50 if bare else None


def judge(cells: list[Cell], worker_megabytes: dict[str, float], check_seconds: float | None) -> list[Verdict]:
    """Every goal that was measured, in the order of the tables."""
    verdicts = []
    for cell in cells:
        ratio = ratio_to_bare(cell, cells)
        goal = RATIOS.get(cell.target, {}).get(cell.case.size)
        if cell.case.connections == 1 and ratio is not None and goal is not None:
            kind = "leaky" if cell.case.leaky else "clean"
            verdicts.append(Verdict(f"p50 to bare OPA, {cell.target}, {cell.case.size.label} {kind}", goal, ratio))
    for engine, megabytes in worker_megabytes.items():
        verdicts.append(Verdict(f"peak memory of a worker, {engine}", WORKER_MEGABYTES, megabytes, " MB"))
    if check_seconds is not None:
        verdicts.append(Verdict("`ecs-admission check` of one 3 x 20 file, median", CHECK_SECONDS, check_seconds, " s"))
    return verdicts
