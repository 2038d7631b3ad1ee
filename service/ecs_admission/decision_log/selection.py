"""Finding the entries that a query asks for, newest first, without looking at all others.

Two ways, one after the other. First the newest decisions are looked through, as many as take no time: whatever is
common is among them. What is rare is then read from an index: for each value of one parameter, the newest entries that
have it and meet the rest of the query, and of these the newest again.

A query that goes by an index must not name decisions as the partial index `decisions_by_time` does. A planner that
knows that a third of all decisions have a value, and not that these are the oldest, would read that index to its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    Select,
    and_,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy import cast as as_type
from sqlalchemy.engine import Connection

from ecs_admission.decision_log.digest_tables import digest_ranges
from ecs_admission.decision_log.filters import KINDS, Clause, Filters
from ecs_admission.decision_log.schema import IS_DECISION, PROFILE, entries, entry_terms
from ecs_admission.decision_log.terms import term

_LOOKED_THROUGH: Final = 4_000
"""Decisions that are looked through before an index is: 5 ms where they are in memory."""

_BRANCHES: Final = 40
"""Values of which the newest entries are asked for in one statement; SQLite takes 500, and planning takes its time."""

_AT_ONCE: Final = 8
"""Profiles that are looked at together, those with the newest decision first."""

_MOST_VALUES: Final = 1_000
"""Where a query comes down to more values than that, time alone is the better index."""

_MOST_OTHERS: Final = 60
"""The same for the values of a column other than those that a query does not want."""

_DRIVERS: Final = (
    *("fingerprint", "exception", "container", "control", "rule"),
    *("family", "service", "repository", "actor", "caller", "account", "revision"),
    "severity",
)
"""Parameters with an index of their own, those first whose values have few entries."""

Key: TypeAlias = tuple[int, str]
"""The place of an entry in the order of time: its time in microseconds, and its id."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What limits a query besides its filters: where a page begins, what was sealed, and what a reader may see."""

    after: Key | None = None
    as_of: int | None = None
    scope: ColumnElement[bool] | None = None


def select_keys(connection: Connection, filters: Filters, bounds: Bounds, *, limit: int) -> list[Key]:
    """The first `limit` entries that meet `filters` within `bounds`, newest first."""
    rest = list(_conditions(filters.clauses)) + _limits(bounds)
    by_time = _in_time(filters, bounds, entries).where(IS_DECISION)
    clauses = [clause for clause in filters.clauses if clause.name != "kind"]
    kinds = [kind for kind in filters.kinds.wanted or KINDS if kind not in filters.kinds.unwanted]
    if kinds != ["decision"]:
        of_kind = [_by_kind(filters, bounds, kind).where(*rest) for kind in kinds if kind != "decision"]
        return _first_of(connection, [*of_kind, *([by_time.where(*rest)] if "decision" in kinds else [])], limit)
    if not clauses:
        return _keys(connection, _newest(by_time, *rest, limit=limit))
    found = _among_newest(connection, by_time, rest, limit)
    if len(found) < limit and (branches := _branches(connection, filters, bounds, clauses, limit)) is not None:
        found = _first_of(connection, branches, limit)
    elif len(found) < limit:
        found = _keys(connection, _newest(by_time, *rest, limit=limit))
    return found


def matching(filters: Filters, bounds: Bounds) -> list[ColumnElement[bool]]:
    """The whole query as conditions on `entries`, for who counts or exports and reads everything anyway."""
    kinds = [kind for kind in filters.kinds.wanted or KINDS if kind not in filters.kinds.unwanted]
    is_of_kind = IS_DECISION if kinds == ["decision"] else entries.c.kind.in_(kinds)
    return [is_of_kind, *_conditions(filters.clauses), *_limits(bounds), *_period(filters, bounds, entries.c)]


def period(filters: Filters) -> list[ColumnElement[bool]]:
    """The times of a query alone, as conditions on `entries`."""
    return _period(filters, Bounds(), entries.c)


def sealing_digest() -> ColumnElement[int]:
    """The number of the digest that an entry is in; null where none has it yet."""
    return (
        select(case((digest_ranges.c.last >= entries.c.sequence, digest_ranges.c.number)))
        .where(digest_ranges.c.writer == entries.c.writer, digest_ranges.c.first <= entries.c.sequence)
        .order_by(digest_ranges.c.first.desc())
        .limit(1)
        .correlate(entries)
        .scalar_subquery()
    )


