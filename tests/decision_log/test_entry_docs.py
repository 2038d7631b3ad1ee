"""Holds `docs/reference/entry.md` to what an entry really has, in both directions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from ecs_admission.decision_log.certificates import Writer
from ecs_admission.decision_log.chain import Head, seal
from ecs_admission.decision_log.schema import INDEX_PATHS
from ecs_admission.decision_log.verify import INCOMPLETE

from .conftest import LOG_KEY, make_draft

WRITER = Writer.certified("writer-1", time_us=1, log_key=LOG_KEY)
TAMPERED = {
    *("unreadable", "hash", "previous", "signature", "columns", "not-a-start", "uncertified", "body"),
    "unexpected-body",
}
CERTIFICATE = orjson.loads(WRITER.certificate.content)

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
    entry = seal(make_draft(), WRITER, Head())

    assert set(paths(entry.document, "")) | {f"certificate.{name}" for name in CERTIFICATE} == DOCUMENTED


def test_the_document_names_every_problem_that_verify_reports() -> None:
    tampered = [
        "hash",
        "unreadable",
        "previous",
        "signature",
        "columns",
        "not-a-start",
        "uncertified",
        "body",
        "unexpected-body",
    ]
    for problem in INCOMPLETE | set(tampered):
        assert f"`{problem}`" in DOCUMENT


def test_every_index_column_comes_from_a_documented_field() -> None:
    assert {".".join(path) for path in INDEX_PATHS.values()} <= DOCUMENTED
