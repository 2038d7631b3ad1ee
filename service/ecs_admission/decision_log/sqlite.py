"""SQLite: one file, one write lock, and commits as durable as it makes them."""

from __future__ import annotations

import sqlite3
import time
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Table, create_engine, event
from sqlalchemy.engine import URL, Connection, CursorResult, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from ecs_admission.decision_log import schema
from ecs_admission.decision_log.database import READERS, Rows, error_name
from ecs_admission.errors import SettingsError

_PAUSE_SECONDS: Final = 0.001
"""Between two tries for a lock: a commit takes 0.2 to 0.5 ms where the disk is good."""


class SQLite:
    """See `Database`. Raises `SettingsError` for a URL that names no file."""

    def __init__(self, url: URL) -> None:
        if not url.database or ":memory:" in url.database or url.query.get("mode") == "memory":
            raise SettingsError("the decision log needs a SQLite file; write sqlite:////path/to/decisions.db")
        self._url = url
        self.file = Path(url.database.removeprefix("file:").partition("?")[0])

    def prepare(self, *, deadline: float) -> None:
        """See `Database`. The service makes the file and its tables itself."""
        engine = self.write_engine()
        with self.connect(engine, deadline=deadline) as connection:
            # Makes readers and the writer independent of each other; SQLite keeps the setting in the file. Of processes
            # that make one database at the same time it tells all but one, without waiting, that it is busy.
            mode = _execute_when_free(connection, "PRAGMA journal_mode = WAL", deadline=deadline).scalar_one()
            connection.rollback()
            if mode != "wal":  # as on most file systems that go over a network
                raise SettingsError("the decision log's database cannot use a write-ahead log where it lies")
            with connection.begin():
                self.begin(connection, "", deadline=deadline)
                schema.create_missing(connection)

    def write_engine(self) -> Engine:
        """See `Database`."""
        engine = create_engine(
            self._url,
            poolclass=NullPool,
            connect_args={"timeout": 0, "check_same_thread": False},  # we wait ourselves, see `_execute_when_free`
            hide_parameters=True,
        )
        _on_connect(engine)
        return engine

    def connect(self, engine: Engine, *, deadline: float) -> Connection:
        """See `Database`."""
        connection = engine.connect()
        # FULL: each commit is fsynced, also with a write-ahead log. On macOS fsync alone leaves data in the drive's
        # cache, https://sqlite.org/pragma.html#pragma_fullfsync; elsewhere that pragma does nothing.
        _execute_when_free(connection, "PRAGMA synchronous = FULL", deadline=deadline)
        _execute_when_free(connection, "PRAGMA fullfsync = ON", deadline=deadline)
        connection.rollback()
        return connection

    def is_lost(self, _connection: Connection) -> bool:
        """See `Database`: a file does not go away."""
        return False

    def begin(self, connection: Connection, _writer: str, *, deadline: float) -> None:
        """See `Database`: with SQLite's one write lock nobody else writes either.

        A plain BEGIN would take the lock at its first write, and fail there at once if another process wrote meanwhile.
        """
        _execute_when_free(connection, "BEGIN IMMEDIATE", deadline=deadline)

    def insert(self, connection: Connection, rows: Rows) -> None:
        """See `Database`. Straight to the driver: SQLAlchemy's way there costs a tenth of a whole append."""
        driver: Any = connection.connection.driver_connection
        try:
            for table, values in rows.items():
                if values:
                    driver.executemany(_insertion(table), values)
        except sqlite3.Error as error:
            raise DBAPIError(None, None, error, hide_parameters=True) from None

    def read_engine(self, *, timeout_seconds: float) -> Engine:
        """See `Database`. The timeout bounds each wait for a lock. Raises `SettingsError` when there is no file."""
        # SQLite would make an empty database, and an auditor would read in it that nothing was ever decided.
        if not str(self._url.database).startswith("file:") and not self.file.is_file():
            raise SettingsError("there is no decision log at the database URL")
        engine = create_engine(
            self._url,
            poolclass=QueuePool,
            pool_size=READERS,
            max_overflow=READERS,
            pool_timeout=timeout_seconds,
            connect_args={"timeout": timeout_seconds, "check_same_thread": False},
            hide_parameters=True,
        )
        _on_connect(engine, "PRAGMA query_only = ON")
        return engine


@cache
def _insertion(table: Table) -> str:
    return f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(table.columns))})"  # noqa: S608 - a table of ours


def _execute_when_free(connection: Connection, statement: str, *, deadline: float) -> CursorResult[Any]:
    """Execute a statement, again while another process holds the lock that it needs.

    SQLite's own waiting sleeps up to 100 ms between tries, while busy processes overtake: measured with two, the
    longest append took 230 to 630 ms, and 25 ms this way.
    """
    while True:
        try:
            return connection.exec_driver_sql(statement)
        except DBAPIError as error:
            remaining = deadline - time.monotonic()
            # Also SQLITE_BUSY_RECOVERY: another process that starts reads the write-ahead log of one that died.
            if not error_name(error).startswith("SQLITE_BUSY") or remaining <= 0:
                raise
        time.sleep(min(_PAUSE_SECONDS, remaining))


def _on_connect(engine: Engine, *statements: str) -> None:
    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so, not where the driver guesses
        for statement in statements:
            connection.execute(statement)
