from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, update
from sqlalchemy.exc import DBAPIError

from ecs_admission.decision_log import statistics
from ecs_admission.decision_log.database import error_name
from ecs_admission.decision_log.filters import Filters
from ecs_admission.decision_log.queries import MAX_LIMIT, Cursor, LogReader, decode_cursor, encode_cursor
from ecs_admission.decision_log.schema import entries
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.errors import InputError, RecordUnavailableError, SettingsError

from .conftest import LogOpener, make_draft
from .databases import LogDatabase, PostgreSQLLog, SQLiteLog


def pages(reader: LogReader, limit: int) -> list[list[str]]:
    """The ids on each page, following the cursors."""
    found: list[list[str]] = []
    cursor = None
    while True:
        page = reader.list_entries(limit=limit, cursor=cursor)
        found.append([item["id"] for item in page.items])
        if page.next is None:
            return found
        cursor = page.next


def decoded_or_error(cursor: str) -> Cursor | InputError:
    try:
        return decode_cursor(cursor)
    except InputError as error:
        return error


def test_a_log_without_decisions_has_one_empty_page(log: DecisionLog) -> None:
    page = log.reader.list_entries()

    assert (page.items, page.next) == ([], None)


def test_decisions_come_newest_first_with_their_hash(log: DecisionLog) -> None:
    older = log.append(make_draft(time_us=1), deadline_seconds=5)
    newer = log.append(make_draft(time_us=2), deadline_seconds=5)

    assert log.reader.list_entries().items == [
        newer.document | {"hash": newer.hash},
        older.document | {"hash": older.hash},
    ]


def test_starts_of_processes_are_listed_when_asked_for(log: DecisionLog) -> None:
    items = log.reader.list_entries(kind="node_start").items

    assert [(item["kind"], item["sequence"]) for item in items] == [("node_start", 0)]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_neither_repeat_nor_skip_entries_of_one_time(log: DecisionLog, limit: int) -> None:
    drafts = [make_draft(time_us=moment) for moment in (5, 5, 5, 5, 6, 6, 4)]
    for draft in drafts:
        log.append(draft, deadline_seconds=5)

    found = pages(log.reader, limit)

    expected = sorted(drafts, key=lambda draft: (draft.document["time"], draft.id), reverse=True)
    assert [name for page in found for name in page] == [draft.id for draft in expected]
    assert all(len(page) == limit for page in found[:-1])
    assert found[-1]


def test_entries_that_arrive_while_paging_change_no_later_page(log: DecisionLog) -> None:
    first, second = make_draft(time_us=1), make_draft(time_us=2)
    for draft in (first, second):
        log.append(draft, deadline_seconds=5)
    page = log.reader.list_entries(limit=1)

    log.append(make_draft(time_us=3), deadline_seconds=5)

    assert [item["id"] for item in log.reader.list_entries(limit=1, cursor=page.next).items] == [first.id]


@pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1])
def test_a_limit_out_of_range_is_refused(log: DecisionLog, limit: int) -> None:
    with pytest.raises(InputError) as caught:
        log.reader.list_entries(limit=limit)

    assert (caught.value.code, caught.value.status) == ("bad-limit", 400)


NUMBERS = st.none() | st.integers(0, 10**16)
CURSORS = st.builds(
    Cursor,
    query=st.text("0123456789abcdef", min_size=16, max_size=16),
    as_of=NUMBERS,
    since_us=NUMBERS,
    until_us=NUMBERS,
    time_us=st.integers(0, 10**16),
    entry_id=st.uuids().map(str),
)


@given(CURSORS)
def test_a_cursor_says_what_was_put_into_it(cursor: Cursor) -> None:
    assert decode_cursor(encode_cursor(cursor)) == cursor


@given(st.text(max_size=80) | st.text("ABCDEFabcdef0123456789-_=", max_size=80))
def test_any_other_cursor_is_refused_with_one_error(cursor: str) -> None:
    decoded = decoded_or_error(cursor)

    if isinstance(decoded, InputError):
        assert (decoded.code, decoded.status) == ("bad-cursor", 400)
        assert str(decoded).startswith("the cursor is not one that this log gave")
    else:
        assert encode_cursor(decoded) == cursor


