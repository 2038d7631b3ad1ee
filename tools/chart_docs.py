"""The chart's README and the descriptions in its schema, from the comments in values.yaml.

A comment that begins with `# --` describes the value below it. Run with `--write` after a change; a test compares.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

CHART: Final = Path(__file__).resolve().parent.parent / "helm" / "ecs-admission"
BEGIN: Final = "<!-- values: made by tools/chart_docs.py -->"
END: Final = "<!-- end of values -->"

_KEY: Final = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z0-9]+):(?:\s|$)")
_DESCRIPTION: Final = re.compile(r" *# -- (?P<text>.+)")

ValuePath = tuple[str, ...]


def descriptions(text: str) -> dict[ValuePath, str]:
    """What the comments of a values file say, by the path of the value below each."""
    found: dict[ValuePath, str] = {}
    path: list[tuple[int, str]] = []
    pending = ""
    for line in text.splitlines():
        if described := _DESCRIPTION.fullmatch(line):
            pending = described["text"]
        elif key := _KEY.match(line):
            indent = len(key["indent"])
            path = [part for part in path if part[0] < indent] + [(indent, key["key"])]
            if pending:
                found[tuple(name for _, name in path)] = pending
                pending = ""
    return found


def values(document: Any, described: Mapping[ValuePath, str], path: ValuePath = ()) -> Iterator[tuple[ValuePath, Any]]:
    """The values that a user sets: those with a description, and what is no mapping."""
    for key, value in document.items():
        here = (*path, key)
        if isinstance(value, dict) and here not in described:
            yield from values(value, described, here)
        else:
            yield here, value


def table(text: str) -> str:
    """The table of the README."""
    described = descriptions(text)
    rows = ["| Value | Default | Meaning |", "|---|---|---|"]
    for path, default in values(yaml.safe_load(text), described):
        shown = json.dumps(default, ensure_ascii=False).replace("|", "\\|")
        meaning = described[path].replace("|", "\\|")
        rows.append(f"| `{'.'.join(path)}` | `{shown}` | {meaning} |")
    return "\n".join(rows)


def readme(page: str, text: str) -> str:
    """The README with the table of the values in its place."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(text)}\n{END}{after}"


def schema(document: Any, text: str) -> Any:
    """The schema with what the comments say, so that an editor shows it."""
    for path, told in descriptions(text).items():
        place = document
        for name in path:
            place = place["properties"][name]
        place["description"] = told
    return document


def main() -> int:
    """Write both, or say which is not as it would be written."""
    text = (CHART / "values.yaml").read_text()
    page, document = CHART / "README.md", CHART / "values.schema.json"
    wanted = {
        page: readme(page.read_text(), text),
        document: json.dumps(schema(json.loads(document.read_text()), text), indent=2) + "\n",
    }
    stale = [path for path, content in wanted.items() if path.read_text() != content]
    if "--write" in sys.argv[1:]:
        for path in stale:
            path.write_text(wanted[path])
        return 0
    for path in stale:
        sys.stderr.write(f"{path.name} is not what tools/chart_docs.py writes: run it with --write\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
