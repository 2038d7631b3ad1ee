"""Migrations build what the service makes itself, and grant roles exactly what they need."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import Engine

from ecs_admission.decision_log import migrate as module
from ecs_admission.decision_log import schema
from ecs_admission.decision_log.migrate import migrate
from ecs_admission.errors import RecordUnavailableError, SettingsError

from .conftest import LogOpener, make_draft
from .databases import PostgreSQLLog, SQLiteLog
from .postgresql_server import OWNER, READER, WRITER, PostgreSQLServer

EngineMaker = Callable[[], Engine]


@pytest.fixture(params=["sqlite", "postgresql"])
def new_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EngineMaker]:
    """Makes engines of empty databases."""
    made: list[Engine] = []

    def make() -> Engine:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path}/{len(made)}.db"
        else:
            server: PostgreSQLServer = request.getfixturevalue("server")
            url = server.url(OWNER, server.create_database(empty=True))
        made.append(create_engine(url))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()


def described(engine: Engine) -> dict[str, Any]:
    """Everything that the database itself says of its tables."""
    inspector = inspect(engine)
    return {
        table: {
            "columns": [
                {**column, "type": repr(column["type"]), "comment": None} for column in inspector.get_columns(table)
            ],
            "key": inspector.get_pk_constraint(table),
            "indexes": sorted(
                repr(
                    index | {"dialect_options": {name: str(value) for name, value in index["dialect_options"].items()}}
                )
                for index in inspector.get_indexes(table)
            ),
            "unique": inspector.get_unique_constraints(table),
            "foreign": inspector.get_foreign_keys(table),
            "checks": inspector.get_check_constraints(table),
        }
        for table in inspector.get_table_names()
    }


def test_migrations_build_what_the_service_makes_itself(new_engine: EngineMaker) -> None:
    migrated, made = new_engine(), new_engine()
    migrate(migrated.url.render_as_string(hide_password=False), timeout_seconds=30)
    with made.begin() as connection:
        schema.create_missing(connection)

    assert described(migrated) == described(made)
    assert set(described(made)) == set(schema.metadata.tables)
    with migrated.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        schema.check_version(connection)


def test_migrating_twice_changes_nothing(new_engine: EngineMaker) -> None:
    engine = new_engine()
    url = engine.url.render_as_string(hide_password=False)
    before = migrate(url, timeout_seconds=30), described(engine)

    assert (migrate(url, timeout_seconds=30), described(engine)) == before


def test_the_newest_migration_is_what_the_code_reads() -> None:
    assert ScriptDirectory(str(module._FOLDER)).get_current_head() == schema.REVISION


def test_a_log_that_the_service_made_needs_no_migration(open_database: LogOpener, sqlite: SQLiteLog) -> None:
    log = open_database(sqlite)
    log.append(make_draft(), deadline_seconds=5)

    assert migrate(sqlite.url, timeout_seconds=5) == schema.REVISION
    assert log.append(make_draft(), deadline_seconds=5).sequence == 2


def test_a_file_that_was_migrated_first_is_used(open_database: LogOpener, sqlite: SQLiteLog) -> None:
    migrate(sqlite.url, timeout_seconds=5)

    assert open_database(sqlite).append(make_draft(), deadline_seconds=5).sequence == 1


def test_a_log_from_before_migrations_is_left_alone(sqlite: SQLiteLog) -> None:
    sqlite.tamper("CREATE TABLE entries (id TEXT)")

    with pytest.raises(SettingsError, match="move it away"):
        migrate(sqlite.url, timeout_seconds=5)

    assert sqlite.rows("SELECT name FROM sqlite_master") == [("entries",)]


def test_a_migration_that_breaks_leaves_nothing_behind(
    new_engine: EngineMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = new_engine()

    def broken(*_arguments: object) -> None:
        raise SettingsError("broken")

    monkeypatch.setattr(module, "_grant", broken)
    with pytest.raises(SettingsError, match="broken"):
        migrate(engine.url.render_as_string(hide_password=False), writer_role="any", timeout_seconds=30)

    assert described(engine) == {}


def test_roles_are_of_postgresql(sqlite: SQLiteLog) -> None:
    with pytest.raises(SettingsError, match="SQLite has no roles"):
        migrate(sqlite.url, writer_role="any", timeout_seconds=5)


@pytest.mark.parametrize("role", ["nobody-is-called-so", '"; DROP TABLE entries; --', ""])
def test_a_role_that_does_not_exist_is_told(postgresql: PostgreSQLLog, role: str) -> None:
    with pytest.raises(SettingsError, match="reader role does not exist"):
        migrate(postgresql.owner_url, reader_role=role, timeout_seconds=30)

    assert postgresql.rows("SELECT count(*) FROM entries") == [(0,)]


def test_a_role_may_have_any_name_and_keeps_nothing_that_it_does_not_need(postgresql: PostgreSQLLog) -> None:
    role = 'an "odd"; role%s:x'
    quoted = '"an ""odd""; role%s:x"'
    postgresql.server.execute(f"CREATE ROLE {quoted} LOGIN")
    try:
        with psycopg.connect(postgresql.owner_url, autocommit=True) as connection:
            connection.execute(f"GRANT ALL ON entries, bodies, writers TO {quoted}".encode())
            migrate(postgresql.owner_url, writer_role=role, timeout_seconds=30)
            granted = connection.execute(
                "SELECT table_name, privilege_type FROM information_schema.table_privileges WHERE grantee = %s "
                "ORDER BY 1, 2",
                [role],
            ).fetchall()

        assert granted == [
            ("alembic_version", "SELECT"),
            ("api_tokens", "INSERT"),
            ("bodies", "INSERT"),
            ("entries", "INSERT"),
            ("entry_terms", "INSERT"),
            ("token_revocations", "INSERT"),
            ("writers", "INSERT"),
        ]
    finally:
        postgresql.server.execute(f"DROP OWNED BY {quoted}", database=postgresql.name)
        postgresql.server.execute(f"DROP ROLE {quoted}")


@pytest.mark.parametrize("role", [WRITER, READER])
def test_only_the_owner_migrates(postgresql: PostgreSQLLog, role: str) -> None:
    postgresql.tamper(f"DROP TABLE {', '.join(schema.metadata.tables)}")

    with pytest.raises(RecordUnavailableError, match="cannot be made: InsufficientPrivilege"):
        migrate(postgresql.server.url(role, postgresql.name), timeout_seconds=30)


def test_the_service_starts_without_alembic() -> None:
    code = "import sys, ecs_admission.app, ecs_admission.cli.log; sys.exit('alembic' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_who_has_sqlite_does_not_wait_for_psycopg() -> None:
    code = "import sys, ecs_admission.app; sys.exit('psycopg' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
