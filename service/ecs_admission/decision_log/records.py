"""Decisions with what the engine saw of them, as they were recorded: for whoever judges them again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import LargeBinary, cast, func, select

from ecs_admission.decision_log.database import translated
from ecs_admission.decision_log.filters import Filters
from ecs_admission.decision_log.queries import MAX_LIMIT, LogReader
from ecs_admission.decision_log.schema import bodies, entries
from ecs_admission.decision_log.selection import Bounds, matching
from ecs_admission.model import JSONObject

_READING: Final = "the decision log cannot be read"


@dataclass(frozen=True, slots=True)
class Record:
    """An entry and its body, the bytes of a PolicyInput; None where none was made or retention has dropped it."""

    entry: JSONObject = field(repr=False)
    body: bytes | None = field(repr=False)

    @property
    def is_whole(self) -> bool:
        """Whether the body is the one that the entry names."""
        return self.body is not None and hashlib.sha256(self.body).hexdigest() == self.entry.get("body")


def count_records(reader: LogReader, filters: Filters, *, as_of: int | None = None) -> int:
    """How many entries a query asks for. Raises `RecordUnavailableError`."""
    query = select(func.count()).select_from(entries).where(*matching(filters, Bounds(as_of=as_of)))
    with translated(_READING), reader.connect() as connection:
        count: int = connection.execute(query).scalar_one()
    return count


def read_records(
    reader: LogReader, filters: Filters, *, as_of: int | None = None, limit: int | None = None
) -> Iterator[Record]:
    """What a query asks for, newest first, `limit` at most. Raises `RecordUnavailableError`."""
    cursor: str | None = None
    left = limit
    while left is None or left > 0:
        size = MAX_LIMIT if left is None else min(MAX_LIMIT, left)
        page = reader.list_entries(filters, limit=size, cursor=cursor, as_of=as_of)
        found = _bodies(reader, [item["id"] for item in page.items])
        yield from (Record(item, found.get(item["id"])) for item in page.items)
        cursor = page.next
        if cursor is None:
            return
        left = None if left is None else left - len(page.items)


def _bodies(reader: LogReader, ids: list[str]) -> dict[str, bytes]:
    query = select(bodies.c.id, cast(bodies.c.bytes, LargeBinary).label("content")).where(bodies.c.id.in_(ids))
    with translated(_READING), reader.connect() as connection:
        return {row.id: bytes(row.content) for row in connection.execute(query)}
