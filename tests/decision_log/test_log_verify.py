from __future__ import annotations

import gc
from typing import Any

import orjson
import pytest
from sqlalchemy import Row, delete, insert, select, update

from ecs_admission.decision_log import chain_rows, chain_walk, digest_walk, term_walk, verdicts, verify
from ecs_admission.decision_log.chain import entry_hash
from ecs_admission.decision_log.entries import canonical_bytes
from ecs_admission.decision_log.keys import make_signing_key
from ecs_admission.decision_log.schema import INDEX_PATHS, bodies, entries, index_columns, writers
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.decision_log.term_sum import TermSum
from ecs_admission.decision_log.verdicts import Problem, Report
from ecs_admission.decision_log.verify import Evidence, Extent, verify_log
from ecs_admission.errors import RecordUnavailableError

from .conftest import LOG_KEY, LogOpener, make_draft, make_node_draft
from .databases import LogDatabase, SQLiteLog


@pytest.fixture
def filled(log: DecisionLog) -> DecisionLog:
    """A log with a start and five decisions, written by `writer-1`."""
    for _ in range(5):
        log.append(make_draft(), deadline_seconds=5)
    return log


def walk(log: DecisionLog) -> Report:
    """What verification finds that knows the log's key."""
    return verify_log(log.reader, Evidence([LOG_KEY.public]))


def stored_bytes(database: LogDatabase, sequence: int) -> bytes:
    content: bytes = dict(database.rows("SELECT sequence, bytes FROM entries"))[sequence]
    return content


def forge(database: LogDatabase, sequence: int, old: bytes, new: bytes, *, hash_too: bool = False) -> None:
    """Edit the bytes of an entry, and its hash with them on request."""
    content = stored_bytes(database, sequence)
    forged = content.replace(old, new)
    assert forged != content
    changes = {"bytes": forged} | ({"hash": entry_hash(forged)} if hash_too else {})
    database.tamper(update(entries).where(entries.c.sequence == sequence).values(changes))


def problems(report: Report) -> list[tuple[int, str]]:
    """Without terms whose entry is not there, which whoever deletes an entry leaves behind."""
    found = [(problem.sequence, problem.problem) for problem in report.problems]
    return [each for each in found if each[1] != "stray-term"]


def test_an_untouched_log_is_whole_and_the_summary_claims_no_more_than_was_seen(filled: DecisionLog) -> None:
    report = walk(filled)

    assert (report.writers, report.entries, report.problems, report.exit_code) == (1, 6, (), 3)
    assert "6 entries in 1 chains: no entry was edited" in report.summary
    for unseen in ("newest entries", "whole chain", "own keys", "older copy", "no digests"):
        assert unseen in report.summary


