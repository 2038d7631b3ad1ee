"""The lines of an export: signed entries, the digests that sealed them, and the certificates of their writers.

What is exported is settled before the first line (`plan_export`), so that it can be recorded and then handed out: what
comes while an export is written changes nothing. Whole digests are read writer by writer, for the ranges that they
name; a query is read as its pages are, newest first, from the index that it has. Form: `docs/reference/query.md`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, LargeBinary, Select, cast, func, select
from sqlalchemy.engine import Connection

from ecs_admission.auth.bindings import Scope
from ecs_admission.decision_log.database import translated
from ecs_admission.decision_log.digest_tables import digest_ranges, digests
from ecs_admission.decision_log.entries import canonical_bytes
from ecs_admission.decision_log.filters import Filters
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.schema import bodies, entries, writers
from ecs_admission.decision_log.scopes import within
from ecs_admission.decision_log.selection import Bounds, Key, matching, period, sealing_digest, select_keys
from ecs_admission.decision_log.verify import retained_through
from ecs_admission.errors import RecordUnavailableError
from ecs_admission.model import JSONObject

VERSION: Final = 1

_PAGE: Final = 500
_READING: Final = "the decision log cannot be read"
_EVERYTHING: Final = (Scope(),)


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of one writer's chain."""

    writer: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What an export will hold: the digests `first` to `last`, None where there are none, and of them `count` entries.

    `spans` are what of each chain is in these digests, None for a query, which leaves entries out. `covers` says what
    the entries were limited to by who asked for them. Bodies up to digest `retained` may have been dropped.
    """

    filters: Filters
    first: int | None
    last: int | None
    is_sealed: bool
    count: int
    with_bodies: bool
    retained: int | None
    covers: tuple[Scope, ...] = _EVERYTHING
    spans: tuple[Span, ...] | None = None
    conditions: tuple[ColumnElement[bool], ...] = field(default=(), repr=False)

    @property
    def limits(self) -> JSONObject:
        """What keeps the export from being complete, as its first line has it; empty for everything in the digests."""
        given = self.filters.document() if self.filters.clauses else {}
        if not any(scope.is_unlimited for scope in self.covers):
            given["covers"] = [canonical_bytes(scope.document()).decode() for scope in self.covers]
        return given

    def details(self, form: str) -> JSONObject:
        """What the log keeps of an export: its range and its size, and the query without what nothing was found by."""
        return {
            "query": self.filters.summary(has_results=self.count > 0),
            "covers": self.limits.get("covers", []),
            "format": form,
            "bodies": self.with_bodies,
            "count": self.count,
            "firstDigest": self.first,
            "lastDigest": self.last,
        }


def plan_export(
    reader: LogReader, filters: Filters, *, with_bodies: bool = False, covers: Sequence[Scope] = _EVERYTHING
) -> ExportPlan:
    """What the newest digest has sealed of a query, as one moment has it. Raises `RecordUnavailableError`.

    Times alone are widened to whole digests, so that the export of a period can be proven complete.
    """
    limit = within(covers)
    is_query = bool(filters.clauses) or limit is not None
    retained = retained_through(reader, ()) if with_bodies else None
    with translated(_READING), reader.snapshot() as connection:
        first, last = _digest_range(connection, filters)
        is_sealed = last is not None or connection.execute(select(digests.c.number).limit(1)).first() is not None
        conditions: list[ColumnElement[bool]] = []
        spans: tuple[Span, ...] | None = None
        if is_query:
            conditions = matching(filters, Bounds(as_of=last, scope=limit))
            if first is not None:
                conditions.append(sealing_digest() >= first)
        else:
            spans = tuple(_spans(connection, first, last, is_sealed=is_sealed))
            conditions = [] if is_sealed else period(filters)
        if is_sealed and last is None:
            count = 0
        elif spans is not None and not conditions:
            count = sum(span.last - span.first + 1 for span in spans)
        else:
            count = connection.execute(select(func.count()).select_from(entries).where(*conditions)).scalar_one()
    return ExportPlan(
        filters, first, last, is_sealed, count, with_bodies, retained, tuple(covers), spans, tuple(conditions)
    )


def export_lines(reader: LogReader, plan: ExportPlan) -> Iterator[bytes]:
    """The lines, each with its line break; the last one says what the others are. Raises `RecordUnavailableError`."""
    writer = _Counting()
    yield writer.line(
        {
            "export": VERSION,
            "filters": plan.limits,
            "first": plan.first,
            "last": plan.last,
            "entries": "sealed" if plan.is_sealed else "unsealed",
            "bodies": plan.with_bodies,
            "inventories": False,
            "retained": plan.retained,
        }
    )
    number_of_digests = 0
    for line in _digest_lines(reader, plan.first, plan.last):
        yield writer.line(line)
        number_of_digests += 1
    seen: dict[str, list[int]] = {}
    for row in _rows(reader, plan):
        known = seen.get(row.writer)
        if known is None:
            yield writer.line(_certificate(reader, row.writer))
            known = seen[row.writer] = [row.sequence, row.sequence, 0]
        yield writer.line(_entry_line(row, with_bodies=plan.with_bodies))
        known[:] = min(known[0], row.sequence), max(known[1], row.sequence), known[2] + 1
    yield writer.line(
        {
            "manifest": VERSION,
            "lines": writer.lines,
            "sha256": writer.hashed.hexdigest(),
            "entries": sum(each[2] for each in seen.values()),
            "writers": [
                {"writer": name, "from": begin, "to": end, "entries": total}
                for name, (begin, end, total) in sorted(seen.items())
            ],
            "digests": number_of_digests,
        }
    )


@dataclass(slots=True)
class _Counting:
    """Spells lines and keeps what the manifest says of them."""

    lines: int = 0
    hashed: Any = field(default_factory=hashlib.sha256)

    def line(self, document: JSONObject) -> bytes:
        content = canonical_bytes(document) + b"\n"
        self.hashed.update(content)
        self.lines += 1
        return content


def _digest_range(connection: Connection, filters: Filters) -> tuple[int | None, int | None]:
    """The digests that a period touches, all of them without one."""
    numbers = select(func.min(digests.c.number), func.max(digests.c.number))
    if filters.since_us is not None:
        numbers = numbers.where(digests.c.to_time >= filters.since_us)
    if filters.until_us is not None:
        numbers = numbers.where(digests.c.from_time <= filters.until_us)
    first, last = connection.execute(numbers).one()
    return first, last


def _spans(connection: Connection, first: int | None, last: int | None, *, is_sealed: bool) -> Iterator[Span]:
    """What of each chain the digests hold; of a log without a digest the chains as they are now."""
    if not is_sealed:
        query = select(entries.c.writer, func.min(entries.c.sequence), func.max(entries.c.sequence))
        query = query.group_by(entries.c.writer).order_by(entries.c.writer)
    elif first is None or last is None:
        return
    else:
        query = (
            select(digest_ranges.c.writer, func.min(digest_ranges.c.first), func.max(digest_ranges.c.last))
            .where(digest_ranges.c.number.between(first, last))
            .group_by(digest_ranges.c.writer)
            .order_by(digest_ranges.c.writer)
        )
    yield from (Span(*row) for row in connection.execute(query))


def _digest_lines(reader: LogReader, first: int | None, last: int | None) -> Iterator[JSONObject]:
    if first is None or last is None:
        return
    for start in range(first, last + 1, _PAGE):
        query = (
            select(cast(digests.c.bytes, LargeBinary).label("bytes"), digests.c.signature)
            .where(digests.c.number.between(start, min(last, start + _PAGE - 1)))
            .order_by(digests.c.number)
        )
        with translated(_READING), reader.connect() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            yield {"digest": _text(row.bytes), "signature": base64.b64encode(row.signature).decode()}


def _certificate(reader: LogReader, writer: str) -> JSONObject:
    query = select(cast(writers.c.certificate, LargeBinary).label("certificate"), writers.c.signature)
    with translated(_READING), reader.connect() as connection:
        row = connection.execute(query.where(writers.c.writer == writer)).first()
    if row is None:
        raise RecordUnavailableError(
            "a writer of the decision log has no certificate; `ecs-admission log verify` says which"
        )
    return {
        "writer": writer,
        "certificate": _text(row.certificate),
        "signature": base64.b64encode(row.signature).decode(),
    }


def _rows(reader: LogReader, plan: ExportPlan) -> Iterator[Any]:
    if plan.is_sealed and plan.last is None:
        return
    query = _columns(with_bodies=plan.with_bodies)
    if plan.spans is not None:
        for span in plan.spans:
            yield from _chain(reader, query.where(*plan.conditions), span)
        return
    bounds = Bounds(as_of=plan.last, scope=within(plan.covers))
    while True:
        with translated(_READING), reader.connect() as connection:
            keys: list[Key] = select_keys(connection, plan.filters, bounds, limit=_PAGE)
            found = {row.id: row for row in connection.execute(query.where(entries.c.id.in_([key[1] for key in keys])))}
        for _, entry_id in keys:
            row = found.get(entry_id)
            if row is not None and (plan.first is None or (row.number is not None and row.number >= plan.first)):
                yield row
        if len(keys) < _PAGE:
            return
        bounds = Bounds(after=keys[-1], as_of=plan.last, scope=bounds.scope)


def _columns(*, with_bodies: bool) -> Select[Any]:
    columns: list[Any] = [
        *(entries.c.id, entries.c.writer, entries.c.sequence, entries.c.hash, entries.c.signature),
        cast(entries.c.bytes, LargeBinary).label("bytes"),
        sealing_digest().label("number"),
    ]
    if not with_bodies:
        return select(*columns)
    body = cast(bodies.c.bytes, LargeBinary).label("body")
    return select(*columns, body).outerjoin_from(entries, bodies, entries.c.id == bodies.c.id)


def _chain(reader: LogReader, query: Select[Any], span: Span) -> Iterator[Any]:
    """A piece of a chain in its order, a page at a time."""
    after = span.first - 1
    while True:
        page = (
            query.where(entries.c.writer == span.writer, entries.c.sequence > after, entries.c.sequence <= span.last)
            .order_by(entries.c.sequence)
            .limit(_PAGE)
        )
        with translated(_READING), reader.connect() as connection:
            rows = connection.execute(page).all()
        yield from rows
        if len(rows) < _PAGE:
            return
        after = rows[-1].sequence


def _entry_line(row: Any, *, with_bodies: bool) -> JSONObject:
    line: JSONObject = {
        "hash": row.hash,
        "signature": base64.b64encode(row.signature).decode(),
        "entry": _text(row.bytes),
        "body": orjson.loads(row.bytes).get("body"),
    }
    if with_bodies and row.body is not None:
        line["policyInput"] = _text(row.body)
    return line


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise RecordUnavailableError(
            "an entry of the decision log is damaged; `ecs-admission log verify` says which"
        ) from None
