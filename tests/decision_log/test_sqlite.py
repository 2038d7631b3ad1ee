"""What is SQLite's own."""

from __future__ import annotations

import sqlite3
import traceback
from contextlib import closing
from pathlib import Path

import pytest

from ecs_admission.decision_log.connections import database_at, database_folder
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.decision_log.verify import Evidence, verify_log
from ecs_admission.errors import RecordUnavailableError, SettingsError

from .conftest import LOG_KEY, LogOpener, make_draft
from .databases import SQLiteLog


@pytest.fixture
def log(open_database: LogOpener, sqlite: SQLiteLog) -> DecisionLog:
    return open_database(sqlite)


def test_each_commit_waits_for_the_disk(log: DecisionLog) -> None:
    connection = log._connection
    assert connection is not None
    assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
    assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"


def test_a_database_that_became_read_only_is_told_and_works_again_after(log: DecisionLog) -> None:
    assert log._connection is not None
    log._connection.exec_driver_sql("PRAGMA query_only = ON")
    log._connection.rollback()

    with pytest.raises(RecordUnavailableError, match="SQLITE_READONLY"):
        log.append(make_draft(), deadline_seconds=5)

    assert log.append(make_draft(), deadline_seconds=5).sequence == 1


def test_a_read_only_database_cannot_be_opened_for_writing(open_database: LogOpener, sqlite: SQLiteLog) -> None:
    open_database(sqlite).close()

    with pytest.raises(RecordUnavailableError, match="SQLITE_READONLY"):
        open_database(sqlite, url=f"sqlite:///file:{sqlite.file}?mode=ro&uri=true")


def test_a_full_disk_is_told_and_breaks_no_chain(log: DecisionLog) -> None:
    assert log._connection is not None
    pages = log._connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    log._connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    log._connection.rollback()

    with pytest.raises(RecordUnavailableError, match="SQLITE_FULL"):
        log.append(make_draft(body=bytes(200_000)), deadline_seconds=5)

    assert log.append(make_draft(), deadline_seconds=5).sequence == 1
    assert verify_log(log.reader, Evidence([LOG_KEY.public])).problems == ()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&cache=shared&uri=true",
        "sqlite+aiosqlite:///x.db",
        "mysql://owner:pw-canary@host/log",
        "postgresql+psycopg2://owner:pw-canary@host/log",
        "pw-canary",
    ],
)
def test_a_url_of_no_database_that_keeps_a_log_is_refused_without_showing_it(url: str) -> None:
    for use in (database_at, database_folder):
        with pytest.raises(SettingsError) as caught:
            use(url)

        assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_the_folder_of_a_file_is_known_and_a_server_has_none_of_ours() -> None:
    assert database_folder("sqlite:////var/lib/log/x.db") == Path("/var/lib/log")
    assert database_folder("sqlite:///file:/var/lib/log/x.db?mode=ro&uri=true") == Path("/var/lib/log")
    assert database_folder("postgresql://writer@host/log") is None


def test_a_folder_that_is_not_there_is_told(open_database: LogOpener, sqlite: SQLiteLog, tmp_path: Path) -> None:
    with pytest.raises(RecordUnavailableError, match="SQLITE_CANTOPEN"):
        open_database(sqlite, url=f"sqlite:///{tmp_path}/absent/decisions.db")


def test_a_file_from_before_migrations_is_left_alone(open_database: LogOpener, sqlite: SQLiteLog) -> None:
    with closing(sqlite3.connect(sqlite.file)) as connection:
        connection.execute("CREATE TABLE schema_version (version INTEGER)")

    with pytest.raises(SettingsError, match="schema version"):
        open_database(sqlite)

    assert sqlite.rows("SELECT name FROM sqlite_master") == [("schema_version",)]


def test_reading_where_nothing_was_written_makes_no_database(sqlite: SQLiteLog) -> None:
    with pytest.raises(SettingsError, match="no decision log"):
        database_at(sqlite.url).read_engine(timeout_seconds=1)

    assert not sqlite.file.exists()