def test_a_long_chain_is_read_in_pages(filled: DecisionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecs_admission.decision_log.chain_rows.PAGE", 2)
    monkeypatch.setattr(chain_walk, "PAGE", 2)

    report = walk(filled)

    assert (report.entries, report.problems) == (6, ())


def test_an_edited_entry_is_found(filled: DecisionLog, database: LogDatabase) -> None:
    forge(database, 2, b'"denied"', b'"allowed"')

    report = walk(filled)

    assert problems(report) == [(2, "hash"), (2, "columns"), (2, "signature"), (3, "previous")]
    assert report.exit_code == 1
    assert "TAMPERED" in report.summary


def test_an_edited_entry_with_a_hash_that_fits_is_found(filled: DecisionLog, database: LogDatabase) -> None:
    forge(database, 2, b"DB_PASSWORD", b"DB_USERNAME", hash_too=True)

    assert problems(walk(filled)) == [(2, "signature"), (3, "previous")]


def test_a_chain_computed_anew_is_found_by_each_signature(filled: DecisionLog, database: LogDatabase) -> None:
    previous = None
    for sequence in range(2, 6):
        document = orjson.loads(stored_bytes(database, sequence)) | (
            {"reason": "forged"} if previous is None else {"previous": previous}
        )
        forged = canonical_bytes(document)
        previous = entry_hash(forged)
        changes = {"bytes": forged, "hash": previous, "reason": document["reason"]}
        database.tamper(update(entries).where(entries.c.sequence == sequence).values(changes))

    report = walk(filled)

    assert problems(report) == [(sequence, "signature") for sequence in range(2, 6)]
    assert report.exit_code == 1


@pytest.mark.parametrize("signature", [b"", bytes(64), b"x" * 65])
def test_a_signature_that_is_none_is_found(filled: DecisionLog, database: LogDatabase, signature: bytes) -> None:
    database.tamper(update(entries).where(entries.c.sequence == 5).values(signature=signature))

    assert problems(walk(filled)) == [(5, "signature")]


def test_an_entry_that_was_added_by_somebody_without_the_key_is_found(
    filled: DecisionLog, database: LogDatabase
) -> None:
    ((content, last, signature),) = database.rows("SELECT bytes, hash, signature FROM entries WHERE sequence = 5")
    document = orjson.loads(content) | {"sequence": 6, "previous": last, "id": "forged", "body": None}
    forged = canonical_bytes(document)
    row = {"hash": entry_hash(forged), "signature": signature, "bytes": forged, **index_columns(document)}
    database.tamper(insert(entries).values(row))

    assert problems(walk(filled)) == [(6, "signature"), (6, "missing-terms")]


def test_a_writer_that_the_log_does_not_vouch_for_is_found(open_log: LogOpener, database: LogDatabase) -> None:
    DecisionLog.open(
        database.url,
        writer="intruder",
        start=make_node_draft(),
        log_key=make_signing_key(),
        timeout_seconds=5,
        read_url=database.read_url,
    ).close()

    report = walk(open_log(writer="honest"))

    assert report.problems == (Problem("intruder", 0, "uncertified"),)
    assert report.exit_code == 1


def test_a_certificate_that_was_taken_over_from_another_writer_is_found(
    filled: DecisionLog, database: LogDatabase
) -> None:
    ((certificate, signature),) = database.rows("SELECT certificate, signature FROM writers")
    database.tamper(
        delete(writers), insert(writers).values(writer="writer-2", certificate=certificate, signature=signature)
    )

    report = walk(filled)

    assert report.problems == (
        Problem("writer-1", 0, "uncertified"),
        Problem("writer-2", 0, "uncertified"),
        Problem("writer-2", 0, "gap"),
    )


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b'{"v":1,"writer":"writer-1","key":"00","issuer":1}'])
def test_a_certificate_that_is_none_is_found(filled: DecisionLog, database: LogDatabase, content: bytes) -> None:
    database.tamper(update(writers).values(certificate=content))

    assert problems(walk(filled)) == [(0, "uncertified")]


def test_a_whole_chain_that_is_gone_but_its_certificate_is_a_gap(filled: DecisionLog, database: LogDatabase) -> None:
    database.tamper(delete(bodies), delete(entries))

    report = walk(filled)

    assert problems(report) == [(0, "gap")]
    assert (report.writers, report.entries, report.exit_code) == (1, 0, 2)


def test_without_a_key_certificates_are_believed_and_the_report_says_so(
    filled: DecisionLog, database: LogDatabase
) -> None:
    report = verify_log(filled.reader, Evidence([]))

    assert (report.problems, report.exit_code, report.log_keys) == ((), 3, ())
    assert "public key was not given" in report.summary
    database.tamper(update(entries).where(entries.c.sequence == 5).values(signature=bytes(64)))
    assert verify_log(filled.reader, Evidence([])).exit_code == 1


def test_of_several_keys_of_the_log_each_certifies(open_log: LogOpener, filled: DecisionLog) -> None:
    other = make_signing_key().public

    report = verify_log(filled.reader, Evidence([other, LOG_KEY.public]))

    assert (report.exit_code, set(report.log_keys)) == (3, {other.id, LOG_KEY.public.id})
    assert verify_log(filled.reader, Evidence([other])).counts == {"uncertified": 1}


@pytest.mark.parametrize("column", sorted(INDEX_PATHS.keys() - {"sequence", "writer"}))
def test_an_edited_column_is_found(filled: DecisionLog, database: LogDatabase, column: str) -> None:
    database.tamper(f"UPDATE entries SET {column} = '7' WHERE sequence = 2")  # noqa: S608 - a name from the schema

    report = walk(filled)

    assert (2, "columns") in problems(report)
    assert report.exit_code == 1


def test_an_edited_hash_is_found(filled: DecisionLog, database: LogDatabase) -> None:
    database.tamper("UPDATE entries SET hash = 'x' WHERE sequence = 5")

    assert problems(walk(filled)) == [(5, "hash")]


def test_a_deleted_entry_leaves_a_gap(filled: DecisionLog, database: LogDatabase) -> None:
    database.tamper(
        "DELETE FROM bodies WHERE id IN (SELECT id FROM entries WHERE sequence IN (2, 3))",
        "DELETE FROM entries WHERE sequence IN (2, 3)",
    )

    report = walk(filled)

    assert problems(report) == [(2, "gap")]
    assert report.exit_code == 2
    assert "INCOMPLETE (gap 1, stray-term 8)" in report.summary


