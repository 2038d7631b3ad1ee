"""RE2 patterns over many values at once. RE2 takes time in proportion to its input, whatever the pattern."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import re2

from ecs_admission.errors import PolicyError


def compile_pattern(pattern: str, *, ignore_case: bool = False) -> Any:
    """A compiled pattern. Raises `PolicyError` without the pattern's text where it is none."""
    try:
        return re2.compile(pattern, _options(ignore_case=ignore_case))
    except re2.error:
        raise PolicyError("a pattern is not valid RE2") from None


class PatternSet:
    """Several patterns searched in one pass over the values of many leaves."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self.patterns = tuple(compile_pattern(pattern) for pattern in patterns)
        self._all = re2.Set.SearchSet(_options())
        for pattern in patterns:
            self._all.Add(pattern)
        self._all.Compile()

    def occurs(self, text: str) -> bool:
        """True where any pattern is found in `text`."""
        return bool(self._all.Match(text))

    def candidates(self, values: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Pairs of (pattern number, value number) worth a look of their own.

        The values are searched joined, and a match may span two of them, so each value that a match touches is a
        candidate and none is missed.
        """
        encoded = [value.encode("utf-8", "surrogatepass") for value in values]
        joined = b"\n".join(encoded)
        occurring = sorted(self._all.Match(joined) or ())
        starts = list(accumulate((len(value) + 1 for value in encoded), initial=0)) if occurring else []
        for number in occurring:
            last = -1
            for match in self.patterns[number].finditer(joined):
                first = bisect_right(starts, match.start()) - 1
                final = bisect_right(starts, max(match.start(), match.end() - 1)) - 1
                for index in range(max(first, last + 1), min(final, len(values) - 1) + 1):
                    yield number, index
                    last = index


def _options(*, ignore_case: bool = False) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not ignore_case
    return options
