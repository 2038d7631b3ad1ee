"""Walking the chains: is each entry what its writer wrote, and what its digest says?

Streams in constant memory, a page of a chain at a time, so that it never holds back the database's own upkeep.

Not every signature is checked, which would take ten times as long as all else together. The signature of an entry is
over its hash, the hash covers the hash of the entry before it, and so on: so the signature of the last entry of an
unbroken piece of a chain speaks for the whole piece. Where that one is wrong, or the piece is broken, each is checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from sqlalchemy import LargeBinary, cast, func, select
from sqlalchemy.engine import Row

from ecs_admission.decision_log.certificates import Certificate, certified_key, has_signed_entry
from ecs_admission.decision_log.chain import NO_PREVIOUS, entry_hash
from ecs_admission.decision_log.database import translated
from ecs_admission.decision_log.digest_tables import digest_ranges, digests
from ecs_admission.decision_log.inventory import SUFFIX
from ecs_admission.decision_log.keys import PublicKey
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.schema import bodies, entries, index_columns, writers
from ecs_admission.decision_log.term_sum import TermSum
from ecs_admission.decision_log.terms import derive_terms
from ecs_admission.decision_log.verdicts import Findings

PAGE: Final = 200
"""Rows read at once; a body of a large request has 200 KB."""

READING: Final = "the decision log cannot be read"

TOLERANCE_US: Final = 120 * 1_000_000
"""How far an entry's time may lie outside its digest's window: clocks differ, and a request may have taken long."""

_COLUMNS: Final = tuple(index_columns({}))
_SEQUENCE: Final = _COLUMNS.index("sequence")


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
class _Window:
    """The part of a chain that one digest holds."""

    number: int
    first: int
    last: int
    head: str
    from_time: int
    to_time: int


@dataclass(slots=True)
class _Piece:
    """An unbroken piece of a chain whose signatures are not checked yet."""

    writer: str
    key: PublicKey | None
    findings: Findings
    every: bool
    waiting: list[tuple[int, str, bytes, int | None]] = field(default_factory=list)

    def add(self, sequence: int, hashed: str, signature: bytes, digest: int | None) -> None:
        self.waiting.append((sequence, hashed, signature, digest))
        if len(self.waiting) >= PAGE:
            self.settle()

    def settle(self) -> None:
        """Check the last signature, and each where that one does not hold."""
        if self.waiting and self.key is not None:
            _, hashed, signature, _ = self.waiting[-1]
            if self.every or not has_signed_entry(self.key, hashed, signature):
                for sequence, hashed, signature, digest in self.waiting:
                    if not has_signed_entry(self.key, hashed, signature):
                        self.findings.add(self.writer, sequence, "signature", digest=digest)
        self.waiting.clear()


@dataclass(slots=True)
class Walked:
    """How much was looked at."""

    writers: int = 0
    entries: int = 0
    unsealed: int = 0


def walk_chains(
    reader: LogReader,
    trusted: Mapping[str, PublicKey] | None,
    scope: Scope,
    findings: Findings,
    terms: TermSum | None = None,
) -> Walked:
    """Check the entries in `scope`, by the log's keys `trusted`; with None certificates are taken at their word.

    `terms` takes in what each entry is to be found by.
    """
    walked = Walked()
    names = _all_writers(reader) if scope.last is None else _sealed_writers(reader, scope)
    for writer in names:
        walked.writers += 1
        certificate = _certificate(reader, writer)
        key = None if certificate is None else certified_key(certificate, trusted)
        if key is None:
            findings.add(writer, 0, "uncertified")
        _walk_chain(reader, writer, key, scope, findings, walked, terms)
    return walked


def _walk_chain(
    reader: LogReader,
    writer: str,
    key: PublicKey | None,
    scope: Scope,
    findings: Findings,
    walked: Walked,
    terms: TermSum | None,
) -> None:
    windows = _windows(reader, writer, scope, findings)
    window = next(windows, None)
    expected, previous = (0, NO_PREVIOUS) if scope.first is None else _begin(reader, writer, window)
    start = None if expected == 0 else expected  # SQLite may have what is before any number
    end = None if scope.last is None else _last_in_scope(reader, writer, scope)
    if window is not None and window.first != expected:
        findings.add(writer, expected, "outside-a-digest", digest=window.number)
    piece = _Piece(writer, key, findings, scope.every_signature)
    count, kind, chain = 0, None, _chain(reader, writer, start, end, scope.retained)
    for row in chain:
        sequence = row[_SEQUENCE]
        if not isinstance(sequence, int):  # SQLite keeps what it is given
            findings.add(writer, expected, "columns")
            continue
        while window is not None and expected > window.last:
            window = _next_window(windows, window, writer, findings)
        if sequence != expected:
            piece.settle()
            findings.add(writer, expected, "gap", digest=None if window is None else window.number)
            previous = None
        while window is not None and sequence > window.last:
            findings.bad_digests.setdefault(window.number, "gap")
            window = _next_window(windows, window, writer, findings)
        number = window.number if window is not None and sequence >= window.first else None
        hashed = entry_hash(row.bytes)
        document = _document(row.bytes)
        if document is not None and previous is not None and document.get("previous") != previous:
            piece.settle()
        for problem in _entry_problems(row, hashed, document, previous, scope, digest=number):
            findings.add(writer, sequence, problem, digest=number)
        piece.add(sequence, hashed, row.signature, number)
        if window is not None and number is not None:
            if sequence == window.last and hashed != window.head:
                findings.add(writer, sequence, "head", digest=number)
            _check_time(writer, sequence, document, window, findings)
        else:
            walked.unsealed += 1
        count, expected, previous = count + 1, sequence + 1, hashed
        kind = None if document is None else document.get("kind")
        if terms is not None and document is not None:
            for each in derive_terms(document, row.body):
                terms.add(each, document.get("time"), document.get("id"))
    piece.settle()
    _check_end(writer, expected, window, windows, findings)
    if count == 0 and expected == 0 and window is None:  # its certificate is stored together with its first entry
        findings.add(writer, 0, "gap")
    if kind not in (None, "node_stop") and end is None:
        findings.notice("never-stopped", writer, sequence=expected - 1)
    walked.entries += count


def _begin(reader: LogReader, writer: str, window: _Window | None) -> tuple[int, str | None]:
    """Where to begin in a chain whose older digests are out of scope, and the hash before that if a digest has it."""
    query = (
        select(digest_ranges.c.last, digest_ranges.c.head)
        .where(digest_ranges.c.writer == writer)
        .order_by(digest_ranges.c.first.desc())
        .limit(1)
    )
    if window is not None:
        query = query.where(digest_ranges.c.first < window.first)
    with translated(READING), reader.connect() as connection:
        before = connection.execute(query).first()
    expected = window.first if window is not None else 0 if before is None else before.last + 1
    if before is not None and before.last + 1 == expected:
        return expected, before.head
    return expected, NO_PREVIOUS if expected == 0 else None


def _next_window(
    windows: Iterator[_Window], before: _Window, writer: str, findings: Findings
) -> _Window | None:  # fmt: skip
    window = next(windows, None)
    if window is not None and window.first != before.last + 1:
        findings.add(writer, before.last + 1, "outside-a-digest", digest=window.number)
    return window


def _check_end(
    writer: str, expected: int, window: _Window | None, windows: Iterator[_Window], findings: Findings
) -> None:
    """What a digest says was there and is not: a tail that was cut off."""
    while window is not None and expected > window.last:
        window = _next_window(windows, window, writer, findings)
    if window is not None:
        findings.add(writer, expected, "gap", digest=window.number)
        for later in windows:
            findings.bad_digests.setdefault(later.number, "gap")


def _check_time(
    writer: str, sequence: int, document: dict[str, Any] | None, window: _Window, findings: Findings
) -> None:  # fmt: skip
    time_us = None if document is None else document.get("time")
    if type(time_us) is not int or not (
        window.from_time - TOLERANCE_US <= time_us <= window.to_time + TOLERANCE_US
    ):  # fmt: skip
        findings.notice("time", writer, sequence=sequence, digest=window.number)


def _entry_problems(
    row: Row[Any],
    hashed: str,
    document: dict[str, Any] | None,
    previous: str | None,
    scope: Scope,
    *,
    digest: int | None,
) -> Iterator[str]:
    """What is wrong with one row, which `digest` holds.

    `previous` is the hash of the entry before it, None when that is not known.
    """
    if hashed != row.hash:
        yield "hash"
    if document is None:
        yield "unreadable"
        return
    if previous is not None and document.get("previous") != previous:
        yield "previous"
    if row[: len(_COLUMNS)] != tuple(index_columns(document).values()):
        yield "columns"
    if row[_SEQUENCE] == 0 and document.get("kind") != "node_start":
        yield "not-a-start"
    kept = (
        (document.get("body"), row.body, row.body_sha256, scope.has_bodies),
        (document.get("inventory"), row.inventory, row.inventory_sha256, scope.has_inventories),
    )
    for expected, content, stored, is_kept in kept:
        if content is not None:
            if not expected == stored == hashlib.sha256(content).hexdigest():
                yield "body"
        elif expected is not None and is_kept and not scope.retained.covers(digest):
            yield "missing-body"


def _document(content: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _certificate(reader: LogReader, writer: str) -> Certificate | None:
    query = select(
        cast(writers.c.certificate, LargeBinary).label("certificate"),
        cast(writers.c.signature, LargeBinary).label("signature"),
    ).where(writers.c.writer == writer)
    with translated(READING), reader.connect() as connection:
        row = connection.execute(query).first()
    return None if row is None else Certificate(writer, row.certificate, row.signature)


def _all_writers(reader: LogReader) -> Iterator[str]:
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


def _sealed_writers(reader: LogReader, scope: Scope) -> Iterator[str]:
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


def _windows(reader: LogReader, writer: str, scope: Scope, findings: Findings) -> Iterator[_Window]:
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
            yield _Window(row.number, row.first, row.last, row.head, row.from_time or 0, row.to_time or 1 << 62)
        if len(rows) < PAGE:
            return
        after = rows[-1].first


def _last_in_scope(reader: LogReader, writer: str, scope: Scope) -> int:
    query = _ranges(scope, select(func.max(digest_ranges.c.last)).where(digest_ranges.c.writer == writer))
    with translated(READING), reader.connect() as connection:
        found = connection.execute(query).scalar_one()
    return -1 if found is None else int(found)


def _chain(
    reader: LogReader, writer: str, first: int | None, last: int | None, retained: Retained
) -> Iterator[Row[Any]]:
    """The entries of a writer with their bodies, in order: the index columns first, then what else there is."""
    body = cast(bodies.c.bytes, LargeBinary).label("body")
    inventories = bodies.alias("inventories")
    query = (
        select(
            *(entries.c[name] for name in _COLUMNS),
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
    after: Any = None
    while True:
        page = start if after is None else query.where(entries.c.sequence > after)
        with translated(READING), reader.connect() as connection:
            rows: list[Any] = list(connection.execute(page).all())
        retained.page += 1
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1][_SEQUENCE]