def _branches(
    connection: Connection, filters: Filters, bounds: Bounds, clauses: Sequence[Clause], limit: int
) -> list[Select[Any]] | None:
    """A query for each value of one parameter, together the whole; None where time is the better index."""
    driver = _driver(clauses)
    if driver is not None:
        rest = [*_conditions(clause for clause in clauses if clause != driver), *_limits(bounds)]
        if driver.unwanted:
            rest += _conditions([Clause(driver.name, unwanted=driver.unwanted)])
        if driver.column is None:
            return [_by_term(filters, bounds, term(driver.name, value), rest) for value in driver.wanted]
        return [_by_column(filters, bounds, driver.column, value, rest) for value in driver.wanted]
    of_profile = [clause for clause in clauses if clause.column in PROFILE]
    if of_profile:
        rest_of = [clause for clause in clauses if clause not in of_profile]
        return _by_profile(connection, filters, bounds, of_profile, [*_conditions(rest_of), *_limits(bounds)], limit)
    rest = list(_conditions(clauses)) + _limits(bounds)
    for clause in clauses:
        if clause.column is not None:
            others = _values(connection, clause.column, most=_MOST_OTHERS)
            if others is not None:
                found = [value for value in others if value not in clause.unwanted]
                return [_by_column(filters, bounds, clause.column, value, rest) for value in (*found, None)]
    return None


def _by_profile(
    connection: Connection,
    filters: Filters,
    bounds: Bounds,
    clauses: Sequence[Clause],
    rest: Sequence[ColumnElement[bool]],
    limit: int,
) -> list[Select[Any]] | None:
    """Queries by the profiles that fit. Of a hundred profiles, most of what each has newest is not on the page."""
    steps = _steps("profile", _MOST_VALUES)
    newest = select(func.max(entries.c.time)).where(
        entries.c.profile == steps.c.value, *_period(filters, bounds, entries.c)
    )
    query = select(steps.c.value, newest.correlate(steps).scalar_subquery().label("time"))
    profiles = [(row.time, row.value) for row in connection.execute(query) if row.value is not None]
    if len(profiles) > _MOST_VALUES:
        return None
    fitting = sorted((each for each in profiles if each[0] is not None and _fits(each[1], clauses)), reverse=True)
    if rest:
        return [_by_column(filters, bounds, "profile", profile, rest) for _, profile in fitting]
    # Times are in the index itself, and ids are not: so times tell first how far back the page goes, and with what.
    found: list[tuple[int, str]] = []
    for start in range(0, len(fitting), _AT_ONCE):
        if len(found) >= limit and fitting[start][0] < found[limit - 1][0]:
            break
        branches = [_by_column(filters, bounds, "profile", each, ()) for _, each in fitting[start : start + _AT_ONCE]]
        times = [
            branch.with_only_columns(entries.c.time, entries.c.profile).order_by(None).order_by(entries.c.time.desc())
            for branch in branches
        ]
        found += [(row.time, row.profile) for row in _rows_of(connection, times, limit)]
        found.sort(reverse=True)
    if not found:
        return []
    last_us = found[:limit][-1][0]
    on_page = dict.fromkeys(profile for time_us, profile in found if time_us >= last_us)
    return [_by_column(filters, bounds, "profile", each, [entries.c.time >= last_us]) for each in on_page]


def _driver(clauses: Sequence[Clause]) -> Clause | None:
    by_name = {clause.name: clause for clause in clauses if clause.wanted}
    return next((by_name[name] for name in _DRIVERS if name in by_name), None)


def _fits(profile: str, clauses: Sequence[Clause]) -> bool:
    parts = profile.split("|")
    if len(parts) != len(PROFILE):
        return False
    values = dict(zip(PROFILE, parts, strict=True))
    return all(
        (not clause.wanted or values[str(clause.column)] in clause.wanted)
        and values[str(clause.column)] not in clause.unwanted
        for clause in clauses
    )


def _by_column(
    filters: Filters, bounds: Bounds, column: str, value: str | None, rest: Sequence[ColumnElement[bool]]
) -> Select[Any]:
    # Events have a caller and a revision, too; a profile only decisions have. That a kind might be empty keeps the
    # index by time alone away, and lets the planner know that nearly all entries are decisions.
    is_decision = [] if column == "profile" else [entries.c.kind.in_(("decision", ""))]
    return _in_time(filters, bounds, entries).where(entries.c[column] == value, *is_decision, *rest)


def _by_kind(filters: Filters, bounds: Bounds, kind: str) -> Select[Any]:
    # Word for word, so that the partial index is known to have all that is asked for; kinds are words of ours.
    is_of_kind = entries.c.kind == literal_column(f"'{kind}'", entries.c.kind.type)
    return _in_time(filters, bounds, entries).where(is_of_kind)


def _by_term(filters: Filters, bounds: Bounds, value: str, rest: Sequence[ColumnElement[bool]]) -> Select[Any]:
    query = _in_time(filters, bounds, entry_terms).where(entry_terms.c.term == value)
    if rest:
        query = query.join(entries, entries.c.id == entry_terms.c.id).where(*rest)
    return query


