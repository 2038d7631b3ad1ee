"""Counting what a query asks for: by outcome, by day, by family and by rule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.engine import Connection

from ecs_admission.decision_log.database import translated
from ecs_admission.decision_log.filters import Filters
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.schema import entries, entry_terms
from ecs_admission.decision_log.selection import Bounds, matching
from ecs_admission.decision_log.terms import term_range
from ecs_admission.model import JSONObject

MOST_GROUPS: Final = 1_000
"""Families and rules that are counted one by one, those with the most first."""

_DAY_US: Final = 86_400_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Statistics:
    """How many decisions there are of what. One counts for each rule that it has a finding of, and once.

    `days` are in UTC and in their order, `families` and `rules` those with the most first. None stands for a decision
    that has no family, or no outcome.
    """

    total: int
    outcomes: tuple[tuple[str | None, int], ...]
    days: tuple[tuple[str, int], ...]
    families: tuple[tuple[str | None, int], ...]
    rules: tuple[tuple[str, int], ...]

    def document(self) -> JSONObject:
        """As JSON: lists, which keep their order, of objects with a name and a count."""
        parts = {"outcomes": "outcome", "days": "day", "families": "family", "rules": "rule"}
        lists = {
            part: [{name: key, "count": count} for key, count in getattr(self, part)] for part, name in parts.items()
        }
        return {"total": self.total, **lists}


def count_entries(
    reader: LogReader, filters: Filters, *, as_of: int | None = None, scope: ColumnElement[bool] | None = None
) -> Statistics:
    """Count what `filters` ask for, all of one moment. Raises `RecordUnavailableError`."""
    conditions = matching(filters, Bounds(as_of=as_of, scope=scope))
    with translated("the decision log cannot be counted"), reader.snapshot() as connection:
        days = _days(connection, conditions)
        return Statistics(
            total=sum(count for _, count in days),
            outcomes=_counts(connection, entries.c.outcome, conditions),
            days=days,
            families=_counts(connection, entries.c.family, conditions),
            rules=_rules(connection, conditions),
        )


def _counts(
    connection: Connection, column: ColumnElement[Any], conditions: list[ColumnElement[bool]]
) -> tuple[tuple[Any, int], ...]:
    return _ordered(connection, select(column.label("key"), func.count().label("count")).where(*conditions), column)


def _rules(connection: Connection, conditions: list[ColumnElement[bool]]) -> tuple[tuple[str, int], ...]:
    first, last = term_range("rule")
    query = (
        select(entry_terms.c.term.label("key"), func.count().label("count"))
        .join(entries, entries.c.id == entry_terms.c.id)
        .where(entry_terms.c.term >= first, entry_terms.c.term < last, *conditions)
    )
    return tuple((key.removeprefix(first), count) for key, count in _ordered(connection, query, entry_terms.c.term))


def _ordered(
    connection: Connection, query: Select[Any], column: ColumnElement[Any]
) -> tuple[tuple[Any, int], ...]:  # fmt: skip
    query = query.group_by(column).order_by(func.count().desc(), column).limit(MOST_GROUPS)
    return tuple((key, count) for key, count in connection.execute(query))


def _days(connection: Connection, conditions: list[ColumnElement[bool]]) -> tuple[tuple[str, int], ...]:
    day = (entries.c.time // _DAY_US).label("day")
    query = select(day, func.count()).where(*conditions).group_by(day).order_by(day)
    return tuple(
        ((_EPOCH + timedelta(days=number)).date().isoformat(), count) for number, count in connection.execute(query)
    )
