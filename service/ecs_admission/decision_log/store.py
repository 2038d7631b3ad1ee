"""Appending to the decision log: when `append` returns, the entry is on the disk."""

from __future__ import annotations

import os
import time
from typing import Any, Self

from sqlalchemy import Table, insert, select
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from ecs_admission.decision_log import schema
from ecs_admission.decision_log.chain import MAX_WRITER_LENGTH, Entry, Head, seal_all
from ecs_admission.decision_log.commit_queue import CommitQueue, Ticket
from ecs_admission.decision_log.connections import (
    begin_write,
    error_name,
    insist_on_durability,
    translated,
    use_write_ahead_log,
    write_engine,
)
from ecs_admission.decision_log.entries import EntryDraft
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.errors import RecordUnavailableError


class DecisionLog:
    """One process's writer: its own chain, one connection, any number of threads.

    Made after fork. `reader` answers queries on connections of its own.
    """

    def __init__(self, engine: Engine, *, writer: str, reader: LogReader) -> None:
        self.writer = writer
        self.reader = reader
        self._engine = engine
        self._connection: Connection | None = None
        self._head: Head | None = None  # None: unknown, to be read before the next entry
        self._queue = CommitQueue()
        self._process = os.getpid()
        self._insert_entries = _InsertStatement(schema.entries, engine)
        self._insert_bodies = _InsertStatement(schema.bodies, engine)

    @classmethod
    def open(cls, url: str, *, writer: str, start: EntryDraft, timeout_seconds: float) -> Self:
        """Open the log at `url` (`sqlite:////path/to/file`), make what is missing, and append `start`.

        `writer` is new with each start of a process, `start` the `node_start` that its chain begins with.
        `timeout_seconds` bounds each wait for a lock, here and in queries. Raises `SettingsError` for a URL that
        cannot be used and `RecordUnavailableError` when the database does not work.
        """
        if not 1 <= len(writer) <= MAX_WRITER_LENGTH:
            raise ValueError(f"a writer's name has 1 to {MAX_WRITER_LENGTH} characters")
        engine = write_engine(url)
        with translated("the decision log cannot be opened"), engine.connect() as connection:
            insist_on_durability(connection, timeout_seconds=timeout_seconds)
            use_write_ahead_log(connection, timeout_seconds=timeout_seconds)
            with connection.begin():
                begin_write(connection, timeout_seconds=timeout_seconds)
                schema.create_missing(connection)
        log = cls(engine, writer=writer, reader=LogReader.open(url, timeout_seconds=timeout_seconds))
        try:
            log.append(start, deadline_seconds=timeout_seconds)
        except RecordUnavailableError:
            log.close()
            raise
        return log

    def append(self, draft: EntryDraft, *, deadline_seconds: float) -> Entry:
        """Write a draft as the next entry of this writer's chain, and return it when it is durable.

        Raises `RecordUnavailableError` when it is not durable after `deadline_seconds`, and when the database
        refuses; the entry is then either not in the log or, if its commit was already under way, was never answered.
        The deadline bounds every wait for a lock; a disk that hangs inside an fsync it cannot interrupt.
        """
        if os.getpid() != self._process:
            raise RecordUnavailableError("the decision log was opened before this process was forked")
        ticket = Ticket(draft)
        deadline = time.monotonic() + deadline_seconds
        if self._queue.join(ticket, deadline=deadline):
            try:
                self._lead(ticket, deadline)
            finally:
                self._queue.leave(ticket)
        if ticket.entry is None:
            # Here and not where the database raised: its exception holds the values of the statement.
            raise RecordUnavailableError(ticket.failure or "the decision log did not take the entry")
        return ticket.entry

    def close(self, *, stop: EntryDraft | None = None, deadline_seconds: float = 1.0) -> None:
        """Append `stop`, a `node_stop`, if given, and close every connection. Raises as `append`, closed anyway."""
        try:
            if stop is not None:
                self.append(stop, deadline_seconds=deadline_seconds)
        finally:
            self._disconnect()
            self._engine.dispose()
            self.reader.close()

    def _lead(self, own: Ticket, deadline: float) -> None:
        """Commit all that waits. If no transaction can be had only `own` fails: others have later deadlines."""
        try:
            connection = self._begin(deadline)
        except SQLAlchemyError as error:
            own.failure = f"the decision log cannot be written: {error_name(error)}"
            self._disconnect()
            return
        try:
            self._write(connection, self._queue.take())
        finally:
            connection.rollback()  # nothing is open here, unless something broke that is not the database

    def _write(self, connection: Connection, batch: list[Ticket]) -> None:
        try:
            head = self._head or self._stored_head(connection)
            entries, head = seal_all([ticket.draft for ticket in batch], self.writer, head)
            self._insert(connection, entries, batch)
        except SQLAlchemyError as error:
            self._fail(batch, f"the decision log did not take the entry: {error_name(error)}")
            return
        self._commit(connection, batch, entries, head)

    def _commit(self, connection: Connection, batch: list[Ticket], entries: list[Entry], head: Head) -> None:
        try:
            connection.commit()
        except SQLAlchemyError as error:
            failure = f"the decision log did not commit the entry: {error_name(error)}"
            self._disconnect()
            if not self._is_stored(entries[-1]):
                self._fail(batch, failure)
                return
        self._head = head
        for ticket, entry in zip(batch, entries, strict=True):
            ticket.entry = entry

    def _begin(self, deadline: float) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
            insist_on_durability(self._connection, timeout_seconds=deadline - time.monotonic())
        begin_write(self._connection, timeout_seconds=deadline - time.monotonic())
        return self._connection

    def _stored_head(self, connection: Connection) -> Head:
        last = connection.execute(
            select(schema.entries.c.sequence, schema.entries.c.hash)
            .where(schema.entries.c.writer == self.writer)
            .order_by(schema.entries.c.sequence.desc())
            .limit(1)
        ).first()
        return Head() if last is None else Head(next_sequence=last.sequence + 1, hash=last.hash)

    def _insert(self, connection: Connection, entries: list[Entry], batch: list[Ticket]) -> None:
        self._insert_entries.execute(connection, [schema.entry_row(entry) for entry in entries])
        with_body = [
            {"id": ticket.draft.id, "bytes": ticket.draft.body, "sha256": ticket.draft.document["body"]}
            for ticket in batch
            if ticket.draft.body is not None
        ]
        if with_body:
            self._insert_bodies.execute(connection, with_body)

    def _is_stored(self, entry: Entry) -> bool:
        """Whether a commit that raised has happened all the same. A transaction is whole, so its last row tells."""
        try:
            return self.reader.stored_hash(entry.writer, entry.sequence) == entry.hash
        except RecordUnavailableError:
            return False

    def _fail(self, batch: list[Ticket], failure: str) -> None:
        self._disconnect()
        for ticket in batch:
            ticket.failure = failure

    def _disconnect(self) -> None:
        """Give up the connection with whatever it holds, and all we believe about the chain's end."""
        connection, self._connection, self._head = self._connection, None, None
        if connection is None:
            return
        try:
            connection.close()
        except SQLAlchemyError:
            connection.invalidate()


class _InsertStatement:
    """An INSERT compiled once: going through Core each time costs a sixth of a whole append."""

    def __init__(self, table: Table, engine: Engine) -> None:
        self._text = str(insert(table).compile(dialect=engine.dialect))
        self._names = tuple(table.columns.keys())  # an INSERT without values names all columns in this order

    def execute(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        connection.exec_driver_sql(self._text, [tuple(row[name] for name in self._names) for row in rows])
