"""PostgreSQL: made by `ecs-admission log migrate`, used through roles that cannot change what is written."""

from __future__ import annotations

import hashlib
import math
import select
import threading
import time
from functools import cache
from typing import Any, Final, TypeVar, cast

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import BigInteger, LargeBinary, Table, Text, create_engine, event
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from ecs_admission.decision_log import schema
from ecs_admission.decision_log.database import READERS, Rows
from ecs_admission.errors import SettingsError

_Result = TypeVar("_Result")

_INTERVAL_SECONDS: Final = 0.1
"""How often a wait looks whether a signal came: psycopg's own choice."""

_GRACE_SECONDS: Final = 1.0
"""How much later than ours the server's own timeout comes. It clears up after a client that has gone away. Before
ours it could break off a commit that waits for a standby, which PostgreSQL then reports as done."""

_DURABILITY: Final = """
SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
       current_setting('server_encoding') AS server_encoding,
       ARRAY(SELECT relname::text FROM pg_class WHERE relpersistence <> 'p' AND oid IN
             (to_regclass('writers'), to_regclass('entries'), to_regclass('bodies'), to_regclass('digests'))
       ) AS lost_in_a_crash
"""

_MAY_INSERT: Final = """
SELECT bool_and(has_table_privilege(name, 'INSERT')) FROM unnest(ARRAY['writers', 'entries', 'bodies', 'entry_terms'])
       AS name
"""

_ARRAYS: Final = {Text: "%s::text[]", BigInteger: "%s::bigint[]", LargeBinary: "%b::bytea[]"}
"""Parameters for all values of a column. Bytes go as they are: as text they would be twice as long."""


class WaitTimeoutError(psycopg.OperationalError):
    """The server did not answer inside the deadline."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection whose every wait for the server ends at `deadline`, also where that says nothing at all.

    The server's own timeouts do not help when it is stopped, or when a network loses what it sends.
    """

    deadline = math.inf

    def wait(
        self, gen: PQGen[_Result], interval: float = _INTERVAL_SECONDS, timeout: float | None = None
    ) -> _Result:  # fmt: skip
        """See `psycopg.Connection`. What was asked for may still happen, so the connection is of no more use."""
        remaining = max(0.0, self.deadline - time.monotonic())
        bound = remaining if timeout is None else min(timeout, remaining)
        try:
            return super().wait(gen, interval, None if bound == math.inf else bound)
        except psycopg.errors._WaitTimeout:
            self.pgconn.finish()
            raise WaitTimeoutError("the server did not answer inside the deadline") from None


class PostgreSQL:
    """See `Database`. One process makes one for writing, whose `connect` one thread calls at a time."""

    def __init__(self, url: URL) -> None:
        self._url = url.set(drivername="postgresql+psycopg")
        self._connect_deadline = math.inf

    def prepare(self, *, deadline: float) -> None:
        """See `Database`. The schema is the owner's to make, with `ecs-admission log migrate`."""
        engine = self.write_engine()
        with self.connect(engine, deadline=deadline) as connection:
            schema.check_version(connection)
            if not connection.exec_driver_sql(_MAY_INSERT).scalar_one():
                raise SettingsError(
                    "the role of the database URL may not insert; `ecs-admission log migrate` grants it"
                )

    def write_engine(self) -> Engine:
        """See `Database`."""
        engine = self._engine(lambda: self._connect_deadline, poolclass=NullPool)
        event.listen(engine, "connect", lambda connection, _: _use_explicit_transactions(connection))
        return engine

    def connect(self, engine: Engine, *, deadline: float) -> Connection:
        """See `Database`. Checked each time: the server may have come back with other settings."""
        self._connect_deadline = deadline
        connection = engine.connect()
        try:
            _insist_on_durability(connection)
        except (SQLAlchemyError, SettingsError):
            connection.close()
            raise
        return connection

    def is_lost(self, connection: Connection) -> bool:
        """See `Database`."""
        return _has_hung_up(_driver(connection))

    def begin(self, connection: Connection, writer: str, *, deadline: float) -> None:
        """See `Database`. One message, whatever the role, the database or the server is set to.

        The lock is the writer's own, and is let go of when a transaction's end can be seen by others. So who holds it
        can tell what became of a commit whose answer was lost, even one that the server was still busy with.
        """
        _driver(connection).deadline = deadline
        bound = math.ceil((max(0.0, deadline - time.monotonic()) + _GRACE_SECONDS) * 1000)
        connection.exec_driver_sql(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = on; "
            f"SET LOCAL statement_timeout = {bound}; SELECT pg_advisory_xact_lock({writer_lock(writer)})",
            execution_options={"no_parameters": True},  # with parameters, even none, it may be one statement only
        )

    def insert(self, connection: Connection, rows: Rows) -> None:
        """See `Database`. One statement for all tables, each of whose columns is one parameter: one way to the server
        and back, and one text to prepare, however many rows there are.
        """
        parameters: list[list[Any]] = []
        for table, values in rows.items():
            parameters += map(list, zip(*values, strict=True)) if values else [[] for _ in table.columns]
        connection.exec_driver_sql(_insertion(tuple(rows)), tuple(parameters))

    def read_engine(self, *, timeout_seconds: float) -> Engine:
        """See `Database`."""

        def deadline() -> float:
            return time.monotonic() + timeout_seconds

        engine = self._engine(
            deadline,
            poolclass=QueuePool,
            pool_size=READERS,
            max_overflow=READERS,
            pool_timeout=timeout_seconds,
            isolation_level="AUTOCOMMIT",
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: BoundedConnection, _record: Any) -> None:
            _use_explicit_transactions(connection)
            connection.execute("SET default_transaction_read_only = on")
            connection.execute("SET jit = off")  # a page takes a few milliseconds, and compiling its query 300
            # Nor is a page worth starting other processes for, which take longer than it and all processors.
            connection.execute("SET max_parallel_workers_per_gather = 0")
            bound = math.ceil((timeout_seconds + _GRACE_SECONDS) * 1000)
            connection.execute(f"SET statement_timeout = {bound}".encode())

        @event.listens_for(engine, "checkout")
        def check(connection: BoundedConnection, _record: Any, _proxy: Any) -> None:
            if _has_hung_up(connection):
                raise DisconnectionError  # the pool opens another
            connection.deadline = deadline()

        return engine

    def _engine(self, deadline: Any, **options: Any) -> Engine:
        engine = create_engine(self._url, hide_parameters=True, use_native_hstore=False, **options)

        @event.listens_for(engine, "do_connect")
        def connect(
            _dialect: Any, _record: Any, arguments: Any, parameters: dict[str, Any]
        ) -> BoundedConnection:  # fmt: skip
            return _Attempt(arguments, parameters).connection(deadline=deadline())

        return engine


