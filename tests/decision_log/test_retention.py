"""Retention: what goes, what stays, who may ask for it, and that the log still verifies. On both databases."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import update

from ecs_admission.decision_log import chain_walk, term_walk
from ecs_admission.decision_log import retention as retention_module
from ecs_admission.decision_log import verify as verify_module
from ecs_admission.decision_log.anchors import FolderAnchor
from ecs_admission.decision_log.digest_tables import digests
from ecs_admission.decision_log.digests import SignedDigest, read_digest
from ecs_admission.decision_log.export_lines import export_lines, plan_export
from ecs_admission.decision_log.exports import PROOF, write_export
from ecs_admission.decision_log.exports_verify import verify_export
from ecs_admission.decision_log.filters import Filters
from ecs_admission.decision_log.keys import make_signing_key
from ecs_admission.decision_log.retention import (
    Request,
    Retention,
    active_holds,
    place_hold,
    release_hold,
)
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.decision_log.verify import Evidence
from ecs_admission.errors import SettingsError

from .conftest import LOG_KEY, LogOpener, make_draft
from .databases import LogDatabase, PostgreSQLLog
from .sealing import SEALER_KEY, Sealing, problems

DAY = 86_400
REQUEST = Request(older_than_days=400, operators=("ada",))
BODY = b'{"request":{},"object":{},"literals":[{"fingerprint":"k0123abcd:' + b"5" * 32 + b'"}]}'


@pytest.fixture
def owner(database: LogDatabase, open_database: LogOpener, sealing: Sealing) -> DecisionLog:
    """A writer of whoever owns the tables."""
    return open_database(database, url=database.owner_url, writer="owner")


@pytest.fixture
def aged(log: DecisionLog, sealing: Sealing) -> DecisionLog:
    """Two decisions sealed 500 days ago, two sealed 300 days ago, and two that are not sealed."""
    sealing.clock.pass_by(-500 * DAY)
    sealer = sealing.sealer()
    for days in (200, 300, 0):
        for _ in range(2):
            log.append(make_draft(body=BODY, time_us=sealing.clock.now_us), deadline_seconds=5)
        if days:
            sealer.step()
            sealing.clock.pass_by(days * DAY)
    sealer.close()
    return log


def retention(owner: DecisionLog, sealing: Sealing, **changes: Any) -> Retention:
    arguments: dict[str, Any] = {
        "log_keys": [LOG_KEY.public],
        "sealer_keys": [SEALER_KEY.public],
        "anchors": [sealing.anchor],
        "clock_us": lambda: sealing.clock.now_us,
    }
    return Retention(owner, sealing.database.owner_url, **(arguments | changes))


def run(found: Retention, request: Request = REQUEST) -> int:
    plan = found.plan(request)
    assert plan is not None
    return found.run(request, plan)


def left(database: LogDatabase) -> list[int]:
    statement = "SELECT e.sequence FROM entries e JOIN bodies b ON b.id = e.id ORDER BY 1"
    return [sequence for (sequence,) in database.rows(statement)]


def test_old_bodies_go_and_the_log_still_verifies(
    aged: DecisionLog, owner: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    assert run(retention(owner, sealing)) == 2

    report = sealing.verify()
    assert left(database) == [3, 4, 5, 6]
    assert (report.exit_code, report.problems) == (0, ())
    assert database.rows("SELECT count(*) FROM entry_terms WHERE term LIKE 'fingerprint=%'") == [(4,)]


def test_what_was_done_is_recorded_before_and_after(
    aged: DecisionLog, owner: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    run(retention(owner, sealing))

    from ecs_admission.decision_log.verify import signed_events

    begun, ended = signed_events(owner.reader, "retention", [LOG_KEY.public])
    assert begun["caller"]["username"] == "operator:ada"
    assert begun["details"] == {
        "olderThanDays": 400,
        "floorDays": 365,
        "operators": ["ada"],
        "throughDigest": 0,
        "throughTime": sealing.clock.now_us - 500 * DAY * 1_000_000,
        "finished": False,
        "bodies": None,
    }
    assert (ended["details"]["finished"], ended["details"]["bodies"]) == (True, 2)


def test_nothing_is_dropped_twice(aged: DecisionLog, owner: DecisionLog, sealing: Sealing) -> None:
    found = retention(owner, sealing)
    run(found)

    assert found.plan(REQUEST) is None
    sealing.clock.pass_by(150 * DAY)
    assert run(found) == 2
    assert sealing.verify().exit_code == 0


def test_what_broke_off_is_taken_up_again(
    aged: DecisionLog, owner: DecisionLog, sealing: Sealing, database: LogDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecs_admission.decision_log.retention._BATCH", 2)
    found = retention(owner, sealing)
    drop, calls = found._drop, []

    def breaks(*arguments: Any) -> int:
        calls.append(arguments)
        if len(calls) == 2:
            raise SettingsError("the power is gone")
        return drop(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(found, "_drop", breaks)
        with pytest.raises(SettingsError, match="power"):
            run(found)
    assert left(database) == [2, 3, 4, 5, 6]
    assert sealing.verify().exit_code == 0

    assert run(found) == 1
    assert left(database) == [3, 4, 5, 6]


def test_a_body_that_is_gone_though_it_is_too_young_is_still_missed(
    aged: DecisionLog, owner: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    run(retention(owner, sealing))
    database.tamper("DELETE FROM bodies WHERE id = (SELECT id FROM entries WHERE writer = 'writer-1' AND sequence = 3)")

    assert ("missing-body", 1) in problems(sealing.verify())


def test_an_entry_of_a_forger_excuses_nothing(
    aged: DecisionLog, sealing: Sealing, database: LogDatabase, open_database: LogOpener
) -> None:
    forger = DecisionLog.open(
        database.url,
        writer="forger",
        start=make_draft(),
        log_key=make_signing_key(),
        timeout_seconds=5,
        read_url=database.read_url,
    )
    from ecs_admission.decision_log.entries import build_event_draft

    forger.append(
        build_event_draft("retention", entry_id="r", time_us=1, user=None, details={"throughDigest": 1}),
        deadline_seconds=5,
    )
    forger.close()
    database.tamper("DELETE FROM bodies WHERE id = (SELECT id FROM entries WHERE writer = 'writer-1' AND sequence = 3)")

    assert ("missing-body", 1) in problems(sealing.verify())


def test_a_hold_blocks_it_until_it_is_released(
    aged: DecisionLog, owner: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    def clock() -> int:
        return sealing.clock.now_us

    found = retention(owner, sealing)
    hold = place_hold(owner, sealing.database.url, reason="case 7", operator="grace", clock_us=clock)
    assert [(each.id, each.reason, each.placed_by) for each in active_holds(owner.reader, [LOG_KEY.public])] == [
        (hold, "case 7", "operator:grace")
    ]
    with pytest.raises(SettingsError, match=hold):
        found.plan(REQUEST)

    release_hold(owner, hold, operator="ada", log_keys=[LOG_KEY.public], clock_us=clock)

    assert active_holds(owner.reader, [LOG_KEY.public]) == []
    assert run(found) == 2
    with pytest.raises(SettingsError, match="no legal hold"):
        release_hold(owner, hold, operator="ada", log_keys=[LOG_KEY.public], clock_us=clock)


def test_a_hold_that_comes_while_bodies_are_dropped_is_heeded(
    aged: DecisionLog, owner: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    found = retention(owner, sealing)
    plan = found.plan(REQUEST)
    assert plan is not None
    place_hold(owner, sealing.database.url, reason="case 7", operator="grace", clock_us=lambda: sealing.clock.now_us)

    with pytest.raises(SettingsError, match="placed meanwhile"):
        found.run(REQUEST, plan)

    assert left(database) == [1, 2, 3, 4, 5, 6]


def test_a_hold_that_comes_between_two_batches_is_heeded(
    aged: DecisionLog, owner: DecisionLog, sealing: Sealing, database: LogDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecs_admission.decision_log.retention._BATCH", 1)
    found = retention(owner, sealing)
    drop = found._drop

    def held(writer: str, first: int, last: int) -> int:
        dropped = drop(writer, first, last)
        if dropped:
            place_hold(owner, database.url, reason="case 7", operator="grace", clock_us=lambda: sealing.clock.now_us)
        return dropped

    monkeypatch.setattr(found, "_drop", held)
    with pytest.raises(SettingsError, match="placed meanwhile"):
        run(found)

    assert left(database) == [2, 3, 4, 5, 6]
    report = sealing.verify()
    assert (report.exit_code, report.problems) == (0, ())


def test_a_hold_is_not_in_force_before_a_batch_that_did_not_see_it_has_ended(
    aged: DecisionLog, owner: DecisionLog, sealing: Sealing, database: LogDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch has looked for holds, and drops its bodies while the hold is placed."""
    placed: list[list[int]] = []

    def place() -> None:
        place_hold(owner, database.url, reason="case 7", operator="grace", clock_us=lambda: sealing.clock.now_us)
        placed.append(left(database))

    holder = threading.Thread(target=place)
    active = retention_module._active

    def looks(events: Any) -> Any:
        holds = active(events)
        if holder.ident is None and not holds and sys._getframe(1).f_code.co_name == "_drop":
            holder.start()
            if isinstance(database, PostgreSQLLog):  # in SQLite the entry of the hold itself waits for the batch
                wait_for(lambda: database.rows("SELECT 1 FROM entries WHERE kind = 'legal_hold'") != [])
        return holds

    monkeypatch.setattr(retention_module, "_active", looks)
    with suppress(SettingsError):
        run(retention(owner, sealing))
    holder.join()

    assert placed == [left(database)]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline


