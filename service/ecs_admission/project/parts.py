"""Named literals inside longer strings: `--password=x`, `user=..;pwd=..`, URLs with userinfo, JSON text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from ecs_admission.project.detectors.protocol import Batch, Leaf
from ecs_admission.project.names import NameVerdict
from ecs_admission.project.patterns import PatternSet

# The end of a name, quotes, a sign, a value. Where the name begins is looked up backwards from the match, since a
# pattern that also matched the beginning would be many times slower. RE2 takes linear time whatever is repeated, and
# bounded repetitions make its automata thirty times slower here. `%s`: the last words of secret phrases.
_ASSIGNMENT = (
    r"(?i)(?:%s)[a-z0-9_.-]*(\\*[\"']?)[ \t]*(:=|=>|=|:)[ \t]*"
    r"(\\*\"[^\"\n]+|\\*'[^'\n]+|[^\s\"'&;,|<>)\]}][^\s\"'&;,|)\]}]*)"
)
_USERINFO = r"(?i)[a-z][a-z0-9+.-]*://[^\s/:@\"']*:([^\s/@\"']+)@"
_NAME_BEFORE = re.compile(r"[A-Za-z0-9_.-]{0,80}\Z")
_NAME_CHARS = 80

Classify = Callable[[str], NameVerdict]


class PartFinder:
    """Finds the parts of leaves that have a secret's name of their own."""

    def __init__(self, stems: Sequence[str], classify: Classify) -> None:
        self._set = PatternSet([_ASSIGNMENT % "|".join(sorted(stems)), _USERINFO])
        self._classify = classify

    def find(self, batch: Batch) -> Iterator[Leaf]:
        """The parts of each leaf. A reference has a grammar of its own, in which `secret:NAME` is no assignment."""
        readers = (self._assignments, self._passwords)
        for number, index in self._set.candidates(batch.values):
            leaf = batch.leaves[index]
            if leaf.hint != "reference":
                yield from readers[number](leaf)

    def _assignments(self, leaf: Leaf) -> Iterator[Leaf]:
        for match in self._set.patterns[0].finditer(leaf.value):
            quote, sign, value = match.groups()
            name = _whole_name(leaf.value, match.start(), match.start(1))
            bare = value.lstrip("\\").strip("\"'")
            if self._classify(name).confidence is None:
                continue
            # `password: reset it daily` and `image/secret:1.2` are no assignments; `"password": "x"` is one.
            prose = sign == ":" and not quote
            yield leaf._replace(
                value=bare,
                name=name,
                shown=None,
                whole=leaf.shown,
                offset=match.start(3),
                hint="prose" if prose else "assignment",
            )

    def _passwords(self, leaf: Leaf) -> Iterator[Leaf]:
        for match in self._set.patterns[1].finditer(leaf.value):
            yield leaf._replace(
                value=match.group(1),
                name="password",
                shown=None,
                whole=leaf.shown,
                offset=match.start(1),
                hint="userinfo",
            )


def _whole_name(text: str, start: int, end: int) -> str:
    """The name that ends at `end`, from where it begins: at or before `start`."""
    before = _NAME_BEFORE.search(text[max(0, start - _NAME_CHARS) : start])
    return ((before.group() if before else "") + text[start:end]).lstrip("-.")


def flag_name(argument: str) -> str | None:
    """The name that a command-line argument gives to the argument after it, as `--db-password` does."""
    if argument.startswith("-") and "=" not in argument and 2 < len(argument.lstrip("-")) <= 80:
        return argument.lstrip("-")
    return None