@cache
def _insertion(tables: tuple[Table, ...]) -> str:
    parts = []
    for table in tables:
        columns = ", ".join(f'"{column.name}"' for column in table.columns)
        arrays = ", ".join(_ARRAYS[type(column.type)] for column in table.columns)
        parts.append(f"INSERT INTO {table.name} ({columns}) SELECT * FROM unnest({arrays})")  # noqa: S608 - of ours
    first = ", ".join(f"into_{table.name} AS ({part})" for table, part in zip(tables, parts[:-1], strict=False))
    return f"WITH {first} {parts[-1]}" if first else parts[-1]


def writer_lock(writer: str) -> int:
    """The number of a writer's advisory lock. Two writers with one number would wait for each other, no more."""
    return int.from_bytes(hashlib.sha256(writer.encode()).digest()[:8], signed=True)


class _Attempt(threading.Thread):
    """Connects in a thread of its own: resolving a name and connecting know no deadline as short as ours may be."""

    def __init__(self, arguments: Any, parameters: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self._arguments = arguments
        self._parameters = parameters
        self._lock = threading.Lock()
        self._is_late = False
        self._outcome: BoundedConnection | psycopg.Error | None = None

    def connection(self, *, deadline: float) -> BoundedConnection:
        """What comes of it until the deadline, which the connection then has. Raises psycopg's errors."""
        self.start()
        self.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            self._is_late = self._outcome is None
        if isinstance(self._outcome, BoundedConnection):
            self._outcome.deadline = deadline
            return self._outcome
        raise self._outcome or psycopg.errors.ConnectionTimeout("no connection inside the deadline")

    def run(self) -> None:
        """See `threading.Thread`."""
        try:
            outcome: BoundedConnection | psycopg.Error = BoundedConnection.connect(*self._arguments, **self._parameters)
        except psycopg.Error as error:
            outcome = error
        with self._lock:
            self._outcome = outcome
        if self._is_late and isinstance(outcome, BoundedConnection):
            outcome.close()


def _insist_on_durability(connection: Connection) -> None:
    found = connection.exec_driver_sql(_DURABILITY).one()
    connection.rollback()
    problems = [f"{name} = off" for name in ("fsync", "full_page_writes") if getattr(found, name) != "on"]
    problems += [f"table {name} is not logged" for name in found.lost_in_a_crash]
    if found.server_encoding != "UTF8":
        problems.append("the encoding of the database is not UTF8")
    if problems:
        raise SettingsError(f"PostgreSQL would lose or refuse decisions: {'; '.join(problems)}")


def _use_explicit_transactions(connection: BoundedConnection) -> None:
    connection.autocommit = True  # transactions begin where we say so, in one message with all that they need


def _driver(connection: Connection) -> BoundedConnection:
    return cast(BoundedConnection, connection.connection.driver_connection)


def _has_hung_up(connection: BoundedConnection) -> bool:
    """Whether an idle connection has something to read, which is its end: it was asked for nothing."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