def _in_time(filters: Filters, bounds: Bounds, table: Any) -> Select[Any]:
    """The keys of a table's rows in the period of a query and after the page before, newest first."""
    query: Select[Any] = select(table.c.time, table.c.id).where(*_period(filters, bounds, table.c))
    return query.order_by(table.c.time.desc(), table.c.id.desc())


def _period(filters: Filters, bounds: Bounds, columns: Any) -> list[ColumnElement[bool]]:
    found = []
    if filters.since_us is not None:
        found.append(columns.time >= filters.since_us)
    if filters.until_us is not None:
        found.append(columns.time < filters.until_us)
    if bounds.after is not None:
        time_us, entry_id = bounds.after
        # The first condition bounds the search in an index by time alone; a row value does so in none of them.
        found += [columns.time <= time_us, or_(columns.time < time_us, columns.id < entry_id)]
    return found


def _limits(bounds: Bounds) -> list[ColumnElement[bool]]:
    found = [] if bounds.scope is None else [bounds.scope]
    return found if bounds.as_of is None else [*found, sealing_digest() <= bounds.as_of]


def _conditions(clauses: Any) -> Iterator[ColumnElement[bool]]:
    """Each clause as a condition on `entries`. What a column does not say is not what a query does not want."""
    for clause in clauses:
        if clause.name == "kind":
            continue  # each way to entries of a kind says so itself
        if clause.column is None:
            if clause.wanted:
                yield _has_term(clause.name, clause.wanted)
            if clause.unwanted:
                yield ~_has_term(clause.name, clause.unwanted)
            continue
        column = entries.c[clause.column]
        if clause.wanted:
            yield column.in_(clause.wanted)
        if clause.unwanted:
            yield or_(column.is_(None), column.not_in(clause.unwanted))


def _has_term(name: str, values: Sequence[str]) -> ColumnElement[bool]:
    # Not EXISTS, of which PostgreSQL makes a join: it would read every entry with the term for a page of fifty.
    other = entry_terms.alias()
    found = (
        select(other.c.id)
        .where(
            other.c.term.in_([term(name, value) for value in values]),
            other.c.time == entries.c.time,
            other.c.id == entries.c.id,
        )
        .limit(1)
        .correlate(entries)
        .scalar_subquery()
    )
    return found.is_not(None)


def _newest(query: Select[Any], *conditions: ColumnElement[bool], limit: int) -> Select[Any]:
    return query.where(*conditions).limit(limit)


def _among_newest(
    connection: Connection, by_time: Select[Any], conditions: Sequence[ColumnElement[bool]], limit: int
) -> list[Key]:
    """The first of the newest decisions, as far as they are looked through."""
    last = connection.execute(by_time.offset(_LOOKED_THROUGH).limit(1)).first()
    query = by_time if last is None else by_time.where(entries.c.time > last.time)
    return _keys(connection, _newest(query, *conditions, limit=limit))


def _first_of(connection: Connection, branches: Sequence[Select[Any]], limit: int) -> list[Key]:
    """The first of what all branches have. One entry may have two of the values."""
    found = {(row.time, row.id) for row in _rows_of(connection, branches, limit)}
    return sorted(found, reverse=True)[:limit]


def _rows_of(connection: Connection, branches: Sequence[Select[Any]], limit: int) -> Iterator[Any]:
    """The first rows of each branch."""
    for start in range(0, len(branches), _BRANCHES):
        parts = [branch.limit(limit).subquery() for branch in branches[start : start + _BRANCHES]]
        yield from connection.execute(union_all(*(select(part) for part in parts)))


def _keys(connection: Connection, query: Any) -> list[Key]:
    return [(row.time, row.id) for row in connection.execute(query)]


def _values(connection: Connection, column: str, *, most: int) -> list[str] | None:
    """The values of an indexed column; None where there are more than `most`."""
    query = select(_steps(column, most).c.value)
    found = [value for value in connection.execute(query).scalars() if value is not None]
    return None if len(found) > most else found


def _steps(column: str, most: int) -> CTE:
    """The values of an indexed column, each found by one step in its index, and one more than `most` if there are."""
    values = entries.c[column]
    steps = select(func.min(values).label("value"), literal(1).label("number")).cte("steps", recursive=True)
    following = select(func.min(values)).where(values > steps.c.value).correlate(steps).scalar_subquery()
    return steps.union_all(
        select(following, as_type(steps.c.number + 1, Integer)).where(
            and_(steps.c.value.is_not(None), steps.c.number <= most + 1)
        )
    )