@given(st.integers(0, 60), st.characters())
def test_an_edited_cursor_is_refused_or_points_elsewhere(place: int, character: str) -> None:
    cursor = encode_cursor(
        Cursor("0" * 16, None, 1, None, 1_790_000_000_000_000, "0199d2d1-0000-7000-8000-000000000000")
    )
    edited = cursor[:place] + character + cursor[place + 1 :]

    decoded = decoded_or_error(edited)

    assert (decoded == decode_cursor(cursor)) == (edited == cursor)


def test_a_decision_is_shown_with_what_the_engine_saw(log: DecisionLog) -> None:
    entry = log.append(make_draft(body=b'{"object":{"family":"web"}}'), deadline_seconds=5)

    assert log.reader.show(entry.document["id"]) == {
        "entry": entry.document,
        "hash": entry.hash,
        "policyInput": {"object": {"family": "web"}},
    }


def test_a_decision_without_a_body_is_shown_without_one(log: DecisionLog) -> None:
    entry = log.append(make_draft(body=None), deadline_seconds=5)

    shown = log.reader.show(entry.document["id"])

    assert shown is not None
    assert shown["policyInput"] is None


@pytest.mark.parametrize("entry_id", ["0199d2d1-0000-7000-8000-000000000000", "", "x' OR '1'='1", "\x00", "\ud800"])
def test_what_is_not_there_is_not_shown(log: DecisionLog, entry_id: str) -> None:
    assert log.reader.show(entry_id) is None


def test_a_damaged_entry_is_told_and_not_shown(log: DecisionLog, database: LogDatabase) -> None:
    draft = make_draft()
    log.append(draft, deadline_seconds=5)
    database.tamper(update(entries).where(entries.c.id == draft.id).values(bytes=b"canary"))

    with pytest.raises(RecordUnavailableError, match="damaged") as caught:
        log.reader.show(draft.id)

    assert "canary" not in str(caught.value)


def test_reading_what_is_no_decision_log_is_refused(sqlite: SQLiteLog) -> None:
    sqlite.file.write_bytes(b"")

    with pytest.raises(SettingsError, match="there is no decision log"):
        LogReader.open(sqlite.url, timeout_seconds=1)


def test_reading_with_a_role_that_may_not_is_refused(postgresql: PostgreSQLLog) -> None:
    with pytest.raises(SettingsError, match="may not use the decision log"):
        LogReader.open(postgresql.url, timeout_seconds=5)


def test_a_reader_cannot_write(log: DecisionLog, database: LogDatabase) -> None:
    with log.reader.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.exec_driver_sql("DELETE FROM entries")
    assert error_name(caught.value) == database.names["readonly"]


def test_a_reader_on_its_own_sees_what_a_writer_commits(open_log: LogOpener, database: LogDatabase) -> None:
    log = open_log()
    reader = LogReader.open(database.read_url, timeout_seconds=1)
    entry = log.append(make_draft(), deadline_seconds=5)

    assert [item["hash"] for item in reader.list_entries().items] == [entry.hash]
    reader.close()


def test_a_snapshot_shows_one_moment_and_leaves_nothing_behind(log: DecisionLog) -> None:
    count = select(func.count()).select_from(entries)
    with log.reader.snapshot() as connection:
        before = connection.execute(count).scalar_one()
        log.append(make_draft(), deadline_seconds=5)
        assert connection.execute(count).scalar_one() == before
    with log.reader.snapshot() as connection:
        assert connection.execute(count).scalar_one() == before + 1
    with suppress(ZeroDivisionError), log.reader.snapshot() as connection:
        connection.execute(count)
        raise ZeroDivisionError
    log.append(make_draft(), deadline_seconds=5)
    with log.reader.connect() as connection:
        assert connection.execute(count).scalar_one() == before + 2


def test_statistics_are_of_one_moment(log: DecisionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append(make_draft(), deadline_seconds=5)
    rules = statistics._rules

    def late(*arguments: Any) -> Any:
        log.append(make_draft(), deadline_seconds=5)
        return rules(*arguments)

    monkeypatch.setattr(statistics, "_rules", late)

    counted = statistics.count_entries(log.reader, Filters())

    assert (counted.total, counted.rules) == (1, (("plaintext/environment", 1),))
