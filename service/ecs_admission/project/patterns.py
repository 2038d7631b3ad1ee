"""RE2 patterns over many values at once. RE2 takes time in proportion to its input, whatever the pattern."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any

import re2

from ecs_admission.errors import PolicyError


def compile_pattern(pattern: str, *, ignore_case: bool = False, at: tuple[str | int, ...] | None = None) -> Any:
    """A compiled pattern. Raises `PolicyError` without the pattern's text where it is none; `at` is where it stands."""
    try:
        return re2.compile(pattern, _options(ignore_case=ignore_case))  # type: ignore[no-untyped-call]
    except (re2.error, TypeError):
        raise PolicyError("a pattern is not valid RE2", at=at) from None


_GROUP = re.compile(r"(?<!\\)\((?!\?)")


class JoinedText:
    """Texts joined for one pass, and the way back from a place in the joined text to the text it is in."""

    def __init__(self, texts: Sequence[str], separator: str) -> None:
        self._texts = texts
        self._separator = separator
        joined = separator.join(texts)
        self.is_ascii = joined.isascii()
        self.content = joined.encode("utf-8", "replace")

    @cached_property
    def _starts(self) -> Sequence[int]:
        gap = len(self._separator)
        if self.is_ascii:
            lengths = [len(text) for text in self._texts]
        else:
            lengths = [len(text.encode("utf-8", "replace")) for text in self._texts]
        return list(accumulate((length + gap for length in lengths), initial=0))[:-1]

    def index(self, offset: int) -> int:
        """The number of the text that the byte at `offset` belongs to, the separator behind it included."""
        return bisect_right(self._starts, offset) - 1


class PatternSet:
    """Several patterns searched in one pass over many texts."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self.patterns = tuple(compile_pattern(pattern) for pattern in patterns)
        # Where a match is can be told many times faster than where its groups are.
        self._places = tuple(compile_pattern(_GROUP.sub("(?:", pattern)) for pattern in patterns)
        self._all = re2.Set.SearchSet(_options())  # type: ignore[no-untyped-call]
        for pattern in patterns:
            self._all.Add(pattern)
        self._all.Compile()

    def occurs(self, text: str) -> bool:
        """True where any pattern is found in `text`."""
        return bool(self._all.Match(text))

    def occurring(self, text: str) -> list[int]:
        """The numbers of the patterns that are found in `text`."""
        return sorted(self._all.Match(text) or ())

    def candidates(self, joined: JoinedText) -> Iterator[tuple[int, int]]:
        """Pairs of (pattern number, text number) worth a look of their own.

        A match in the joined text may span two texts, so each text that it touches is a candidate and none is missed.
        """
        for number in sorted(self._all.Match(joined.content) or ()):
            last = -1
            for match in self._places[number].finditer(joined.content):
                final = joined.index(max(match.start(), match.end() - 1))
                for index in range(max(joined.index(match.start()), last + 1), final + 1):
                    yield number, index
                    last = index


def _options(*, ignore_case: bool = False) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not ignore_case
    return options
