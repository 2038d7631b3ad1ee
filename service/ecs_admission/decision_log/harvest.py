"""What the sealer signs next: the entries that came since its last digest, of writers that are certified.

A chain that does not fit is taken up to there, and the rest is refused, so that it does not keep the others from being
sealed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from sqlalchemy import LargeBinary, cast, func, select
from sqlalchemy.engine import Connection, Row

from ecs_admission.decision_log.certificates import Certificate, certified_key, has_signed_entry
from ecs_admission.decision_log.chain import NO_PREVIOUS, entry_hash
from ecs_admission.decision_log.digests import Range
from ecs_admission.decision_log.keys import PublicKey
from ecs_admission.decision_log.schema import entries, writers

MAX_RANGES: Final = 1_000
"""Of one digest."""

_PAGE: Final = 500


@dataclass(slots=True)
class Harvest:
    """What is new in the log, of which a digest takes `limit` entries. `refused`: why chains are not, by writer."""

    limit: int

    ranges: list[Range] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    first_time: int | None = None
    refused: dict[str, str] = field(default_factory=dict)
    more: bool = False

    @property
    def room(self) -> int:
        """How many entries there is room for."""
        return 0 if len(self.ranges) >= MAX_RANGES else self.limit - self.counts.total()


def reap(
    connection: Connection, heads: Mapping[str, tuple[int, str]], trusted: Mapping[str, PublicKey], *, room: int
) -> Harvest:
    """Read what came after `heads`: of each writer the number that is expected next, and the hash before it."""
    harvest = Harvest(room)
    ends = select(func.max(entries.c.sequence)).where(entries.c.writer == writers.c.writer).scalar_subquery()
    query = select(writers.c.writer, ends.label("last")).order_by(writers.c.writer)
    for row in connection.execute(query).all():
        expected, head = heads.get(row.writer, (0, NO_PREVIOUS))
        if not isinstance(row.last, int) or row.last < expected:
            continue
        if harvest.room <= 0:
            harvest.more = True
            break
        key = _writer_key(connection, row.writer, trusted)
        if key is None:
            harvest.refused[row.writer] = "uncertified"
        else:
            _reap_chain(connection, row.writer, key, expected, head, harvest)
    return harvest


def _reap_chain(
    connection: Connection, writer: str, key: PublicKey, expected: int, head: str, harvest: Harvest
) -> None:
    first, room = expected, harvest.room
    counts, outcomes = Counter[str](), Counter[str]()
    earliest, signature = harvest.first_time, b""
    problem: str | None = None
    while room > 0 and problem is None:
        page = connection.execute(_chain_after(writer, expected, min(room, _PAGE))).all()
        for row in page:
            document, problem = _checked(row, writer, expected, head)
            if problem is not None:
                break
            counts[document["kind"]] += 1
            outcomes.update([document["outcome"]] if isinstance(document["outcome"], str) else [])
            earliest = document["time"] if earliest is None else min(earliest, document["time"])
            expected, head, signature = row.sequence + 1, row.hash, row.signature
            room -= 1
        if len(page) < _PAGE:
            break
    if problem is not None:
        harvest.refused[writer] = problem
    if expected == first:
        return
    if not has_signed_entry(key, head, signature):
        harvest.refused[writer] = "signature"
        return
    harvest.more |= room <= 0
    harvest.ranges.append(Range(writer, first, expected - 1, head))
    harvest.counts.update(counts)
    harvest.outcomes.update(outcomes)
    harvest.first_time = earliest


def _writer_key(connection: Connection, writer: str, trusted: Mapping[str, PublicKey]) -> PublicKey | None:
    row = connection.execute(
        select(
            cast(writers.c.certificate, LargeBinary).label("certificate"),
            cast(writers.c.signature, LargeBinary).label("signature"),
        ).where(writers.c.writer == writer)
    ).one()
    return certified_key(Certificate(writer, row.certificate, row.signature), trusted)


def _chain_after(writer: str, expected: int, limit: int) -> Any:
    return (
        select(
            entries.c.sequence,
            entries.c.hash,
            # SQLite keeps a type with each value, and an edit may have left text here.
            cast(entries.c.bytes, LargeBinary).label("bytes"),
            cast(entries.c.signature, LargeBinary).label("signature"),
        )
        .where(entries.c.writer == writer, entries.c.sequence >= expected)
        .order_by(entries.c.sequence)
        .limit(limit)
    )


def _checked(row: Row[Any], writer: str, expected: int, head: str) -> tuple[dict[str, Any], str | None]:
    """An entry's document, and why it cannot be sealed as number `expected` after `head`, if so."""
    if row.sequence != expected:
        return {}, "gap"
    if entry_hash(row.bytes) != row.hash:
        return {}, "hash"
    try:
        document = orjson.loads(row.bytes)
        place = document["writer"], document["sequence"], document["previous"]
        sorts = type(document["kind"]), type(document["time"]), document["outcome"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return {}, "unreadable"
    if place != (writer, expected, head):
        return {}, "previous"
    return document, None if sorts[:2] == (str, int) else "unreadable"
