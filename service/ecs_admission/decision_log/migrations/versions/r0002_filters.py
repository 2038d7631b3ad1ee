"""What queries go by: terms, profiles, and an index by time for each column that has many values.

The terms of entries that are there already are derived by today's `terms`, as `verify` will.
"""

from collections.abc import Iterator
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from ecs_admission.decision_log.terms import derive_terms

revision = "0002"
down_revision = "0001"

NAMES = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
COLUMNS = ("profile", "account", "family", "service", "repository", "actor", "username", "revision")
PROFILE = ("outcome", "operation", "enforcement_point", "environment", "region")
PAGE = 500

entries = sa.table("entries", sa.column("id"), sa.column("time"), sa.column("kind"), sa.column("bytes", sa.LargeBinary))
bodies = sa.table("bodies", sa.column("id"), sa.column("bytes", sa.LargeBinary))


def upgrade() -> None:
    """Make and fill the table of terms, then the indexes."""
    terms = op.create_table(
        "entry_terms",
        sa.Column("term", NAMES, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("id", NAMES, nullable=False),
        sa.PrimaryKeyConstraint("term", "time", "id", name="entry_terms_pkey"),
        sqlite_with_rowid=False,
    )
    for rows in _pages():
        if rows:
            op.bulk_insert(terms, rows)
    op.add_column("entries", sa.Column("profile", NAMES))
    parts = " || '|' || ".join(f"coalesce({column}, '')" for column in PROFILE)
    op.execute(f"UPDATE entries SET profile = {parts} WHERE kind = 'decision'")  # noqa: S608 - of constants
    op.drop_index("entries_by_time", "entries")
    is_decision, is_event = sa.text("kind = 'decision'"), sa.text("kind <> 'decision'")
    op.create_index(
        "decisions_by_time", "entries", ["time", "id"], postgresql_where=is_decision, sqlite_where=is_decision
    )
    op.create_index("events_by_kind", "entries", ["kind", "time"], postgresql_where=is_event, sqlite_where=is_event)
    for column in COLUMNS:
        op.create_index(f"entries_by_{column}", "entries", [column, "time"])


def _pages() -> Iterator[list[dict[str, Any]]]:
    """The terms of all decisions, some decisions at a time. One that cannot be read has none, and `verify` says so."""
    after = ""
    while True:
        query = (
            sa.select(
                entries.c.id,
                entries.c.time,
                sa.cast(entries.c.bytes, sa.LargeBinary).label("bytes"),
                sa.cast(bodies.c.bytes, sa.LargeBinary).label("body"),
            )
            .outerjoin_from(entries, bodies, entries.c.id == bodies.c.id)
            .where(entries.c.kind == "decision", entries.c.id > after)
            .order_by(entries.c.id)
            .limit(PAGE)
        )
        found = op.get_bind().execute(query).all()
        if not found:
            return
        yield [
            {"term": term, "time": row.time, "id": row.id}
            for row in found
            for term in sorted(derive_terms(_document(row.bytes), row.body))
        ]
        after = found[-1].id


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
