"""Walking the chains: is each entry what its writer wrote, and what its digest says?

Streams in constant memory, a page of a chain at a time, so that it never holds back the database's own upkeep.

Not every signature is checked, which would take ten times as long as all else together. The signature of an entry is
over its hash, the hash covers the hash of the entry before it, and so on: so the signature of the last entry of an
unbroken piece of a chain speaks for the whole piece. Where that one is wrong, or the piece is broken, each is checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from sqlalchemy import select
from sqlalchemy.engine import Row

from ecs_admission.decision_log.certificates import certified_key, has_signed_entry
from ecs_admission.decision_log.chain import NO_PREVIOUS, entry_hash
from ecs_admission.decision_log.chain_rows import (
    COLUMNS,
    PAGE,
    READING,
    SEQUENCE,
    Scope,
    Window,
    all_writers,
    certificate_of,
    chain_of,
    last_in_scope,
    sealed_writers,
    windows_of,
)
from ecs_admission.decision_log.database import translated
from ecs_admission.decision_log.digest_tables import digest_ranges
from ecs_admission.decision_log.keys import PublicKey
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.schema import index_columns
from ecs_admission.decision_log.term_sum import TermSum
from ecs_admission.decision_log.terms import derive_terms
from ecs_admission.decision_log.verdicts import Findings

TOLERANCE_US: Final = 120 * 1_000_000
"""How far an entry's time may lie outside its digest's window: clocks differ, and a request may have taken long."""


@dataclass(slots=True)
class _Piece:
    """An unbroken piece of a chain whose signatures are not checked yet."""

    writer: str
    key: PublicKey | None
    findings: Findings
    every: bool
    waiting: list[tuple[int, str, bytes, int | None]] = field(default_factory=list)

    def add(self, sequence: int, hashed: str, signature: bytes, digest: int | None) -> None:
        self.waiting.append((sequence, hashed, signature, digest))
        if len(self.waiting) >= PAGE:
            self.settle()

    def settle(self) -> None:
        """Check the last signature, and each where that one does not hold."""
        if self.waiting and self.key is not None:
            _, hashed, signature, _ = self.waiting[-1]
            if self.every or not has_signed_entry(self.key, hashed, signature):
                for sequence, hashed, signature, digest in self.waiting:
                    if not has_signed_entry(self.key, hashed, signature):
                        self.findings.add(self.writer, sequence, "signature", digest=digest)
        self.waiting.clear()


@dataclass(slots=True)
class Walked:
    """How much was looked at."""

    writers: int = 0
    entries: int = 0
    unsealed: int = 0


def walk_chains(
    reader: LogReader,
    trusted: Mapping[str, PublicKey] | None,
    scope: Scope,
    findings: Findings,
    terms: TermSum | None = None,
) -> Walked:
    """Check the entries in `scope`, by the log's keys `trusted`; with None certificates are taken at their word.

    `terms` takes in what each entry is to be found by.
    """
    walked = Walked()
    names = all_writers(reader) if scope.last is None else sealed_writers(reader, scope)
    for writer in names:
        walked.writers += 1
        certificate = certificate_of(reader, writer)
        key = None if certificate is None else certified_key(certificate, trusted)
        if key is None:
            findings.add(writer, 0, "uncertified")
        _walk_chain(reader, writer, key, scope, findings, walked, terms)
    return walked


def _walk_chain(
    reader: LogReader,
    writer: str,
    key: PublicKey | None,
    scope: Scope,
    findings: Findings,
    walked: Walked,
    terms: TermSum | None,
) -> None:
    windows = windows_of(reader, writer, scope, findings)
    window = next(windows, None)
    expected, previous = (0, NO_PREVIOUS) if scope.first is None else _begin(reader, writer, window)
    start = None if expected == 0 else expected  # SQLite may have what is before any number
    end = None if scope.last is None else last_in_scope(reader, writer, scope)
    if window is not None and window.first != expected:
        findings.add(writer, expected, "outside-a-digest", digest=window.number)
    piece = _Piece(writer, key, findings, scope.every_signature)
    count, kind, chain = 0, None, chain_of(reader, writer, start, end, scope.retained)
    for row in chain:
        sequence = row[SEQUENCE]
        if not isinstance(sequence, int):  # SQLite keeps what it is given
            findings.add(writer, expected, "columns")
            continue
        while window is not None and expected > window.last:
            window = _next_window(windows, window, writer, findings)
        if sequence != expected:
            piece.settle()
            findings.add(writer, expected, "gap", digest=None if window is None else window.number)
            previous = None
        while window is not None and sequence > window.last:
            findings.bad_digests.setdefault(window.number, "gap")
            window = _next_window(windows, window, writer, findings)
        number = window.number if window is not None and sequence >= window.first else None
        hashed = entry_hash(row.bytes)
        document = _document(row.bytes)
        if document is not None and previous is not None and document.get("previous") != previous:
            piece.settle()
        for problem in _entry_problems(row, hashed, document, previous, scope, digest=number):
            findings.add(writer, sequence, problem, digest=number)
        piece.add(sequence, hashed, row.signature, number)
        if window is not None and number is not None:
            if sequence == window.last and hashed != window.head:
                findings.add(writer, sequence, "head", digest=number)
            _check_time(writer, sequence, document, window, findings)
        else:
            walked.unsealed += 1
        count, expected, previous = count + 1, sequence + 1, hashed
        kind = None if document is None else document.get("kind")
        if terms is not None and document is not None:
            for each in derive_terms(document, row.body):
                terms.add(each, document.get("time"), document.get("id"))
    piece.settle()
    _check_end(writer, expected, window, windows, findings)
    if count == 0 and expected == 0 and window is None:  # its certificate is stored together with its first entry
        findings.add(writer, 0, "gap")
    if kind not in (None, "node_stop") and end is None:
        findings.notice("never-stopped", writer, sequence=expected - 1)
    walked.entries += count


def _begin(reader: LogReader, writer: str, window: Window | None) -> tuple[int, str | None]:
    """Where to begin in a chain whose older digests are out of scope, and the hash before that if a digest has it."""
    query = (
        select(digest_ranges.c.last, digest_ranges.c.head)
        .where(digest_ranges.c.writer == writer)
        .order_by(digest_ranges.c.first.desc())
        .limit(1)
    )
    if window is not None:
        query = query.where(digest_ranges.c.first < window.first)
    with translated(READING), reader.connect() as connection:
        before = connection.execute(query).first()
    expected = window.first if window is not None else 0 if before is None else before.last + 1
    if before is not None and before.last + 1 == expected:
        return expected, before.head
    return expected, NO_PREVIOUS if expected == 0 else None


def _next_window(
    windows: Iterator[Window], before: Window, writer: str, findings: Findings
) -> Window | None:  # fmt: skip
    window = next(windows, None)
    if window is not None and window.first != before.last + 1:
        findings.add(writer, before.last + 1, "outside-a-digest", digest=window.number)
    return window


def _check_end(
    writer: str, expected: int, window: Window | None, windows: Iterator[Window], findings: Findings
) -> None:
    """What a digest says was there and is not: a tail that was cut off."""
    while window is not None and expected > window.last:
        window = _next_window(windows, window, writer, findings)
    if window is not None:
        findings.add(writer, expected, "gap", digest=window.number)
        for later in windows:
            findings.bad_digests.setdefault(later.number, "gap")


def _check_time(
    writer: str, sequence: int, document: dict[str, Any] | None, window: Window, findings: Findings
) -> None:  # fmt: skip
    time_us = None if document is None else document.get("time")
    if type(time_us) is not int or not (
        window.from_time - TOLERANCE_US <= time_us <= window.to_time + TOLERANCE_US
    ):  # fmt: skip
        findings.notice("time", writer, sequence=sequence, digest=window.number)


def _entry_problems(
    row: Row[Any],
    hashed: str,
    document: dict[str, Any] | None,
    previous: str | None,
    scope: Scope,
    *,
    digest: int | None,
) -> Iterator[str]:
    """What is wrong with one row, which `digest` holds.

    `previous` is the hash of the entry before it, None when that is not known.
    """
    if hashed != row.hash:
        yield "hash"
    if document is None:
        yield "unreadable"
        return
    if previous is not None and document.get("previous") != previous:
        yield "previous"
    if row[: len(COLUMNS)] != tuple(index_columns(document).values()):
        yield "columns"
    if row[SEQUENCE] == 0 and document.get("kind") != "node_start":
        yield "not-a-start"
    kept = (
        (document.get("body"), row.body, row.body_sha256, scope.has_bodies),
        (document.get("inventory"), row.inventory, row.inventory_sha256, scope.has_inventories),
    )
    for expected, content, stored, is_kept in kept:
        if content is not None:
            if not expected == stored == hashlib.sha256(content).hexdigest():
                yield "body"
        elif expected is not None and is_kept and not scope.retained.covers(digest):
            yield "missing-body"


def _document(content: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None