def test_a_deleted_beginning_leaves_a_gap(filled: DecisionLog, database: LogDatabase) -> None:
    database.tamper("DELETE FROM entries WHERE sequence = 0")

    assert problems(walk(filled)) == [(0, "gap")]


def test_a_gap_that_was_closed_by_renumbering_is_found(filled: DecisionLog, database: LogDatabase) -> None:
    database.tamper(
        "DELETE FROM bodies WHERE id = (SELECT id FROM entries WHERE sequence = 4)",
        "DELETE FROM entries WHERE sequence = 4",
        "UPDATE entries SET sequence = 4 WHERE sequence = 5",
    )

    assert problems(walk(filled)) == [(4, "previous"), (4, "columns")]


def test_swapped_entries_are_found(filled: DecisionLog, database: LogDatabase) -> None:
    database.tamper(
        "UPDATE entries SET sequence = -1 WHERE sequence = 2",
        "UPDATE entries SET sequence = 2 WHERE sequence = 3",
        "UPDATE entries SET sequence = 3 WHERE sequence = -1",
    )

    found = problems(walk(filled))

    assert found == [(2, "previous"), (2, "columns"), (3, "previous"), (3, "columns"), (4, "previous")]


def test_an_entry_moved_to_another_writer_is_found(filled: DecisionLog, database: LogDatabase) -> None:
    database.tamper("UPDATE entries SET writer = '' WHERE sequence = 5")

    report = walk(filled)

    assert report.problems == (Problem("", 0, "uncertified"), Problem("", 0, "gap"), Problem("", 5, "columns"))
    assert report.writers == 2


def test_an_entry_that_is_no_document_is_found(filled: DecisionLog, database: LogDatabase) -> None:
    database.tamper(
        update(entries).where(entries.c.sequence == 2).values(bytes=b"\xff"),
        update(entries).where(entries.c.sequence == 3).values(bytes=b"[]"),
    )

    found = problems(walk(filled))

    assert (2, "unreadable") in found
    assert (3, "unreadable") in found


def test_what_only_sqlite_lets_in_is_found(open_database: LogOpener, sqlite: SQLiteLog) -> None:
    log = open_database(sqlite)
    log.append(make_draft(), deadline_seconds=5)
    log.append(make_draft(), deadline_seconds=5)
    sqlite.tamper(
        "UPDATE entries SET signature = 'text', bytes = CAST(bytes AS TEXT) WHERE sequence = 1",
        "UPDATE entries SET sequence = 'last' WHERE sequence = 2",
    )

    assert problems(walk(log)) == [(2, "columns"), (1, "signature")]


def test_a_chain_that_begins_with_a_decision_is_found(open_log: LogOpener, database: LogDatabase) -> None:
    log = open_log(writer="writer-1")
    database.tamper("DELETE FROM entries")
    log.append(make_draft(), deadline_seconds=5)
    database.tamper("UPDATE entries SET sequence = 0")

    assert (0, "not-a-start") in problems(walk(log))


def test_an_edited_body_is_found(filled: DecisionLog, database: LogDatabase) -> None:
    database.tamper(
        update(bodies)
        .where(bodies.c.id == select(entries.c.id).where(entries.c.sequence == 2).scalar_subquery())
        .values(bytes=b"{}"),
        "UPDATE bodies SET sha256 = 'x' WHERE id = (SELECT id FROM entries WHERE sequence = 4)",
    )

    report = walk(filled)

    assert problems(report) == [(2, "body"), (4, "body")]
    assert report.exit_code == 1


def test_a_missing_body_is_incomplete(filled: DecisionLog, database: LogDatabase) -> None:
    database.tamper("DELETE FROM bodies WHERE id = (SELECT id FROM entries WHERE sequence = 2)")

    report = walk(filled)

    assert problems(report) == [(2, "missing-body")]
    assert report.exit_code == 2


def test_a_body_that_no_entry_names_is_found(filled: DecisionLog, database: LogDatabase) -> None:
    database.tamper(
        "INSERT INTO bodies SELECT 'stray', bytes, sha256 FROM bodies LIMIT 1",
        "INSERT INTO bodies SELECT e.id, b.bytes, 'x' FROM entries e, (SELECT bytes FROM bodies LIMIT 1) b "
        "WHERE e.sequence = 0",
    )

    report = walk(filled)

    assert report.problems == (Problem("writer-1", 0, "body"), Problem("stray", 0, "unexpected-body"))
    assert report.exit_code == 1


