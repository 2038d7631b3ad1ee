"""Reading the chains for verification: what is in scope, a page at a time, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import LargeBinary, Select, cast, func, select
from sqlalchemy.engine import Row

from ecs_admission.decision_log.certificates import Certificate
from ecs_admission.decision_log.database import translated
from ecs_admission.decision_log.digest_tables import digest_ranges, digests
from ecs_admission.decision_log.inventory import SUFFIX
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.schema import bodies, entries, index_columns, writers
from ecs_admission.decision_log.verdicts import Findings

PAGE: Final = 500
"""Rows read at once; a body of a large request has 200 KB."""

READING: Final = "the decision log cannot be read"

COLUMNS: Final = tuple(index_columns({}))
SEQUENCE: Final = COLUMNS.index("sequence")


@dataclass(slots=True)
class Retained:
    """Which bodies retention may have dropped: those of digests up to `through`, as `read` finds in the log.

    A run may begin while the log is verified. It is in the log before the first body goes, so a body that is missing is
    held against the log only when that was asked again after the body was looked for: once for each page of a chain.
    """

    read: Callable[[], int | None] = lambda: None
    through: int | None = None
    page: int = 0
    _asked_for: int = -1

    def covers(self, digest: int | None) -> bool:
        """Whether a body of this digest may be gone; of what no digest holds none may."""
        if digest is None:
            return False
        if (self.through is None or digest > self.through) and self._asked_for != self.page:
            self._asked_for = self.page
            found = self.read()
            self.through = max((each for each in (found, self.through) if each is not None), default=None)
        return self.through is not None and digest <= self.through


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be looked at: the entries of digests `first` to `last`, or with None everything on that side.

    `newest` is the newest digest at the begin: those that come meanwhile would be held against entries that were read
    before. `retained` says which bodies may be gone. `has_bodies` and `has_inventories` are False for an export that
    has none. `every_signature` checks each by itself.
    """

    first: int | None = None
    last: int | None = None
    newest: int | None = None
    retained: Retained = field(default_factory=Retained)
    has_bodies: bool = True
    has_inventories: bool = True
    every_signature: bool = False


@dataclass(slots=True)
class Window:
    """The part of a chain that one digest holds."""

    number: int
    first: int
    last: int
    head: str
    from_time: int
    to_time: int


def certificate_of(reader: LogReader, writer: str) -> Certificate | None:
    """The certificate of a writer; None where there is none."""
    query = select(
        cast(writers.c.certificate, LargeBinary).label("certificate"),
        cast(writers.c.signature, LargeBinary).label("signature"),
    ).where(writers.c.writer == writer)
    with translated(READING), reader.connect() as connection:
        row = connection.execute(query).first()
    return None if row is None else Certificate(writer, row.certificate, row.signature)


def all_writers(reader: LogReader) -> Iterator[str]:
    """Every writer's name, each found by one step in each primary key."""
    after: str | None = None
    while True:
        found: list[str] = []
        with translated(READING), reader.connect() as connection:
            for column in (entries.c.writer, writers.c.writer, digest_ranges.c.writer):
                query = select(func.min(column))
                name = connection.execute(query if after is None else query.where(column > after)).scalar_one()
                found += [] if name is None else [name]
        if not found:
            return
        after = min(found)
        yield after


def sealed_writers(reader: LogReader, scope: Scope) -> Iterator[str]:
    """The writers of the digests in scope."""
    query = _ranges(scope, select(func.min(digest_ranges.c.writer)))
    after: str | None = None
    while True:
        page = query if after is None else query.where(digest_ranges.c.writer > after)
        with translated(READING), reader.connect() as connection:
            after = connection.execute(page).scalar_one()
        if after is None:
            return
        yield after


def _ranges(scope: Scope, query: Any) -> Any:
    if scope.first is not None:
        query = query.where(digest_ranges.c.number >= scope.first)
    for bound in (scope.last, scope.newest):
        if bound is not None:
            query = query.where(digest_ranges.c.number <= bound)
    return query


def windows_of(reader: LogReader, writer: str, scope: Scope, findings: Findings) -> Iterator[Window]:
    """The parts of a chain that digests in scope hold, in order."""
    after = -1
    while True:
        query = _ranges(
            scope,
            select(
                digest_ranges.c.number,
                digest_ranges.c.first,
                digest_ranges.c.last,
                digest_ranges.c.head,
                digests.c.from_time,
                digests.c.to_time,
            )
            .outerjoin_from(digest_ranges, digests, digest_ranges.c.number == digests.c.number)
            .where(digest_ranges.c.writer == writer, digest_ranges.c.first > after)
            .order_by(digest_ranges.c.first)
            .limit(PAGE),
        )
        with translated(READING), reader.connect() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            if row.from_time is None:  # the walk over the digests does not come here
                findings.add(writer, row.first, "digest-ranges", digest=row.number)
            yield Window(row.number, row.first, row.last, row.head, row.from_time or 0, row.to_time or 1 << 62)
        if len(rows) < PAGE:
            return
        after = rows[-1].first


def last_in_scope(reader: LogReader, writer: str, scope: Scope) -> int:
    """The last number of a chain that a digest in scope holds; -1 where none does."""
    query = _ranges(scope, select(func.max(digest_ranges.c.last)).where(digest_ranges.c.writer == writer))
    with translated(READING), reader.connect() as connection:
        found = connection.execute(query).scalar_one()
    return -1 if found is None else int(found)


def chain_of(
    reader: LogReader, writer: str, first: int | None, last: int | None, retained: Retained
) -> Iterator[Row[Any]]:
    """The entries of a writer with their bodies, in order: the index columns first, then what else there is."""
    body = cast(bodies.c.bytes, LargeBinary).label("body")
    inventories = bodies.alias("inventories")
    query = (
        select(
            *(entries.c[name] for name in COLUMNS),
            entries.c.hash,
            # SQLite keeps a type with each value, and an edit may have left text here.
            cast(entries.c.bytes, LargeBinary).label("bytes"),
            cast(entries.c.signature, LargeBinary).label("signature"),
            body,
            bodies.c.sha256.label("body_sha256"),
            cast(inventories.c.bytes, LargeBinary).label("inventory"),
            inventories.c.sha256.label("inventory_sha256"),
        )
        .outerjoin_from(entries, bodies, entries.c.id == bodies.c.id)
        .outerjoin(inventories, inventories.c.id == entries.c.id.concat(SUFFIX))
        .where(entries.c.writer == writer)
        .order_by(entries.c.sequence)
        .limit(PAGE)
    )
    if last is not None:
        query = query.where(entries.c.sequence <= last)
    start = query if first is None else query.where(entries.c.sequence >= first)

    def read(page: Select[Any]) -> list[Any]:
        with translated(READING), reader.connect() as connection:
            return list(connection.execute(page).all())

    # The next page is read while this one is looked at: the database works while this process does.
    with ThreadPoolExecutor(1, "read-ahead") as ahead:
        coming = ahead.submit(read, start)
        while True:
            rows = coming.result()
            is_last = len(rows) < PAGE
            if not is_last:
                coming = ahead.submit(read, query.where(entries.c.sequence > rows[-1][SEQUENCE]))
            retained.page += 1
            yield from rows
            if is_last:
                return
