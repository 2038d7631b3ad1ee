"""What the log needs of a database, and the reading of its errors. SQLite and PostgreSQL implement it.

A deadline is of `time.monotonic`. Whatever waits for the database ends there, so that no request is held longer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol, TypeAlias

from sqlalchemy import Table
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ecs_admission.errors import RecordUnavailableError, SettingsError

READERS: Final = 4
"""Read connections kept open by one process; as many again are opened when these are busy."""

Rows: TypeAlias = Mapping[Table, Sequence[tuple[Any, ...]]]
"""Rows of some tables, each with all of its columns in their order."""


class Database(Protocol):
    """Where a log lies: all in which its two databases differ.

    Methods raise SQLAlchemy's errors, and `SettingsError` for a database that cannot keep the log as it is set up.
    """

    def prepare(self, *, deadline: float) -> None:
        """Make sure that there is a log of our schema that loses no commit, before the first writer comes."""

    def write_engine(self) -> Engine:
        """An engine for the one connection through which a process writes; see `connect`."""

    def connect(self, engine: Engine, *, deadline: float) -> Connection:
        """A connection of a `write_engine` whose every commit waits for the disk."""

    def is_lost(self, connection: Connection) -> bool:
        """Whether the database has gone away since the connection was last used, as far as can be told at once."""

    def begin(self, connection: Connection, writer: str, *, deadline: float) -> None:
        """Start a transaction in which this writer alone writes; all that it began before are then over.

        The deadline holds until the transaction ends.
        """

    def insert(self, connection: Connection, rows: Rows) -> None:
        """Insert rows in a transaction that has begun, with as little between us and the database as there can be."""

    def read_engine(self, *, timeout_seconds: float) -> Engine:
        """An engine for many threads whose connections cannot write, each used for at most that long."""


def error_name(error: SQLAlchemyError) -> str:
    """A name for what went wrong that holds nothing of a statement or its values: `SQLITE_FULL`, `DiskFull`."""
    if not isinstance(error, DBAPIError) or error.orig is None:
        return type(error).__name__
    if isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorname", None) or type(error.orig).__name__
    return type(error.orig).__name__


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn the database's errors into `RecordUnavailableError`; `doing` begins its text."""
    try:
        yield
    except SQLAlchemyError as error:
        raise RecordUnavailableError(f"{doing}: {error_name(error)}") from None


@contextmanager
def opening() -> Iterator[None]:
    """The same while a log is opened, where a role that may not do its work is a matter of settings."""
    try:
        yield
    except SQLAlchemyError as error:
        if (name := error_name(error)) == "InsufficientPrivilege":
            raise SettingsError(
                "the role of a database URL may not use the decision log; grant with `ecs-admission log migrate`"
            ) from None
        raise RecordUnavailableError(f"the decision log cannot be opened: {name}") from None
