"""Who finds what: `python -m tests.detection.run`, which `make detection` calls.

Names misses and false alarms by kind, field and name, never by value. Exits 1 when recall is under 98% or anything
harmless is denied on the first set; the second set, that no rule is tuned on, is reported beside it.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path

from tests.detection import benign_set, holdout_set, secrets_set
from tests.detection.cases import Case, neutral
from tests.detection.judges import (
    DETECTORS,
    Pipeline,
    Verdict,
    detect_secrets_python,
    scanners,
    shipped_revision,
    text_of,
)

RECALL_GOAL = 0.98
REPORT = Path(__file__).parents[2] / "docs" / "detection.md"
COMMAND = "make detection DETECTION=--write"
_OURS = "ecs-admission"


@dataclass(frozen=True, slots=True)
class Result:
    """One case, judged by the pipeline and by each scanner."""

    case: Case
    verdict: Verdict
    scanners: Mapping[str, bool]

    @property
    def is_judged(self) -> bool:
        """False for an operation that this version refuses as unknown."""
        return self.verdict.outcome != "not judged"

    @property
    def is_miss(self) -> bool:
        """True for a secret that was not denied at its place."""
        return bool(self.case.pointers) and not self.verdict.found

    @property
    def is_false_alarm(self) -> bool:
        """True for a harmless request that was not allowed."""
        return not self.case.pointers and self.verdict.outcome != "allowed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A whole set, judged."""

    secrets: Sequence[Result]
    benign: Sequence[Result]
    refused: Sequence[Result]

    @property
    def misses(self) -> list[Result]:
        """The secrets that were not denied at their places."""
        return [result for result in self.secrets if result.is_miss]

    @property
    def false_alarms(self) -> list[Result]:
        """The harmless requests that were not allowed."""
        return [result for result in self.benign if result.is_false_alarm]

    @property
    def recall(self) -> float:
        """The share of secrets that were found, 0 for none."""
        return 1 - len(self.misses) / len(self.secrets) if self.secrets else 0.0


def judge(pipeline: Pipeline, cases: Iterable[Case], flags: Mapping[str, Sequence[bool]] | None = None) -> Outcome:
    """Judge cases, with what each scanner says of them in the same order."""
    flags = flags or {}
    results = [
        Result(case, pipeline.judge(case), {name: flagged[number] for name, flagged in flags.items()})
        for number, case in enumerate(cases)
    ]
    judged = [result for result in results if result.is_judged]
    return Outcome(
        secrets=[result for result in judged if result.case.pointers],
        benign=[result for result in judged if not result.case.pointers],
        refused=[result for result in results if not result.is_judged],
    )


def describe_results(results: Iterable[Result]) -> str:
    """One line for each: kind, field and name, and what became of it. Never a value."""
    return "\n".join(
        f"- {r.case}: {' '.join((r.verdict.outcome, *r.verdict.rules))} {r.verdict.detail}".rstrip() for r in results
    )


def main(arguments: Sequence[str]) -> int:
    """Judge both sets, print the report and say by the exit code whether the goal is met."""
    begin = time.perf_counter()
    pipeline = Pipeline(shipped_revision())
    ours = pipeline.judge(Case("neutral", "", "", neutral()))
    if ours.outcome != "allowed":
        print(f"the request that all cases are made of is not allowed: {ours.rules}", file=sys.stderr)
        return 1
    sets = {
        "set": [*secrets_set.secrets(), *benign_set.benign()],
        "second set": [*holdout_set.secrets(), *holdout_set.benign()],
    }
    outcomes = {name: judge(pipeline, cases, _scan(cases)) for name, cases in sets.items()}
    first = outcomes["set"]
    body = _report(outcomes)
    print(body)
    print(f"{time.perf_counter() - begin:.1f} s")
    if "--write" in arguments:
        head = _HEAD.format(
            date=datetime.now(UTC).date().isoformat(), machine=_machine(), command=COMMAND, others=_others()
        )
        REPORT.write_text(head + body, encoding="utf-8")
    return 0 if first.recall >= RECALL_GOAL and not first.false_alarms else 1


def _scan(cases: Sequence[Case]) -> dict[str, list[bool]]:
    texts = [text_of(case) for case in cases]
    return {name: scanner.flagged(texts) for name, scanner in scanners().items()}


def _machine() -> str:
    """What the figures were made with: they do not depend on how fast it is."""
    versions = [f"{name} {metadata.version(name)}" for name in ("ecs-admission", "kingfisher-secret-scanner")]
    return f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {', '.join(versions)}"


def _others() -> str:
    return "" if detect_secrets_python() else "detect-secrets was not installed. "


