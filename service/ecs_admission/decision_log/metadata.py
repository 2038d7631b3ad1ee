"""What all tables of the decision log share. `schema` has them registered here, wherever they are described."""

from __future__ import annotations

from typing import Final

from sqlalchemy import MetaData, Text
from sqlalchemy.dialects.postgresql import TEXT

NAMES: Final = Text().with_variant(TEXT(collation="C"), "postgresql")
"""Text in the order of its bytes, as in SQLite. Another order changes with the C library, and breaks indexes."""

metadata = MetaData()
