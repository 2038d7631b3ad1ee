"""Are the terms, by which decisions are found, those of the decisions' own bytes?

All that should be there and all that is there are summed up as keyed hashes, in any order and in constant memory. Only
where the two sums differ is each one looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson
from sqlalchemy import LargeBinary, cast, select, tuple_
from sqlalchemy.engine import Connection

from ecs_admission.decision_log.chain_rows import PAGE, READING
from ecs_admission.decision_log.database import translated
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.schema import bodies, entries, entry_terms
from ecs_admission.decision_log.term_sum import TermSum
from ecs_admission.decision_log.terms import derive_terms
from ecs_admission.decision_log.verdicts import Findings

_TERM_PAGE: Final = 2_000


def terms_agree(reader: LogReader, derived: TermSum) -> bool:
    """Whether the stored terms are those of `derived`."""
    stored = TermSum()
    for row in _stored(reader):
        stored.add(row.term, row.time, row.id)
    return (stored.total, stored.count) == (derived.total, derived.count)


def walk_terms(reader: LogReader, findings: Findings) -> None:
    """Look up each term on both sides.

    What is written meanwhile is written whole, and what retention drops goes whole, so each page is compared with what
    there was at the same moment.
    """
    last_id: str | None = None
    while True:
        with translated(READING), reader.snapshot() as connection:
            page = _entries(connection, last_id)
            _check_entries(connection, page, findings)
        if not page:
            break
        last_id = page[-1].id
    last_term: tuple[Any, ...] | None = None
    while True:
        with translated(READING), reader.snapshot() as connection:
            rows = _term_page(connection, last_term)
            _check_terms(connection, rows, findings)
        if not rows:
            break
        last_term = tuple(rows[-1])


def _check_entries(connection: Connection, page: list[Any], findings: Findings) -> None:
    wanted = {(term, row.time, row.id): row for row in page for term in derive_terms(_document(row.bytes), row.body)}
    keys = list(wanted)
    found: set[Any] = set()
    for begin in range(0, len(keys), PAGE):
        query = select(entry_terms).where(
            tuple_(entry_terms.c.term, entry_terms.c.time, entry_terms.c.id).in_(keys[begin : begin + PAGE])
        )
        found |= {(row.term, row.time, row.id) for row in connection.execute(query)}
    lacking = {row.id: row for key, row in wanted.items() if key not in found}
    for row in lacking.values():
        findings.add(row.writer, row.sequence, "missing-terms")


def _check_terms(connection: Connection, rows: list[Any], findings: Findings) -> None:
    ids = sorted({row.id for row in rows if isinstance(row.id, str)})
    derived: dict[str, tuple[Any, frozenset[str]]] = {}
    for begin in range(0, len(ids), PAGE):
        for row in connection.execute(_ENTRIES.where(entries.c.id.in_(ids[begin : begin + PAGE]))):
            derived[row.id] = (row.time, derive_terms(_document(row.bytes), row.body))
    for row in rows:
        if row.id not in derived:
            findings.add(str(row.id), 0, "stray-term")
        elif row.term not in derived[row.id][1] or row.time != derived[row.id][0]:
            findings.add(str(row.id), 0, "unexpected-term")


_ENTRIES: Final = select(
    entries.c.writer,
    entries.c.sequence,
    entries.c.id,
    entries.c.time,
    cast(entries.c.bytes, LargeBinary).label("bytes"),
    cast(bodies.c.bytes, LargeBinary).label("body"),
).outerjoin_from(entries, bodies, entries.c.id == bodies.c.id)


def _entries(connection: Connection, after: str | None) -> list[Any]:
    query = _ENTRIES.order_by(entries.c.id).limit(PAGE)
    return list(connection.execute(query if after is None else query.where(entries.c.id > after)).all())


def _stored(reader: LogReader) -> Iterator[Any]:
    after: tuple[Any, ...] | None = None
    while True:
        with translated(READING), reader.connect() as connection:
            rows = _term_page(connection, after)
        yield from rows
        if not rows:
            return
        after = tuple(rows[-1])


def _term_page(connection: Connection, after: tuple[Any, ...] | None) -> list[Any]:
    order = (entry_terms.c.term, entry_terms.c.time, entry_terms.c.id)
    query = select(*order).order_by(*order).limit(_TERM_PAGE)
    return list(connection.execute(query if after is None else query.where(tuple_(*order) > tuple_(*after))).all())


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
