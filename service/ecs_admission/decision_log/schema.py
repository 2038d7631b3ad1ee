"""The tables of the decision log.

`entries.bytes` is the truth. Every other column is an index over it, derived by `index_columns` when it is written
and again by `verify`; `writers.certificate` likewise. `bodies` is apart so that retention can drop bodies without
touching a chain.

The tables here are what `migrations` build, and a test holds them to each other. The service makes them itself in
SQLite, without alembic, which takes longer to import than the service to start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    insert,
    inspect,
    select,
)
from sqlalchemy.dialects.postgresql import TEXT
from sqlalchemy.engine import Connection

from ecs_admission.decision_log.certificates import Certificate
from ecs_admission.decision_log.chain import Entry
from ecs_admission.errors import SettingsError
from ecs_admission.model import JSONObject

REVISION: Final = "0001"
"""The newest migration, which is what this code reads and writes."""

INDEX_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "writer": ("writer",),
    "sequence": ("sequence",),
    "id": ("id",),
    "kind": ("kind",),
    "time": ("time",),
    "outcome": ("outcome",),
    "reason": ("reason",),
    "operation": ("request", "operation"),
    "enforcement_point": ("request", "enforcementPoint"),
    "family": ("request", "family"),
    "environment": ("request", "context", "environment"),
    "account": ("request", "context", "account"),
    "region": ("request", "context", "region"),
    "cluster": ("request", "context", "cluster"),
    "service": ("request", "context", "service"),
    "actor": ("request", "context", "actor"),
    "repository": ("request", "context", "repository"),
    "username": ("caller", "username"),
    "revision": ("policy", "revision"),
}
"""Where in an entry each index column comes from. A missing or null parent makes the column null."""

NAMES: Final = Text().with_variant(TEXT(collation="C"), "postgresql")
"""Text in the order of its bytes, as in SQLite. Another order changes with the C library, and breaks indexes."""

metadata = MetaData()

writers = Table(
    "writers",
    metadata,
    Column("writer", NAMES, primary_key=True),
    Column("certificate", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

entries = Table(
    "entries",
    metadata,
    Column("writer", NAMES, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", NAMES, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    Column("id", NAMES, nullable=False),
    Column("kind", NAMES, nullable=False),
    Column("time", BigInteger, nullable=False),
    *(Column(name, NAMES) for name in INDEX_PATHS if name not in {"writer", "sequence", "id", "kind", "time"}),
    Index("entries_by_id", "id", unique=True),
    Index("entries_by_time", "time", "id"),
)

bodies = Table(
    "bodies",
    metadata,
    Column("id", NAMES, primary_key=True),
    Column("bytes", LargeBinary, nullable=False),
    Column("sha256", NAMES, nullable=False),
)

alembic_version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Which migration the database is at: alembic's own table."""


def create_missing(connection: Connection) -> None:
    """Make the tables in a database that has none, inside the caller's transaction.

    Raises `SettingsError` when the database has another version of this schema.
    """
    if not inspect(connection).get_table_names():
        metadata.create_all(connection)
        connection.execute(insert(alembic_version).values(version_num=REVISION))
    check_version(connection)


def check_version(connection: Connection) -> None:
    """Raise `SettingsError` unless the database has the schema that this code reads and writes."""
    tables = inspect(connection).get_table_names()
    if not tables:
        raise SettingsError("there is no decision log at the database URL; `ecs-admission log migrate` makes one")
    versions = connection.execute(select(alembic_version)).scalars().all() if "alembic_version" in tables else []
    if versions != [REVISION]:
        raise SettingsError(
            f"the decision log's database does not have schema version {REVISION}; run `ecs-admission log migrate`"
        )


def index_columns(document: JSONObject) -> dict[str, Any]:
    """The index columns of an entry. Never raises, whatever a tampered document looks like."""
    return {name: _at(document, path) for name, path in INDEX_PATHS.items()}


def entry_row(entry: Entry) -> dict[str, Any]:
    """The row of `entries` for a sealed entry."""
    return {
        "hash": entry.hash,
        "signature": entry.signature,
        "bytes": entry.content,
        **index_columns(entry.document),
    }


def writer_row(certificate: Certificate) -> dict[str, Any]:
    """The row of `writers` for a certified writer."""
    return {
        "writer": certificate.writer,
        "certificate": certificate.content,
        "signature": certificate.signature,
    }


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    # PostgreSQL has no text with a zero character, and an entry that cannot be stored would fail those beside it.
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
