"""The commands in the pages of the documentation, and what a page says about running them.

A page runs from its top to its end. Comments that no reader sees say what is not obvious; each is about the fenced
block that follows it:

    <!-- not run: REASON -->        it cannot run here
    <!-- exits with 1 -->           how its last command ends, where that is not 0
    <!-- file: PATH -->             its text goes into a file, whatever language it is
    <!-- with TEXT: COMMAND -->     what the command prints stands for TEXT in it
    <!-- run first: COMMANDS -->    what a reader has already
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PAGES = sorted(
    page
    for page in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("examples/**/*.md"),
        *ROOT.glob("helm/**/*.md"),
    ]
    if page.name != "CHANGELOG.md"
)

SHELLS = ("sh", "console", "bash", "shell")

_PART = re.compile(
    r"<!--(?P<comment>.*?)-->|^(?P<indent>[ ]*)```(?P<language>[^\n`]*)\n(?P<text>.*?)^[ ]*```[ ]*$",
    re.DOTALL | re.MULTILINE,
)
_DIRECTIVE = re.compile(r"(not run|exits with|file|with|run first)\b:?\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Command:
    """A command, and the lines that the page says it prints."""

    text: str
    printed: tuple[str, ...] = ()


@dataclass(slots=True)
class Block:
    """A fenced block with what its page says about it. `line` is that of its fence."""

    line: int
    language: str
    text: str
    not_run: str | None = None
    exits_with: int = 0
    file: str | None = None
    replaced: dict[str, str] = field(default_factory=dict)
    first: list[str] = field(default_factory=list)

    @property
    def is_shell(self) -> bool:
        return self.language in SHELLS

    @property
    def commands(self) -> list[Command]:
        """Of a console each command with its output; anything else is one script."""
        if self.language != "console":
            return [Command(self.text)]
        return list(_console(self.text))


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, from its top."""
    text = page.read_text()
    directives: list[str] = []
    for part in _PART.finditer(text):
        if part["comment"] is not None:
            directives.append(part["comment"].strip())
            continue
        block = Block(text[: part.start()].count("\n") + 1, part["language"].strip(), textwrap.dedent(part["text"]))
        for directive in directives:
            _direct(block, directive)
        directives = []
        yield block


def _direct(block: Block, directive: str) -> None:
    match = _DIRECTIVE.fullmatch(directive)
    if match is None:
        return
    kind, said = match[1], match[2].strip()
    if kind == "not run":
        block.not_run = said
    elif kind == "exits with":
        block.exits_with = int(said)
    elif kind == "file":
        block.file = said
    elif kind == "with":
        name, _, command = said.partition(": ")
        block.replaced[name] = command
    else:
        block.first.append(textwrap.dedent(said))


def _console(text: str) -> Iterator[Command]:
    lines = iter(text.splitlines())
    command: list[str] = []
    printed: list[str] = []
    for line in lines:
        if line.startswith("$ "):
            if command:
                yield Command("\n".join(command), tuple(printed))
            command, printed = [line[2:]], []
            while command[-1].endswith("\\"):
                command.append(next(lines))
        elif line.strip():
            printed.append(line)
    if command:
        yield Command("\n".join(command), tuple(printed))
