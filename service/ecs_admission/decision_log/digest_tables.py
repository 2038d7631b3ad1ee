"""The tables of the sealer: its digests, where each entry is in them, what is anchored, and who leads.

`digests.bytes` is the truth. All else is an index over it, or tells a process where it was; `verify` believes neither.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table

from ecs_admission.decision_log.metadata import NAMES, metadata

digests = Table(
    "digests",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", NAMES, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    Column("from_time", BigInteger, nullable=False),
    Column("to_time", BigInteger, nullable=False),
    Index("digests_by_time", "to_time"),
)

digest_ranges = Table(
    "digest_ranges",
    metadata,
    Column("writer", NAMES, primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("head", NAMES, nullable=False),
    Index("digest_ranges_by_number", "number"),
)
"""Entries `first` to `last` of `writer` are in digest `number`; `head` is the hash of the last."""

anchor_states = Table(
    "anchor_states",
    metadata,
    Column("anchor", NAMES, primary_key=True),
    Column("next", BigInteger, nullable=False),
    Column("failure", NAMES),
    Column("failing_since", BigInteger),
    Column("attempts", BigInteger, nullable=False),
)
"""Digests before `next` are in `anchor`. `failure` is why the last of `attempts` tries since then came to nothing."""

sealer_lease = Table(
    "sealer_lease",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("beat", BigInteger, nullable=False),
    Column("holder", NAMES),
)
"""One row. `holder` leads in `epoch`, and shows by counting `beat` that it is there; null: nobody leads."""
