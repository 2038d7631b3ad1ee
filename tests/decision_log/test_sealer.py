"""The sealer: what it signs, who of several signs, and when it stops. On both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from ecs_admission.decision_log.anchors import Anchored, AnchorError, FolderAnchor
from ecs_admission.decision_log.digest_tables import digests, sealer_lease
from ecs_admission.decision_log.digests import Digest, SignedDigest, read_digest
from ecs_admission.decision_log.keys import make_signing_key
from ecs_admission.decision_log.lease import PATIENCE_SECONDS
from ecs_admission.decision_log.sealer import Sealer, SealerStoppedError
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.errors import RecordUnavailableError, SettingsError

from . import sealing as fakes
from .conftest import LogOpener, make_draft, make_node_draft
from .databases import LogDatabase, PostgreSQLLog
from .sealing import SEALER_KEY, Sealing, problems


def sealed(database: LogDatabase) -> list[Digest]:
    found = [read_digest(content) for (content,) in database.rows("SELECT bytes FROM digests ORDER BY number")]
    assert None not in found
    return [digest for digest in found if digest is not None]


def append(log: DecisionLog, count: int = 1) -> None:
    for _ in range(count):
        log.append(make_draft(), deadline_seconds=5)


class BrokenAnchor(FolderAnchor):
    """One that can be taken away."""

    is_broken = False

    def put(self, digest: SignedDigest) -> None:
        if self.is_broken:
            raise AnchorError("the anchor is away")
        super().put(digest)


def test_a_digest_names_the_range_and_the_head_of_each_writer(
    open_log: LogOpener, sealing: Sealing, database: LogDatabase
) -> None:
    first, second = open_log(writer="writer-1"), open_log(writer="writer-2")
    append(first, 3)
    append(second)

    step = sealing.sealer().step()

    (digest,) = sealed(database)
    heads = dict(
        database.rows(
            "SELECT writer, hash FROM entries WHERE (writer, sequence) IN (VALUES ('writer-1', 3), ('writer-2', 1))"
        )
    )
    assert (step.leads, step.number, step.entries, step.more) == (True, 0, 6, False)
    assert [(each.writer, each.first, each.last, each.head) for each in digest.ranges] == [
        ("writer-1", 0, 3, heads["writer-1"]),
        ("writer-2", 0, 1, heads["writer-2"]),
    ]
    assert (digest.number, digest.state, digest.epoch, digest.key) == (0, "start", 1, SEALER_KEY.public.id)
    assert (digest.counts, digest.outcomes) == ({"decision": 4, "node_start": 2}, {"denied": 4})


def test_idle_time_is_sealed_too_and_windows_touch(log: DecisionLog, sealing: Sealing, database: LogDatabase) -> None:
    sealer = sealing.sealer()
    sealer.step()
    sealing.clock.pass_by(10)
    sealer.step()
    sealing.clock.pass_by(10)
    append(log)
    sealer.step()

    first, second, third = sealed(database)
    assert (second.ranges, second.entries, third.entries) == ((), 0, 1)
    assert (second.from_time, third.from_time) == (first.to_time, second.to_time)
    assert [each.state for each in (first, second, third)] == ["start", "run", "run"]
    report = sealing.verify()
    assert (report.problems, report.exit_code, report.digests.checked, report.unsealed) == ((), 0, 3, 0)


def test_a_log_that_is_sealed_and_anchored_is_whole(log: DecisionLog, sealing: Sealing) -> None:
    append(log, 3)
    sealing.sealer().step()

    report = sealing.verify()

    assert (report.exit_code, report.doubts, report.problems) == (0, (), ())
    assert "1/1 digests valid, 4 entries in 1 chains" in report.summary
    assert [(each.compared, each.waiting) for each in report.anchors] == [(1, 0)]


def test_what_is_too_much_for_one_digest_comes_into_the_next(
    open_log: LogOpener, sealing: Sealing, database: LogDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecs_admission.decision_log.sealer.MAX_ENTRIES", 3)
    monkeypatch.setattr("ecs_admission.decision_log.harvest._PAGE", 2)
    for name in ("writer-1", "writer-2"):
        append(open_log(writer=name), 3)
    sealer = sealing.sealer()

    steps = [sealer.step() for _ in range(4)]

    assert [(step.entries, step.more) for step in steps[:3]] == [(3, True), (3, True), (2, False)]
    digests_ = sealed(database)
    assert {each.from_time for each in digests_[:3]} == {digests_[0].from_time}
    assert digests_[3].from_time == digests_[2].to_time
    assert sealing.verify().exit_code == 0


def test_a_writer_that_is_not_certified_is_not_sealed(
    open_log: LogOpener, sealing: Sealing, database: LogDatabase
) -> None:
    append(open_log(writer="honest"))
    DecisionLog.open(
        database.url,
        writer="intruder",
        start=make_node_draft(),
        log_key=make_signing_key(),
        timeout_seconds=5,
        read_url=database.read_url,
    ).close()

    step = sealing.sealer().step()

    (digest,) = sealed(database)
    assert (step.refused, digest.refused) == ({"intruder": "uncertified"}, 1)
    assert [each.writer for each in digest.ranges] == ["honest"]
    report = sealing.verify()
    assert problems(report) == {("uncertified", None)}
    assert report.notice_counts["refused"] == 1


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        ("UPDATE entries SET hash = 'x' WHERE sequence = 3", "hash"),
        ("UPDATE entries SET sequence = 9 WHERE sequence = 3", "gap"),
        ("UPDATE entries SET signature = {zeros} WHERE sequence = 4", "signature"),
    ],
)
def test_a_chain_is_sealed_as_far_as_it_is_whole(
    log: DecisionLog, sealing: Sealing, database: LogDatabase, edit: str, problem: str
) -> None:
    append(log, 4)
    zeros = "'\\x00'::bytea" if isinstance(database, PostgreSQLLog) else "x'00'"
    database.tamper(edit.format(zeros=zeros))

    step = sealing.sealer().step()

    assert step.refused == {"writer-1": problem}
    assert step.entries == (0 if problem == "signature" else 3)
    assert sealing.verify().exit_code in (1, 2)


def test_of_two_sealers_one_seals(log: DecisionLog, sealing: Sealing, database: LogDatabase) -> None:
    leader, other = sealing.sealer(holder="a"), sealing.sealer(holder="b")
    assert leader.step().leads
    for _ in range(10):
        sealing.clock.pass_by(10)
        append(log)
        assert leader.step().leads
        assert not other.step().leads

    assert [digest.epoch for digest in sealed(database)] == [1] * 11


def test_a_leader_that_falls_silent_is_replaced_and_never_writes_again(
    log: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    asleep, other = sealing.sealer(holder="a"), sealing.sealer(holder="b")
    asleep.step()
    assert not other.step().leads
    sealing.clock.pass_by(PATIENCE_SECONDS - 1)
    assert not other.step().leads
    sealing.clock.pass_by(1)
    append(log)

    assert other.step().leads

    append(log)
    assert not asleep.step().leads
    assert [(digest.number, digest.epoch) for digest in sealed(database)] == [(0, 1), (1, 2)]
    report = sealing.verify()
    assert (report.exit_code, report.notice_counts["sealer-died"], report.unsealed) == (0, 1, 1)


def test_a_leader_that_was_replaced_between_reading_and_writing_writes_nothing(
    log: DecisionLog, sealing: Sealing, database: LogDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = sealing.sealer(holder="a")
    slow.step()
    append(log)
    harvest = slow._harvest

    def interrupted(*arguments: object) -> object:
        found = harvest(*arguments)  # type: ignore[arg-type]
        database.tamper(update(sealer_lease).values(epoch=2, holder="b"))
        return found

    monkeypatch.setattr(slow, "_harvest", interrupted)

    assert not slow.step().leads
    assert len(sealed(database)) == 1


def test_a_sealer_that_ends_says_so_and_lets_another_lead_at_once(
    log: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    first = sealing.sealer(holder="a")
    first.step()
    first.close(finish=True)

    assert sealing.sealer(holder="b").step().leads

    assert [(each.state, each.epoch) for each in sealed(database)] == [("start", 1), ("stop", 1), ("start", 2)]
    assert sealing.verify().notice_counts == {"never-stopped": 1}


def test_two_sealers_that_race_for_the_first_lead_make_one_chain(
    log: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    import threading

    sealers = [sealing.sealer(holder=str(number)) for number in range(4)]
    led: list[bool] = []

    def race(sealer: Sealer) -> None:
        led.append(sealer.step().leads)

    threads = [threading.Thread(target=race, args=(sealer,)) for sealer in sealers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(led) == [False, False, False, True]
    assert len(sealed(database)) == 1


def test_a_sealer_goes_on_where_the_one_before_it_was(
    log: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    append(log)
    first = sealing.sealer(holder="a")
    first.step()
    first.close()
    append(log, 2)

    sealing.sealer(holder="b").step()

    assert [(each.first, each.last) for digest in sealed(database) for each in digest.ranges] == [(0, 1), (2, 3)]
    assert sealing.verify().exit_code == 0


def test_an_older_copy_of_the_database_stops_the_sealer(
    log: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    sealer = sealing.sealer(holder="a")
    for _ in range(3):
        sealer.step()
    sealer.close()
    database.tamper("DELETE FROM digest_ranges WHERE number > 1", "DELETE FROM digests WHERE number > 1")

    with pytest.raises(SealerStoppedError, match="ends before digest 2"):
        sealing.sealer(holder="b").step()

    assert len(sealed(database)) == 2


def test_a_database_without_any_digest_beside_an_anchor_that_has_some_stops_the_sealer(
    log: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    sealer = sealing.sealer(holder="a")
    sealer.step()
    sealer.close()
    database.tamper("DELETE FROM digest_ranges", "DELETE FROM digests", "DELETE FROM anchor_states")

    with pytest.raises(SealerStoppedError, match="it is an older copy"):
        sealing.sealer(holder="b").step()


def test_a_database_that_changes_under_the_sealer_stops_it(
    log: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    sealer = sealing.sealer()
    sealer.step()
    sealer.step()
    database.tamper("DELETE FROM digests WHERE number = 1")

    with pytest.raises(SealerStoppedError, match="restored or edited"):
        sealer.step()


def test_a_last_digest_that_was_replaced_stops_the_sealer(
    log: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    sealer = sealing.sealer(holder="a")
    sealer.step()
    sealer.close()
    (digest,) = sealed(database)
    changed = {field: getattr(digest, field) for field in digest.__dataclass_fields__} | {"interval_seconds": 11}
    forged = SignedDigest.of(Digest(**changed), SEALER_KEY)
    database.tamper(update(digests).values(hash=forged.hash, bytes=forged.content, signature=forged.signature))

    with pytest.raises(SealerStoppedError, match="another digest 0"):
        sealing.sealer(holder="b").step()


def test_what_an_anchor_does_not_take_waits_and_is_brought_later(
    log: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    anchor = BrokenAnchor(sealing.folder)
    sealer = sealing.sealer(anchors=[anchor])
    sealer.step()
    anchor.is_broken = True

    steps = [sealer.step() for _ in range(3)]

    assert [step.waiting[anchor.name] for step in steps] == [1, 2, 3]
    assert steps[0].failures == {anchor.name: "the anchor is away"}
    state = database.rows("SELECT next, failure, attempts FROM anchor_states")
    assert state == [(1, "the anchor is away", 3)]
    report = sealing.verify()
    assert (report.exit_code, report.anchors[0].waiting) == (0, 3)
    assert "does not have the newest 3 digests yet" in report.summary
    anchor.is_broken = False

    assert sealer.step().waiting == {anchor.name: 0}

    assert database.rows("SELECT next, failure, failing_since, attempts FROM anchor_states") == [(5, None, None, 0)]
    assert [each.number for each in anchor.listed(0)] == [0, 1, 2, 3, 4]


def test_an_anchor_that_cannot_be_compared_gets_nothing(log: DecisionLog, sealing: Sealing) -> None:
    class Unreadable(FolderAnchor):
        def listed(self, first: int):  # type: ignore[no-untyped-def]
            raise AnchorError("away")

    step = sealing.sealer(anchors=[Unreadable(sealing.folder)]).step()

    assert step.number == 0
    assert "not known whether the log is an older copy" in step.failures[str(sealing.folder)]
    assert list(sealing.anchor.listed(0)) == []


def test_an_anchor_that_comes_later_gets_all_digests(log: DecisionLog, sealing: Sealing, tmp_path: Path) -> None:
    first = sealing.sealer(holder="a")
    for _ in range(3):
        first.step()
    first.close()
    later = FolderAnchor(tmp_path / "later")

    sealing.sealer(holder="b", anchors=[sealing.anchor, later]).step()

    assert [each.number for each in later.listed(0)] == [0, 1, 2, 3]
    assert sealing.verify(sealing.anchor, later).exit_code == 0


def test_a_digest_that_was_anchored_while_the_answer_was_lost_is_no_conflict(
    log: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    sealer = sealing.sealer()
    sealer.step()
    database.tamper("UPDATE anchor_states SET next = 0")

    assert sealer.step().waiting == {str(sealing.folder): 0}


def test_an_anchor_with_another_digest_of_the_same_number_stops_the_sealer(log: DecisionLog, sealing: Sealing) -> None:
    sealer = sealing.sealer()
    sealer.step()
    (sealing.folder / "00000000" / f"{1:012d}-{'0' * 64}.json").write_bytes(b"{}")

    with pytest.raises(SealerStoppedError, match="another digest 1"):
        sealer.step()


def test_a_commit_whose_outcome_is_unknown_is_looked_up(
    log: DecisionLog, sealing: Sealing, database: LogDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.engine import Connection
    from sqlalchemy.exc import OperationalError

    sealer = sealing.sealer()
    sealer.step()
    commit = Connection.commit

    def lost(connection: Connection) -> None:
        commit(connection)
        raise OperationalError("", {}, Exception())

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "commit", lost)
        with pytest.raises(RecordUnavailableError):
            sealer.step()
    append(log)

    assert sealer.step().number == 2
    assert sealing.verify().exit_code == 0


def test_a_key_is_changed_by_a_digest_that_the_old_one_signs(
    log: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    new = make_signing_key()
    sealer = sealing.sealer(holder="a")
    sealer.step()
    assert sealer.rotate(new) == 1
    append(log)
    sealer.step()
    sealer.close()

    sealing.sealer(holder="b", key=new).step()
    sealing.made[-1].close()

    assert [digest.key for digest in sealed(database)] == [SEALER_KEY.public.id] * 2 + [new.public.id] * 2
    assert sealing.verify().exit_code == 0
    with pytest.raises(SettingsError, match="not the one that the last digest"):
        sealing.sealer(holder="c").step()


def test_a_key_that_was_lost_needs_a_word(log: DecisionLog, sealing: Sealing) -> None:
    sealing.sealer(holder="a").step()
    sealing.made[-1].close()
    new = make_signing_key()
    with pytest.raises(SettingsError, match="--accept-new-key"):
        sealing.sealer(holder="b", key=new).step()
    sealing.made[-1].close()

    sealing.sealer(holder="c", key=new, accept_new_key=True).step()

    assert problems(sealing.verify()) == {("digest-signature", 1)}


def test_a_database_that_is_held_up_is_told(log: DecisionLog, sealing: Sealing, database: LogDatabase) -> None:
    sealer = sealing.sealer(timeout_seconds=0.2)
    with database.held_up("sealer"), pytest.raises(RecordUnavailableError, match="cannot be sealed"):
        sealer.step()

    assert sealer.step().leads


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE digests SET hash = 'x'",
        "DELETE FROM digests",
        "DELETE FROM entries",
        "INSERT INTO entries SELECT * FROM entries",
        "SELECT * FROM bodies",
        "DELETE FROM digest_ranges",
    ],
)
def test_the_role_of_the_sealer_may_add_digests_and_nothing_else(postgresql: PostgreSQLLog, statement: str) -> None:
    import psycopg

    with psycopg.connect(postgresql.seal_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


@pytest.mark.parametrize("table", ["digests", "digest_ranges", "anchor_states", "sealer_lease"])
def test_no_role_of_the_service_may_write_what_the_sealer_writes(postgresql: PostgreSQLLog, table: str) -> None:
    import psycopg

    for url in (postgresql.url, postgresql.read_url):
        with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"INSERT INTO {table} SELECT * FROM {table}".encode())  # noqa: S608


def test_the_names_of_an_anchor_sort_as_its_numbers_do(tmp_path: Path) -> None:
    anchor = FolderAnchor(tmp_path)
    numbers = [0, 9, 10, 9_999, 10_000, 123_456_789]
    for number in reversed(numbers):
        anchor.put(SignedDigest(number, f"{number:064x}", b"{}", b""))

    assert [each.number for each in anchor.listed(0)] == numbers
    assert list(anchor.listed(10_000)) == [
        Anchored(10_000, f"{10_000:064x}"),
        Anchored(123_456_789, f"{123_456_789:064x}"),
    ]
    assert fakes.SECOND_US == 1_000_000
