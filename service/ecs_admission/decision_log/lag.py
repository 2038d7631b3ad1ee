"""How far the sealer is behind: what no digest holds yet, and which digests no anchor has.

For who watches a service, so it costs a few steps in an index for each writer that there is, however long the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select

from ecs_admission.decision_log.database import translated
from ecs_admission.decision_log.digest_tables import anchor_states, digest_ranges, digests
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.schema import entries, writers

_READING: Final = "it cannot be read how far the decision log is sealed"


@dataclass(frozen=True, slots=True)
class AnchorLag:
    """One anchor. `waiting` digests are not in it; `failing_since_us` is null while it takes what it is given."""

    anchor: str
    waiting: int
    failing_since_us: int | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class SealingLag:
    """Times are UTC in microseconds since the epoch.

    `sealed_through_us` is when the newest digest was made, None without any. `unsealed` entries are in no digest, the
    first of them made at `oldest_unsealed_us`: chains that the sealer refuses are among them, and stay so.
    """

    newest_digest: int | None
    sealed_through_us: int | None
    unsealed: int
    oldest_unsealed_us: int | None
    anchors: tuple[AnchorLag, ...]

    def seconds(self, now_us: int) -> float:
        """How long ago the newest digest was made; where there is none, how old the oldest entry is. Never below 0."""
        since = self.oldest_unsealed_us if self.sealed_through_us is None else self.sealed_through_us
        return 0.0 if since is None else max(0, now_us - since) / 1_000_000


def sealing_lag(reader: LogReader, anchors: Iterable[str] | None = None) -> SealingLag:
    """How far the sealer is behind. `anchors` are the names of those that are configured: of one that the sealer has
    never come to all digests wait. With None it is those that the sealer has ever had. Raises `RecordUnavailableError`.
    """
    newest = select(digests.c.number, digests.c.to_time).order_by(digests.c.number.desc()).limit(1)
    sealed = (
        select(digest_ranges.c.last)
        .where(digest_ranges.c.writer == writers.c.writer)
        .order_by(digest_ranges.c.first.desc())
        .limit(1)
        .correlate(writers)
        .scalar_subquery()
    )
    last = select(func.max(entries.c.sequence)).where(entries.c.writer == writers.c.writer).correlate(writers)
    ends = select(
        writers.c.writer,
        func.coalesce(last.scalar_subquery(), -1).label("last"),
        func.coalesce(sealed, -1).label("sealed"),
    ).subquery()
    first_unsealed = (
        select(entries.c.time)
        .where(entries.c.writer == ends.c.writer, entries.c.sequence > ends.c.sealed)
        .order_by(entries.c.sequence)
        .limit(1)
        .correlate(ends)
        .scalar_subquery()
    )
    behind = select(ends.c.last - ends.c.sealed, first_unsealed).where(ends.c.last > ends.c.sealed)
    with translated(_READING), reader.snapshot() as connection:
        top = connection.execute(newest).first()
        lacking = connection.execute(behind).all()
        states = {row.anchor: row for row in connection.execute(select(anchor_states))}
    digests_made = 0 if top is None else top.number + 1
    return SealingLag(
        newest_digest=None if top is None else top.number,
        sealed_through_us=None if top is None else top.to_time,
        unsealed=sum(int(count) for count, _ in lacking),
        oldest_unsealed_us=min((at for _, at in lacking), default=None),
        anchors=tuple(
            AnchorLag(name, digests_made)
            if (state := states.get(name)) is None
            else AnchorLag(name, max(0, digests_made - state.next), state.failing_since, state.failure)
            for name in (sorted(states) if anchors is None else anchors)
        ),
    )
