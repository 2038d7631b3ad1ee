"""Making and upgrading the schema, and who may do what in PostgreSQL. Imported by `ecs-admission log migrate` alone.

Four roles, so that nobody who can write can change: the owner makes tables and drops old bodies, the service
inserts, the sealer adds digests, and queries read.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

from ecs_admission.decision_log.connections import database_at
from ecs_admission.decision_log.database import translated
from ecs_admission.decision_log.schema import REVISION
from ecs_admission.errors import SettingsError

_FOLDER: Final = Path(__file__).parent / "migrations"
_TABLES: Final = (
    "writers, entries, bodies, entry_terms, digests, digest_ranges, anchor_states, sealer_lease, api_tokens, "
    "token_revocations, alembic_version"
)

_IS_OWNER: Final = """
SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM pg_class WHERE oid IN
       (to_regclass('writers'), to_regclass('entries'), to_regclass('bodies'), to_regclass('entry_terms'),
        to_regclass('digests'), to_regclass('digest_ranges'), to_regclass('anchor_states'),
        to_regclass('sealer_lease'), to_regclass('api_tokens'), to_regclass('token_revocations'),
        to_regclass('alembic_version'))
"""

_GRANTS: Final = {
    # What a writer has to see is where its own chain ends, and which schema it writes to.
    "writer": (
        "GRANT INSERT ON writers, entries, bodies, entry_terms, api_tokens, token_revocations TO {role}",
        "GRANT SELECT (writer, sequence, hash) ON entries TO {role}",
        "GRANT SELECT ON alembic_version TO {role}",
    ),
    # It reads what it seals, but no body. What it has signed it cannot change either.
    "sealer": (
        "GRANT SELECT ON writers, entries, alembic_version TO {role}",
        "GRANT SELECT, INSERT ON digests, digest_ranges TO {role}",
        "GRANT SELECT, INSERT, UPDATE ON anchor_states, sealer_lease TO {role}",
    ),
    "reader": (f"GRANT SELECT ON {_TABLES} TO {{role}}",),
}


def migrate(
    url: str,
    *,
    writer_role: str | None = None,
    reader_role: str | None = None,
    sealer_role: str | None = None,
    timeout_seconds: float,
) -> str:
    """Bring the database at `url` to the newest schema, in one transaction, and return its version.

    In PostgreSQL `url` is that of the owner. The roles must exist; what they are granted is exactly what they need,
    whatever they had before. Raises `SettingsError` or `RecordUnavailableError`.
    """
    database = database_at(url)
    deadline = time.monotonic() + timeout_seconds
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    with (
        translated("the decision log's schema cannot be made"),
        database.connect(database.write_engine(), deadline=deadline) as connection,
    ):
        database.begin(connection, "", deadline=deadline)
        if "entries" in (tables := inspect(connection).get_table_names()) and "alembic_version" not in tables:
            raise SettingsError("the database holds a decision log from before there were migrations; move it away")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        for kind, role in (("writer", writer_role), ("reader", reader_role), ("sealer", sealer_role)):
            if role is not None:
                _grant(connection, kind, role)
        connection.commit()
    return REVISION


def _grant(connection: Connection, kind: str, role: str) -> None:
    if connection.dialect.name != "postgresql":
        raise SettingsError("SQLite has no roles")
    if not connection.exec_driver_sql(_IS_OWNER).scalar_one():  # PostgreSQL would warn, grant nothing and go on
        raise SettingsError("only the owner of the tables can grant roles what they need")
    if connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}).first() is None:
        raise SettingsError(f"the {kind} role does not exist; make it with CREATE ROLE ... LOGIN first")
    preparer = connection.dialect.identifier_preparer
    schema = preparer.quote(connection.exec_driver_sql("SELECT current_schema()").scalar_one())
    statements = (f"REVOKE ALL ON {_TABLES} FROM {{role}}", f"GRANT USAGE ON SCHEMA {schema} TO {{role}}")
    for statement in (*statements, *_GRANTS[kind]):
        connection.exec_driver_sql(statement.replace("{role}", preparer.quote(role)))
