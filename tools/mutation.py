#!/usr/bin/env python3
"""Break the policies one piece at a time and see whether a Rego test notices: `make mutation`.

A mutant is a copy of one file without an expression of a body, without one of several definitions of a rule, without an
item of a set or an object, with another comparison, or without a `not`. OPA's own parser says where these stand. It is
killed where `opa test` fails on it; one that survives is a hole in the tests, unless tools/mutation-survivors.toml says
why no test can notice. One that does not compile says nothing.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
import queue
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
POLICIES = ROOT / "policies"
EXPLAINED = ROOT / "tools" / "mutation-survivors.toml"
REPORT = ROOT / "docs" / "mutation.md"
PROCESSES = 2
TEST_TIMEOUT_SECONDS = 60
SWAPPED = {"==": "!=", "!=": "==", ">": ">=", ">=": ">", "<": "<=", "<=": "<"}
LONGEST_TOLD = 100
VERDICTS = {0: "survived", 1: "uncompilable", 2: "killed"}
"""What the exit status of `opa test` says of a mutant."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change of one file: what stands from `start` to `end`, in characters, gives way to `replacement`."""

    file: str
    line: int
    kind: str
    told: str
    start: int
    end: int
    replacement: str

    @property
    def name(self) -> str:
        """What it is called in a list of survivors, wherever in its file it stands."""
        return f"{self.kind}: {self.told}"

    def apply(self, source: str) -> str:
        """The file with the change."""
        return source[: self.start] + self.replacement + source[self.end :]


class Source:
    """The text of a file, and where in it a node of its syntax tree stands."""

    def __init__(self, file: str, text: str) -> None:
        self.file, self.text = file, text
        self._starts = [0]
        for line in text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def span(self, node: Mapping[str, Any]) -> tuple[int, int]:
        """Start and end of a node, in characters. Raises ValueError where its location is not that of its text."""
        location = node["location"]
        text = base64.b64decode(location["text"]).decode()
        start = self._starts[location["row"] - 1] + location["col"] - 1
        if not self.text.startswith(text, start):
            raise ValueError(f"{self.file}:{location['row']}: the parser says that this is {text!r}")
        return start, start + len(text)

    def words(self, node: Mapping[str, Any]) -> str:
        """The text of a node in one line."""
        start, end = self.span(node)
        return " ".join(self.text[start:end].split())

    def mutant(
        self, kind: str, told: str, span: tuple[int, int], replacement: str = "", *, at: int | None = None
    ) -> Mutant:
        """A change of this file, of what begins at `at` if that is not where the span does."""
        line = self.text.count("\n", 0, span[0] if at is None else at) + 1
        short = told if len(told) <= LONGEST_TOLD else told[: LONGEST_TOLD - 3] + "..."
        return Mutant(self.file, line, kind, short, *span, replacement)


def find_mutants(source: Source, module: Mapping[str, Any]) -> Iterator[Mutant]:
    """The mutants of a module, given its syntax tree with locations."""
    rules = [(_rule_name(rule), rule) for rule in module.get("rules", [])]
    definitions = Counter(name for name, _ in rules)
    for name, rule in rules:
        if definitions[name] > 1:
            yield source.mutant("without definition", source.words(rule), source.span(rule))
        for node in _nodes(rule):
            for expression in node.get("body", ()):
                yield from _of_expression(source, expression)
            if node.get("type") in ("set", "object"):
                yield from _of_collection(source, node, name)


def _rule_name(rule: Mapping[str, Any]) -> str:
    return ".".join(str(term["value"]) for term in rule["head"]["ref"] if term["type"] in ("var", "string"))


