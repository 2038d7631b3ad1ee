"""What is PostgreSQL's own: durability, deadlines, lost connections and roles."""

from __future__ import annotations

import signal
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from ecs_admission.decision_log.connections import database_at
from ecs_admission.decision_log.database import error_name
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.store import DecisionLog, check_database
from ecs_admission.decision_log.verify import Evidence, verify_log
from ecs_admission.errors import RecordUnavailableError, SettingsError

from .conftest import LOG_KEY, LogOpener, make_draft
from .databases import PostgreSQLLog
from .postgresql_proxy import Fault, PostgreSQLProxy
from .postgresql_server import OWNER, PATIENCE_SECONDS, WRITER, PostgreSQLServer

GENEROUS_SECONDS = 5.0
"""Beyond any deadline that is set here, and far below what a hang would take."""


CONNECTED = "SELECT usename::text FROM pg_stat_activity WHERE datname = current_database()"


@pytest.fixture
def log(open_database: LogOpener, postgresql: PostgreSQLLog) -> DecisionLog:
    return open_database(postgresql)


@pytest.fixture
def proxied(open_database: LogOpener, postgresql: PostgreSQLLog, proxy: PostgreSQLProxy) -> DecisionLog:
    """A log whose writer, not its reader, connects through the proxy."""
    return open_database(postgresql, url=postgresql.server.url(WRITER, postgresql.name, proxy.folder))


def is_whole(log: DecisionLog) -> bool:
    return verify_log(log.reader, Evidence([LOG_KEY.public])).problems == ()


def stored_ids(postgresql: PostgreSQLLog) -> set[str]:
    return {name for (name,) in postgresql.rows("SELECT id FROM entries WHERE kind = 'decision'")}


