"""What a log does in either database."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from ecs_admission.decision_log.chain import Entry
from ecs_admission.decision_log.keys import read_public_key
from ecs_admission.decision_log.schema import REVISION
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.decision_log.verify import Evidence, verify_log
from ecs_admission.errors import RecordUnavailableError, SettingsError
from ecs_admission.model import new_decision_id

from .conftest import LOG_KEY, LogOpener, make_draft, make_node_draft
from .databases import LogDatabase

KEYS = [LOG_KEY.public]


def stored_ids(database: LogDatabase) -> list[str]:
    """The ids in the database, as another program reads them."""
    return [name for (name,) in database.rows("SELECT id FROM entries ORDER BY writer, sequence")]


def test_an_appended_entry_can_be_read_by_another_connection_with_its_body(
    log: DecisionLog, database: LogDatabase
) -> None:
    draft = make_draft(body=b'{"a":1}')

    entry = log.append(draft, deadline_seconds=5)

    assert database.rows("SELECT bytes, hash, signature FROM entries WHERE sequence = 1") == [
        (entry.content, entry.hash, entry.signature)
    ]
    assert database.rows("SELECT id, bytes, sha256 FROM bodies") == [(draft.id, b'{"a":1}', draft.document["body"])]


def test_a_chain_begins_with_the_start_of_its_process_and_each_process_has_its_own(open_log: LogOpener) -> None:
    first = open_log()
    first.append(make_draft(), deadline_seconds=5)
    first.close(stop=make_node_draft("node_stop"))
    second = open_log()

    entry = second.append(make_draft(), deadline_seconds=5)

    assert entry.writer == second.writer != first.writer
    assert entry.sequence == 1
    report = verify_log(second.reader, Evidence(KEYS))
    assert (report.writers, report.entries, report.problems) == (2, 5, ())


def test_a_writer_is_not_another_that_had_its_name(open_log: LogOpener, database: LogDatabase) -> None:
    log = open_log(writer="same")

    with pytest.raises(RecordUnavailableError, match=database.names["duplicate"]):
        open_log(writer="same")

    assert log.append(make_draft(), deadline_seconds=5).sequence == 1
    assert verify_log(log.reader, Evidence(KEYS)).problems == ()


def test_the_certificate_of_a_writer_is_stored_with_its_first_entry_or_not_at_all(
    open_log: LogOpener, database: LogDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_log()  # SQLite's file is there

    insert = DecisionLog._insert

    def insert_and_break(*arguments: Any) -> None:
        insert(*arguments)
        raise OperationalError("", {}, Exception())

    with monkeypatch.context() as patch:
        patch.setattr(DecisionLog, "_insert", insert_and_break)
        with pytest.raises(RecordUnavailableError, match="did not take the entry"):
            open_log()

    assert database.rows("SELECT count(*) FROM writers") == [(1,)]


def test_threads_share_commits_and_every_answered_entry_is_there(log: DecisionLog, database: LogDatabase) -> None:
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
    assert verify_log(log.reader, Evidence(KEYS)).problems == ()


def test_entries_that_wait_for_a_commit_are_committed_together(log: DecisionLog, database: LogDatabase) -> None:
    batches: list[int] = []
    insert = log._insert

    def counting(connection: Any, entries: list[Entry], batch: Any) -> None:
        batches.append(len(batch))
        insert(connection, entries, batch)

    log._insert = counting  # type: ignore[method-assign]
    with database.held_up(log.writer):
        threads = [
            threading.Thread(target=log.append, args=(make_draft(),), kwargs={"deadline_seconds": 30}) for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        while len(log._queue._waiting) < 5:
            threading.Event().wait(0)
    for thread in threads:
        thread.join()

    assert batches == [5]


def test_a_locked_database_is_told_inside_the_deadline_and_works_again_after(
    log: DecisionLog, database: LogDatabase
) -> None:
    refused, accepted = make_draft(), make_draft()
    with database.held_up(log.writer), pytest.raises(RecordUnavailableError, match=database.names["busy"]):
        log.append(refused, deadline_seconds=0.05)

    entry = log.append(accepted, deadline_seconds=5)

    assert entry.sequence == 1
    assert stored_ids(database)[1:] == [accepted.id]


def test_who_gives_up_while_another_thread_waits_is_not_written_later(log: DecisionLog, database: LogDatabase) -> None:
    leader, follower = make_draft(), make_draft()
    with database.held_up(log.writer):
        thread = threading.Thread(target=log.append, args=(leader,), kwargs={"deadline_seconds": 30})
        thread.start()
        while not log._queue._led:
            threading.Event().wait(0)
        with pytest.raises(RecordUnavailableError, match="inside the deadline"):
            log.append(follower, deadline_seconds=0.05)
    thread.join()

    log.append(make_draft(), deadline_seconds=5)

    assert leader.id in stored_ids(database)
    assert follower.id not in stored_ids(database)


def test_no_time_left_writes_nothing(log: DecisionLog, database: LogDatabase) -> None:
    with pytest.raises(RecordUnavailableError):
        log.append(make_draft(), deadline_seconds=0)

    assert len(stored_ids(database)) == 1


def commit_that_raises(log: DecisionLog, monkeypatch: pytest.MonkeyPatch, *, committed: bool) -> None:
    """Make the next commit raise, after it has happened or instead."""
    dialect = log._engine.dialect
    commit = dialect.do_commit

    def raising(connection: Any) -> None:
        monkeypatch.setattr(dialect, "do_commit", commit)
        if committed:
            commit(connection)
        error: Exception = dialect.loaded_dbapi.OperationalError("canary of the driver")
        raise error

    monkeypatch.setattr(dialect, "do_commit", raising)


def test_a_commit_that_raised_after_it_happened_is_answered_as_recorded(
    log: DecisionLog, database: LogDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = make_draft()
    commit_that_raises(log, monkeypatch, committed=True)

    entry = log.append(draft, deadline_seconds=5)

    assert stored_ids(database)[1:] == [draft.id]
    assert log.append(make_draft(), deadline_seconds=5).document["previous"] == entry.hash


def test_a_commit_that_raised_and_did_not_happen_is_not_answered(
    log: DecisionLog, database: LogDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_that_raises(log, monkeypatch, committed=False)

    with pytest.raises(RecordUnavailableError, match="did not commit"):
        log.append(make_draft(), deadline_seconds=5)

    assert len(stored_ids(database)) == 1
    assert log.append(make_draft(), deadline_seconds=5).sequence == 1


def test_a_commit_whose_outcome_cannot_be_read_is_not_answered_and_the_chain_goes_on_from_the_database(
    log: DecisionLog, database: LogDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_arguments: object) -> None:
        raise RecordUnavailableError("cannot be read")

    commit_that_raises(log, monkeypatch, committed=True)
    with monkeypatch.context() as patch:
        patch.setattr(log, "_stored_head", unreadable)
        with pytest.raises(RecordUnavailableError, match="did not commit"):
            log.append(make_draft(), deadline_seconds=5)

    assert log.append(make_draft(), deadline_seconds=5).sequence == 2
    assert verify_log(log.reader, Evidence(KEYS)).problems == ()


def test_a_chain_that_somebody_else_went_on_with_is_not_vouched_for(
    log: DecisionLog, database: LogDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_that_raises(log, monkeypatch, committed=False)
    with monkeypatch.context() as patch:
        patch.setattr(log, "_is_stored", lambda *_: False)
        with pytest.raises(RecordUnavailableError, match="did not commit"):
            log.append(make_draft(), deadline_seconds=5)
    database.tamper(
        "INSERT INTO entries (writer, sequence, hash, signature, bytes, id, kind, time) "
        "SELECT writer, 1, 'forged', signature, bytes, 'forged', kind, time FROM entries"
    )

    for _ in range(2):
        with pytest.raises(RecordUnavailableError, match="somebody else"):
            log.append(make_draft(), deadline_seconds=5)
    assert len(stored_ids(database)) == 2


def test_whatever_breaks_while_writing_holds_no_lock_and_breaks_no_chain(
    log: DecisionLog, database: LogDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(log, "_insert", broken)
        with pytest.raises(MemoryError):
            log.append(make_draft(), deadline_seconds=5)

    with database.held_up(log.writer):
        pass
    assert log.append(make_draft(), deadline_seconds=5).sequence == 1


def test_an_error_of_the_database_shows_no_value_of_the_entry(log: DecisionLog, database: LogDatabase) -> None:
    draft = make_draft(family="canary-family", body=b'{"canary":"body"}')
    log.append(draft, deadline_seconds=5)

    with pytest.raises(RecordUnavailableError, match=database.names["duplicate"]) as caught:
        log.append(draft, deadline_seconds=5)

    assert "canary" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
    assert draft.id not in str(caught.value)


def test_a_log_from_before_a_fork_is_refused(log: DecisionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_process", log._process + 1)

    with pytest.raises(RecordUnavailableError, match="forked"):
        log.append(make_draft(), deadline_seconds=5)


def test_a_zero_character_can_be_stored(log: DecisionLog, database: LogDatabase) -> None:
    log.append(make_draft(family="a\0b"), deadline_seconds=5)

    assert database.rows("SELECT family FROM entries WHERE sequence = 1") == [("a\ufffdb",)]
    assert verify_log(log.reader, Evidence(KEYS)).problems == ()


def test_a_database_of_another_schema_version_is_refused(open_log: LogOpener, database: LogDatabase) -> None:
    open_log().close()
    database.tamper("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(SettingsError, match=f"schema version {REVISION}; run"):
        open_log()


_PROCESS = """
import sys
from ecs_admission.decision_log.keys import load_or_create_signing_key
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.model import new_decision_id
from tests.decision_log.conftest import Path, make_draft, make_node_draft
log = DecisionLog.open(
    sys.argv[1], writer=new_decision_id(), start=make_node_draft(), timeout_seconds=30, read_url=sys.argv[2],
    log_key=load_or_create_signing_key(Path(sys.argv[3])),
)
for _ in range(int(sys.argv[4])):
    print(log.append(make_draft(), deadline_seconds=30).document["id"], flush=True)
