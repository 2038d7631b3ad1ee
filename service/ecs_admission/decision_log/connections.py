"""Connections to the database of the decision log, as durable as SQLite makes them, and the reading of its errors.

PostgreSQL comes with issue 6; until then any other URL than that of a SQLite file is refused.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, CursorResult, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from ecs_admission.errors import RecordUnavailableError, SettingsError

_READERS: Final = 4
"""Read connections kept open by one process; as many again are opened when these are busy."""

_PAUSE_SECONDS: Final = 0.001
"""Between two tries for a lock: a commit takes 0.2 to 0.5 ms where the disk is good."""


def write_engine(url: str) -> Engine:
    """An engine for the one connection through which a process writes; see `insist_on_durability`.

    Raises `SettingsError` for a URL that is not that of a SQLite file.
    """
    engine = create_engine(
        _file_url(url),
        poolclass=NullPool,
        connect_args={"timeout": 0, "check_same_thread": False},  # we wait ourselves, see `_execute_when_free`
        hide_parameters=True,
    )
    _on_connect(engine)
    return engine


def read_engine(url: str, *, timeout_seconds: float) -> Engine:
    """An engine whose connections cannot write. Raises as `write_engine`, and when there is no such file."""
    parsed = _file_url(url)
    # SQLite would make an empty database, and an auditor would read in it that nothing was ever decided.
    if not str(parsed.database).startswith("file:") and not Path(str(parsed.database)).is_file():
        raise SettingsError("there is no decision log at the database URL")
    engine = create_engine(
        parsed,
        poolclass=QueuePool,
        pool_size=_READERS,
        max_overflow=_READERS,
        pool_timeout=timeout_seconds,
        connect_args={"timeout": timeout_seconds, "check_same_thread": False},
        hide_parameters=True,
    )
    _on_connect(engine, "PRAGMA query_only = ON")
    return engine


def insist_on_durability(connection: Connection, *, timeout_seconds: float) -> None:
    """Make each commit of a new connection wait for the disk. `timeout_seconds` bounds each wait for a lock."""
    # FULL: each commit is fsynced, also with a write-ahead log. On macOS fsync alone leaves data in the drive's
    # cache, https://sqlite.org/pragma.html#pragma_fullfsync; elsewhere that pragma does nothing.
    _execute_when_free(connection, "PRAGMA synchronous = FULL", timeout_seconds=timeout_seconds)
    _execute_when_free(connection, "PRAGMA fullfsync = ON", timeout_seconds=timeout_seconds)
    connection.rollback()


def use_write_ahead_log(connection: Connection, *, timeout_seconds: float) -> None:
    """Make readers and the writer independent of each other; SQLite keeps the setting in the file.

    Raises `SettingsError` where the file system cannot do it, such as most that go over a network.
    """
    # Of processes that make one database at the same time SQLite tells all but one, without waiting, that it is busy.
    mode = _execute_when_free(connection, "PRAGMA journal_mode = WAL", timeout_seconds=timeout_seconds).scalar_one()
    connection.rollback()
    if mode != "wal":
        raise SettingsError("the decision log's database cannot use a write-ahead log where it lies")


def begin_write(connection: Connection, *, timeout_seconds: float) -> None:
    """Start a transaction that holds SQLite's one write lock, waiting for it at most `timeout_seconds`.

    A plain BEGIN would take the lock at its first write, and fail there at once if another process wrote meanwhile.
    """
    _execute_when_free(connection, "BEGIN IMMEDIATE", timeout_seconds=timeout_seconds)


def error_name(error: SQLAlchemyError) -> str:
    """A name for what went wrong that holds nothing of a statement or its values, such as `SQLITE_FULL`."""
    if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorname", None) or type(error.orig).__name__
    return type(error).__name__


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn the database's errors into `RecordUnavailableError`; `doing` begins its text."""
    try:
        yield
    except SQLAlchemyError as error:
        raise RecordUnavailableError(f"{doing}: {error_name(error)}") from None


def _execute_when_free(connection: Connection, statement: str, *, timeout_seconds: float) -> CursorResult[Any]:
    """Execute a statement, again while another process holds the lock that it needs.

    SQLite's own waiting sleeps up to 100 ms between tries, while busy processes overtake: measured with two, the
    longest append took 230 to 630 ms, and 25 ms this way.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            return connection.exec_driver_sql(statement)
        except DBAPIError as error:
            remaining = deadline - time.monotonic()
            # Also SQLITE_BUSY_RECOVERY: another process that starts reads the write-ahead log of one that died.
            if not error_name(error).startswith("SQLITE_BUSY") or remaining <= 0:
                raise
        time.sleep(min(_PAUSE_SECONDS, remaining))


def database_file(url: str) -> Path:
    """The file of a SQLite URL. Raises `SettingsError` for a URL that names none."""
    return Path(str(_file_url(url).database).removeprefix("file:").partition("?")[0])


def _file_url(url: str) -> Any:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingsError("the database URL is not a URL; write sqlite:////path/to/decisions.db") from None
    in_memory = not parsed.database or ":memory:" in parsed.database or parsed.query.get("mode") == "memory"
    if parsed.get_backend_name() != "sqlite" or in_memory:
        raise SettingsError("the decision log needs a SQLite file; write sqlite:////path/to/decisions.db")
    return parsed


def _on_connect(engine: Engine, *statements: str) -> None:
    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so, not where the driver guesses
        for statement in statements:
            connection.execute(statement)
