"""Digests and what the sealer needs beside them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

NAMES = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables of the sealer."""
    op.create_table(
        "digests",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("hash", NAMES, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("bytes", sa.LargeBinary, nullable=False),
        sa.Column("from_time", sa.BigInteger, nullable=False),
        sa.Column("to_time", sa.BigInteger, nullable=False),
    )
    op.create_index("digests_by_time", "digests", ["to_time"])
    op.create_table(
        "digest_ranges",
        sa.Column("writer", NAMES, primary_key=True),
        sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("head", NAMES, nullable=False),
    )
    op.create_index("digest_ranges_by_number", "digest_ranges", ["number"])
    op.create_table(
        "anchor_states",
        sa.Column("anchor", NAMES, primary_key=True),
        sa.Column("next", sa.BigInteger, nullable=False),
        sa.Column("failure", NAMES),
        sa.Column("failing_since", sa.BigInteger),
        sa.Column("attempts", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "sealer_lease",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.Column("holder", NAMES),
    )
