"""Walking the chains: is what is stored what was written, and by whom?

Streams in constant memory, a page of a chain at a time, so that it never holds back the database's own upkeep.
What cannot be shown so, `Report.summary` says.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import LargeBinary, cast, func, select
from sqlalchemy.engine import Row

from ecs_admission.decision_log.certificates import Certificate, certified_key, has_signed_entry
from ecs_admission.decision_log.chain import NO_PREVIOUS, entry_hash
from ecs_admission.decision_log.database import translated
from ecs_admission.decision_log.keys import PublicKey
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.schema import bodies, entries, index_columns, writers

MAX_LISTED: Final = 1_000
"""Problems listed one by one; all are counted."""

INCOMPLETE: Final = frozenset({"gap", "missing-body"})
"""Problems that say something is not there. All others say that something is not what was written."""

_PAGE: Final = 200
"""Rows read at once; a body of a large request has 200 KB."""

_READING: Final = "the decision log cannot be read"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place of a chain. `sequence` is that of the first entry missing, for a gap.

    Problems: `unreadable`, `hash`, `previous`, `signature`, `columns`, `not-a-start`, `uncertified`, `gap`,
    `missing-body`, `body`, `unexpected-body`. The last has no place in a chain, and the id of the body as `writer`.
    `uncertified` stands for the whole chain: without the writer's key no signature of it can be checked.
    """

    writer: str
    sequence: int
    problem: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a walk found. `counts` has the number of each problem, `problems` at most `MAX_LISTED` of them.

    `log_keys` are the ids of the log's keys by which certificates were judged; with none they were believed.
    """

    writers: int
    entries: int
    problems: tuple[Problem, ...]
    counts: Mapping[str, int]
    log_keys: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 whole, 1 tampered, 2 incomplete, 3 cannot tell; of several the first of 1, 2, 3."""
        if self.counts.keys() - INCOMPLETE:
            return 1
        if self.counts:
            return 2
        return 0 if self.log_keys else 3

    @property
    def summary(self) -> str:
        """One paragraph for a person, which claims no more than was looked at."""
        what = f"{self.entries} entries in {self.writers} chains"
        if not self.counts:
            verdict = f"{what}: no entry was edited, moved or taken from between others."
        else:
            found = ", ".join(f"{problem} {count}" for problem, count in sorted(self.counts.items()))
            verdict = f"{what}: {'TAMPERED' if self.exit_code == 1 else 'INCOMPLETE'} ({found})."
        forgery = (
            ""
            if self.log_keys
            else " The log's public key was not given, so a chain may be one that somebody else made."
        )
        return (
            f"{verdict}{forgery} The database alone cannot exclude that the newest entries of a chain or a whole chain "
            "were removed, that the service's own keys were used to compute a chain anew, or that an older copy was "
            "restored: that takes signed digests and anchors outside it, which this log does not have."
        )


class _Findings:
    """Collects problems in bounded memory."""

    def __init__(self) -> None:
        self.listed: list[Problem] = []
        self.counts: Counter[str] = Counter()

    def add(self, writer: str, sequence: int, problem: str) -> None:
        self.counts[problem] += 1
        if len(self.listed) < MAX_LISTED:
            self.listed.append(Problem(writer, sequence, problem))


def verify_chains(reader: LogReader, log_keys: Sequence[PublicKey]) -> Report:
    """Check every entry of every writer, and every body. Raises `RecordUnavailableError` when it cannot read.

    `log_keys` are the keys that the log has had. Without one anybody's certificate is believed, and the report says so.
    """
    findings = _Findings()
    trusted = {key.id: key for key in log_keys} or None
    chains = count = 0
    for writer in _writers(reader):
        chains += 1
        key = _writer_key(reader, writer, trusted)
        if key is None:
            findings.add(writer, 0, "uncertified")
        count += _verify_chain(reader, writer, key, findings)
    for body_id in _bodies_without_entry(reader):
        findings.add(body_id, 0, "unexpected-body")
    return Report(
        writers=chains,
        entries=count,
        problems=tuple(findings.listed),
        counts=dict(findings.counts),
        log_keys=tuple(sorted(trusted or ())),
    )


