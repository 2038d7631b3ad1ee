"""What digests and anchors show that chains alone do not: each attack, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from ecs_admission.decision_log import chain_walk
from ecs_admission.decision_log.anchor_places import anchor_at
from ecs_admission.decision_log.anchors import Anchored, FolderAnchor
from ecs_admission.decision_log.certificates import Writer
from ecs_admission.decision_log.chain import Head, seal
from ecs_admission.decision_log.digest_tables import digest_ranges, digests
from ecs_admission.decision_log.digests import NO_DIGEST, Digest, Range, SignedDigest, read_digest, read_line
from ecs_admission.decision_log.entries import EntryDraft
from ecs_admission.decision_log.keys import make_signing_key
from ecs_admission.decision_log.receipts import read_receipts
from ecs_admission.decision_log.schema import bodies, entries, entry_terms, entry_values, writer_values, writers
from ecs_admission.decision_log.sealer import range_row
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.errors import SettingsError

from .conftest import LOG_KEY, LogOpener, make_draft, make_node_draft
from .databases import LogDatabase
from .sealing import SEALER_KEY, SECOND_US, Sealing, problems

DIGEST = Digest(
    number=7,
    previous="a" * 64,
    epoch=2,
    state="run",
    from_time=1,
    to_time=2,
    interval_seconds=10,
    more=False,
    ranges=(Range("writer-1", 4, 6, "b" * 64),),
    counts={"decision": 3},
    outcomes={"denied": 3},
    refused=0,
    key=SEALER_KEY.public.id,
)


@pytest.fixture
def sealed(log: DecisionLog, sealing: Sealing) -> DecisionLog:
    """A log of three digests: a start and two decisions, two decisions, none."""
    sealer = sealing.sealer()
    for count in (2, 2, 0):
        for _ in range(count):
            log.append(make_draft(), deadline_seconds=5)
        sealer.step()
        sealing.clock.pass_by(10)
    sealer.close()
    return log


@contextmanager
def snapshot(database: LogDatabase) -> Iterator[None]:
    """All rows as they are now, put back at the end: what a restored copy has."""
    tables = (writers, entries, bodies, entry_terms, digests, digest_ranges)
    with database.engine.connect() as connection:  # type: ignore[attr-defined]
        rows = {table: [dict(row._mapping) for row in connection.execute(table.select())] for table in tables}
    yield
    database.tamper("DELETE FROM anchor_states", *(delete(table) for table in reversed(tables)))
    database.tamper(*(insert(table).values(row) for table, found in rows.items() for row in found))


def remove_entries(database: LogDatabase, first: int) -> None:
    """What somebody does who cleans up behind himself."""
    gone = select(entries.c.id).where(entries.c.sequence >= first)
    database.tamper(
        delete(bodies).where(bodies.c.id.in_(gone)),
        delete(entry_terms).where(entry_terms.c.id.in_(gone)),
        delete(entries).where(entries.c.sequence >= first),
    )


def test_a_sealed_log_is_whole(sealed: DecisionLog, sealing: Sealing) -> None:
    report = sealing.verify()

    assert (report.exit_code, report.problems, report.digests.checked, report.unsealed) == (0, (), 3, 0)


def test_an_edited_row_is_found_and_its_digest_named(
    sealed: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    ((content,),) = database.rows("SELECT bytes FROM entries WHERE sequence = 3")
    database.tamper(
        update(entries).where(entries.c.sequence == 3).values(bytes=content.replace(b'"denied"', b'"allowed"'))
    )

    report = sealing.verify()

    assert report.exit_code == 1
    assert {("hash", 1), ("columns", 1), ("signature", 1)} <= problems(report)
    assert dict(report.digests.invalid) == {1: "hash"}
    assert "2/3 digests valid" in report.summary


def test_an_edited_column_is_found(sealed: DecisionLog, sealing: Sealing, database: LogDatabase) -> None:
    database.tamper("UPDATE entries SET actor = 'somebody' WHERE sequence = 1")

    assert problems(sealing.verify()) == {("columns", 0)}


def test_a_deleted_row_is_found(sealed: DecisionLog, sealing: Sealing, database: LogDatabase) -> None:
    database.tamper(
        "DELETE FROM bodies WHERE id = (SELECT id FROM entries WHERE sequence = 2)",
        "DELETE FROM entry_terms WHERE id = (SELECT id FROM entries WHERE sequence = 2)",
        "DELETE FROM entries WHERE sequence = 2",
    )

    report = sealing.verify()

    assert (report.exit_code, problems(report)) == (2, {("gap", 0)})


def test_a_truncated_tail_is_found(sealed: DecisionLog, sealing: Sealing, database: LogDatabase) -> None:
    remove_entries(database, 4)

    report = sealing.verify()

    assert (report.exit_code, problems(report), list(report.digests.invalid)) == (2, {("gap", 1)}, [1])


def test_a_whole_chain_that_is_gone_is_found(sealed: DecisionLog, sealing: Sealing, database: LogDatabase) -> None:
    remove_entries(database, 0)
    database.tamper("DELETE FROM writers")

    report = sealing.verify()

    assert {("uncertified", None), ("gap", 0)} == problems(report)
    assert list(report.digests.invalid) == [0, 1]


def test_a_truncated_tail_with_its_digests_is_found_by_the_anchor_alone(
    sealed: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    remove_entries(database, 3)
    database.tamper("DELETE FROM digest_ranges WHERE number > 0", "DELETE FROM digests WHERE number > 0")

    report = sealing.verify()

    assert (report.exit_code, problems(report)) == (2, {("digest-missing", 1), ("digest-missing", 2)})
    assert sealing.verify(FolderAnchor(sealing.folder / "nothing")).exit_code == 3


def test_a_restored_snapshot_is_found(log: DecisionLog, sealing: Sealing, database: LogDatabase) -> None:
    sealer = sealing.sealer()
    sealer.step()
    with snapshot(database):
        log.append(make_draft(), deadline_seconds=5)
        sealer.step()
        assert sealing.verify().exit_code == 0

    report = sealing.verify()

    assert (report.exit_code, problems(report)) == (2, {("digest-missing", 1)})


def forge_everything(sealing: Sealing, database: LogDatabase, *, reason: str) -> None:
    """What somebody does who has every key and every right: the whole log anew, with other decisions."""
    old = [orjson.loads(content) for (content,) in database.rows("SELECT bytes FROM entries ORDER BY sequence")]
    writer = Writer.certified("writer-1", time_us=old[0]["time"], log_key=LOG_KEY)
    head, rows = Head(), []
    for document in old:
        fields = {key: value for key, value in document.items() if key not in ("v", "writer", "sequence", "previous")}
        if fields["kind"] == "decision":
            fields |= {"reason": reason}
        entry = seal(EntryDraft(fields["id"], fields["kind"], fields), writer, head)
        head = Head(entry.sequence + 1, entry.hash)
        rows.append(entry_values(entry))
    hashes = {row[1]: row[2] for row in rows}
    stored = [read_digest(content) for (content,) in database.rows("SELECT bytes FROM digests ORDER BY number")]
    database.tamper(delete(entries), delete(writers), delete(digest_ranges), delete(digests))
    database.tamper(
        insert(writers).values(writer_values(writer.certificate)), *(insert(entries).values(row) for row in rows)
    )
    previous = NO_DIGEST
    for digest in filter(None, stored):
        ranges = tuple(replace(each, head=hashes[each.last]) for each in digest.ranges)
        forged = replace(digest, previous=previous, ranges=ranges)
        signed = SignedDigest.of(forged, SEALER_KEY)
        previous = signed.hash
        database.tamper(
            insert(digests).values(
                number=signed.number,
                hash=signed.hash,
                signature=signed.signature,
                bytes=signed.content,
                from_time=digest.from_time,
                to_time=digest.to_time,
            ),
            *(insert(digest_ranges).values(range_row(each, digest.number)) for each in ranges),
        )


def test_a_full_recomputation_with_every_key_is_found_by_the_anchor_alone(
    sealed: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    forge_everything(sealing, database, reason="forged")

    report = sealing.verify()

    assert (report.exit_code, problems(report)) == (1, {("anchor-differs", number) for number in range(3)})
    without = sealing.verify(FolderAnchor(sealing.folder / "nothing"))
    assert (without.exit_code, without.problems) == (3, ())
    assert "may have computed everything anew" in without.summary


def test_digests_computed_anew_without_the_sealers_key_are_found(
    sealed: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    ((content,),) = database.rows("SELECT bytes FROM digests WHERE number = 2")
    digest = read_digest(content)
    assert digest is not None
    forged = SignedDigest.of(replace(digest, to_time=digest.to_time + 1), make_signing_key())
    database.tamper(
        update(digests)
        .where(digests.c.number == 2)
        .values(hash=forged.hash, bytes=forged.content, signature=forged.signature, to_time=digest.to_time + 1)
    )

    report = sealing.verify()

    assert (report.exit_code, problems(report)) == (1, {("digest-signature", 2), ("anchor-differs", 2)})


def test_the_services_own_key_does_not_sign_digests(
    sealed: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    for number, content in database.rows("SELECT number, bytes FROM digests"):
        digest = read_digest(content)
        assert digest is not None
        forged = SignedDigest.of(replace(digest, key=LOG_KEY.public.id), LOG_KEY)
        database.tamper(
            update(digests)
            .where(digests.c.number == number)
            .values(hash=forged.hash, bytes=forged.content, signature=forged.signature)
        )

    assert {("digest-signature", number) for number in range(3)} <= problems(sealing.verify())


def test_an_invented_writer_is_found(sealed: DecisionLog, sealing: Sealing, database: LogDatabase) -> None:
    DecisionLog.open(
        database.url,
        writer="intruder",
        start=make_node_draft(),
        log_key=make_signing_key(),
        timeout_seconds=5,
        read_url=database.read_url,
    ).close()

    report = sealing.verify()

    assert (report.exit_code, problems(report)) == (1, {("uncertified", None)})
    assert problems(sealing.verify(since_us=sealing.clock.now_us - 25 * SECOND_US)) == {("uncertified", None)}


def test_rows_newer_than_the_last_digest_are_found_by_receipts_alone(
    sealed: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    kept = [sealed.append(make_draft(), deadline_seconds=5).receipt for _ in range(2)]
    assert sealing.verify(receipts=read_receipts([each.encode() for each in kept])).exit_code == 0
    remove_entries(database, 6)

    blind = sealing.verify()
    report = sealing.verify(receipts=read_receipts([each.encode() for each in kept]))

    assert blind.exit_code == 0
    assert "found by nothing but the receipts that callers kept; none were given" in blind.summary
    assert (report.exit_code, dict(report.counts), report.receipts) == (2, {"receipt-missing": 1}, 2)
    assert report.problems[0].writer == kept[1].partition(":")[0]


def test_another_entry_in_the_place_of_one_that_a_caller_was_told_of_is_found(
    sealed: DecisionLog, sealing: Sealing
) -> None:
    entry = sealed.append(make_draft(), deadline_seconds=5)
    told = entry.receipt.replace(entry.hash, "0" * 64)

    report = sealing.verify(receipts=read_receipts([told.encode()]))

    assert (report.exit_code, dict(report.counts)) == (1, {"receipt-differs": 1})


def test_receipts_have_several_forms(sealed: DecisionLog, sealing: Sealing) -> None:
    entry = sealed.append(make_draft(), deadline_seconds=5)
    receipt, entry_id = entry.receipt, entry.document["id"]
    annotations = {"decision-id": entry_id, "policy-revision": "r", "receipt": receipt}
    lines: list[Any] = [
        receipt.encode(),
        b"",
        orjson.dumps({"receipt": receipt}),
        orjson.dumps({"decisionId": entry_id}),
        orjson.dumps({"decisionId": entry_id, "hash": entry.hash}),
        orjson.dumps({"apiVersion": "admission.k8s.io/v1", "response": {"auditAnnotations": annotations}}),
        orjson.dumps({"auditAnnotations": {"decision-id": entry_id}}) + b"\n",
    ]

    assert sealing.verify(receipts=read_receipts(lines)).receipts == 6


@pytest.mark.parametrize("line", [b"x", b"[]", b"{}", b'{"decisionId":7}', b'{"receipt":"a:b:c:d"}', b"\xff", b"null"])
def test_a_line_that_is_no_receipt_is_named(line: bytes) -> None:
    with pytest.raises(SettingsError, match="line 2 "):
        list(read_receipts([b"", line]))


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        ("UPDATE digests SET hash = 'x' WHERE number = 1", {("digest-hash", 1)}),
        ("UPDATE digests SET to_time = 5 WHERE number = 1", {("digest-columns", 1)}),
        ("UPDATE digest_ranges SET head = 'x' WHERE number = 1", {("digest-ranges", 1), ("head", 1)}),
        ("UPDATE digest_ranges SET number = 2 WHERE number = 1", {("digest-ranges", 1), ("digest-ranges", 2)}),
        ("DELETE FROM digest_ranges WHERE number = 1", {("digest-ranges", 1)}),
        (
            "INSERT INTO digest_ranges VALUES ('nobody', 0, 1, 1, 'x')",
            {("digest-ranges", 1), ("uncertified", None), ("gap", 1)},
        ),
        ("UPDATE digest_ranges SET number = 9 WHERE number = 1", {("digest-ranges", 1)}),
        ("DELETE FROM digests WHERE number = 0", {("digest-missing", 0), ("digest-ranges", 0)}),
    ],
)  # fmt: skip
def test_edited_digests_are_found(
    sealed: DecisionLog, sealing: Sealing, database: LogDatabase, edit: str, found: set[tuple[str, int | None]]
) -> None:
    database.tamper(edit)

    assert problems(sealing.verify()) == found


def test_a_digest_that_was_taken_from_between_others_is_found(
    sealed: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    database.tamper("DELETE FROM digests WHERE number = 1")

    report = sealing.verify()

    assert {("digest-missing", 1), ("digest-previous", 2), ("digest-window", 2)} <= problems(report)
    assert report.exit_code == 1


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b'{"digest":"{}","signature":""}'])
def test_an_anchor_whose_content_was_replaced_is_found(sealed: DecisionLog, sealing: Sealing, content: bytes) -> None:
    (path,) = (sealing.folder / "00000000").glob("000000000001-*.json")
    path.chmod(0o600)
    path.write_bytes(content)

    assert problems(sealing.verify()) == {("anchor-content", 1)}


def test_an_anchor_that_lost_a_digest_is_incomplete(sealed: DecisionLog, sealing: Sealing) -> None:
    (path,) = (sealing.folder / "00000000").glob("000000000001-*.json")
    path.unlink()

    report = sealing.verify()

    assert (report.exit_code, problems(report)) == (2, {("anchor-missing", 1)})


def test_a_second_version_of_an_anchor_is_found(sealed: DecisionLog, sealing: Sealing) -> None:
    class Rewritten(FolderAnchor):
        def listed(self, first: int) -> Iterator[Anchored]:
            yield from (replace(each, versions=1 + (each.number == 1)) for each in super().listed(first))

    assert problems(sealing.verify(Rewritten(sealing.folder))) == {("anchor-versions", 1)}


def test_two_digests_of_one_number_in_an_anchor_are_found(sealed: DecisionLog, sealing: Sealing) -> None:
    (sealing.folder / "00000000" / f"{1:012d}-{'0' * 64}.json").write_bytes(b"{}")

    assert problems(sealing.verify()) == {("anchor-versions", 1), ("anchor-differs", 1)}


def test_an_entry_whose_time_is_outside_its_digest_is_worth_a_question(log: DecisionLog, sealing: Sealing) -> None:
    sealer = sealing.sealer()
    sealer.step()
    for seconds in (-3600, 0, 3600):
        log.append(make_draft(time_us=sealing.clock.now_us + seconds * SECOND_US), deadline_seconds=5)
    sealing.clock.pass_by(10)
    sealer.step()

    report = sealing.verify()

    assert [(each.sequence, each.digest) for each in report.notices if each.notice == "time"] == [(1, 1), (3, 1)]
    assert (report.exit_code, report.notice_counts["time"]) == (0, 2)
    assert "Worth a question: never-stopped 1, time 2." in report.summary


def test_a_writer_that_never_said_that_it_stopped_is_worth_a_question(open_log: LogOpener, sealing: Sealing) -> None:
    open_log(writer="killed")
    open_log(writer="ended").append(make_node_draft("node_stop"), deadline_seconds=5)
    sealing.sealer().step()

    assert [(each.notice, each.writer) for each in sealing.verify().notices] == [("never-stopped", "killed")]


def test_time_in_which_nothing_was_sealed_is_worth_a_question(log: DecisionLog, sealing: Sealing) -> None:
    sealer = sealing.sealer()
    sealer.step()
    sealing.clock.pass_by(3600)
    sealer.step()

    assert sealing.verify().notice_counts["late-digest"] == 1


def test_a_part_of_the_log_is_verified_by_time(sealed: DecisionLog, sealing: Sealing, database: LogDatabase) -> None:
    (first, second, _) = (time for (time,) in database.rows("SELECT to_time FROM digests ORDER BY number"))
    database.tamper("UPDATE entries SET actor = 'x' WHERE sequence = 1")

    later = sealing.verify(since_us=second)
    earlier = sealing.verify(until_us=first)
    middle = sealing.verify(since_us=first + 1, until_us=second)

    assert (later.exit_code, later.digests.first, later.digests.last, later.entries) == (0, 1, 2, 2)
    assert (earlier.exit_code, earlier.digests.last, earlier.entries) == (1, 0, 3)
    assert (middle.exit_code, middle.digests.first, middle.digests.last) == (0, 1, 1)


def test_a_part_that_reaches_to_the_end_has_what_no_digest_holds_yet(
    sealed: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    sealed.append(make_draft(), deadline_seconds=5)

    report = sealing.verify(since_us=sealing.clock.now_us - SECOND_US * 11)
    assert (report.exit_code, report.entries, report.unsealed) == (0, 1, 1)

    database.tamper("UPDATE entries SET actor = 'x' WHERE sequence = 5")
    assert problems(sealing.verify(since_us=sealing.clock.now_us - SECOND_US * 11)) == {("columns", None)}


def test_without_the_sealers_key_it_cannot_tell(sealed: DecisionLog, sealing: Sealing) -> None:
    from ecs_admission.decision_log.verify import Evidence, verify_log

    report = verify_log(sealed.reader, Evidence([LOG_KEY.public], [], [sealing.anchor]))

    assert (report.exit_code, len(report.doubts)) == (3, 1)
    assert "sealer's public key was not given" in report.summary


def test_a_digest_has_one_spelling() -> None:
    signed = SignedDigest.of(DIGEST, SEALER_KEY)

    assert read_digest(signed.content) == DIGEST
    assert read_line(signed.line) == signed
    assert signed.is_signed_by(SEALER_KEY.public)
    assert not signed.is_signed_by(LOG_KEY.public)
    assert read_digest(signed.content + b" ") is None
    assert read_digest(signed.content.replace(b'"number":7', b'"number":true')) is None


@given(st.binary() | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(orjson.dumps))
def test_what_is_no_digest_is_none(content: bytes) -> None:
    assert read_digest(content) is None
    assert read_line(content) is None


OTHER_TYPES = st.none() | st.booleans() | st.text() | st.lists(st.none()) | st.floats(allow_nan=False)


@given(st.dictionaries(st.sampled_from(sorted(DIGEST.document)), OTHER_TYPES, min_size=1))
def test_a_digest_with_a_member_of_another_type_is_none_or_what_it_says(changes: dict[str, Any]) -> None:
    content = orjson.dumps(DIGEST.document | changes, option=orjson.OPT_SORT_KEYS)

    digest = read_digest(content)

    assert digest is None or orjson.dumps(digest.document, option=orjson.OPT_SORT_KEYS) == content


def test_an_anchor_in_a_folder_keeps_what_it_has(tmp_path: Path) -> None:
    anchor, signed = FolderAnchor(tmp_path / "a"), SignedDigest.of(DIGEST, SEALER_KEY)
    anchor.put(signed)
    anchor.put(signed)

    assert list(anchor.listed(0)) == [Anchored(7, signed.hash)]
    assert read_line(anchor.read(Anchored(7, signed.hash))) == signed
    (path,) = (tmp_path / "a").rglob("*.json")
    assert path.stat().st_mode & 0o777 == 0o400
    with pytest.raises(SettingsError):
        anchor_at("https://somewhere", retention_days=1)


def test_what_is_written_and_sealed_while_it_is_verified_is_no_alarm(
    sealed: DecisionLog, sealing: Sealing, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealer = sealing.sealer(holder="b")
    monkeypatch.setattr("ecs_admission.decision_log.chain_rows.PAGE", 2)
    monkeypatch.setattr(chain_walk, "PAGE", 2)
    rows = chain_walk.chain_of

    def interrupted(*arguments: Any) -> Iterator[Any]:
        for row in rows(*arguments):
            sealed.append(make_draft(), deadline_seconds=5)
            sealer.step()
            yield row
            if row.sequence == 4:
                return  # the end of the chain, as it was read a moment ago

    monkeypatch.setattr(chain_walk, "chain_of", interrupted)

    report = sealing.verify()

    assert (report.exit_code, report.problems, report.digests.last) == (0, (), 2)
