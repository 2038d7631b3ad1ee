"""What tests do with a database besides what the log does: look into it, tamper with it and hold it up."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg
from sqlalchemy import Executable, create_engine, text
from sqlalchemy.engine import Engine, Row

from ecs_admission.decision_log import schema
from ecs_admission.decision_log.postgresql import writer_lock

from .postgresql_server import OWNER, READER, SEALER, WRITER, PostgreSQLServer


class LogDatabase(Protocol):
    """A database that a log may be opened in. `url` is that of the service, `read_url` that of queries.

    `seal_url` is that of the sealer, `owner_url` that of whoever drops bodies.
    """

    url: str
    read_url: str
    seal_url: str
    owner_url: str
    names: dict[str, str]
    """How the database names what goes wrong: `busy`, `duplicate`, `readonly` and `missing`."""

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What another program reads."""

    def tamper(self, *statements: Executable | str) -> None:
        """What somebody with every right and no respect does."""

    def held_up(self, writer: str) -> Any:
        """A context in which a writer gets no transaction."""

    def close(self) -> None:
        """Let go of it."""


class _Owned:
    """What both have: an engine of somebody who may do everything."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """See `LogDatabase`."""
        with self.engine.connect() as connection:
            found: list[Row[Any]] = list(connection.execute(text(statement)).all())
        return [tuple(bytes(cell) if isinstance(cell, memoryview) else cell for cell in row) for row in found]

    def tamper(self, *statements: Executable | str) -> None:
        """See `LogDatabase`."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement) if isinstance(statement, str) else statement)

    def close(self) -> None:
        """See `LogDatabase`."""
        self.engine.dispose()


class SQLiteLog(_Owned):
    """A file, which everybody who can reach it owns."""

    names = {  # noqa: RUF012 - of the protocol
        "busy": "SQLITE_BUSY",
        "duplicate": "SQLITE_CONSTRAINT",
        "readonly": "SQLITE_READONLY",
        "missing": "OperationalError",
    }

    def __init__(self, file: Path) -> None:
        self.file = file
        self.url = self.read_url = self.seal_url = self.owner_url = f"sqlite:///{file}"
        super().__init__(create_engine(self.url))

    @contextmanager
    def held_up(self, _writer: str) -> Iterator[None]:
        """See `LogDatabase`. With a write-ahead log EXCLUSIVE is IMMEDIATE: readers go on."""
        with closing(sqlite3.connect(self.file, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield
            other.execute("ROLLBACK")


class PostgreSQLLog(_Owned):
    """A database with a role for each: who writes, who reads, and who owns it."""

    names = {  # noqa: RUF012 - of the protocol
        "busy": "WaitTimeoutError",
        "duplicate": "UniqueViolation",
        "readonly": "ReadOnlySqlTransaction",
        "missing": "UndefinedTable",
    }

    def __init__(self, server: PostgreSQLServer, name: str) -> None:
        self.server = server
        self.name = name
        self.url, self.read_url, self.seal_url, self.owner_url = (
            server.url(role, name) for role in (WRITER, READER, SEALER, OWNER)
        )
        self._is_spoilt = False
        super().__init__(create_engine(self.owner_url, use_native_hstore=False))

    def tamper(self, *statements: Executable | str) -> None:
        """See `LogDatabase`."""
        self._is_spoilt |= any(re.match("ALTER|DROP|CREATE|REVOKE|UPDATE alembic", str(each)) for each in statements)
        super().tamper(*statements)

    def close(self) -> None:
        """See `LogDatabase`. The next test has the database if it is as it was."""
        if not self._is_spoilt:
            filled = schema.metadata.tables.keys() - {schema.alembic_version.name}
            self.tamper(f"TRUNCATE {', '.join(sorted(filled))}")
            self.server.clean.append(self.name)
        super().close()

    @contextmanager
    def held_up(self, writer: str) -> Iterator[None]:
        """See `LogDatabase`."""
        with psycopg.connect(self.owner_url, autocommit=True) as other:
            other.execute("SELECT pg_advisory_lock(%s)", [writer_lock(writer)])
            yield
