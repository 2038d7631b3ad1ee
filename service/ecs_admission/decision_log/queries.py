"""Reading the decision log: newest first in pages, and one decision with what the engine saw."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any, Final, Self

import orjson
from sqlalchemy import LargeBinary, cast, select, tuple_
from sqlalchemy.engine import Connection, Engine

from ecs_admission.decision_log.connections import database_at
from ecs_admission.decision_log.database import opening, translated
from ecs_admission.decision_log.schema import bodies, check_version, entries, writers
from ecs_admission.errors import AdmissionError, InputError, RecordUnavailableError
from ecs_admission.model import JSONObject

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200

_ID: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")
_CURSOR: Final = re.compile(rf"1:(0|[1-9][0-9]{{0,15}}):({_ID.pattern})")
# SQLite keeps a type with each value, and an edit by hand may have left text where we wrote bytes.
_CONTENT: Final = cast(entries.c.bytes, LargeBinary).label("content")
_READING: Final = "the decision log cannot be read"


@dataclass(frozen=True, slots=True)
class Page:
    """Some entries, and the cursor of those after them; None when there are none."""

    items: list[JSONObject]
    next: str | None


class LogReader:
    """Read-only access for many threads. Made after fork. Each method raises `RecordUnavailableError`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str, *, timeout_seconds: float) -> Self:
        """Open an existing log, without writing to it. `timeout_seconds` bounds each wait for it.

        Raises `SettingsError` when there is none at `url`, one of another schema version or one that may not be read,
        and `RecordUnavailableError` when it does not work.
        """
        reader = cls(database_at(url).read_engine(timeout_seconds=timeout_seconds))
        try:
            with opening(), reader.connect() as connection:
                check_version(connection)
                for table in (writers, entries, bodies):
                    connection.execute(select(table).limit(0))
        except AdmissionError:
            reader.close()
            raise
        return reader

    def connect(self) -> Connection:
        """A connection for the modules of this package."""
        return self._engine.connect()

    def close(self) -> None:
        """Close every connection that no one is using."""
        self._engine.dispose()

    def list_entries(self, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None, kind: str = "decision") -> Page:
        """A page of entries of one kind, newest first.

        Pages neither repeat nor skip an entry, also where several have one time; entries that arrive later are
        newer and appear on no later page. Raises `InputError` `bad-limit` or `bad-cursor`.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise InputError("bad-limit", f"limit must be from 1 to {MAX_LIMIT}", status=400)
        query = select(_CONTENT, entries.c.hash, entries.c.time, entries.c.id).where(entries.c.kind == kind)
        if cursor is not None:
            query = query.where(tuple_(entries.c.time, entries.c.id) < tuple_(*decode_cursor(cursor)))
        query = query.order_by(entries.c.time.desc(), entries.c.id.desc()).limit(limit + 1)
        with translated(_READING), self.connect() as connection:
            rows = connection.execute(query).all()
        more = len(rows) > limit
        rows = rows[:limit]
        return Page(
            items=[_parsed(row.content) | {"hash": row.hash} for row in rows],
            next=encode_cursor(rows[-1].time, rows[-1].id) if more else None,
        )

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


def encode_cursor(time_us: int, entry_id: str) -> str:
    """An opaque name of the place after an entry. Not secret: it says no more than the entry itself."""
    return base64.urlsafe_b64encode(f"1:{time_us}:{entry_id}".encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> tuple[int, str]:
    """Where a cursor points: a time in microseconds and an id. Raises `InputError` for one that we never made."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeError):
        raise _bad_cursor() from None
    match = _CURSOR.fullmatch(text)
    if match is None or encode_cursor(int(match[1]), match[2]) != cursor:
        raise _bad_cursor()
    return int(match[1]), match[2]


def _bad_cursor() -> InputError:
    return InputError("bad-cursor", "the cursor is not one that this log gave; start without one", status=400)


def _parsed(content: bytes) -> JSONObject:
    try:
        document: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise RecordUnavailableError("an entry of the decision log is damaged; `ecs-admission log verify` says which")
    return document
