"""Receipts: what a caller was told of its decision, held against the log.

The answer to a request names its entry. Who keeps answers can show that an entry was there, also one that no digest
ever held, since it was removed before the next was made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import orjson
from sqlalchemy import select

from ecs_admission.decision_log.chain_rows import PAGE, READING
from ecs_admission.decision_log.database import translated
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.schema import entries
from ecs_admission.decision_log.verdicts import Findings
from ecs_admission.errors import SettingsError

ANNOTATION: Final = "receipt"
"""The key of an answer's `auditAnnotations` that holds a receipt."""

_ID: Final = r"[0-9A-Za-z._-]{1,64}"
_RECEIPT: Final = re.compile(rf"({_ID}):({_ID}):(\d{{1,16}}):([0-9a-f]{{64}})")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of an entry from outside the log: its id, and where a whole receipt is at hand also the rest."""

    entry_id: str
    writer: str | None = None
    sequence: int | None = None
    hash: str | None = None


def read_receipts(lines: Iterable[bytes]) -> Iterator[Receipt]:
    """Receipts from lines of which each is a receipt (see `Entry.receipt`), a JSON object or a whole answer.

    An object has `receipt`, or `decisionId` and perhaps `hash`. Raises `SettingsError` that names the line.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        receipt = _receipt(line.strip())
        if receipt is None:
            raise SettingsError(f"line {number} of the receipts is no receipt")
        yield receipt


def check_receipts(reader: LogReader, receipts: Iterable[Receipt], findings: Findings) -> int:
    """Look each receipt up in the log, and return how many there were."""
    count, remaining = 0, iter(receipts)
    while batch := list(islice(remaining, PAGE)):
        query = select(entries.c.id, entries.c.writer, entries.c.sequence, entries.c.hash).where(
            entries.c.id.in_([receipt.entry_id for receipt in batch])
        )
        with translated(READING), reader.connect() as connection:
            stored = {row.id: row for row in connection.execute(query)}
        for receipt in batch:
            row = stored.get(receipt.entry_id)
            if row is None:
                findings.add(receipt.entry_id, receipt.sequence or 0, "receipt-missing")
            elif not all(
                told in (None, found)
                for told, found in (
                    (receipt.writer, row.writer),
                    (receipt.sequence, row.sequence),
                    (receipt.hash, row.hash),
                )
            ):
                findings.add(receipt.entry_id, receipt.sequence or 0, "receipt-differs")
        count += len(batch)
    return count


def _receipt(line: bytes) -> Receipt | None:
    try:
        value: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        value = line.decode("utf-8", "replace")
    if isinstance(value, dict):
        annotations = _at(value, "response", "auditAnnotations") or _at(value, "auditAnnotations") or value
        compact, entry_id = _at(annotations, ANNOTATION), _at(annotations, "decision-id") or value.get("decisionId")
        if compact is None and isinstance(entry_id, str) and re.fullmatch(_ID, entry_id):
            told = value.get("hash")
            return Receipt(entry_id, hash=told) if told is None or isinstance(told, str) else None
        value = compact
    match = _RECEIPT.fullmatch(value) if isinstance(value, str) else None
    return None if match is None else Receipt(match[1], match[2], int(match[3]), match[4])


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
