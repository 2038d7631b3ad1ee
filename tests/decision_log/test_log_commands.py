"""`ecs-admission log` against both databases."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from ecs_admission.cli import main
from ecs_admission.decision_log.keys import load_or_create_signing_key, make_signing_key, read_public_key
from ecs_admission.decision_log.schema import REVISION, entries
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.model import new_decision_id

from .conftest import LOG_KEY, make_draft, make_node_draft
from .databases import LogDatabase, PostgreSQLLog, SQLiteLog
from .postgresql_server import OWNER, READER, WRITER, PostgreSQLServer


@pytest.fixture(autouse=True)
def data_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("ECS_ADMISSION_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def key_file(data_dir: Path) -> Path:
    """The log's key, as the service made it."""
    load_or_create_signing_key(data_dir / "signing.key")
    return data_dir / "signing.key"


@pytest.fixture
def filled(database: LogDatabase, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> LogDatabase:
    """A database with a start and a decision, which the settings name."""
    log = DecisionLog.open(
        database.url,
        writer=new_decision_id(),
        start=make_node_draft(),
        log_key=load_or_create_signing_key(key_file),
        timeout_seconds=5,
        read_url=database.read_url,
    )
    log.append(make_draft(), deadline_seconds=5)
    log.close()
    monkeypatch.setenv("ECS_ADMISSION_DATABASE_URL", database.url)
    monkeypatch.setenv("ECS_ADMISSION_DATABASE_READ_URL", database.read_url)
    return database


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["log", *map(str, arguments)])


def test_a_log_is_verified_by_the_key_of_the_service(filled: LogDatabase, key_file: Path) -> None:
    result = call("verify", "--output", "json")

    report = orjson.loads(result.stdout)
    assert (result.exit_code, report["entries"], report["problems"]) == (3, 2, [])
    assert report["log_keys"] == [read_public_key(key_file).id]


def test_an_auditor_needs_the_public_key_alone(filled: LogDatabase, key_file: Path, tmp_path: Path) -> None:
    shown = call("public-key")
    (tmp_path / "log.pem").write_text(shown.stdout)
    (tmp_path / "other.pem").write_text(LOG_KEY.public.pem)
    key_file.unlink()

    assert (shown.exit_code, "PRIVATE" in shown.stdout) == (0, False)
    assert call("verify", "--key", tmp_path / "other.pem", "--key", tmp_path / "log.pem").exit_code == 3
    assert call("verify", "--key", tmp_path / "other.pem").exit_code == 1
    assert "2 entries in 1 chains: TAMPERED (uncertified 1)" in call("verify", "--key", tmp_path / "other.pem").stdout


def test_without_a_key_it_cannot_tell(filled: LogDatabase, key_file: Path) -> None:
    key_file.unlink()

    result = call("verify")

    assert result.exit_code == 3
    assert "public key was not given" in result.stdout


def test_each_problem_is_listed(filled: LogDatabase) -> None:
    filled.tamper(update(entries).where(entries.c.sequence == 1).values(family="other"))

    result = call("verify")

    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].endswith(" 1: columns")


@pytest.mark.parametrize("command", ["public-key", "verify"])
def test_a_key_that_is_none_is_told(command: str, data_dir: Path, sqlite: SQLiteLog) -> None:
    (data_dir / "signing.key").mkdir()

    result = call(command)

    assert result.exit_code == 2
    assert result.stderr.startswith("ecs-admission: ")


def test_migrating_makes_a_file(sqlite: SQLiteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECS_ADMISSION_DATABASE_URL", sqlite.url)

    for _ in range(2):
        result = call("migrate")
        assert (result.exit_code, result.stdout) == (0, f"the decision log has schema version {REVISION}\n")
    assert call("migrate", "--writer-role", "any").stderr == "ecs-admission: SQLite has no roles\n"


def test_migrating_prepares_a_server_for_the_service(
    server: PostgreSQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    name = server.create_database(empty=True)
    monkeypatch.setenv("ECS_ADMISSION_DATABASE_URL", server.url(OWNER, name))

    result = call("migrate", "--writer-role", WRITER, "--reader-role", READER)

    assert (result.exit_code, result.stdout) == (0, f"the decision log has schema version {REVISION}\n")
    log = DecisionLog.open(
        server.url(WRITER, name),
        writer="writer-1",
        start=make_node_draft(),
        log_key=make_signing_key(),
        timeout_seconds=5,
        read_url=server.url(READER, name),
    )
    assert log.append(make_draft(), deadline_seconds=5).sequence == 1
    log.close()


def test_a_server_without_a_log_says_how_to_make_one(
    server: PostgreSQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setenv("ECS_ADMISSION_DATABASE_URL", server.url(READER, server.create_database(empty=True)))

    result = call("verify")

    assert result.exit_code == 2
    assert "`ecs-admission log migrate` makes one" in result.stderr


def test_only_the_owner_migrates(postgresql: PostgreSQLLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECS_ADMISSION_DATABASE_URL", postgresql.url)

    result = call("migrate", "--reader-role", READER)

    assert result.exit_code == 2
    assert result.stderr == "ecs-admission: only the owner of the tables can grant roles what they need\n"
