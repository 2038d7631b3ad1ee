"""Holds `docs/reference/entry.md` to what an entry really has, in both directions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from ecs_admission.decision_log.certificates import Writer
from ecs_admission.decision_log.chain import Head, seal
from ecs_admission.decision_log.entries import EVENT_KINDS
from ecs_admission.decision_log.schema import INDEX_PATHS
from ecs_admission.decision_log.verdicts import INCOMPLETE, Notice, Problem

from .conftest import LOG_KEY, make_draft

WRITER = Writer.certified("writer-1", time_us=1, log_key=LOG_KEY)
CERTIFICATE = orjson.loads(WRITER.certificate.content)

DOCUMENT = (Path(__file__).parents[2] / "docs" / "reference" / "entry.md").read_text(encoding="utf-8")
DOCUMENTED = set(re.findall(r"^\| `([^`]+)` \|", DOCUMENT, re.MULTILINE))


def paths(value: Any, prefix: str) -> Iterator[str]:
    """Every key of an entry, spelled as in the document: `request.context.now`, `findings[].rule`."""
    if isinstance(value, list):
        for member in value:
            yield from paths(member, f"{prefix}[]")
    elif isinstance(value, dict) and prefix not in ("timings", "details"):  # their keys are the business of others
        for key, member in value.items():
            path = f"{prefix}.{key}" if prefix else key
            yield path
            yield from paths(member, path)


def test_the_document_lists_exactly_the_fields_of_an_entry() -> None:
    entry = seal(make_draft(), WRITER, Head())

    assert set(paths(entry.document, "")) | {f"certificate.{name}" for name in CERTIFICATE} == DOCUMENTED


def test_the_document_names_every_problem_that_verify_reports() -> None:
    said = f"{Problem.__doc__} {Notice.__doc__}"
    words = set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`", said)) - {"digest", "sequence", "writer"}
    assert len(words) > 20
    assert [] == [word for word in sorted(words | INCOMPLETE) if f"`{word}`" not in DOCUMENT]


def test_the_document_names_every_kind_of_entry() -> None:
    rows = re.findall(r"^\| [^`|]+ \| (`[^|]+`) \|", DOCUMENT, re.MULTILINE)
    assert {kind for row in rows for kind in re.findall(r"`([a-z_]+)`", row)} == EVENT_KINDS


def test_every_index_column_comes_from_a_documented_field() -> None:
    assert {".".join(path) for path in INDEX_PATHS.values()} <= DOCUMENTED
