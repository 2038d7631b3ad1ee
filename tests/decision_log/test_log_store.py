from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ecs_admission.decision_log.chain import Entry
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.decision_log.verify import verify_chains
from ecs_admission.errors import RecordUnavailableError, SettingsError
from ecs_admission.model import new_decision_id

from .conftest import LogOpener, make_draft, make_node_draft


def stored_ids(database: Path, writer: str | None = None) -> list[str]:
    """The ids in the file, as another program reads them."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT id, writer FROM entries ORDER BY writer, sequence").fetchall()
    return [row[0] for row in rows if writer in {None, row[1]}]


def test_an_appended_entry_can_be_read_by_another_connection_with_its_body(log: DecisionLog, database: Path) -> None:
    draft = make_draft(body=b'{"a":1}')

    entry = log.append(draft, deadline_seconds=5)

    with closing(sqlite3.connect(database)) as connection:
        row = connection.execute("SELECT bytes, hash FROM entries WHERE id = ?", (draft.id,)).fetchone()
        body = connection.execute("SELECT bytes, sha256 FROM bodies WHERE id = ?", (draft.id,)).fetchone()
    assert row == (entry.content, entry.hash)
    assert body == (b'{"a":1}', draft.document["body"])


def test_each_commit_waits_for_the_disk(log: DecisionLog) -> None:
    connection = log._connection
    assert connection is not None
    assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
    assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"


def test_a_chain_begins_with_the_start_of_its_process_and_each_process_has_its_own(open_log: LogOpener) -> None:
    first = open_log()
    first.append(make_draft(), deadline_seconds=5)
    first.close(stop=make_node_draft("node_stop"))
    second = open_log()

    entry = second.append(make_draft(), deadline_seconds=5)

    assert entry.writer == second.writer != first.writer
    assert entry.sequence == 1
    report = verify_chains(second.reader)
    assert (report.writers, report.entries, report.exit_code) == (2, 5, 0)


def test_a_writer_that_comes_back_continues_its_chain(open_log: LogOpener) -> None:
    open_log(writer="same").close()

    entry = open_log(writer="same").append(make_draft(), deadline_seconds=5)

    assert entry.sequence == 2


def test_threads_share_commits_and_every_answered_entry_is_there(log: DecisionLog, database: Path) -> None:
    entries: list[Entry] = []

    def work() -> None:
        entries.extend(log.append(make_draft(), deadline_seconds=30) for _ in range(25))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(entry.sequence for entry in entries) == list(range(1, 201))
    assert {entry.document["id"] for entry in entries} == set(stored_ids(database)[1:])
    assert verify_chains(log.reader).exit_code == 0


def test_entries_that_wait_for_a_commit_are_committed_together(log: DecisionLog, database: Path) -> None:
    batches: list[int] = []
    insert = log._insert

    def counting(connection: Any, entries: list[Entry], batch: Any) -> None:
        batches.append(len(batch))
        insert(connection, entries, batch)

    log._insert = counting  # type: ignore[method-assign]
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        threads = [
            threading.Thread(target=log.append, args=(make_draft(),), kwargs={"deadline_seconds": 30}) for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        while len(log._queue._waiting) < 5:
            threading.Event().wait(0)
        other.execute("ROLLBACK")
    for thread in threads:
        thread.join()

    assert batches == [5]


def test_a_locked_database_is_told_inside_the_deadline_and_works_again_after(log: DecisionLog, database: Path) -> None:
    refused, accepted = make_draft(), make_draft()
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RecordUnavailableError, match="SQLITE_BUSY"):
            log.append(refused, deadline_seconds=0.05)
        other.execute("ROLLBACK")

    entry = log.append(accepted, deadline_seconds=5)

    assert entry.sequence == 1
    assert stored_ids(database)[1:] == [accepted.id]


def test_who_gives_up_while_another_thread_waits_is_not_written_later(log: DecisionLog, database: Path) -> None:
    leader, follower = make_draft(), make_draft()
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        thread = threading.Thread(target=log.append, args=(leader,), kwargs={"deadline_seconds": 30})
        thread.start()
        while not log._queue._led:
            threading.Event().wait(0)
        with pytest.raises(RecordUnavailableError, match="inside the deadline"):
            log.append(follower, deadline_seconds=0.05)
        other.execute("ROLLBACK")
    thread.join()

    log.append(make_draft(), deadline_seconds=5)

    assert leader.id in stored_ids(database)
    assert follower.id not in stored_ids(database)


def test_no_time_left_writes_nothing(log: DecisionLog, database: Path) -> None:
    with pytest.raises(RecordUnavailableError):
        log.append(make_draft(), deadline_seconds=0)

    assert len(stored_ids(database)) == 1


def test_a_database_that_became_read_only_is_told_and_works_again_after(log: DecisionLog) -> None:
    assert log._connection is not None
    log._connection.exec_driver_sql("PRAGMA query_only = ON")
    log._connection.rollback()

    with pytest.raises(RecordUnavailableError, match="SQLITE_READONLY"):
        log.append(make_draft(), deadline_seconds=5)

    assert log.append(make_draft(), deadline_seconds=5).sequence == 1


def test_a_read_only_database_cannot_be_opened_for_writing(open_log: LogOpener, database: Path) -> None:
    open_log().close()

    with pytest.raises(RecordUnavailableError, match="SQLITE_READONLY"):
        open_log(f"sqlite:///file:{database}?mode=ro&uri=true")


def test_a_full_disk_is_told_and_breaks_no_chain(log: DecisionLog, database: Path) -> None:
    assert log._connection is not None
    pages = log._connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    log._connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    log._connection.rollback()

    with pytest.raises(RecordUnavailableError, match="SQLITE_FULL"):
        log.append(make_draft(body=bytes(200_000)), deadline_seconds=5)

    assert log.append(make_draft(), deadline_seconds=5).sequence == 1
    assert verify_chains(log.reader).exit_code == 0


def commit_that_raises(log: DecisionLog, monkeypatch: pytest.MonkeyPatch, *, committed: bool) -> None:
    """Make the next commit raise, after it has happened or instead."""
    dialect = log._engine.dialect
    commit = dialect.do_commit

    def raising(connection: Any) -> None:
        monkeypatch.setattr(dialect, "do_commit", commit)
        if committed:
            commit(connection)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(dialect, "do_commit", raising)


def test_a_commit_that_raised_after_it_happened_is_answered_as_recorded(
    log: DecisionLog, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = make_draft()
    commit_that_raises(log, monkeypatch, committed=True)

    entry = log.append(draft, deadline_seconds=5)

    assert stored_ids(database)[1:] == [draft.id]
    assert log.append(make_draft(), deadline_seconds=5).document["previous"] == entry.hash


def test_a_commit_that_raised_and_did_not_happen_is_not_answered(
    log: DecisionLog, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_that_raises(log, monkeypatch, committed=False)

    with pytest.raises(RecordUnavailableError, match="did not commit"):
        log.append(make_draft(), deadline_seconds=5)

    assert len(stored_ids(database)) == 1
    assert log.append(make_draft(), deadline_seconds=5).sequence == 1


def test_a_commit_whose_outcome_cannot_be_read_is_not_answered_and_the_chain_goes_on_from_the_database(
    log: DecisionLog, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(writer: str, sequence: int) -> str | None:
        raise RecordUnavailableError("cannot be read")

    commit_that_raises(log, monkeypatch, committed=True)
    with monkeypatch.context() as patch:
        patch.setattr(log.reader, "stored_hash", unreadable)
        with pytest.raises(RecordUnavailableError, match="did not commit"):
            log.append(make_draft(), deadline_seconds=5)

    assert log.append(make_draft(), deadline_seconds=5).sequence == 2
    assert verify_chains(log.reader).exit_code == 0


def test_whatever_breaks_while_writing_holds_no_lock_and_breaks_no_chain(
    log: DecisionLog, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(log, "_insert", broken)
        with pytest.raises(MemoryError):
            log.append(make_draft(), deadline_seconds=5)

    with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    assert log.append(make_draft(), deadline_seconds=5).sequence == 1


def test_an_error_of_the_database_shows_no_value_of_the_entry(log: DecisionLog) -> None:
    draft = make_draft(family="canary-family", body=b'{"canary":"body"}')
    log.append(draft, deadline_seconds=5)

    with pytest.raises(RecordUnavailableError, match="SQLITE_CONSTRAINT") as caught:
        log.append(draft, deadline_seconds=5)

    assert "canary" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
    assert draft.id not in str(caught.value)


def test_a_log_from_before_a_fork_is_refused(log: DecisionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_process", log._process + 1)

    with pytest.raises(RecordUnavailableError, match="forked"):
        log.append(make_draft(), deadline_seconds=5)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&cache=shared&uri=true",
        "postgresql://owner:pw-canary@host/log",
        "pw-canary",
    ],
)
def test_a_database_that_is_no_sqlite_file_is_refused_without_showing_its_url(open_log: LogOpener, url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        open_log(url)

    assert "canary" not in "".join(traceback.format_exception(caught.value)).replace(f"open_log({url!r})", "")


def test_a_folder_that_is_not_there_is_told(open_log: LogOpener, tmp_path: Path) -> None:
    with pytest.raises(RecordUnavailableError, match="SQLITE_CANTOPEN"):
        open_log(f"sqlite:///{tmp_path}/absent/decisions.db")


def test_a_database_of_another_schema_version_is_refused(open_log: LogOpener, database: Path) -> None:
    open_log().close()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE schema_version SET version = 2")

    with pytest.raises(SettingsError, match="schema version 1"):
        open_log()


@pytest.mark.parametrize("writer", ["", "w" * 65])
def test_a_writer_needs_a_name_that_fits(database: Path, writer: str) -> None:
    with pytest.raises(ValueError, match="writer"):
        DecisionLog.open(f"sqlite:///{database}", writer=writer, start=make_node_draft(), timeout_seconds=5)


_PROCESS = """
import sys
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.model import new_decision_id
from tests.decision_log.conftest import make_draft, make_node_draft
log = DecisionLog.open(sys.argv[1], writer=new_decision_id(), start=make_node_draft(), timeout_seconds=30)
for _ in range(int(sys.argv[2])):
    print(log.append(make_draft(), deadline_seconds=30).document["id"], flush=True)
