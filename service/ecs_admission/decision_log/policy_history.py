"""What the log knows of the bundles that were active: the highest serial, and the newest rollback."""

from __future__ import annotations

from typing import Any, Final

from ecs_admission.decision_log.filters import Clause, Filters
from ecs_admission.decision_log.queries import MAX_LIMIT, LogReader
from ecs_admission.model import JSONObject
from ecs_admission.serials import History, Mark, Rollback, later

_ACTIVE: Final = ("node_start", "policy_activate")


def read_history(reader: LogReader) -> History:
    """The history of the bundles. Raises `RecordUnavailableError`.

    Each start and activation says what the highest serial was then, so the newest entries are enough.
    """
    filters = Filters(clauses=(Clause("kind", _ACTIVE),))
    highest: Mark | None = None
    for entry in reader.list_entries(filters, limit=MAX_LIMIT).items:
        details = entry["details"]
        highest = later(highest, _mark(details, "highestSerial", "highestBundle"))
    return History(highest, read_rollback(reader))


def read_rollback(reader: LogReader) -> Rollback | None:
    """The newest rollback. Raises `RecordUnavailableError`."""
    for entry in reader.list_entries(limit=1, kind="policy_rollback").items:
        details: JSONObject = entry["details"]
        highest = _mark(details, "highestSerial", "highestBundle")
        to = _mark(details, "serial", "bundle")
        if highest is not None and to is not None:
            return Rollback(entry["id"], highest, to)
    return None


def read_marks(reader: LogReader) -> tuple[Mark, ...]:
    """The bundles that were active, the newest activation first. Raises `RecordUnavailableError`."""
    filters, cursor = Filters(clauses=(Clause("kind", _ACTIVE),)), None
    found: dict[Mark, None] = {}
    for _ in range(10):
        page = reader.list_entries(filters, limit=MAX_LIMIT, cursor=cursor)
        marks = (_mark(entry["details"], "serial", "bundle") for entry in page.items)
        found |= dict.fromkeys(mark for mark in marks if mark is not None)
        cursor = page.next
        if cursor is None:
            break
    return tuple(found)


def _mark(details: JSONObject, serial: str, revision: str) -> Mark | None:
    number: Any = details.get(serial)
    text: Any = details.get(revision)
    return Mark(number, text) if type(number) is int and isinstance(text, str) else None
