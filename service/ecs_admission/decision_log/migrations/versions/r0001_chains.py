"""Writers, their chains, and the bodies beside them.

Not made from `schema`: what a migration does stays as it was, whatever the schema becomes later. A log has no way
back, so there is no downgrade.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

NAMES = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "writers",
        sa.Column("writer", NAMES, primary_key=True),
        sa.Column("certificate", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "entries",
        sa.Column("writer", NAMES, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("hash", NAMES, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("bytes", sa.LargeBinary, nullable=False),
        sa.Column("id", NAMES, nullable=False),
        sa.Column("kind", NAMES, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("outcome", NAMES),
        sa.Column("reason", NAMES),
        sa.Column("operation", NAMES),
        sa.Column("enforcement_point", NAMES),
        sa.Column("family", NAMES),
        sa.Column("environment", NAMES),
        sa.Column("account", NAMES),
        sa.Column("region", NAMES),
        sa.Column("cluster", NAMES),
        sa.Column("service", NAMES),
        sa.Column("actor", NAMES),
        sa.Column("repository", NAMES),
        sa.Column("username", NAMES),
        sa.Column("revision", NAMES),
    )
    op.create_index("entries_by_id", "entries", ["id"], unique=True)
    op.create_index("entries_by_time", "entries", ["time", "id"])
    op.create_table(
        "bodies",
        sa.Column("id", NAMES, primary_key=True),
        sa.Column("bytes", sa.LargeBinary, nullable=False),
        sa.Column("sha256", NAMES, nullable=False),
    )
