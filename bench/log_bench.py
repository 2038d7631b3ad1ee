"""`make bench-log`: loads decisions into PostgreSQL, asks for them by each parameter, and writes docs/performance.md.

With `--keep FOLDER` the loaded server stays in that folder, and is measured again the next time without a load.

Each parameter is asked alone: by values that many decisions have and by values that few have, wanted and not wanted,
the newest page and one deep in the past. A query is what `GET /v1/decisions` does of it, in this process.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import create_engine, text
from tests.decision_log.postgresql_server import OWNER, READER, PostgreSQLServer, run_postgresql_in

from bench import log_load
from bench.log_decisions import YEAR_US
from bench.log_section import BEGIN, END, with_section
from ecs_admission.decision_log.filters import PARAMETERS, Filters, read_filters
from ecs_admission.decision_log.keys import make_signing_key, write_public_key
from ecs_admission.decision_log.migrate import migrate
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


@dataclass(frozen=True, slots=True)
class Log:
    """A loaded log: how many decisions of the year from `first_us` on, and in how many seconds they were loaded."""

    name: str
    database: str
    count: int
    first_us: int
    seconds: float
    whole_bodies: bool = False


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
    parser.add_argument("--keep", type=Path, help="a folder for the server, where it stays for the next run")
    parser.add_argument("--output", type=Path, default=PAGE)
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="bench-log-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with run_postgresql_in(folder.resolve()) as server:
            lines: list[str] = []
            for line in _run(server, options.decisions):
                lines.append(line)
                print(line, flush=True)
                # Each time: what was measured is there also when a long verification is broken off.
                section = "\n".join([*lines, END])
                options.output.write_text(with_section(options.output.read_text(), section))
    finally:
        if options.keep is None:
            shutil.rmtree(folder)


def _run(server: PostgreSQLServer, count: int) -> Iterator[str]:
    whole = _loaded(server, count, "whole")
    # With all that a request leaves in the log, which ten million have no room for.
    others = [
        _loaded(server, each, f"bodies-{each}", whole_bodies=True) for each in (count // 100, count // 10) if each
    ]
    reader = LogReader.open(server.url(READER, whole.database), timeout_seconds=600)
    before = os.getloadavg()[0]
    measured = _measure(reader, server, whole)
    load = before, os.getloadavg()[0]
    reader.close()
    yield from _lines(measured, whole, _size(server, whole.database), load)
    yield from _verification(server, [*others, whole])


def _loaded(server: PostgreSQLServer, count: int, name: str, *, whole_bodies: bool = False) -> Log:
    """A log of this name with its public keys, loaded now unless the folder has it."""
    file = server.folder / f"{name}.json"
    if not file.exists():
        server.restart(**log_load.LOADING)
        database, first_us = server.create_database(), time.time_ns() // 1000 - YEAR_US
        log_key, sealer_key = make_signing_key(), make_signing_key()
        begin = time.perf_counter()
        log_load.load(
            server.url(OWNER, database),
            count,
            first_us=first_us,
            log_key=log_key,
            sealer_key=sealer_key,
            whole_bodies=whole_bodies,
        )
        seconds = time.perf_counter() - begin
        server.execute("CHECKPOINT")
        server.restart()
        for kind, key in (("log", log_key), ("sealer", sealer_key)):
            write_public_key(key.public, server.folder / f"{name}.{kind}.pub")
        file.write_text(json.dumps([database, count, first_us, seconds]))
    found = Log(name, *json.loads(file.read_text()), whole_bodies=whole_bodies)
    if found.count != count:
        sys.exit(f"{server.folder} has {found.count} decisions, not {count}: give another folder, or remove it")
    migrate(server.url(OWNER, found.database), timeout_seconds=3600)
    return found


def _measure(reader: LogReader, server: PostgreSQLServer, log: Log) -> dict[str, Times]:
    name, deep_us = log.database, log.first_us + int(YEAR_US * _DEEP)
    now = (log.first_us + YEAR_US) / 1e6
    found = {"(none)": Times()}
    for _ in range(VALUES):
        _ask(reader, Filters(), found["(none)"], deep_us)
    for period in ("since", "until"):
        found[period] = Times()
        for ago in ("1h", "24h", "7d", "30d", "180d", "360d"):
            _ask(reader, read_filters([(period, ago)], now=now), found[period], deep_us)
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


def _lines(measured: dict[str, Times], log: Log, size: dict[str, float], load: tuple[float, float]) -> Iterator[str]:
    count = log.count
    slow = [name for name, times in measured.items() if max(_p95(times.newest), _p95(times.deep)) > GOAL_MS]
    yield BEGIN
    yield "## Queries of the decision log"
    yield ""
    verdict = "**met by all**" if not slow else f"**missed by {', '.join(slow)}**"
    yield (
        f"`make bench-log DECISIONS={count}` on {datetime.now(UTC).date()}: {count:,} decisions of a year in "
        f"PostgreSQL with its default settings, on {_processor()}, loaded in {log.seconds:.0f} s "
        "(`bench/log_decisions.py` says what they are)."
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


def _verification(server: PostgreSQLServer, logs: Sequence[Log]) -> Iterator[str]:
    """What `log verify` takes for each log, smallest first: its memory must not grow with it."""
    yield ""
    yield "## Verification of the decision log"
    yield ""
    yield (
        "`ecs-admission log verify` of such logs in PostgreSQL, in a process of its own: everything, with the keys of "
        "the log and of the sealer and no anchor. The goal is a million entries a minute, in "
        "memory that does not grow. Beside the seconds that passed is what the process itself had of a processor, "
        "which it shares with PostgreSQL and all else. "
        f"Load average at its beginning: {os.getloadavg()[0]:.1f}."
    )
    yield ""
    yield "| entries | digests | beside each | seconds | of a processor | entries a minute | peak memory |"
    yield "| ---: | ---: | --- | ---: | ---: | ---: | ---: |"
    for log in logs:
        keys = [str(server.folder / f"{log.name}.{kind}.pub") for kind in ("log", "sealer")]
        command = [sys.executable, "-m", "bench.log_verify", server.url(READER, log.database), *keys]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        if found["problems"]:
            sys.exit(f"the verification of {log.name} found {found['problems']}")
        beside = (
            "PolicyInput and inventory, 3 KB" if log.whole_bodies else "PolicyInput where there are findings, 0.2 KB"
        )
        rate = found["entries"] / found["seconds"] * 60 / 1e6
        yield (
            f"| {found['entries']:,} | {found['digests']:,} | {beside} | {found['seconds']:.0f} "
            f"| {found['cpu_seconds']:.0f} | {rate:.2f} million | {found['megabytes']:.0f} MB |"
        )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return f"{model}, {os.cpu_count()} cores"


def _p95(times: list[float]) -> float:
    return sorted(times)[max(0, -(-len(times) * 95 // 100) - 1)]


if __name__ == "__main__":
    main()
