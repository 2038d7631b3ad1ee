from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ecs_admission.decision_log import verify
from ecs_admission.decision_log.chain import entry_hash
from ecs_admission.decision_log.schema import INDEX_PATHS
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.decision_log.verify import Problem, Report, verify_chains
from ecs_admission.errors import RecordUnavailableError

from .conftest import LogOpener, make_draft


@pytest.fixture
def filled(log: DecisionLog) -> DecisionLog:
    """A log with a start and five decisions, written by `writer-1`."""
    for _ in range(5):
        log.append(make_draft(), deadline_seconds=5)
    return log


def tamper(database: Path, *statements: str) -> None:
    """What somebody with the file and no respect does."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def problems(report: Report) -> list[tuple[int, str]]:
    return [(problem.sequence, problem.problem) for problem in report.problems]


def test_an_untouched_log_is_whole_and_the_summary_claims_no_more_than_was_seen(filled: DecisionLog) -> None:
    report = verify_chains(filled.reader)

    assert (report.writers, report.entries, report.problems, report.exit_code) == (1, 6, (), 0)
    assert "6 entries in 1 chains: no entry was edited" in report.summary
    for unseen in ("newest entries", "whole chain", "recomputed", "older copy", "anchors"):
        assert unseen in report.summary


def test_a_long_chain_is_read_in_pages(filled: DecisionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "_PAGE", 2)

    report = verify_chains(filled.reader)

    assert (report.entries, report.exit_code) == (6, 0)


def test_an_edited_entry_is_found(filled: DecisionLog, database: Path) -> None:
    tamper(database, "UPDATE entries SET bytes = replace(bytes, 'denied', 'allowed') WHERE sequence = 2")

    report = verify_chains(filled.reader)

    assert problems(report) == [(2, "hash"), (2, "columns"), (3, "previous")]
    assert report.exit_code == 1
    assert "TAMPERED" in report.summary


def test_an_edited_entry_with_a_hash_that_fits_is_found_by_its_successor(filled: DecisionLog, database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        (content,) = connection.execute("SELECT bytes FROM entries WHERE sequence = 2").fetchone()
        forged = content.replace(b"DB_PASSWORD", b"DB_USERNAME")
        connection.execute("UPDATE entries SET bytes = ?, hash = ? WHERE sequence = 2", (forged, entry_hash(forged)))

    assert problems(verify_chains(filled.reader)) == [(3, "previous")]


@pytest.mark.parametrize("column", sorted(INDEX_PATHS.keys() - {"sequence", "writer"}))
def test_an_edited_column_is_found(filled: DecisionLog, database: Path, column: str) -> None:
    tamper(database, f"UPDATE entries SET {column} = '7' WHERE sequence = 2")  # noqa: S608 - a name from the schema

    report = verify_chains(filled.reader)

    assert (2, "columns") in problems(report)
    assert report.exit_code == 1


def test_an_edited_hash_is_found(filled: DecisionLog, database: Path) -> None:
    tamper(database, "UPDATE entries SET hash = 'x' WHERE sequence = 5")

    assert problems(verify_chains(filled.reader)) == [(5, "hash")]


def test_a_deleted_entry_leaves_a_gap(filled: DecisionLog, database: Path) -> None:
    tamper(
        database,
        "DELETE FROM bodies WHERE id IN (SELECT id FROM entries WHERE sequence IN (2, 3))",
        "DELETE FROM entries WHERE sequence IN (2, 3)",
    )

    report = verify_chains(filled.reader)

    assert problems(report) == [(2, "gap")]
    assert report.exit_code == 2
    assert "INCOMPLETE (gap 1)" in report.summary


def test_a_deleted_beginning_leaves_a_gap(filled: DecisionLog, database: Path) -> None:
    tamper(database, "DELETE FROM entries WHERE sequence = 0")

    assert problems(verify_chains(filled.reader)) == [(0, "gap")]


def test_a_gap_that_was_closed_by_renumbering_is_found(filled: DecisionLog, database: Path) -> None:
    tamper(
        database,
        "DELETE FROM bodies WHERE id = (SELECT id FROM entries WHERE sequence = 4)",
        "DELETE FROM entries WHERE sequence = 4",
        "UPDATE entries SET sequence = 4 WHERE sequence = 5",
    )

    assert problems(verify_chains(filled.reader)) == [(4, "previous"), (4, "columns")]


def test_swapped_entries_are_found(filled: DecisionLog, database: Path) -> None:
    tamper(
        database,
        "UPDATE entries SET sequence = -1 WHERE sequence = 2",
        "UPDATE entries SET sequence = 2 WHERE sequence = 3",
        "UPDATE entries SET sequence = 3 WHERE sequence = -1",
    )

    found = problems(verify_chains(filled.reader))

    assert found == [(2, "previous"), (2, "columns"), (3, "previous"), (3, "columns"), (4, "previous")]


def test_an_entry_moved_to_another_writer_is_found(filled: DecisionLog, database: Path) -> None:
    tamper(database, "UPDATE entries SET writer = '' WHERE sequence = 5")

    report = verify_chains(filled.reader)

    assert report.problems == (Problem("", 0, "gap"), Problem("", 5, "columns"))
    assert report.writers == 2


def test_an_entry_that_is_no_document_is_found(filled: DecisionLog, database: Path) -> None:
    tamper(
        database,
        "UPDATE entries SET bytes = x'ff' WHERE sequence = 2",
        "UPDATE entries SET bytes = '[]' WHERE sequence = 3",
    )

    found = problems(verify_chains(filled.reader))

    assert (2, "unreadable") in found
    assert (3, "unreadable") in found


def test_a_sequence_that_is_no_number_is_found(filled: DecisionLog, database: Path) -> None:
    tamper(database, "UPDATE entries SET sequence = 'last' WHERE sequence = 5")

    assert problems(verify_chains(filled.reader)) == [(5, "columns")]


def test_a_chain_that_begins_with_a_decision_is_found(open_log: LogOpener, database: Path) -> None:
    log = open_log(writer="writer-1")
    tamper(database, "DELETE FROM entries")
    log.append(make_draft(), deadline_seconds=5)
    tamper(database, "UPDATE entries SET sequence = 0")

    assert (0, "not-a-start") in problems(verify_chains(log.reader))


def test_an_edited_body_is_found(filled: DecisionLog, database: Path) -> None:
    tamper(
        database,
        "UPDATE bodies SET bytes = '{}' WHERE id = (SELECT id FROM entries WHERE sequence = 2)",
        "UPDATE bodies SET sha256 = 'x' WHERE id = (SELECT id FROM entries WHERE sequence = 4)",
    )

    report = verify_chains(filled.reader)

    assert problems(report) == [(2, "body"), (4, "body")]
    assert report.exit_code == 1


def test_a_missing_body_is_incomplete(filled: DecisionLog, database: Path) -> None:
    tamper(database, "DELETE FROM bodies WHERE id = (SELECT id FROM entries WHERE sequence = 2)")

    report = verify_chains(filled.reader)

    assert problems(report) == [(2, "missing-body")]
    assert report.exit_code == 2


def test_a_body_that_no_entry_names_is_found(filled: DecisionLog, database: Path) -> None:
    tamper(
        database,
        "INSERT INTO bodies SELECT 'stray', bytes, sha256 FROM bodies LIMIT 1",
        "INSERT INTO bodies SELECT id, x'7b7d', 'x' FROM entries WHERE sequence = 0",
    )

    report = verify_chains(filled.reader)

    assert report.problems == (Problem("writer-1", 0, "body"), Problem("stray", 0, "unexpected-body"))
    assert report.exit_code == 1


def test_what_is_edited_and_incomplete_is_tampered(filled: DecisionLog, database: Path) -> None:
    tamper(database, "UPDATE entries SET family = 'x' WHERE sequence = 1", "DELETE FROM entries WHERE sequence = 3")

    assert verify_chains(filled.reader).exit_code == 1


def test_all_problems_are_counted_and_some_are_listed(
    filled: DecisionLog, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "MAX_LISTED", 2)
    tamper(database, "UPDATE entries SET hash = 'x'")

    report = verify_chains(filled.reader)

    assert problems(report) == [(0, "hash"), (1, "hash")]
    assert report.counts == {"hash": 6}


def test_a_truncated_tail_goes_unseen_and_the_summary_says_so(filled: DecisionLog, database: Path) -> None:
    tamper(
        database,
        "DELETE FROM bodies WHERE id = (SELECT id FROM entries WHERE sequence = 5)",
        "DELETE FROM entries WHERE sequence = 5",
    )

    report = verify_chains(filled.reader)

    assert report.exit_code == 0
    assert "cannot exclude that the newest entries of a chain" in report.summary


def test_a_log_that_cannot_be_read_proves_nothing(filled: DecisionLog, database: Path) -> None:
    tamper(database, "DROP TABLE bodies")

    with pytest.raises(RecordUnavailableError):
        verify_chains(filled.reader)