def _verify_chain(reader: LogReader, writer: str, key: PublicKey | None, findings: _Findings) -> int:
    """Check one chain and return how many entries it has."""
    count, expected, previous = 0, 0, NO_PREVIOUS
    for row in _chain(reader, writer):
        if not isinstance(row.sequence, int):  # SQLite keeps what it is given
            findings.add(writer, expected, "columns")
            continue
        if row.sequence != expected:
            findings.add(writer, expected, "gap")
        hashed = entry_hash(row.bytes)
        for problem in _entry_problems(row, hashed, previous if row.sequence == expected else None):
            findings.add(writer, row.sequence, problem)
        if key is not None and not has_signed_entry(key, hashed, row.signature):
            findings.add(writer, row.sequence, "signature")
        count, expected, previous = count + 1, row.sequence + 1, hashed
    if count == 0:  # its certificate is stored together with its first entry
        findings.add(writer, 0, "gap")
    return count


def _entry_problems(row: Row[*tuple[Any, ...]], hashed: str, previous: str | None) -> Iterator[str]:
    """What is wrong with one row. `previous` is the hash of the entry before it, None when that is missing."""
    if hashed != row.hash:
        yield "hash"
    document = _document(row.bytes)
    if document is None:
        yield "unreadable"
        return
    if previous is not None and document.get("previous") != previous:
        yield "previous"
    derived = index_columns(document)
    if any(row._mapping[name] != value for name, value in derived.items()):
        yield "columns"
    if row.sequence == 0 and document.get("kind") != "node_start":
        yield "not-a-start"
    expected = document.get("body")
    if expected is not None and row.body is None:
        yield "missing-body"
    elif row.body is not None and not expected == row.body_sha256 == hashlib.sha256(row.body).hexdigest():
        yield "body"


def _writer_key(reader: LogReader, writer: str, trusted: Mapping[str, PublicKey] | None) -> PublicKey | None:
    query = select(
        cast(writers.c.certificate, LargeBinary).label("certificate"),
        cast(writers.c.signature, LargeBinary).label("signature"),
    ).where(writers.c.writer == writer)
    with translated(_READING), reader.connect() as connection:
        row = connection.execute(query).first()
    return None if row is None else certified_key(Certificate(writer, row.certificate, row.signature), trusted)


def _document(content: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _writers(reader: LogReader) -> Iterator[str]:
    """Every writer's name, each found by one step in each primary key."""
    after: str | None = None
    while True:
        found: list[str] = []
        with translated(_READING), reader.connect() as connection:
            for column in (entries.c.writer, writers.c.writer):
                query = select(func.min(column))
                name = connection.execute(query if after is None else query.where(column > after)).scalar_one()
                found += [] if name is None else [name]
        if not found:
            return
        after = min(found)
        yield after


def _chain(reader: LogReader, writer: str) -> Iterator[Row[*tuple[Any, ...]]]:
    """The entries of a writer with their bodies, in order."""
    after: int | None = None
    while True:
        query = (
            select(
                *(column for column in entries.c if column.name not in {"bytes", "signature"}),
                # SQLite keeps a type with each value, and an edit may have left text here.
                cast(entries.c.bytes, LargeBinary).label("bytes"),
                cast(entries.c.signature, LargeBinary).label("signature"),
                cast(bodies.c.bytes, LargeBinary).label("body"),
                bodies.c.sha256.label("body_sha256"),
            )
            .outerjoin_from(entries, bodies, entries.c.id == bodies.c.id)
            .where(entries.c.writer == writer)
            .order_by(entries.c.sequence)
            .limit(_PAGE)
        )
        if after is not None:
            query = query.where(entries.c.sequence > after)
        last = after
        with translated(_READING), reader.connect() as connection:
            for row in connection.execute(query):
                last = row.sequence
                yield row
        if last == after:
            return
        after = last


def _bodies_without_entry(reader: LogReader) -> Iterator[str]:
    after: str | None = None
    while True:
        query = (
            select(bodies.c.id, entries.c.id.label("entry"))
            .outerjoin_from(bodies, entries, entries.c.id == bodies.c.id)
            .order_by(bodies.c.id)
            .limit(_PAGE)
        )
        if after is not None:
            query = query.where(bodies.c.id > after)
        with translated(_READING), reader.connect() as connection:
            rows = connection.execute(query).all()
        yield from (row.id for row in rows if row.entry is None)
        if not rows:
            return
        after = rows[-1].id
