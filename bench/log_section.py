"""The part of docs/performance.md that `bench.log_bench` writes, and that `bench.run` leaves as it is."""

from __future__ import annotations

import re

BEGIN, END = "<!-- bench-log: begin -->", "<!-- bench-log: end -->"

_SECTION = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)


def with_section(page: str, section: str) -> str:
    """The page with this section in the place of the one it has, or at its end."""
    if _SECTION.search(page):
        return _SECTION.sub(lambda _: section, page)
    return page.rstrip() + "\n\n" + section + "\n"


def with_section_of(page: str, before: str) -> str:
    """A page that was written anew, with the section that it had before."""
    found = _SECTION.search(before)
    return page if found is None else with_section(page, found.group())
