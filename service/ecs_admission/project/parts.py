"""Named literals inside longer strings: `--password=x`, `PASS=x cmd`, `user=..;pwd=..`, URLs with userinfo, JSON text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ecs_admission.project.detectors.protocol import Leaf
from ecs_admission.project.names import NameVerdict
from ecs_admission.project.patterns import PatternSet

# The end of a name, quotes, a sign, a value. Where the name begins is looked up backwards from the match, since a
# pattern that also matched the beginning would be many times slower. `%s`: the last words of secret phrases.
_ASSIGNMENT = (
    r"(?i)(?:%s)[a-z0-9_.-]{0,40}(\\{0,3}[\"']?)[ \t]{0,4}(:=|=>|=|:)[ \t]{0,4}"
    r"(\\{0,3}\"[^\"\n]{1,500}|\\{0,3}'[^'\n]{1,500}|[^\s\"'&;,|<>)\]}][^\s\"'&;,|)\]}]{0,500})"
)
_USERINFO = r"(?i)[a-z][a-z0-9+.-]{1,30}://[^\s/:@\"']{0,250}:([^\s/@\"']{1,500})@"
_NAME_BEFORE = re.compile(r"[A-Za-z0-9_.-]{0,80}\Z")
_NAME_CHARS = 80

Classify = Callable[[str], NameVerdict]


class PartFinder:
    """Finds the parts of leaves that have a secret's name of their own."""

    def __init__(self, stems: Sequence[str], classify: Classify) -> None:
        self._set = PatternSet([_ASSIGNMENT % "|".join(sorted(stems)), _USERINFO])
        self._classify = classify

    def find(self, leaves: Sequence[Leaf]) -> Iterator[tuple[int, Leaf]]:
        """The parts of each leaf, with the index of the leaf."""
        readers = (self._assignments, self._passwords)
        for number, index in self._set.candidates([leaf.value for leaf in leaves]):
            for part in readers[number](leaves[index]):
                yield index, part

    def _assignments(self, leaf: Leaf) -> Iterator[Leaf]:
        for match in self._set.patterns[0].finditer(leaf.value):
            quote, sign, value = match.groups()
            name = _whole_name(leaf.value, match.start(), match.start(1))
            bare = value.lstrip("\\").strip("\"'")
            if self._classify(name).confidence is None:
                continue
            # `password: reset it daily` is prose, `"password": "x"` and `password=x` are not.
            prose = sign == ":" and not quote and leaf.value[match.start(3) - 1 : match.start(3)] in " \t"
            yield replace(
                leaf, value=bare, name=name, shown=None, offset=match.start(3), hint="prose" if prose else "assignment"
            )

    def _passwords(self, leaf: Leaf) -> Iterator[Leaf]:
        for match in self._set.patterns[1].finditer(leaf.value):
            yield replace(
                leaf, value=match.group(1), name="password", shown=None, offset=match.start(1), hint="userinfo"
            )


def _whole_name(text: str, start: int, end: int) -> str:
    """The name that ends at `end`, from where it begins: at or before `start`."""
    before = _NAME_BEFORE.search(text[max(0, start - _NAME_CHARS) : start])
    return ((before.group() if before else "") + text[start:end]).lstrip("-.")


def flag_name(argument: str) -> str | None:
    """The name that a command-line argument gives to the argument after it, as `--db-password` does."""
    if argument.startswith("-") and "=" not in argument and 2 < len(argument.lstrip("-")) <= 80:  # noqa: PLR2004
        return argument.lstrip("-")
    return None
