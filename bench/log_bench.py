"""`make bench-log`: loads decisions into PostgreSQL, asks for them by each parameter, and writes docs/performance.md.

Each parameter is asked alone: by values that many decisions have and by values that few have, wanted and not wanted,
the newest page and one deep in the past. A query is what `GET /v1/decisions` does of it, in this process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import create_engine, text
from tests.decision_log.postgresql_server import OWNER, READER, PostgreSQLServer, run_postgresql

from bench import log_load
from bench.log_section import BEGIN, END, with_section
from ecs_admission.decision_log.filters import PARAMETERS, Filters, read_filters
from ecs_admission.decision_log.keys import make_signing_key
from ecs_admission.decision_log.queries import Cursor, LogReader, encode_cursor

PAGE = Path(__file__).resolve().parent.parent / "docs/performance.md"
GOAL_MS = 100.0
LIMIT = 50
TRIES = 5
"""How often each query is asked. All tries count; the fastest tells what of it was the machine's other work."""
VALUES = 12
"""Of each parameter, spread over those there are from the most to the least common."""

_DEEP = 0.03
"""Where the page deep in the past begins, as a part of the log's whole time."""


@dataclass(slots=True)
class Times:
    """Milliseconds of the queries by one parameter: of every try, and of the fastest try of each query."""

    newest: list[float] = field(default_factory=list)
    deep: list[float] = field(default_factory=list)
    fastest: list[float] = field(default_factory=list)


def main() -> None:
    """Load, measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--output", type=Path, default=PAGE)
    options = parser.parse_args()
    with run_postgresql() as server:
        server.restart(maintenance_work_mem="512MB", max_wal_size="8GB")
        name = server.create_database()
        first_us = time.time_ns() // 1000 - log_load.YEAR_US
        begin = time.perf_counter()
        log_load.load(server.url(OWNER, name), options.decisions, first_us=first_us, log_key=make_signing_key())
        loaded = time.perf_counter() - begin
        server.restart()
        reader = LogReader.open(server.url(READER, name), timeout_seconds=600)
        before = os.getloadavg()[0]
        measured = _measure(reader, server, name, first_us)
        load = before, os.getloadavg()[0]
        size = _size(server, name)
        reader.close()
    section = "\n".join(_lines(measured, options.decisions, loaded, size, load))
    print(section)
    page = options.output.read_text()
    options.output.write_text(with_section(page, section))


def _measure(reader: LogReader, server: PostgreSQLServer, name: str, first_us: int) -> dict[str, Times]:
    deep_us = first_us + int(log_load.YEAR_US * _DEEP)
    found = {"(none)": Times()}
    for _ in range(VALUES):
        _ask(reader, Filters(), found["(none)"], deep_us)
    for period in ("since", "until"):
        found[period] = Times()
        for ago in ("1h", "24h", "7d", "30d", "180d", "360d"):
            _ask(reader, read_filters([(period, ago)], now=time.time()), found[period], deep_us)
    for parameter in PARAMETERS:
        found[parameter] = Times()
        for value in _values(server, name, parameter):
            for sign in ("", "!"):
                given = value.replace("\\", "\\\\").replace(",", "\\,")
                _ask(reader, read_filters([(parameter, sign + given)], now=0), found[parameter], deep_us)
    return found


def _ask(reader: LogReader, filters: Filters, times: Times, deep_us: int) -> None:
    cursor = encode_cursor(Cursor(filters.key, None, filters.since_us, filters.until_us, deep_us, "0"))
    for cursor_or_none, kept in ((None, times.newest), (cursor, times.deep)):
        tries = []
        for _ in range(TRIES):
            begin = time.perf_counter()
            reader.list_entries(filters, limit=LIMIT, cursor=cursor_or_none)
            tries.append((time.perf_counter() - begin) * 1e3)
        kept += tries
        times.fastest.append(min(tries))


def _values(server: PostgreSQLServer, name: str, parameter: str) -> list[str]:
    """Values of a parameter from the most common to the least, and one that nothing has."""
    column = PARAMETERS[parameter].column
    if column is None:
        query = (
            "SELECT substr(term, :skip) FROM entry_terms WHERE term >= :first AND term < :last "
            "GROUP BY term ORDER BY count(*) DESC, term"
        )
        arguments = {"skip": len(parameter) + 2, "first": f"{parameter}=", "last": f"{parameter}>"}
    else:
        query = f"SELECT {column} FROM entries WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1"  # noqa: S608
        arguments = {}
    engine = create_engine(server.url(OWNER, name).replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        values = list(connection.execute(text(query), arguments).scalars())
    engine.dispose()
    step = max(1, (len(values) - 1) // (VALUES - 1))
    grammar = PARAMETERS[parameter].grammar
    return [value for value in dict.fromkeys([*values[:2], *values[::step], *values[-2:]]) if grammar.fullmatch(value)]


def _size(server: PostgreSQLServer, name: str) -> dict[str, float]:
    query = (
        "SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class "
        "WHERE relname IN ('entries', 'entry_terms')"
    )
    engine = create_engine(server.url(OWNER, name).replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        rows = connection.execute(text(query)).all()
    engine.dispose()
    return {f"{row[0]}, {what}": size / 1e9 for row in rows for what, size in (("rows", row[1]), ("indexes", row[2]))}


def _lines(
    measured: dict[str, Times], count: int, loaded: float, size: dict[str, float], load: tuple[float, float]
) -> Iterator[str]:
    slow = [name for name, times in measured.items() if max(_p95(times.newest), _p95(times.deep)) > GOAL_MS]
    yield BEGIN
    yield "## Queries of the decision log"
    yield ""
    verdict = "**met by all**" if not slow else f"**missed by {', '.join(slow)}**"
    yield (
        f"`make bench-log DECISIONS={count}` on {datetime.now(UTC).date()}: {count:,} decisions of a year in "
        f"PostgreSQL with its default settings, on {_processor()}, loaded in {loaded:.0f} s."
    )
    yield (
        f"Load average while it was measured: {load[0]:.1f} at its beginning, {load[1]:.1f} at its end; a machine "
        "that does nothing else has about 1."
    )
    yield (
        f"Pages of {LIMIT} in milliseconds, each parameter alone, by values that many decisions have to values "
        "that few have, wanted and not wanted; the newest page, and one "
        f"{_DEEP:.0%} of a year after the log's beginning."
    )
    yield (
        f"Each query is asked {TRIES} times and all tries count; the last column is of the fastest try of each query. "
        f"The goal is {GOAL_MS:.0f} ms at the 95th percentile of all tries: {verdict}."
    )
    yield ""
    yield "| parameter | tries | newest p50 | newest p95 | deep p50 | deep p95 | fastest p95 |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name, times in measured.items():
        pairs = [(statistics.median(each), _p95(each)) for each in (times.newest, times.deep)]
        cells = [f"{value:.1f}" for pair in pairs for value in pair]
        tries = len(times.newest) + len(times.deep)
        yield f"| {name} | {tries} | {' | '.join(cells)} | {_p95(times.fastest):.1f} |"
    yield ""
    yield "On disk: " + ", ".join(f"{name} {gigabytes:.2f} GB" for name, gigabytes in sorted(size.items())) + "."
    yield END


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return f"{model}, {os.cpu_count()} cores"


def _p95(times: list[float]) -> float:
    return sorted(times)[max(0, -(-len(times) * 95 // 100) - 1)]


if __name__ == "__main__":
    main()