def test_what_is_edited_and_incomplete_is_tampered(filled: DecisionLog, database: LogDatabase) -> None:
    database.tamper("UPDATE entries SET family = 'x' WHERE sequence = 1", "DELETE FROM entries WHERE sequence = 3")

    assert walk(filled).exit_code == 1


def test_all_problems_are_counted_and_some_are_listed(
    filled: DecisionLog, database: LogDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "MAX_LISTED", 2)
    database.tamper("UPDATE entries SET hash = 'x'")

    report = walk(filled)

    assert problems(report) == [(0, "hash"), (1, "hash")]
    assert report.counts == {"hash": 6}


def test_a_truncated_tail_goes_unseen_and_the_summary_says_so(filled: DecisionLog, database: LogDatabase) -> None:
    database.tamper(
        "DELETE FROM bodies WHERE id = (SELECT id FROM entries WHERE sequence = 5)",
        "DELETE FROM entry_terms WHERE id = (SELECT id FROM entries WHERE sequence = 5)",
        "DELETE FROM entries WHERE sequence = 5",
    )

    report = walk(filled)

    assert report.exit_code == 3
    assert "newest entries of a chain or a whole chain may have been removed" in report.summary


def test_a_log_that_cannot_be_read_proves_nothing(filled: DecisionLog, database: LogDatabase) -> None:
    database.tamper("DROP TABLE bodies")

    with pytest.raises(RecordUnavailableError):
        walk(filled)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        ("DELETE FROM entry_terms WHERE id = (SELECT id FROM entries WHERE sequence = 2)", "missing-terms"),
        ("UPDATE entry_terms SET term = 'rule=x' WHERE term LIKE 'rule=%' AND id = "
         "(SELECT id FROM entries WHERE sequence = 2)", "unexpected-term"),
        ("UPDATE entry_terms SET time = 7 WHERE term LIKE 'rule=%' AND id = "
         "(SELECT id FROM entries WHERE sequence = 2)", "unexpected-term"),
        ("INSERT INTO entry_terms SELECT 'rule=x', time, id FROM entries WHERE sequence = 2", "unexpected-term"),
        ("INSERT INTO entry_terms VALUES ('rule=x', 1, 'nobody')", "stray-term"),
    ],
)  # fmt: skip
def test_edited_terms_are_found(filled: DecisionLog, database: LogDatabase, edit: str, problem: str) -> None:
    database.tamper(edit)

    report = walk(filled)

    assert report.counts[problem] == 1
    assert report.exit_code == (1 if problem == "unexpected-term" else 2)


def test_a_signature_that_others_speak_for_is_checked_on_request(filled: DecisionLog, database: LogDatabase) -> None:
    database.tamper(update(entries).where(entries.c.sequence == 2).values(signature=bytes(64)))

    assert problems(walk(filled)) == []
    report = verify_log(filled.reader, Evidence([LOG_KEY.public]), Extent(every_signature=True))
    assert problems(report) == [(2, "signature")]


@pytest.mark.parametrize("count", [30, 60])
def test_verification_holds_no_more_rows_of_a_longer_log(
    log: DecisionLog, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    page = 5
    for module, name in (
        (chain_rows, "PAGE"),
        (chain_walk, "PAGE"),
        (term_walk, "PAGE"),
        (term_walk, "_TERM_PAGE"),
        (digest_walk, "_PAGE"),
        (verify, "_BODY_PAGE"),
    ):
        monkeypatch.setattr(module, name, page)
    held: list[int] = []

    def counting(function: Any) -> Any:
        def counted(*arguments: Any) -> Any:
            held.append(sum(isinstance(each, Row) for each in gc.get_objects()))
            return function(*arguments)

        return counted

    for _ in range(count):
        log.append(make_draft(), deadline_seconds=5)
    gc.collect()
    gc.freeze()  # only what is made from now on is looked through
    monkeypatch.setattr(chain_walk, "entry_hash", counting(chain_walk.entry_hash))
    monkeypatch.setattr(TermSum, "add", counting(TermSum.add))

    try:
        report = walk(log)
    finally:
        gc.unfreeze()

    assert (report.entries, report.problems) == (count + 1, ())
    assert len(held) > 5 * count
    # A page of rows, the one that is read next, and what the walk has in its hands.
    assert page <= max(held) <= 3 * page
