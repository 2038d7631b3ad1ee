"""Tokens in the log's database, by the roles that the service has there."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import update

from ecs_admission.auth.bindings import Grant, Scope
from ecs_admission.auth.roles import Role
from ecs_admission.auth.tokens import Pepper, TokenRecord, make_token
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.decision_log.token_store import TokenReader, TokenWriter
from ecs_admission.decision_log.token_tables import api_tokens
from ecs_admission.errors import RecordUnavailableError
from ecs_admission.model import new_decision_id

from .databases import LogDatabase, PostgreSQLLog

PEPPER = Pepper(b"p" * 32)


def make_record(token: str, pepper: Pepper = PEPPER, *, roles: tuple[Role, ...] = (Role.SUBMITTER,)) -> TokenRecord:
    now = time.time_ns() // 1000
    grant = Grant(frozenset(roles), Scope(families=("web",)))
    return TokenRecord(new_decision_id(), "ci", pepper.digest(token), now, now + 1_000_000, grant)


@pytest.fixture
def reader(log: DecisionLog) -> TokenReader:
    return TokenReader(log.reader.connect, PEPPER)


@pytest.fixture
def writer(log: DecisionLog, database: LogDatabase) -> TokenWriter:
    return TokenWriter(database.url, timeout_seconds=5)


def test_a_token_is_found_until_it_is_revoked(reader: TokenReader, writer: TokenWriter) -> None:
    token, other = make_token(), make_token()
    record = make_record(token)
    assert reader.find(token) is None
    writer.add(record, PEPPER)
    found = reader.find(token)
    assert found is not None
    assert (found.record, found.revoked, reader.find(other)) == (record, None, None)
    assert writer.revoke(record.id, time_us=7) is True
    assert writer.revoke(record.id, time_us=8) is False
    found = reader.find(token)
    assert found is not None
    assert found.revoked == 7


def test_tokens_are_listed_the_oldest_first(reader: TokenReader, writer: TokenWriter) -> None:
    records = [make_record(make_token()) for _ in range(3)]
    for record in reversed(records):
        writer.add(record, PEPPER)
    writer.revoke(records[1].id, time_us=7)
    assert [(token.record, token.revoked) for token in reader.all()] == [
        (records[0], None),
        (records[1], 7),
        (records[2], None),
    ]


def test_no_token_is_in_the_database(writer: TokenWriter, database: LogDatabase) -> None:
    token = make_token()
    writer.add(make_record(token), PEPPER)
    ((*cells,),) = database.rows("SELECT id, digest, bytes, mac FROM api_tokens")
    assert all(token.encode() not in (cell if isinstance(cell, bytes) else str(cell).encode()) for cell in cells)


def test_a_row_that_was_made_or_changed_without_the_key_opens_nothing(
    reader: TokenReader, writer: TokenWriter, database: LogDatabase
) -> None:
    token, forged = make_token(), make_token()
    record = make_record(token)
    writer.add(record, PEPPER)
    writer.add(make_record(forged), Pepper(b"q" * 32))
    assert reader.find(forged) is None
    raised = make_record(token, roles=tuple(Role))
    database.tamper(update(api_tokens).where(api_tokens.c.id == record.id).values(bytes=raised.content()))
    assert reader.find(token) is None
    assert reader.all() == []


def test_a_row_under_the_digest_of_another_token_opens_nothing(
    reader: TokenReader, writer: TokenWriter, database: LogDatabase
) -> None:
    mine, theirs = make_token(), make_token()
    record = make_record(theirs, roles=tuple(Role))
    writer.add(record, PEPPER)
    database.tamper(update(api_tokens).where(api_tokens.c.id == record.id).values(digest=PEPPER.digest(mine)))
    assert reader.find(mine) is None


def test_one_digest_has_one_row(reader: TokenReader, writer: TokenWriter) -> None:
    token = make_token()
    writer.add(make_record(token), PEPPER)
    with pytest.raises(RecordUnavailableError, match="the tokens cannot be written"):
        writer.add(make_record(token), PEPPER)


def test_a_database_that_does_not_work_is_told(reader: TokenReader, database: LogDatabase) -> None:
    database.tamper("DROP TABLE api_tokens")
    with pytest.raises(RecordUnavailableError, match="the tokens cannot be read"):
        reader.find(make_token())


def test_who_writes_cannot_read_or_change_tokens(postgresql: PostgreSQLLog) -> None:
    grants = postgresql.rows(
        "SELECT grantee, table_name, privilege_type FROM information_schema.role_table_grants "
        "WHERE table_name IN ('api_tokens', 'token_revocations') AND grantee <> 'log_owner' ORDER BY 1, 2, 3"
    )
    assert grants == [
        ("log_reader", "api_tokens", "SELECT"),
        ("log_reader", "token_revocations", "SELECT"),
        ("log_writer", "api_tokens", "INSERT"),
        ("log_writer", "token_revocations", "INSERT"),
    ]