"""


def start_process(database: Path, appends: int) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", _PROCESS, f"sqlite:///{database}", str(appends)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    )


def test_processes_that_start_together_share_a_database(database: Path, open_log: LogOpener) -> None:
    processes = [start_process(database, 20) for _ in range(3)]
    answered = {line for process in processes for line in process.communicate()[0].split()}

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(answered) == 60
    assert answered < set(stored_ids(database))
    report = verify_chains(open_log().reader)
    assert (report.writers, report.entries, report.exit_code) == (4, 64, 0)


def test_a_killed_process_loses_nothing_that_it_answered(database: Path, open_log: LogOpener) -> None:
    process = start_process(database, 1_000_000)
    assert process.stdout is not None
    answered = [process.stdout.readline().strip() for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    answered += [line for line in process.communicate()[0].splitlines(keepends=True) if line.endswith("\n")]

    log = open_log()

    assert {line.strip() for line in answered} <= set(stored_ids(database))
    assert verify_chains(log.reader).exit_code == 0


def test_closing_twice_does_no_harm(log: DecisionLog) -> None:
    log.close(stop=make_node_draft("node_stop"))
    log.close()


def test_ids_and_times_are_those_of_the_draft(log: DecisionLog) -> None:
    moment = time.time_ns() // 1000
    entry = log.append(make_draft(decision_id=(name := new_decision_id()), time_us=moment), deadline_seconds=5)

    assert (entry.document["id"], entry.document["time"]) == (name, moment)