"""


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Where the processes of a test find the log's key, which the first of them makes."""
    return tmp_path / "signing.key"


def start_process(database: LogDatabase, key_file: Path, appends: int) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", _PROCESS, database.url, database.read_url, key_file, str(appends)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    )


def verify_with(log: DecisionLog, key_file: Path) -> tuple[int, int, int]:
    """Chains, entries and problems, of a log that processes with a key of their own have written, too."""
    report = verify_log(log.reader, Evidence([*KEYS, read_public_key(key_file)]))
    return report.writers, report.entries, len(report.problems)


def test_processes_that_start_together_share_a_database(
    database: LogDatabase, open_log: LogOpener, key_file: Path
) -> None:
    processes = [start_process(database, key_file, 20) for _ in range(3)]
    answered = {line for process in processes for line in process.communicate()[0].split()}

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(answered) == 60
    assert answered < set(stored_ids(database))
    assert verify_with(open_log(), key_file) == (4, 64, 0)


def test_a_killed_process_loses_nothing_that_it_answered(
    database: LogDatabase, open_log: LogOpener, key_file: Path
) -> None:
    process = start_process(database, key_file, 1_000_000)
    assert process.stdout is not None
    answered = [process.stdout.readline().strip() for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    answered += [line for line in process.communicate()[0].splitlines(keepends=True) if line.endswith("\n")]

    log = open_log()

    assert {line.strip() for line in answered} <= set(stored_ids(database))
    assert verify_with(log, key_file)[2] == 0


def test_closing_twice_does_no_harm(log: DecisionLog) -> None:
    log.close(stop=make_node_draft("node_stop"))
    log.close()


def test_ids_and_times_are_those_of_the_draft(log: DecisionLog) -> None:
    moment = time.time_ns() // 1000
    entry = log.append(make_draft(decision_id=(name := new_decision_id()), time_us=moment), deadline_seconds=5)

    assert (entry.document["id"], entry.document["time"]) == (name, moment)
