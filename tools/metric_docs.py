"""Write the tables of docs/reference/metrics.md and docs/reference/logs.md from what the code declares: `make docs`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ecs_admission.metrics import CATALOGUE, Label, Metric
from ecs_admission.telemetry import KEYS

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
_TABLE = re.compile(r"(<!-- begin: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_WHO = {"worker": "workers", "sealer": "sealer", "exporter": "exporter"}


def tables() -> Mapping[str, str]:
    """The generated tables, by the name that stands in the document."""
    return {"metrics": _metrics(), "buckets": _buckets(), "keys": _keys()}


def filled(text: str) -> str:
    """A document with its tables as they should be."""
    made = tables()
    return _TABLE.sub(lambda match: f"{match[1]}\n{made[match[2]]}\n\n{match[3]}", text)


def pages() -> Mapping[Path, str]:
    """The documents that have such tables, as they should be."""
    paths = [FOLDER / "metrics.md", FOLDER / "logs.md"]
    return {path: filled(path.read_text()) for path in paths}


def _metrics() -> str:
    lines = ["| Metric | Type | Unit | Labels | Counted by | Meaning | Since |", "|---|---|---|---|---|---|---|"]
    lines += [_row(metric) for metric in CATALOGUE]
    return "\n".join(lines)


def _row(metric: Metric) -> str:
    labels = "; ".join(f"`{label.name}`: {_values(label)}" for label in metric.labels)
    cells = (f"`{metric.name}`", metric.kind, metric.unit, labels, _WHO[metric.source], metric.help, metric.since)
    return f"| {' | '.join(cells)} |"


def _values(label: Label) -> str:
    if label.values:
        return ", ".join(f"`{value}`" for value in label.values)
    return f"{label.bounded_by}; at most {label.at_most}"


def _buckets() -> str:
    lines = ["| Histogram | Buckets, in seconds |", "|---|---|"]
    lines += [
        f"| `{metric.name}` | {', '.join(f'{bucket:g}' for bucket in metric.buckets)} |"
        for metric in CATALOGUE
        if metric.buckets
    ]
    return "\n".join(lines)


def _keys() -> str:
    lines = ["| Key | On | Meaning |", "|---|---|---|"]
    lines += [f"| `{key}` | {where} | {meaning} |" for key, (where, meaning) in KEYS.items()]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the tables, or say which pages are not current and return 1."""
    parser = argparse.ArgumentParser(prog="tools.metric_docs", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the tables")
    options = parser.parse_args(arguments)
    made = pages()
    if options.write:
        for path, text in made.items():
            path.write_text(text)
    outdated = [str(path.relative_to(ROOT)) for path, text in made.items() if path.read_text() != text]
    print("\n".join(f"{name} is not current: make docs" for name in outdated) or f"docs: {len(made)} pages are current")
    return int(bool(outdated))


if __name__ == "__main__":
    sys.exit(main())
