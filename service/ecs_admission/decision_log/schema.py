"""The tables of the decision log.

`entries.bytes` is the truth. Every other column is an index over it, derived by `index_columns` when it is written
and again by `verify`; `writers.certificate` likewise. `bodies` is apart so that retention can drop bodies without
touching a chain. `entry_terms` is an index too, of what a decision has several of, see `terms`.

A page of a query is read from an index in the order of time, so that the last page of ten million decisions costs what
the first does: each column with many values that a query may name has an index of its own by time. These leave out the
id, which halves their size: entries of one microsecond are few, and are put in order when they are read. The one index
by nothing but time has decisions alone, so that a query with a filter can leave it unusable, see `selection`.

The tables here are what `migrations` build, and a test holds them to each other. The service makes them itself in
SQLite, without alembic, which takes longer to import than the service to start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
    inspect,
    literal_column,
    select,
)
from sqlalchemy.engine import Connection

from ecs_admission.decision_log import digest_tables, token_tables
from ecs_admission.decision_log.certificates import Certificate
from ecs_admission.decision_log.chain import Entry
from ecs_admission.decision_log.metadata import NAMES, metadata
from ecs_admission.errors import SettingsError
from ecs_admission.model import JSONObject

REVISION: Final = "0004"
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

# The same with each parent looked up once: verification does this for every entry that there is.
_PARENTS: Final = tuple(dict.fromkeys(path[:-1] for path in INDEX_PATHS.values()))
_MEMBERS: Final = tuple((name, _PARENTS.index(path[:-1]), path[-1]) for name, path in INDEX_PATHS.items())

PROFILE: Final = ("outcome", "operation", "enforcement_point", "environment", "region")
"""Columns with few values. One column, `profile`, has them all and one index: an index for each would make an append a
tenth slower, and the few profiles that there are can be looked through when a query comes."""

INDEXED: Final = ("profile", "account", "family", "service", "repository", "actor", "username", "revision")
"""Columns that have an index by time."""

IS_DECISION: Final = literal_column("kind = 'decision'", Boolean)
"""As the condition of an index: a planner takes it only where a query has it word for word, without a parameter."""

IS_EVENT: Final = literal_column("kind <> 'decision'", Boolean)

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
    Column("profile", NAMES),
    Index("entries_by_id", "id", unique=True),
    Index("decisions_by_time", "time", "id", postgresql_where=IS_DECISION, sqlite_where=IS_DECISION),
    Index("events_by_kind", "kind", "time", postgresql_where=IS_EVENT, sqlite_where=IS_EVENT),
    *(Index(f"entries_by_{name}", name, "time") for name in INDEXED),
)

entry_terms = Table(
    "entry_terms",
    metadata,
    Column("term", NAMES, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("id", NAMES, nullable=False),
    PrimaryKeyConstraint("term", "time", "id", name="entry_terms_pkey"),
    sqlite_with_rowid=False,
)

bodies = Table(
    "bodies",
    metadata,
    Column("id", NAMES, primary_key=True),
    Column("bytes", LargeBinary, nullable=False),
    Column("sha256", NAMES, nullable=False),
)

SEALER_TABLES: Final = (
    digest_tables.digests,
    digest_tables.digest_ranges,
    digest_tables.anchor_states,
    digest_tables.sealer_lease,
)
"""What the sealer writes, and nobody else."""

TOKEN_TABLES: Final = (token_tables.api_tokens, token_tables.token_revocations)
"""What `ecs-admission tokens` writes."""

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
    parents = [_object_at(document, path) for path in _PARENTS]
    columns = {name: _stored(parents[parent].get(key)) for name, parent, key in _MEMBERS}
    columns["profile"] = profile(columns) if columns["kind"] == "decision" else None
    return columns


def profile(columns: Mapping[str, Any]) -> str:
    """The columns of `PROFILE` in one, with nothing for what is null. No grammar of theirs knows the separator."""
    return "|".join(str(value) if (value := columns[name]) is not None else "" for name in PROFILE)


def entry_values(entry: Entry) -> tuple[Any, ...]:
    """The row of `entries` for a sealed entry, in the order of its columns."""
    writer, sequence, *others = index_columns(entry.document).values()
    return (writer, sequence, entry.hash, entry.signature, entry.content, *others)


def writer_values(certificate: Certificate) -> tuple[Any, ...]:
    """The row of `writers` for a certified writer."""
    return certificate.writer, certificate.content, certificate.signature


def _object_at(value: Any, path: tuple[str, ...]) -> dict[str, Any]:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _stored(value: Any) -> Any:
    # PostgreSQL has no text with a zero character, and an entry that cannot be stored would fail those beside it.
    return value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value
