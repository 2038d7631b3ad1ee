"""API tokens and their revocations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

NAMES = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables of tokens."""
    op.create_table(
        "api_tokens",
        sa.Column("id", NAMES, primary_key=True),
        sa.Column("digest", NAMES, nullable=False),
        sa.Column("bytes", sa.LargeBinary, nullable=False),
        sa.Column("mac", sa.LargeBinary, nullable=False),
    )
    op.create_index("api_tokens_by_digest", "api_tokens", ["digest"], unique=True)
    op.create_table(
        "token_revocations",
        sa.Column("id", NAMES, primary_key=True),
        sa.Column("time", sa.BigInteger, nullable=False),
    )
