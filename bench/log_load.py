"""Loads decisions into PostgreSQL faster than they come: some processes make them, and COPY takes them.

Each is a real entry: built as the service builds one, chained, signed by a certified writer, with all its columns and
terms. Digests of the sealer's, one for ten minutes, hold them all. So `verify` walks a loaded log as it does any other.
"""

from __future__ import annotations

import multiprocessing
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from typing import Any, Final

import psycopg
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, DropIndex

from bench.log_decisions import YEAR_US, Generator, uuid7
from ecs_admission.decision_log.certificates import Writer
from ecs_admission.decision_log.chain import Entry, Head, seal
from ecs_admission.decision_log.digest_tables import digest_ranges, digests
from ecs_admission.decision_log.digests import NO_DIGEST, RUN, START, Digest, Range, SignedDigest
from ecs_admission.decision_log.entries import EntryDraft, build_node_draft
from ecs_admission.decision_log.inventory import inventory_id
from ecs_admission.decision_log.keys import SigningKey
from ecs_admission.decision_log.schema import bodies, entries, entry_terms, entry_values, writer_values, writers
from ecs_admission.decision_log.terms import derive_terms

WRITERS: Final = 8
PARTS: Final = 2
"""Processes that make decisions, each as half of the writers."""

LOADING: Final = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "16GB",
    "maintenance_work_mem": "1GB",
    "autovacuum": "off",
}
"""Settings of a server that only loads: what is lost in a crash is loaded again."""

DIGEST_US: Final = 600 * 1_000_000

_TABLES: Final = (entries, entry_terms, bodies)


@dataclass(slots=True)
class _Window:
    """What one digest will hold of the writers of a process."""

    ranges: dict[str, Range] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)


