"""The tables of API tokens, written with INSERT alone: a token is revoked by a row of its own, and never changed.

`api_tokens.bytes` is the truth, see `auth.tokens.TokenRecord`. `mac` shows that it was made by somebody with the key of
the tokens, which is not in the database.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table

from ecs_admission.decision_log.metadata import NAMES, metadata

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", NAMES, primary_key=True),
    Column("digest", NAMES, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    Column("mac", LargeBinary, nullable=False),
    Index("api_tokens_by_digest", "digest", unique=True),
)

token_revocations = Table(
    "token_revocations",
    metadata,
    Column("id", NAMES, primary_key=True),
    Column("time", BigInteger, nullable=False),
)
"""Tokens that are no longer accepted, and since when."""
