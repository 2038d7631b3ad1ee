"""The tables of the decision log.

`entries.bytes` is the truth. Every other column is an index over it, derived by `index_columns` when it is written
and again by `verify`. `bodies` is apart so that retention can drop bodies without touching a chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text, insert, select
from sqlalchemy.engine import Connection

from ecs_admission.decision_log.chain import Entry
from ecs_admission.errors import SettingsError
from ecs_admission.model import JSONObject

SCHEMA_VERSION: Final = 1

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

metadata = MetaData()

entries = Table(
    "entries",
    metadata,
    Column("writer", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    *(Column(name, Text) for name in INDEX_PATHS if name not in {"writer", "sequence", "id", "kind", "time"}),
    Index("entries_by_time", "time", "id"),
)

bodies = Table(
    "bodies",
    metadata,
    Column("id", Text, primary_key=True),
    Column("bytes", LargeBinary, nullable=False),
    Column("sha256", Text, nullable=False),
)

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True, autoincrement=False))


def create_missing(connection: Connection) -> None:
    """Make the tables that are not there, inside the caller's transaction.

    Raises `SettingsError` when the database was made by another version of this schema.
    """
    metadata.create_all(connection)
    if connection.execute(select(schema_version.c.version)).first() is None:
        connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))
    check_version(connection)


def check_version(connection: Connection) -> None:
    """Raise `SettingsError` unless the database has the schema that this code reads and writes."""
    versions = connection.execute(select(schema_version.c.version)).scalars().all()
    if versions != [SCHEMA_VERSION]:
        raise SettingsError(f"the decision log's database does not have schema version {SCHEMA_VERSION}")


def index_columns(document: JSONObject) -> dict[str, Any]:
    """The index columns of an entry. Never raises, whatever a tampered document looks like."""
    return {name: _at(document, path) for name, path in INDEX_PATHS.items()}


def entry_row(entry: Entry) -> dict[str, Any]:
    """The row of `entries` for a sealed entry."""
    return {"hash": entry.hash, "bytes": entry.content, **index_columns(entry.document)}


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value