def load(
    url: str, count: int, *, first_us: int, log_key: SigningKey, sealer_key: SigningKey, whole_bodies: bool = False
) -> None:
    """Load `count` decisions into an empty log, as the owner of its tables, and have the database look at them."""
    keys = {table.name: ", ".join(column.name for column in table.primary_key) for table in _TABLES}
    indexes = [index for table in _TABLES for index in table.indexes]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call] - SQLAlchemy's own
    _execute(
        url,
        *(str(DropIndex(index).compile(dialect=dialect)) for index in indexes),
        *(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey" for table in keys),
    )
    _write_digests(url, _run_parts(url, count, first_us, log_key, whole_bodies), first_us, sealer_key)
    _execute(
        url,
        *(
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_pkey PRIMARY KEY ({columns})"
            for table, columns in keys.items()
        ),
        *(str(CreateIndex(index).compile(dialect=dialect)) for index in indexes),
        "VACUUM ANALYZE",
    )


def _execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _run_parts(url: str, count: int, first_us: int, log_key: SigningKey, whole_bodies: bool) -> list[_Window]:
    """Have each part made by a process of its own; returns what each digest will hold."""
    context = multiprocessing.get_context("fork")  # a private key cannot be sent
    running = []
    for part in range(PARTS):
        receiver, sender = context.Pipe(duplex=False)
        arguments = (url, Generator(count, first_us, part=part, parts=PARTS, whole_bodies=whole_bodies), part, first_us)
        process = context.Process(target=_run_part, args=(*arguments, log_key, sender))
        process.start()
        sender.close()
        running.append((process, receiver))
    windows = [_Window() for _ in range(YEAR_US // DIGEST_US + 1)]
    for process, receiver in running:
        found: list[_Window] = receiver.recv()
        process.join()
        for window, other in zip(windows, found, strict=True):
            window.ranges |= other.ranges
            window.counts += other.counts
            window.outcomes += other.outcomes
    return windows


def _run_part(url: str, generator: Generator, part: int, first_us: int, log_key: SigningKey, sender: Pipe) -> None:
    names = [f"writer-{number}" for number in range(part, WRITERS, PARTS)]
    chains = [Writer.certified(name, time_us=first_us, log_key=log_key) for name in names]
    heads = [Head()] * len(chains)
    windows = [_Window() for _ in range(YEAR_US // DIGEST_US + 1)]
    with ExitStack() as stack:
        connections = [stack.enter_context(psycopg.connect(url)) for _ in _TABLES]
        with _copying(connections[0], writers) as copy:
            for chain in chains:
                copy.write_row(writer_values(chain.certificate))
        # A connection for each table, so that nothing is kept in memory.
        copy, copy_terms, copy_bodies = (
            stack.enter_context(_copying(*each)) for each in zip(connections, _TABLES, strict=True)
        )
        drafts = _starting(generator, len(chains), first_us, part)
        for number, draft in enumerate(drafts):
            which = number % len(chains)
            entry = seal(draft, chains[which], heads[which])
            heads[which] = Head(next_sequence=entry.sequence + 1, hash=entry.hash)
            copy.write(_entry_line(entry))
            time_us, entry_id = draft.document["time"], draft.id
            for term in sorted(derive_terms(draft.document, draft.body)):
                copy_terms.write(f"{term}\t{time_us}\t{entry_id}\n")
            if draft.body is not None:
                copy_bodies.write(f"{entry_id}\t\\\\x{draft.body.hex()}\t{draft.document['body']}\n")
            if draft.inventory is not None:
                line = f"\t\\\\x{draft.inventory.hex()}\t{draft.document['inventory']}\n"
                copy_bodies.write(inventory_id(entry_id) + line)
            _note(windows[(time_us - first_us) // DIGEST_US], entry)
    sender.send(windows)


def _starting(generator: Generator, chains: int, first_us: int, part: int) -> Iterator[EntryDraft]:
    """Each chain's start, and then what the generator makes."""
    for number in range(chains):
        chance = random.Random(part * WRITERS + number)
        yield build_node_draft(
            "node_start",
            entry_id=uuid7(first_us, chance),
            time_us=first_us,
            engine="embedded",
            revision=f"sha256:{0:064x}",
        )
    yield from generator.drafts()


def _copying(connection: psycopg.Connection[Any], table: Table) -> Any:
    return connection.cursor().copy(f"COPY {table.name} ({', '.join(table.columns.keys())}) FROM STDIN".encode())


def _entry_line(entry: Entry) -> str:
    """A line of COPY. No text of the generator's has a tab, a line's end or a backslash, which would need escapes."""
    writer, sequence, hashed, signature, content, *others = entry_values(entry)
    row = (writer, sequence, hashed, f"\\\\x{signature.hex()}", f"\\\\x{content.hex()}", *others)
    return "\t".join(["\\N" if value is None else str(value) for value in row]) + "\n"


def _note(window: _Window, entry: Entry) -> None:
    before = window.ranges.get(entry.writer)
    first = entry.sequence if before is None else before.first
    window.ranges[entry.writer] = Range(entry.writer, first, entry.sequence, entry.hash)
    window.counts[entry.document["kind"]] += 1
    if entry.document["outcome"] is not None:
        window.outcomes[entry.document["outcome"]] += 1


def _write_digests(url: str, windows: Sequence[_Window], first_us: int, key: SigningKey) -> None:
    with (
        psycopg.connect(url) as connection,
        psycopg.connect(url) as other,
        _copying(connection, digests) as copy,
        _copying(other, digest_ranges) as copy_ranges,
    ):
        previous = NO_DIGEST
        for number, window in enumerate(windows):
            digest = Digest(
                number=number,
                previous=previous,
                epoch=1,
                state=START if number == 0 else RUN,
                from_time=first_us + number * DIGEST_US,
                to_time=first_us + (number + 1) * DIGEST_US,
                interval_seconds=DIGEST_US // 1_000_000,
                more=False,
                ranges=tuple(sorted(window.ranges.values(), key=lambda each: each.writer)),
                counts=dict(sorted(window.counts.items())),
                outcomes=dict(sorted(window.outcomes.items())),
                refused=0,
                key=key.public.id,
            )
            signed = SignedDigest.of(digest, key)
            previous = signed.hash
            copy.write_row([number, signed.hash, signed.signature, signed.content, digest.from_time, digest.to_time])
            for each in digest.ranges:
                copy_ranges.write_row([each.writer, each.first, each.last, number, each.head])