def waits_for_lock(postgresql: PostgreSQLLog, kind: str) -> bool:
    """Whether a process of the server waits for a lock in the database of the test."""
    waiting = postgresql.rows(
        "SELECT locktype FROM pg_locks WHERE NOT granted AND database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    return waiting == [(kind,)]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0)


class TestDurability:
    def test_each_commit_waits_for_the_disk_whatever_the_role_is_set_to(
        self, log: DecisionLog, postgresql: PostgreSQLLog
    ) -> None:
        with psycopg.connect(postgresql.url) as connection:
            assert connection.execute("SHOW synchronous_commit").fetchone() == ("off",)

        connection = log._begin(time.monotonic() + 5)

        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
        connection.rollback()

    def test_a_crash_loses_nothing_that_was_answered(self, log: DecisionLog, postgresql: PostgreSQLLog) -> None:
        server = postgresql.server
        server.restart(wal_writer_delay="10s")
        answered = {log.append(make_draft(), deadline_seconds=5).document["id"] for _ in range(10)}
        with psycopg.connect(postgresql.url, autocommit=True) as other:
            for number in range(10):
                other.execute("INSERT INTO bodies VALUES (%s, '', '')", [f"lost-{number}"])
            server.send(signal.SIGKILL)
        server.start()

        assert stored_ids(postgresql) == answered
        # Which of the others are left is chance: whatever else the server flushed took those before it along.
        postgresql.tamper("DELETE FROM bodies WHERE id LIKE 'lost-%'")
        assert log.append(make_draft(), deadline_seconds=5).sequence == 11
        assert is_whole(log)

    @pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
    def test_a_server_that_may_lose_a_commit_is_refused_at_start_and_after_it_comes_back(
        self, open_database: LogOpener, log: DecisionLog, postgresql: PostgreSQLLog, setting: str
    ) -> None:
        server = postgresql.server
        server.restart(**{setting: "off"})
        try:
            with pytest.raises(SettingsError, match=f"{setting} = off"):
                open_database(postgresql)
            with pytest.raises(RecordUnavailableError, match=f"{setting} = off"):
                log.append(make_draft(), deadline_seconds=5)
        finally:
            server.restart()
        assert log.append(make_draft(), deadline_seconds=5).sequence == 1

    @pytest.mark.parametrize("table", ["writers", "entries", "bodies"])
    def test_a_table_that_a_crash_empties_is_refused(self, postgresql: PostgreSQLLog, table: str) -> None:
        postgresql.tamper(f"ALTER TABLE {table} SET UNLOGGED")

        with pytest.raises(SettingsError, match=f"table {table} is not logged"):
            check_database(postgresql.url, timeout_seconds=5)

    def test_a_database_that_cannot_hold_every_text_is_refused(self, server: PostgreSQLServer) -> None:
        server.execute(
            f"CREATE DATABASE latin OWNER {OWNER} TEMPLATE template0 ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C'"
        )

        with pytest.raises(SettingsError, match="not UTF8"):
            check_database(server.url(WRITER, "latin"), timeout_seconds=5)


class TestACommitWhoseAnswerIsLost:
    def test_one_that_happened_is_answered_as_recorded(
        self, proxied: DecisionLog, proxy: PostgreSQLProxy, postgresql: PostgreSQLLog
    ) -> None:
        draft = make_draft()
        proxy.fault = "lose-answer"

        entry = proxied.append(draft, deadline_seconds=5)

        assert proxy.fault is None
        assert stored_ids(postgresql) == {draft.id}
        assert proxied.append(make_draft(), deadline_seconds=5).document["previous"] == entry.hash
        assert is_whole(proxied)

    def test_one_that_did_not_happen_is_not_answered(
        self, proxied: DecisionLog, proxy: PostgreSQLProxy, postgresql: PostgreSQLLog
    ) -> None:
        proxy.fault = "lose-commit"

        with pytest.raises(RecordUnavailableError, match="did not commit"):
            proxied.append(make_draft(), deadline_seconds=5)

        assert stored_ids(postgresql) == set()
        assert proxied.append(make_draft(), deadline_seconds=5).sequence == 1
        assert is_whole(proxied)

    def test_one_that_the_server_is_still_busy_with_is_waited_for(
        self, proxied: DecisionLog, proxy: PostgreSQLProxy, postgresql: PostgreSQLLog
    ) -> None:
        draft = make_draft()
        proxy.fault = "delay-commit"
        with ThreadPoolExecutor(1) as thread:
            appended = thread.submit(proxied.append, draft, deadline_seconds=PATIENCE_SECONDS)
            # Asking at once would find nothing, and the entry would then come after all.
            wait_until(lambda: waits_for_lock(postgresql, "advisory"))
            assert stored_ids(postgresql) == set()
            proxy.released.set()

            assert appended.result().document["id"] == draft.id
        assert stored_ids(postgresql) == {draft.id}

    def test_one_that_comes_after_the_deadline_is_not_answered_and_breaks_no_chain(
        self, proxied: DecisionLog, proxy: PostgreSQLProxy, postgresql: PostgreSQLLog
    ) -> None:
        draft = make_draft()
        proxy.fault = "delay-commit"
        with pytest.raises(RecordUnavailableError, match="did not commit"):
            proxied.append(draft, deadline_seconds=0.2)
        proxy.released.set()
        wait_until(lambda: stored_ids(postgresql) == {draft.id})

        assert proxied.append(make_draft(), deadline_seconds=5).sequence == 2
        assert is_whole(proxied)

    @pytest.mark.parametrize("fault", ["lose-commit", "lose-answer"])
    def test_all_that_waited_for_it_are_answered_alike(
        self, proxied: DecisionLog, proxy: PostgreSQLProxy, postgresql: PostgreSQLLog, fault: Fault
    ) -> None:
        with ThreadPoolExecutor(5) as threads:
            with postgresql.held_up(proxied.writer):
                appended = [threads.submit(proxied.append, make_draft(), deadline_seconds=30) for _ in range(5)]
                wait_until(lambda: len(proxied._queue._waiting) == 5)
                proxy.fault = fault
            errors = [each.exception() for each in appended]

        assert {type(error) for error in errors} == {type(None) if fault == "lose-answer" else RecordUnavailableError}
        assert len(stored_ids(postgresql)) == (5 if fault == "lose-answer" else 0)


class TestAServerThatGoesAway:
    def test_a_restart_costs_no_request_once_it_is_over(
        self, log: DecisionLog, postgresql: PostgreSQLLog
    ) -> None:  # fmt: skip
        log.append(make_draft(), deadline_seconds=5)
        assert len(log.reader.list_entries().items) == 1

        postgresql.server.restart()

        assert log.append(make_draft(), deadline_seconds=5).sequence == 2
        assert len(log.reader.list_entries().items) == 2
        assert is_whole(log)

    def test_one_that_is_down_is_told_at_once(self, log: DecisionLog, postgresql: PostgreSQLLog) -> None:
        postgresql.server.stop()
        try:
            begin = time.monotonic()
            with pytest.raises(RecordUnavailableError, match="OperationalError"):
                log.append(make_draft(), deadline_seconds=PATIENCE_SECONDS)
            with pytest.raises(RecordUnavailableError, match="OperationalError"):
                log.reader.list_entries()
            assert time.monotonic() - begin < GENEROUS_SECONDS
        finally:
            postgresql.server.start()

        assert log.append(make_draft(), deadline_seconds=5).sequence == 1

    def test_one_that_says_nothing_holds_no_request_beyond_its_deadline(
        self, open_database: LogOpener, postgresql: PostgreSQLLog
    ) -> None:
        log = open_database(postgresql)
        reader = LogReader.open(postgresql.read_url, timeout_seconds=0.2)
        postgresql.server.send(signal.SIGSTOP)
        try:
            begin = time.monotonic()
            for error in ("WaitTimeoutError", "ConnectionTimeout"):  # on the connection it has, and on a new one
                with pytest.raises(RecordUnavailableError, match=error):
                    log.append(make_draft(), deadline_seconds=0.2)
                with pytest.raises(RecordUnavailableError, match=error):
                    reader.list_entries()
            assert time.monotonic() - begin < GENEROUS_SECONDS
        finally:
            postgresql.server.send(signal.SIGCONT)

        assert log.append(make_draft(), deadline_seconds=5).sequence == 1
        wait_until(lambda: self._answers(reader))
        assert is_whole(log)
        reader.close()

    def test_a_connection_that_comes_too_late_is_closed(
        self, postgresql: PostgreSQLLog, open_database: LogOpener
    ) -> None:  # fmt: skip
        log = open_database(postgresql)
        log._disconnect()
        postgresql.server.send(signal.SIGSTOP)
        try:
            with pytest.raises(RecordUnavailableError, match="ConnectionTimeout"):
                log.append(make_draft(), deadline_seconds=0.05)
        finally:
            postgresql.server.send(signal.SIGCONT)

        wait_until(lambda: not any(thread.name.startswith("_Attempt") for thread in threading.enumerate()))
        wait_until(lambda: (WRITER,) not in postgresql.rows(CONNECTED))

    def test_one_that_holds_a_lock_on_the_table_is_told_inside_the_deadline(
        self, log: DecisionLog, postgresql: PostgreSQLLog
    ) -> None:
        with psycopg.connect(postgresql.owner_url) as other:
            other.execute("LOCK TABLE entries IN SHARE MODE")
            with pytest.raises(RecordUnavailableError, match="WaitTimeoutError"):
                log.append(make_draft(), deadline_seconds=0.1)
            other.rollback()

        assert log.append(make_draft(), deadline_seconds=5).sequence == 1

    def test_a_server_process_that_was_left_waiting_gives_up_by_itself(
        self, log: DecisionLog, postgresql: PostgreSQLLog
    ) -> None:
        with psycopg.connect(postgresql.owner_url) as other:
            other.execute("LOCK TABLE entries IN SHARE MODE")
            with pytest.raises(RecordUnavailableError):
                log.append(make_draft(), deadline_seconds=0.1)
            assert waits_for_lock(postgresql, "relation")
            wait_until(lambda: not waits_for_lock(postgresql, "relation"))
            other.rollback()

    def _answers(self, reader: LogReader) -> bool:
        try:
            return len(reader.list_entries().items) == 1
        except RecordUnavailableError:
            return False  # in the midst of what it left undone


class TestRoles:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE entries SET family = 'x'",
            "DELETE FROM entries",
            "TRUNCATE entries",
            "DROP TABLE entries",
            "UPDATE bodies SET sha256 = 'x'",
            "DELETE FROM bodies",
            "UPDATE writers SET writer = 'x'",
            "DELETE FROM writers",
            "SELECT bytes FROM entries",
            "SELECT family FROM entries",
            "SELECT * FROM bodies",
            "SELECT * FROM writers",
            "UPDATE alembic_version SET version_num = 'x'",
            "INSERT INTO entries SELECT * FROM entries ON CONFLICT (id) DO UPDATE SET family = 'x'",
            "CREATE TABLE other ()",
            "ALTER TABLE entries DISABLE TRIGGER ALL",
        ],
    )
    def test_the_service_may_not_change_or_read_what_is_written(
        self, log: DecisionLog, postgresql: PostgreSQLLog, statement: str
    ) -> None:
        with psycopg.connect(postgresql.url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())

    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO bodies VALUES ('x', '', '')",
            "INSERT INTO writers SELECT * FROM writers",
            "INSERT INTO entries SELECT * FROM entries",
            "DELETE FROM bodies",
            "UPDATE entries SET family = 'x'",
            "TRUNCATE writers",
            "UPDATE alembic_version SET version_num = 'x'",
        ],
    )
    def test_queries_may_write_nothing(self, postgresql: PostgreSQLLog, statement: str) -> None:
        with psycopg.connect(postgresql.read_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())

    def test_a_service_without_a_role_for_queries_is_refused(
        self, open_database: LogOpener, postgresql: PostgreSQLLog
    ) -> None:
        postgresql.read_url = postgresql.url

        with pytest.raises(SettingsError, match="may not use the decision log"):
            open_database(postgresql)

    @pytest.mark.parametrize("table", ["writers", "entries", "bodies"])
    def test_a_service_that_may_not_insert_is_refused(self, postgresql: PostgreSQLLog, table: str) -> None:
        postgresql.tamper(f"REVOKE INSERT ON {table} FROM {WRITER}")

        with pytest.raises(SettingsError, match="may not insert"):
            check_database(postgresql.url, timeout_seconds=5, read_url=postgresql.read_url)


def test_a_password_is_shown_by_no_error(postgresql: PostgreSQLLog) -> None:
    url = postgresql.url.replace("@", ":pw-canary@").replace(postgresql.name, "no_such_database")
    for use in (
        lambda: check_database(url, timeout_seconds=5),
        lambda: LogReader.open(url, timeout_seconds=5),
    ):
        with pytest.raises(RecordUnavailableError) as caught:
            use()
        assert "canary" not in "".join(traceback.format_exception(caught.value))
    assert "canary" not in repr(database_at(url))


def test_an_error_has_the_name_of_its_class(log: DecisionLog) -> None:
    with log.reader.connect() as connection, pytest.raises(Exception, match="division") as caught:
        connection.exec_driver_sql("SELECT 1 / 0")

    assert error_name(caught.value) == "DivisionByZero"  # type: ignore[arg-type]
