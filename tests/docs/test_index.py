"""The index of the documentation has every page, in the group of its kind."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT

DOCS = ROOT / "docs"
_ELSEWHERE = ("adr/", "reference/rules/", "how-to/runbooks/", "runbooks/", "reference/runbooks/")
"""Pages that an index of their own lists."""


def test_every_page_is_listed_once_and_each_has_a_line() -> None:
    listed = re.findall(r"^\| \[[^\]]+\]\(([^)]+)\) \| (?=\S)", (DOCS / "README.md").read_text(), re.MULTILINE)
    pages = {str(page.relative_to(DOCS)) for page in DOCS.glob("**/*.md")} - {"README.md"}
    own = {page for page in pages if not page.startswith(_ELSEWHERE) or page.endswith("/README.md")}
    assert sorted(own - set(listed)) == []
    assert sorted(set(listed) - own) == []
    assert len(listed) == len(set(listed))


def test_each_page_is_in_the_section_of_its_folder() -> None:
    text = (DOCS / "README.md").read_text()
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    kinds = {"Tutorial": "tutorial", "How to": "how-to", "Reference": "reference", "Explanation": "explanation"}
    for section, folder in kinds.items():
        others = set(kinds.values()) - {folder}
        found = re.findall(r"\]\(([a-z-]+)/", sections[section])
        assert others & set(found) == set()
