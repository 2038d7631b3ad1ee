"""Reading the decision log: what a query asks for, newest first in pages, and one entry with what the engine saw."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import orjson
from sqlalchemy import ColumnElement, LargeBinary, Select, cast, func, select
from sqlalchemy.engine import Connection, Engine

from ecs_admission.decision_log.connections import database_at
from ecs_admission.decision_log.database import opening, translated
from ecs_admission.decision_log.digest_tables import digests
from ecs_admission.decision_log.filters import Clause, Filters
from ecs_admission.decision_log.schema import bodies, check_version, entries, entry_terms, writers
from ecs_admission.decision_log.selection import Bounds, Key, select_keys
from ecs_admission.errors import AdmissionError, InputError, RecordUnavailableError
from ecs_admission.model import JSONObject

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200

_ID: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")
_NUMBER: Final = r"(0|[1-9][0-9]{0,16})"
_CURSOR: Final = re.compile(rf"2:([0-9a-f]{{16}}):{_NUMBER}?:{_NUMBER}?:{_NUMBER}?:{_NUMBER}:({_ID.pattern})")
# SQLite keeps a type with each value, and an edit by hand may have left text where we wrote bytes.
_CONTENT: Final = cast(entries.c.bytes, LargeBinary).label("content")
_READING: Final = "the decision log cannot be read"
_SNAPSHOT: Final = {"sqlite": "BEGIN", "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}

DECISIONS: Final = Filters()
"""All decisions."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ends, and of which query: its `Filters.key`, what it was limited to, and the last entry's place."""

    query: str
    as_of: int | None
    since_us: int | None
    until_us: int | None
    time_us: int
    entry_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some entries, and the cursor of those after them; None when there are none."""

    items: list[JSONObject]
    next: str | None


class LogReader:
    """Read-only access for many threads. Made after fork. Each method raises `RecordUnavailableError`."""

    def __init__(self, engine: Engine, url: str) -> None:
        self._engine = engine
        self._url = url

    @classmethod
    def open(cls, url: str, *, timeout_seconds: float) -> Self:
        """Open an existing log, without writing to it. `timeout_seconds` bounds each wait for it.

        Raises `SettingsError` when there is none at `url`, one of another schema version or one that may not be read,
        and `RecordUnavailableError` when it does not work.
        """
        reader = cls(database_at(url).read_engine(timeout_seconds=timeout_seconds), url)
        try:
            with opening(), reader.connect() as connection:
                check_version(connection)
                for table in (writers, entries, bodies, entry_terms):
                    connection.execute(select(table).limit(0))
        except AdmissionError:
            reader.close()
            raise
        return reader

    def reopened(self, *, timeout_seconds: float) -> Self:
        """The same log with connections of its own, for who has more time. Raises as `open`."""
        return type(self).open(self._url, timeout_seconds=timeout_seconds)

    def connect(self) -> Connection:
        """A connection for the modules of this package."""
        return self._engine.connect()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection on which all that is read is of one moment, whatever others commit meanwhile."""
        with self.connect() as connection:
            connection.exec_driver_sql(_SNAPSHOT[connection.dialect.name])
            yield connection  # what it is not brought to an end by here, the pool ends
            connection.exec_driver_sql("ROLLBACK")

    def close(self) -> None:
        """Close every connection that no one is using."""
        self._engine.dispose()

    def list_entries(
        self,
        filters: Filters = DECISIONS,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        as_of: int | None = None,
        scope: ColumnElement[bool] | None = None,
        kind: str | None = None,
    ) -> Page:
        """A page of the entries that `filters` ask for, newest first. `kind` is short for a filter by one kind.

        Pages neither repeat nor skip an entry that was there when the first was read, also where several have one time.
        An entry that is committed later is on a later page if its time is that of one. With `as_of`, a digest's number,
        all pages show what was sealed then, and nothing else. A cursor continues the query that it came from: relative
        times stay what they were. `scope` is what the reader may see. Raises `InputError` `bad-limit` or `bad-cursor`.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise InputError("bad-limit", f"limit must be from 1 to {MAX_LIMIT}", status=400, pointer="limit")
        bounds = Bounds(as_of=as_of, scope=scope)
        if kind is not None:
            filters = replace(filters, clauses=(*filters.clauses, Clause("kind", (kind,))))
        if cursor is not None:
            place = decode_cursor(cursor)
            if place.query != filters.key:
                raise _bad_cursor()
            filters = replace(filters, since_us=place.since_us, until_us=place.until_us)
            bounds = Bounds(after=(place.time_us, place.entry_id), as_of=place.as_of, scope=scope)
        with translated(_READING), self.connect() as connection:
            keys = select_keys(connection, filters, bounds, limit=limit + 1)
            rows = connection.execute(_rows([entry_id for _, entry_id in keys[:limit]])).all() if keys else []
        return Page(
            items=[_parsed(row.content) | {"hash": row.hash} for row in rows],
            next=_after(keys[limit - 1], filters, bounds) if len(keys) > limit else None,
        )

    def newest_digest(self) -> int | None:
        """The number of the newest digest, None when there is none."""
        with translated(_READING), self.connect() as connection:
            number: int | None = connection.execute(select(func.max(digests.c.number))).scalar_one()
        return number

    def show(self, entry_id: str) -> JSONObject | None:
        """`{"entry", "hash", "policyInput"}` of one entry, None when there is none.

        `policyInput` is what the engine saw, null where no engine was asked or retention has dropped it.
        """
        if _ID.fullmatch(entry_id) is None:
            return None
        query = (
            select(_CONTENT, entries.c.hash, cast(bodies.c.bytes, LargeBinary).label("body"))
            .outerjoin_from(entries, bodies, entries.c.id == bodies.c.id)
            .where(entries.c.id == entry_id)
        )
        with translated(_READING), self.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        return {
            "entry": _parsed(row.content),
            "hash": row.hash,
            "policyInput": None if row.body is None else _parsed(row.body),
        }


def encode_cursor(cursor: Cursor) -> str:
    """An opaque name of the place after an entry. Not secret: it says no more than the entry and the query do."""
    parts = (cursor.query, cursor.as_of, cursor.since_us, cursor.until_us, cursor.time_us, cursor.entry_id)
    text = ":".join(["2", *("" if part is None else str(part) for part in parts)])
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode_cursor(text: str) -> Cursor:
    """What a cursor says. Raises `InputError` for one that we never made."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        plain = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeError):
        raise _bad_cursor() from None
    match = _CURSOR.fullmatch(plain)
    if match is None:
        raise _bad_cursor()
    query, *numbers, entry_id = match.groups()
    as_of, since, until, time_us = (None if number is None else int(number) for number in numbers)
    cursor = Cursor(query, as_of, since, until, time_us or 0, entry_id)
    if encode_cursor(cursor) != text:
        raise _bad_cursor()
    return cursor


def _after(key: Key, filters: Filters, bounds: Bounds) -> str:
    return encode_cursor(Cursor(filters.key, bounds.as_of, filters.since_us, filters.until_us, *key))


def _rows(ids: list[str]) -> Select[Any]:
    return (
        select(_CONTENT, entries.c.hash)
        .where(entries.c.id.in_(ids))
        .order_by(entries.c.time.desc(), entries.c.id.desc())
    )


def _bad_cursor() -> InputError:
    return InputError(
        "bad-cursor",
        "the cursor is not one that this log gave, or comes from another query; start without one",
        status=400,
        pointer="cursor",
    )


def _parsed(content: bytes) -> JSONObject:
    try:
        document: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise RecordUnavailableError("an entry of the decision log is damaged; `ecs-admission log verify` says which")
    return document