_HEAD = """# What detection finds

Written by `{command}` on {date}; {machine}.

One request per value, judged by the whole pipeline as for production. A secret counts as found when the request is
denied at the place of the secret; a false alarm is a harmless request that is not allowed. The scanners see the same
request as indented JSON and count as finding whatever they report anywhere in it. {others}The secrets are made when the
program runs (`tests/detection`), so no file holds one.

`text scan` is a list of regular expressions in the manner of gitleaks, written for this comparison, not gitleaks. What
stands beside `signal` is what each of our detectors observed by itself at the place of a secret.

The first set is what the bar is set on: recall 98%, no false alarm. The second was written apart from the rules, after
image READMEs, compose files, charts and modules, by the author of the first, and is for comparison. Both are of our own
making: they say how we compare on them, not how often a secret of yours is found.

"""


def _report(outcomes: Mapping[str, Outcome]) -> str:
    parts = []
    for name, outcome in outcomes.items():
        parts += [f"## The {name if name != 'set' else 'first set'}", "", *_totals(outcome), ""]
        parts += [*_list("Missed", outcome.misses), *_list("False alarms", outcome.false_alarms)]
        if outcome.refused:
            operations = sorted({result.case.operation for result in outcome.refused})
            parts += [f"Not judged, since this version refuses the operations: {', '.join(operations)}.", ""]
    for title, key in (("field", _field), ("kind", _kind)):
        parts += [f"## By {title}, first set", "", *_groups(outcomes["set"], title, key), ""]
    return "\n".join(parts).rstrip() + "\n"


def _list(title: str, results: Sequence[Result]) -> list[str]:
    return [f"{title}, by kind, field and name:", "", describe_results(results), ""] if results else []


def _field(result: Result) -> str:
    return result.case.field


def _kind(result: Result) -> str:
    return result.case.kind


def _judges(outcome: Outcome) -> dict[str, Callable[[Result], bool]]:
    """For each column, whether it found something in a result."""
    columns: dict[str, Callable[[Result], bool]] = {_OURS: _is_found}
    columns |= {f"signal: {name}": partial(_is_signalled, name) for name in DETECTORS}
    known = [*outcome.secrets, *outcome.benign][0].scanners
    return columns | {f"{name} alone": partial(_is_flagged, name) for name in known}


def _is_found(result: Result) -> bool:
    return result.verdict.found if result.case.pointers else result.is_false_alarm


def _is_signalled(detector: str, result: Result) -> bool:
    """A signal is an observation; of a harmless value it counts only where it led to a denial."""
    return detector in result.verdict.detectors and (bool(result.case.pointers) or result.is_false_alarm)


def _is_flagged(scanner: str, result: Result) -> bool:
    return result.scanners[scanner]


def _totals(outcome: Outcome) -> list[str]:
    kinds = len({r.case.kind for r in outcome.secrets})
    fields = len({r.case.field for r in [*outcome.secrets, *outcome.benign]})
    lines = [
        f"{len(outcome.secrets)} secrets of {kinds} kinds, {len(outcome.benign)} harmless values, {fields} fields.",
        "",
        "| | found | recall | false alarms |",
        "|---|---|---|---|",
    ]
    for name, found in _judges(outcome).items():
        hits, alarms = sum(map(found, outcome.secrets)), sum(map(found, outcome.benign))
        share = f"{hits} of {len(outcome.secrets)} | {hits / len(outcome.secrets):.1%}"
        lines.append(f"| {name} | {share} | {alarms} of {len(outcome.benign)} |")
    return lines


def _groups(outcome: Outcome, title: str, key: Callable[[Result], str]) -> list[str]:
    judges = _judges(outcome)
    lines = [f"| {title} | secrets | harmless | {' | '.join(judges)} |", "|---|---|---|" + "---|" * len(judges)]
    for group in sorted({key(r) for r in [*outcome.secrets, *outcome.benign]}):
        secrets = [r for r in outcome.secrets if key(r) == group]
        benign = [r for r in outcome.benign if key(r) == group]
        cells = [_cell(sum(map(found, secrets)), sum(map(found, benign)), bool(secrets)) for found in judges.values()]
        lines.append(f"| {group} | {len(secrets) or ''} | {len(benign) or ''} | {' | '.join(cells)} |")
    return [*lines, "", "A number is what was found of the secrets, `+n` are false alarms."]


def _cell(hits: int, alarms: int, has_secrets: bool) -> str:
    return " ".join(text for text in (str(hits) if has_secrets else "", f"+{alarms}" if alarms else "") if text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
