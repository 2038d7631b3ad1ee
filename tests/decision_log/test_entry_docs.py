"""Holds `docs/reference/entry.md` to what an entry really has, in both directions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ecs_admission.decision_log.chain import NO_PREVIOUS, seal
from ecs_admission.decision_log.schema import INDEX_PATHS
from ecs_admission.decision_log.verify import INCOMPLETE

from .conftest import make_draft

DOCUMENT = (Path(__file__).parents[2] / "docs" / "reference" / "entry.md").read_text(encoding="utf-8")
DOCUMENTED = set(re.findall(r"^\| `([^`]+)` \|", DOCUMENT, re.MULTILINE))


def paths(value: Any, prefix: str) -> Iterator[str]:
    """Every key of an entry, spelled as in the document: `request.context.now`, `findings[].rule`."""
    if isinstance(value, list):
        for member in value:
            yield from paths(member, f"{prefix}[]")
    elif isinstance(value, dict) and prefix != "timings":  # its keys are the steps of the pipeline
        for key, member in value.items():
            path = f"{prefix}.{key}" if prefix else key
            yield path
            yield from paths(member, path)


def test_the_document_lists_exactly_the_fields_of_an_entry() -> None:
    entry = seal(make_draft(), "writer-1", 1, NO_PREVIOUS)

    assert set(paths(entry.document, "")) == DOCUMENTED


def test_the_document_names_every_problem_that_verify_reports() -> None:
    for problem in INCOMPLETE | {"hash", "unreadable", "previous", "columns", "not-a-start", "body", "unexpected-body"}:
        assert f"`{problem}`" in DOCUMENT


def test_every_index_column_comes_from_a_documented_field() -> None:
    assert {".".join(path) for path in INDEX_PATHS.values()} <= DOCUMENTED