@pytest.mark.parametrize("during", ["windows_of", "certificate_of"])
def test_a_verification_beside_a_retention_run_misses_no_body(
    aged: DecisionLog,
    owner: DecisionLog,
    sealing: Sealing,
    database: LogDatabase,
    monkeypatch: pytest.MonkeyPatch,
    during: str,
) -> None:
    """The run begins and ends after the verification did begin, and before it comes to the bodies."""
    original = getattr(chain_walk, during)
    runs: list[int] = []

    def beside(*arguments: Any) -> Any:
        if not runs and "writer-1" in arguments:
            runs.append(run(retention(owner, sealing)))
        return original(*arguments)

    monkeypatch.setattr(chain_walk, during, beside)
    report = sealing.verify()

    assert runs == [2]
    assert (report.exit_code, report.problems) == (0, ())


@pytest.mark.parametrize(
    ("module", "during"),
    [(verify_module, "terms_agree"), (term_walk, "_check_entries"), (term_walk, "_check_terms")],
)
def test_a_verification_beside_a_retention_run_misses_no_term(
    aged: DecisionLog,
    owner: DecisionLog,
    sealing: Sealing,
    database: LogDatabase,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    during: str,
) -> None:
    original, runs = getattr(module, during), []
    if during != "terms_agree":  # and so every term is looked up
        monkeypatch.setattr(verify_module, "terms_agree", lambda *_: False)

    def beside(*arguments: Any) -> Any:
        if not runs:
            runs.append(run(retention(owner, sealing)))
        return original(*arguments)

    monkeypatch.setattr(module, during, beside)
    report = sealing.verify()

    assert runs == [2]
    assert (report.exit_code, report.problems) == (0, ())


