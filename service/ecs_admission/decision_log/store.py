"""Appending to the decision log: when `append` returns, the entry is on the disk."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any, Self

from sqlalchemy import Table, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from ecs_admission.decision_log import schema
from ecs_admission.decision_log.certificates import Writer
from ecs_admission.decision_log.chain import Entry, Head, seal_all
from ecs_admission.decision_log.commit_queue import CommitQueue, Ticket
from ecs_admission.decision_log.connections import database_at
from ecs_admission.decision_log.database import Database, error_name, opening
from ecs_admission.decision_log.entries import EntryDraft
from ecs_admission.decision_log.inventory import inventory_id
from ecs_admission.decision_log.keys import SigningKey
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.terms import term_values
from ecs_admission.errors import AdmissionError, RecordUnavailableError


def check_database(url: str, *, timeout_seconds: float, read_url: str | None = None) -> None:
    """What can be found out before the first writer starts; SQLite's file and tables are made, too.

    Raises `SettingsError` for a database that cannot keep the log, `RecordUnavailableError` when it does not work now.
    """
    _prepare(url, timeout_seconds)
    LogReader.open(read_url or url, timeout_seconds=timeout_seconds).close()


def _prepare(url: str, timeout_seconds: float) -> None:
    with opening():
        database_at(url).prepare(deadline=time.monotonic() + timeout_seconds)


class DecisionLog:
    """One process's writer: its own chain and key, one connection, any number of threads.

    Made after fork. `reader` answers queries on connections of its own.
    """

    def __init__(self, database: Database, *, writer: Writer, reader: LogReader) -> None:
        self.reader = reader
        self._database = database
        self._engine = database.write_engine()
        self._connection: Connection | None = None
        self._writer = writer
        # The chain's end is ours to know, not the database's to tell: who may insert could put a row there.
        self._head = Head()
        self._doubtful: Head | None = None  # the end that a commit has made whose outcome is not known
        self._queue = CommitQueue()
        self._process = os.getpid()

    @classmethod
    def open(
        cls,
        url: str,
        *,
        writer: str,
        start: EntryDraft,
        log_key: SigningKey,
        timeout_seconds: float,
        read_url: str | None = None,
    ) -> Self:
        """Open the log at `url`, make what is missing where that is a SQLite file, and append `start`.

        `writer` is new with each start of a process, `start` the `node_start` that its chain begins with. `log_key`
        certifies the writer and is not kept. `read_url` is that of queries, where another role makes them.
        `timeout_seconds` bounds each wait, here and in queries. Raises `SettingsError` for a database that cannot be
        used and `RecordUnavailableError` when it does not work.
        """
        certified = Writer.certified(writer, time_us=start.document["time"], log_key=log_key)
        _prepare(url, timeout_seconds)
        reader = LogReader.open(read_url or url, timeout_seconds=timeout_seconds)
        log = cls(database_at(url), writer=certified, reader=reader)
        try:
            log.append(start, deadline_seconds=timeout_seconds)
        except RecordUnavailableError:
            log.close()
            raise
        return log

    @property
    def writer(self) -> str:
        """The name of this process in the log."""
        return self._writer.writer

    def append(self, draft: EntryDraft, *, deadline_seconds: float) -> Entry:
        """Write a draft as the next entry of this writer's chain, and return it when it is durable.

        Raises `RecordUnavailableError` when it is not durable after `deadline_seconds`, and when the database
        refuses; the entry is then either not in the log or, if its commit was already under way, was never answered.
        The deadline bounds every wait for a lock and for PostgreSQL; a disk that hangs inside SQLite's fsync it cannot
        interrupt.
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
            self._settle(connection)
        except SQLAlchemyError as error:
            own.failure = f"the decision log cannot be written: {error_name(error)}"
        except AdmissionError as error:
            own.failure = str(error)
        if own.failure is not None:
            self._disconnect()
            return
        is_over = False
        try:
            self._write(connection, self._queue.take(), deadline)
            is_over = True
        finally:
            if not is_over:  # something broke that is not the database
                self._disconnect()

    def _write(self, connection: Connection, batch: list[Ticket], deadline: float) -> None:
        try:
            entries, head = seal_all([ticket.draft for ticket in batch], self._writer, self._head)
            self._insert(connection, entries, batch)
        except SQLAlchemyError as error:
            self._fail(batch, f"the decision log did not take the entry: {error_name(error)}")
            return
        self._doubtful = head
        try:
            connection.commit()
        except SQLAlchemyError as error:
            failure = f"the decision log did not commit the entry: {error_name(error)}"
            self._disconnect()
            if not self._is_stored(head, deadline):
                self._fail(batch, failure)
                return
        self._head, self._doubtful = head, None
        for ticket, entry in zip(batch, entries, strict=True):
            ticket.entry = entry

    def _begin(self, deadline: float) -> Connection:
        if self._connection is not None and self._database.is_lost(self._connection):
            self._disconnect()  # nothing was under way, so nobody need hear of it
        if self._connection is None:
            self._connection = self._database.connect(self._engine, deadline=deadline)
        self._database.begin(self._connection, self.writer, deadline=deadline)
        return self._connection

    def _settle(self, connection: Connection) -> None:
        """Find out, in a transaction that has begun, what became of a commit that raised.

        Raises `RecordUnavailableError` when the chain has an end that we did not make. This writer is then finished:
        to write after a forged entry would be to vouch for it.
        """
        if self._doubtful is None:
            return
        stored = self._stored_head(connection)
        if stored not in (self._head, self._doubtful):
            raise RecordUnavailableError("somebody else has written into this writer's chain of the decision log")
        self._head, self._doubtful = stored, None

    def _is_stored(self, head: Head, deadline: float) -> bool:
        """Whether a commit that raised has happened all the same. A transaction is whole, so the chain's end tells."""
        try:
            connection = self._begin(deadline)
            self._settle(connection)
            connection.rollback()
        except (SQLAlchemyError, AdmissionError):
            self._disconnect()
            return False
        return self._head == head

    def _stored_head(self, connection: Connection) -> Head:
        last = connection.execute(
            select(schema.entries.c.sequence, schema.entries.c.hash)
            .where(schema.entries.c.writer == self.writer)
            .order_by(schema.entries.c.sequence.desc())
            .limit(1)
        ).first()
        return Head() if last is None else Head(next_sequence=last.sequence + 1, hash=last.hash)

    def _insert(self, connection: Connection, entries: list[Entry], batch: list[Ticket]) -> None:
        drafts = [ticket.draft for ticket in batch]
        rows: dict[Table, list[tuple[Any, ...]]] = {
            schema.entries: [schema.entry_values(entry) for entry in entries],
            schema.bodies: [values for draft in drafts for values in _body_values(draft)],
            schema.entry_terms: [values for draft in drafts for values in term_values(draft)],
        }
        if entries[0].sequence == 0:
            rows[schema.writers] = [schema.writer_values(self._writer.certificate)]
        self._database.insert(connection, rows)

    def _fail(self, batch: list[Ticket], failure: str) -> None:
        self._disconnect()
        for ticket in batch:
            ticket.failure = failure

    def _disconnect(self) -> None:
        """Give up the connection with whatever it holds, without waiting for the database."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


def _body_values(draft: EntryDraft) -> Iterator[tuple[Any, ...]]:
    if draft.body is not None:
        yield draft.id, draft.body, draft.document["body"]
    if draft.inventory is not None:
        yield inventory_id(draft.id), draft.inventory, draft.document["inventory"]