def _nodes(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every node of a tree, comprehensions and what stands in them included."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(inner)


def _of_expression(source: Source, expression: Mapping[str, Any]) -> Iterator[Mutant]:
    terms = expression["terms"]
    if expression.get("generated") or (isinstance(terms, dict) and terms.get("type") == "boolean"):
        return  # the parser's own: its place is not that of its text
    words = source.words(expression)
    if isinstance(terms, dict) and _is_declaration(terms):
        return
    start, end = span = source.span(expression)
    yield source.mutant("without", words, span, "true")
    if expression.get("negated"):
        yield source.mutant("without not", words, span, source.text[start:end].removeprefix("not").lstrip())
    if isinstance(terms, list):
        operator = source.words(terms[0])
        if operator in SWAPPED:
            other = SWAPPED[operator]
            yield source.mutant(f"{other} for {operator}", words, source.span(terms[0]), other)


def _is_declaration(terms: Mapping[str, Any]) -> bool:
    """`some x` without `in`: it says that x is local, which it is without it."""
    return any(symbol["type"] == "var" for symbol in terms.get("symbols", ()))


def _of_collection(source: Source, node: Mapping[str, Any], rule: str) -> Iterator[Mutant]:
    """Without each item. A set that would be left empty would be an object, and is left alone."""
    items = [(item if isinstance(item, list) else [item]) for item in node["value"]]
    spans = sorted((source.span(item[0])[0], source.span(item[-1])[1]) for item in items)
    if node["type"] == "set" and len(spans) == 1:
        return
    for number, (start, end) in enumerate(spans):
        told = f"{' '.join(source.text[start:end].split())} in {rule}"
        if number + 1 < len(spans):
            cut = (start, spans[number + 1][0])
        else:
            cut = (spans[number - 1][1] if number else start, end)
        yield source.mutant("without item", told, cut, at=start)


def read_mutants(opa: str, policies: Path) -> list[Mutant]:
    """The mutants of every policy that is no test."""
    found: list[Mutant] = []
    for path in sorted(policies.rglob("*.rego")):
        if not path.stem.endswith("_test"):
            command = [opa, "parse", "--format", "json", "--json-include", "locations,-comments", str(path)]
            module = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            source = Source(path.relative_to(policies).as_posix(), path.read_text())
            # The parser repeats some nodes, the key of a general reference for one.
            found += _numbered(dict.fromkeys(find_mutants(source, module)))
    return found


def _numbered(mutants: Iterable[Mutant]) -> Iterator[Mutant]:
    """The mutants of a file under names of their own: the second of a name ends in (2)."""
    seen: Counter[str] = Counter()
    for mutant in mutants:
        seen[mutant.name] += 1
        number = seen[mutant.name]
        yield mutant if number == 1 else replace(mutant, told=f"{mutant.told} ({number})")


def judge_all(opa: str, policies: Path, mutants: Sequence[Mutant]) -> list[str]:
    """What becomes of each mutant of `policies`, which is left alone: each of `PROCESSES` has a copy of its own."""
    if _test(opa, policies) != "survived":
        raise SystemExit("mutation: the tests fail on the policies as they are, see make policy")
    with tempfile.TemporaryDirectory(prefix="ecs-admission-mutation-") as folder:
        copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for number in range(PROCESSES):
            copies.put(Path(shutil.copytree(policies, Path(folder) / str(number))))

        def judge(mutant: Mutant) -> str:
            copy = copies.get()
            path = copy / mutant.file
            text = path.read_text()
            path.write_text(mutant.apply(text))
            try:
                return _test(opa, copy)
            finally:
                path.write_text(text)
                copies.put(copy)

        with ThreadPoolExecutor(PROCESSES) as pool:
            return list(pool.map(judge, mutants))


def _test(opa: str, policies: Path) -> str:
    command = [opa, "test", "--fail-on-empty", "--parallel", "1", "--bundle", str(policies)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TEST_TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return "killed"
    return VERDICTS[done.returncode]


def read_explanations(path: Path) -> dict[tuple[str, str], str]:
    """Why a survivor survives, by file and name."""
    if not path.exists():
        return {}
    entries = tomllib.loads(path.read_text()).get("survivor", [])
    return {(entry["file"], entry["mutant"]): entry["reason"] for entry in entries}


def render(mutants: Sequence[Mutant], verdicts: Sequence[str], reasons: Mapping[tuple[str, str], str]) -> str:
    """The tables of docs/mutation.md."""
    lines = ["| mutants | made | killed | survived | do not compile |", "|---|---|---|---|---|"]
    kinds = sorted({_family(mutant) for mutant in mutants})
    for kind in [*kinds, "all"]:
        counted = Counter(v for m, v in zip(mutants, verdicts, strict=True) if kind in ("all", _family(m)))
        told = " | ".join(str(counted[verdict]) for verdict in ("killed", "survived", "uncompilable"))
        lines.append(f"| {kind} | {counted.total()} | {told} |")
    lines += ["", "## What survives, and why", ""]
    survivors = [m for m, verdict in zip(mutants, verdicts, strict=True) if verdict == "survived"]
    for mutant in survivors:
        reason = reasons.get((mutant.file, mutant.name), "**not explained**")
        lines.append(f"- `{mutant.file}`, `{mutant.name}`: {reason}")
    return "\n".join(lines if survivors else [*lines, "Nothing."]) + "\n"


def _family(mutant: Mutant) -> str:
    return "another comparison" if " for " in mutant.kind else mutant.kind


def _head(opa: str, seconds: float, killed: int, judged: int) -> str:
    version = subprocess.run([opa, "version"], check=True, capture_output=True, text=True).stdout.split()[1]
    return f"""# What the tests of the policies notice

Written by `make mutation MUTATION=--write` on {datetime.now(UTC).date().isoformat()}; OPA {version}, Python \
{platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, {seconds:.0f} s.

Each mutant is the policies with one piece broken; it is killed where a Rego test fails on it. Of {judged} mutants that
compile, {killed} are killed: **{killed / judged:.1%}**.

"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what survives. Returns 1 where a survivor is not explained, or an explanation is of none."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--opa", default="opa", help="the program")
    parser.add_argument("--policies", type=Path, default=POLICIES)
    parser.add_argument("--explained", type=Path, default=EXPLAINED)
    parser.add_argument("--only", default="", help="only files with this in their path")
    parser.add_argument("--write", action="store_true", help=f"write {REPORT.relative_to(ROOT)}")
    options = parser.parse_args(arguments)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ecs-admission-mutation-") as folder:
        # As they are now, whatever an author changes meanwhile.
        policies = Path(shutil.copytree(options.policies, Path(folder) / "policies"))
        mutants = [m for m in read_mutants(options.opa, policies) if options.only in m.file]
        verdicts = judge_all(options.opa, policies, mutants)
    seconds = time.monotonic() - begin
    reasons = {key: why for key, why in read_explanations(options.explained).items() if options.only in key[0]}
    survivors = [m for m, verdict in zip(mutants, verdicts, strict=True) if verdict == "survived"]
    failed = False
    for mutant in survivors:
        if (mutant.file, mutant.name) not in reasons:
            failed = True
            print(f"survived: {mutant.file}:{mutant.line}: {mutant.name}")
    for file, name in reasons.keys() - {(m.file, m.name) for m in survivors}:
        failed = True
        print(f"explained but not there or killed: {file}: {name}")
    counted = Counter(verdicts)
    judged = counted["killed"] + counted["survived"]
    print(
        f"mutation: {counted['killed']} of {judged} killed, {counted['survived']} survived, "
        f"{counted['uncompilable']} do not compile ({seconds:.0f} s)"
    )
    if options.write and not options.only and judged:
        REPORT.write_text(_head(options.opa, seconds, counted["killed"], judged) + render(mutants, verdicts, reasons))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