def test_a_body_that_is_gone_without_a_word_is_missed_beside_a_run_too(
    aged: DecisionLog, owner: DecisionLog, sealing: Sealing, database: LogDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = chain_walk.windows_of
    runs: list[int] = []

    def beside(*arguments: Any) -> Any:
        if not runs:
            runs.append(run(retention(owner, sealing)))
            database.tamper(
                "DELETE FROM bodies WHERE id = (SELECT id FROM entries WHERE writer = 'writer-1' AND sequence = 3)"
            )
        return original(*arguments)

    monkeypatch.setattr(chain_walk, "windows_of", beside)

    assert ("missing-body", 1) in problems(sealing.verify())


@pytest.mark.parametrize("reason", ["", "two\nlines", "x" * 501])
def test_a_hold_has_a_reason(owner: DecisionLog, database: LogDatabase, reason: str) -> None:
    with pytest.raises(SettingsError, match="reason"):
        place_hold(owner, database.url, reason=reason, operator="ada", clock_us=lambda: 1)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request(400, ()), "--operator"),
        (Request(400, ("",)), "--operator"),
        (Request(364, ("ada", "grace")), "kept for 365 days"),
        (Request(399, ("ada",), floor_days=400), "kept for 400 days"),
        (Request(364, ("ada",), floor_days=30), "takes two operators"),
        (Request(364, ("ada", "Ada"), floor_days=30), "takes two operators"),
        (Request(29, ("ada", "grace"), floor_days=30), "kept for 30 days"),
    ],
)
def test_what_must_not_be_done_is_refused(request_: Request, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        request_.check()


def test_two_operators_keep_less(
    aged: DecisionLog, owner: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    assert run(retention(owner, sealing), Request(100, ("ada", "grace"), floor_days=30)) == 4

    assert sealing.verify().exit_code == 0


def test_without_an_anchor_nothing_has_an_age(aged: DecisionLog, owner: DecisionLog, sealing: Sealing) -> None:
    with pytest.raises(SettingsError, match="there is no anchor"):
        retention(owner, sealing, anchors=[]).plan(REQUEST)
    with pytest.raises(SettingsError, match="does not hold digest 0"):
        retention(owner, sealing, anchors=[FolderAnchor(sealing.folder / "other")]).plan(REQUEST)


def test_a_digest_that_was_made_older_than_it_is_counts_for_nothing(
    aged: DecisionLog, owner: DecisionLog, sealing: Sealing, database: LogDatabase
) -> None:
    ((content,),) = database.rows("SELECT bytes FROM digests WHERE number = 1")
    digest = read_digest(content)
    assert digest is not None
    early = sealing.clock.now_us - 450 * DAY * 1_000_000
    database.tamper(f"UPDATE digests SET to_time = {early} WHERE number = 1")  # noqa: S608 - a number
    with pytest.raises(SettingsError, match="not what it was"):
        retention(owner, sealing).plan(REQUEST)

    changes = {name: getattr(digest, name) for name in digest.__dataclass_fields__} | {"to_time": early}
    for key, message in (
        (make_signing_key(), "not signed by a key of the sealer"),
        (SEALER_KEY, "does not hold digest 1"),
    ):
        forged = SignedDigest.of(type(digest)(**changes), key)
        database.tamper(
            update(digests)
            .where(digests.c.number == 1)
            .values(bytes=forged.content, signature=forged.signature, hash=forged.hash)
        )
        with pytest.raises(SettingsError, match=message):
            retention(owner, sealing).plan(REQUEST)


def test_nothing_old_is_nothing_to_do(log: DecisionLog, owner: DecisionLog, sealing: Sealing) -> None:
    sealing.sealer().step()

    assert retention(owner, sealing).plan(REQUEST) is None


@pytest.mark.parametrize("url", ["url", "read_url", "seal_url"])
def test_only_the_owner_drops_bodies(postgresql: PostgreSQLLog, url: str) -> None:
    with psycopg.connect(getattr(postgresql, url)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("DELETE FROM bodies")


def test_an_export_of_a_time_before_the_retention_says_what_is_gone(
    aged: DecisionLog, owner: DecisionLog, sealing: Sealing, tmp_path: Path
) -> None:
    """The entry that excuses it is newer than the period, so it is not in the export."""
    run(retention(owner, sealing))
    folder = tmp_path / "out"
    until = sealing.clock.now_us - 400 * DAY * 1_000_000
    plan = plan_export(owner.reader, Filters(until_us=until), with_bodies=True)
    manifest = write_export(export_lines(owner.reader, plan), folder, "ndjson")

    with open(folder / PROOF, "rb") as file:
        report = verify_export(file, Evidence([LOG_KEY.public], [SEALER_KEY.public], [sealing.anchor]), tmp_path)

    assert (manifest["retained"], manifest["last"], report.problems, report.exit_code) == (0, 1, (), 0)
    assert "retention has dropped bodies up to digest 0" in report.summary
