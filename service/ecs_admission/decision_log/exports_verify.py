"""Verifying an export: it is read into a log of its own, which is then verified like any other.

So a log and its export are judged by one code, and whoever has a large export needs disk for it, not memory. The
form of an export: `docs/reference/query.md`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final

import orjson
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from ecs_admission.decision_log import schema
from ecs_admission.decision_log.certificates import Certificate, certified_key, has_signed_entry
from ecs_admission.decision_log.chain import entry_hash
from ecs_admission.decision_log.chain_rows import Scope
from ecs_admission.decision_log.digest_tables import digest_ranges, digests
from ecs_admission.decision_log.digest_walk import walk_digests
from ecs_admission.decision_log.digests import read_digest, read_line
from ecs_admission.decision_log.keys import PublicKey
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.receipts import check_receipts
from ecs_admission.decision_log.schema import index_columns
from ecs_admission.decision_log.sealer import range_row
from ecs_admission.decision_log.verdicts import Findings, Problem, Report
from ecs_admission.decision_log.verify import Evidence, Extent, verify_log
from ecs_admission.errors import SettingsError

EXPORT_VERSION: Final = 1
_BATCH: Final = 1_000
_TIMEOUT_SECONDS: Final = 600.0


@dataclass(slots=True)
class _Export:
    """What an export says of itself, and what is in it."""

    first: int | None = None
    last: int | None = None
    filters: dict[str, Any] = field(default_factory=dict)
    manifest: dict[str, Any] | None = None
    lines: int = 0
    sha256: str = ""
    has_bodies: bool = False
    retained: int | None = None
    digests: int = 0
    writers: dict[str, list[int]] = field(default_factory=dict)
    """First and last sequence, and number of entries."""

    @property
    def fits_manifest(self) -> bool:
        """Whether the last line describes the others. An export that was cut off has no such line."""
        counted = [
            {"writer": writer, "from": first, "to": last, "entries": count}
            for writer, (first, last, count) in sorted(self.writers.items())
        ]
        return self.manifest is not None and self.manifest == {
            "manifest": EXPORT_VERSION,
            "lines": self.lines,
            "sha256": self.sha256,
            "entries": sum(count for _, _, count in self.writers.values()),
            "writers": counted,
            "digests": self.digests,
        }


def verify_export(file: IO[bytes], evidence: Evidence, folder: Path, *, every_signature: bool = False) -> Report:
    """Verify an export, by way of a database in `folder`. Raises `SettingsError` for a file that is no export."""
    path = folder / "export.sqlite3"
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.begin() as connection:
        schema.create_missing(connection)
    engine.dispose()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        export = _read(file, database)
    with closing(LogReader.open(f"sqlite:///{path}", timeout_seconds=_TIMEOUT_SECONDS)) as reader:
        if export.filters:
            report = _verify_filtered(reader, evidence, export)
        else:
            extent = Extent(
                first=export.first,
                last=export.last,
                has_bodies=export.has_bodies,
                has_terms=False,
                retained=export.retained,
                every_signature=every_signature,
            )
            report = verify_log(reader, evidence, extent)
    total = sum(count for _, _, count in export.writers.values())
    if report.entries != total:  # what no digest of the export holds was not looked at
        counts = {
            **report.counts,
            "outside-a-digest": report.counts.get("outside-a-digest", 0) + total - report.entries,
        }
        problem = Problem("", 0, "outside-a-digest")
        report = replace(report, entries=total, problems=(*report.problems, problem), counts=counts)
    if export.fits_manifest:
        return report
    counts = {**report.counts, "manifest": 1}
    return replace(report, problems=(*report.problems, Problem("", 0, "manifest")), counts=counts)


def _read(file: IO[bytes], database: sqlite3.Connection) -> _Export:
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("BEGIN")
    export, rows = _Export(), _Rows(database)
    seen = hashlib.sha256()
    for number, line in enumerate(file, 1):
        document = _parsed(line)
        if document is None or export.manifest is not None or (number == 1) != ("export" in document):
            raise SettingsError(f"line {number} of the export is not one of an export of version {EXPORT_VERSION}")
        if "manifest" in document:
            export.manifest = document
            continue
        _take(document, line, number, export, rows)
        seen.update(line)
        export.lines = number
    if export.lines == 0:
        raise SettingsError("the export is empty")
    rows.flush()
    database.execute("COMMIT")
    export.sha256 = seen.hexdigest()
    return export


def _take(document: dict[str, Any], line: bytes, number: int, export: _Export, rows: _Rows) -> None:
    try:
        if "export" in document:
            export.first, export.last, export.filters = document["first"], document["last"], document["filters"]
            export.has_bodies, export.retained = document.get("bodies") is True, document.get("retained")
            is_known = document["export"] == EXPORT_VERSION and isinstance(export.filters, dict)
            is_known &= export.retained is None or type(export.retained) is int
        elif "digest" in document:
            is_known = _take_digest(line, export, rows)
        elif "certificate" in document:
            signature = base64.b64decode(document["signature"], validate=True)
            rows.add("writers", (document["writer"], document["certificate"].encode(), signature))
            is_known = True
        else:
            is_known = _take_entry(document, export, rows)
    except (KeyError, TypeError, AttributeError, binascii.Error, ValueError):
        is_known = False
    if not is_known:
        raise SettingsError(f"line {number} of the export is not one of an export of version {EXPORT_VERSION}")


def _take_digest(line: bytes, export: _Export, rows: _Rows) -> bool:
    signed = read_line(line)
    digest = None if signed is None else read_digest(signed.content)
    if signed is None or digest is None:
        return False
    export.digests += 1
    rows.add(
        "digests",
        (signed.number, signed.hash, signed.signature, signed.content, digest.from_time, digest.to_time),
    )
    for each in digest.ranges:
        row = range_row(each, digest.number)
        rows.add("digest_ranges", tuple(row[column.name] for column in digest_ranges.columns))
    return True


def _take_entry(document: dict[str, Any], export: _Export, rows: _Rows) -> bool:
    content = document["entry"].encode()
    entry = orjson.loads(content)
    columns = index_columns(entry)
    writer, sequence = columns["writer"], columns["sequence"]
    if type(writer) is not str or type(sequence) is not int:
        return False
    signature = base64.b64decode(document["signature"], validate=True)
    values = {**columns, "hash": document["hash"], "signature": signature, "bytes": content}
    rows.add("entries", tuple(values[column.name] for column in schema.entries.columns))
    if (body := document.get("policyInput")) is not None:
        export.has_bodies = True
        rows.add("bodies", (columns["id"], body.encode(), document["body"]))
    known = export.writers.setdefault(writer, [sequence, sequence, 0])
    known[:] = min(known[0], sequence), max(known[1], sequence), known[2] + 1
    return True


class _Rows:
    """Inserts in batches. A row that is there twice is no row of an export."""

    _TABLES: Final = {
        table.name: table for table in (schema.writers, schema.entries, schema.bodies, digests, digest_ranges)
    }

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._waiting: dict[str, list[tuple[Any, ...]]] = {name: [] for name in self._TABLES}

    def add(self, table: str, row: tuple[Any, ...]) -> None:
        self._waiting[table].append(row)
        if len(self._waiting[table]) >= _BATCH:
            self._insert(table)

    def flush(self) -> None:
        for table in self._TABLES:
            self._insert(table)

    def _insert(self, table: str) -> None:
        marks = ", ".join("?" for _ in self._TABLES[table].columns)
        try:
            self._database.executemany(f"INSERT INTO {table} VALUES ({marks})", self._waiting[table])  # noqa: S608
        except sqlite3.Error:
            raise SettingsError("the export has an entry or a digest twice, or one that is none") from None
        self._waiting[table].clear()


def _verify_filtered(reader: LogReader, evidence: Evidence, export: _Export) -> Report:
    """Judge each entry by itself: its hash, its signature, its writer, and that a digest covers its place."""
    findings = Findings()
    trusted = {key.id: key for key in evidence.log_keys} or None
    scope = Scope(export.first, export.last, has_bodies=export.has_bodies)
    seen, anchors = walk_digests(reader, evidence.sealer_keys, evidence.anchors, scope, findings)
    count, keys = 0, dict[str, PublicKey | None]()
    with reader.connect() as connection:
        for row in connection.exec_driver_sql(_ENTRIES):
            if row.writer not in keys:
                keys = {row.writer: _key(row, trusted)}  # entries come writer by writer
                if keys[row.writer] is None:
                    findings.add(row.writer, 0, "uncertified")
            key, hashed = keys[row.writer], entry_hash(row.bytes)
            if hashed != row.hash or (row.last == row.sequence and row.head != hashed):
                findings.add(row.writer, row.sequence, "hash", digest=row.number)
            if key is not None and not has_signed_entry(key, hashed, row.signature):
                findings.add(row.writer, row.sequence, "signature", digest=row.number)
            if row.number is None or row.sequence > row.last:
                findings.add(row.writer, row.sequence, "outside-a-digest")
            if row.body is not None and not _body_fits(row):
                findings.add(row.writer, row.sequence, "body", digest=row.number)
            count += 1
    receipts = None if evidence.receipts is None else check_receipts(reader, evidence.receipts, findings)
    return Report(
        writers=len(export.writers),
        entries=count,
        unsealed=0,
        problems=tuple(findings.listed),
        counts=dict(findings.counts),
        notices=tuple(findings.notices),
        notice_counts=dict(findings.notice_counts),
        log_keys=tuple(sorted(trusted or ())),
        sealer_keys=tuple(sorted(key.id for key in evidence.sealer_keys)),
        digests=seen,
        anchors=anchors,
        receipts=receipts,
        filtered=True,
    )


_ENTRIES: Final = """
SELECT e.writer, e.sequence, e.hash, e.bytes, e.signature, w.certificate, w.signature AS certified,
       r.number, r.last, r.head, b.bytes AS body, b.sha256
FROM entries e LEFT JOIN writers w ON w.writer = e.writer LEFT JOIN bodies b ON b.id = e.id
LEFT JOIN digest_ranges r ON r.writer = e.writer AND r.first =
     (SELECT max(first) FROM digest_ranges WHERE writer = e.writer AND first <= e.sequence)
ORDER BY e.writer, e.sequence
"""


def _key(row: Any, trusted: dict[str, PublicKey] | None) -> PublicKey | None:
    if row.certificate is None:
        return None
    return certified_key(Certificate(row.writer, row.certificate, row.certified), trusted)


def _body_fits(row: Any) -> bool:
    expected = orjson.loads(row.bytes).get("body")
    return bool(expected == row.sha256 == hashlib.sha256(row.body).hexdigest())


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) and line.endswith(b"\n") else None
