"""Handing over the log, or a part of it, as files: a consistent snapshot that can be proven complete without it.

`export.ndjson` has the signed bytes of the entries, the digests that sealed them, and the certificates of their
writers, so that `ecs-admission log verify --export` needs nothing but public keys. The other formats are made of it,
and `manifest.json` names all files with their hashes. The form of the file: `docs/reference/query.md`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, Literal, TypeAlias

import orjson
from sqlalchemy import ColumnElement, LargeBinary, and_, cast, false, func, or_, select

from ecs_admission.catalogue import Rule
from ecs_admission.decision_log.database import translated
from ecs_admission.decision_log.digest_tables import digests
from ecs_admission.decision_log.entries import canonical_bytes
from ecs_admission.decision_log.filters import Filters
from ecs_admission.decision_log.flat import COLUMNS, csv_line, flat
from ecs_admission.decision_log.ocsf import ocsf_events
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.schema import bodies, entries, writers
from ecs_admission.decision_log.selection import Bounds, matching, period, sealing_digest
from ecs_admission.errors import RecordUnavailableError, SettingsError
from ecs_admission.model import JSONObject

Format: TypeAlias = Literal["ndjson", "csv", "ocsf"]

VERSION: Final = 1
PROOF: Final = "export.ndjson"
MANIFEST: Final = "manifest.json"
FILES: Final[Mapping[Format, str]] = {"ndjson": PROOF, "csv": "entries.csv", "ocsf": "entries.ocsf.ndjson"}

_PAGE: Final = 500
_READING: Final = "the decision log cannot be read"


@dataclass(slots=True)
class _Lines:
    """Writes lines and keeps what the manifest says of them."""

    file: IO[bytes]
    lines: int = 0
    hashed: Any = field(default_factory=hashlib.sha256)

    def write(self, document: JSONObject | bytes) -> None:
        content = (document if isinstance(document, bytes) else canonical_bytes(document)) + b"\n"
        self.file.write(content)
        self.hashed.update(content)
        self.lines += 1


def export_log(
    reader: LogReader,
    folder: Path,
    form: Format,
    *,
    filters: Filters,
    with_bodies: bool = False,
    rules: Mapping[str, Rule] | None = None,
    on_entry: Callable[[], None] = lambda: None,
) -> JSONObject:
    """Write an export into `folder`, which is made, and return its manifest.

    What the newest digest has sealed is exported: what comes while it is written changes nothing. Times alone are
    widened to whole digests, so that the export of a period can be proven complete. `rules` explain findings in OCSF.
    `on_entry` is called for each entry. Raises `SettingsError` for a folder that has an export or cannot be written,
    and `RecordUnavailableError`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / PROOF, "xb") as file:
            manifest = _write(reader, file, filters, with_bodies=with_bodies, on_entry=on_entry)
        if form != "ndjson":
            with open(folder / PROOF, "rb") as proof, open(folder / FILES[form], "xb") as file:
                for line in _converted(proof, form, rules or {}):
                    file.write(line)
        names = dict.fromkeys([PROOF, FILES[form]])
        manifest |= {"format": form, "files": {name: _file(folder / name) for name in names}}
        (folder / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except FileExistsError:
        raise SettingsError(f"{folder} has an export already; name another folder") from None
    except OSError as error:
        raise SettingsError(f"the export cannot be written to {folder}: {error.strerror}") from None
    return manifest


def _write(
    reader: LogReader, file: IO[bytes], filters: Filters, *, with_bodies: bool, on_entry: Callable[[], None]
) -> JSONObject:
    first, last = _digest_range(reader, filters)
    is_sealed = last is not None or reader.newest_digest() is not None
    lines = _Lines(file)
    given = filters.document() if filters.clauses else {}
    lines.write(
        {
            "export": VERSION,
            "filters": given,
            "first": first,
            "last": last,
            "entries": "sealed" if is_sealed else "unsealed",
        }
    )
    count = 0
    for line in _digest_lines(reader, first, last):
        lines.write(line)
        count += 1
    conditions = _conditions(filters, first, last, is_sealed=is_sealed)
    for certificate in _certificates(reader, conditions):
        lines.write(certificate)
    seen: dict[str, list[int]] = {}
    for row in _entries(reader, conditions, with_bodies=with_bodies):
        lines.write(_entry_line(row, with_bodies=with_bodies))
        known = seen.setdefault(row.writer, [row.sequence, row.sequence, 0])
        known[1], known[2] = row.sequence, known[2] + 1
        on_entry()
    manifest = {
        "manifest": VERSION,
        "lines": lines.lines,
        "sha256": lines.hashed.hexdigest(),
        "entries": sum(each[2] for each in seen.values()),
        "writers": [
            {"writer": writer, "from": begin, "to": end, "entries": total}
            for writer, (begin, end, total) in sorted(seen.items())
        ],
        "digests": count,
    }
    lines.write(manifest)
    return {"filters": given, "first": first, "last": last, **manifest}


def _digest_range(reader: LogReader, filters: Filters) -> tuple[int | None, int | None]:
    """The digests that a period touches, all of them without one."""
    numbers = select(func.min(digests.c.number), func.max(digests.c.number))
    if filters.since_us is not None:
        numbers = numbers.where(digests.c.to_time >= filters.since_us)
    if filters.until_us is not None:
        numbers = numbers.where(digests.c.from_time <= filters.until_us)
    with translated(_READING), reader.connect() as connection:
        first, last = connection.execute(numbers).one()
    return first, last


def _conditions(
    filters: Filters, first: int | None, last: int | None, *, is_sealed: bool
) -> list[ColumnElement[bool]]:  # fmt: skip
    """What the entries of the export meet. A period alone is that of its digests, where there are any."""
    found = matching(filters, Bounds()) if filters.clauses else []
    if first is not None and last is not None:
        found.append(sealing_digest().between(first, last))
    elif is_sealed:
        found.append(false())
    elif not filters.clauses:
        found += period(filters)
    return found


def _digest_lines(reader: LogReader, first: int | None, last: int | None) -> Iterator[JSONObject]:
    if first is None or last is None:
        return
    for start in range(first, last + 1, _PAGE):
        query = (
            select(cast(digests.c.bytes, LargeBinary).label("bytes"), digests.c.signature)
            .where(digests.c.number.between(start, min(last, start + _PAGE - 1)))
            .order_by(digests.c.number)
        )
        with translated(_READING), reader.connect() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            yield {"digest": _text(row.bytes), "signature": base64.b64encode(row.signature).decode()}


def _certificates(reader: LogReader, conditions: list[ColumnElement[bool]]) -> Iterator[JSONObject]:
    names = select(entries.c.writer).where(*conditions).distinct()
    query = (
        select(writers.c.writer, cast(writers.c.certificate, LargeBinary).label("certificate"), writers.c.signature)
        .where(writers.c.writer.in_(names))
        .order_by(writers.c.writer)
    )
    with translated(_READING), reader.connect() as connection:
        rows = connection.execute(query).all()
    for row in rows:
        yield {
            "writer": row.writer,
            "certificate": _text(row.certificate),
            "signature": base64.b64encode(row.signature).decode(),
        }


def _entries(reader: LogReader, conditions: list[ColumnElement[bool]], *, with_bodies: bool) -> Iterator[Any]:
    """The entries writer by writer in their order, a page at a time."""
    columns: list[Any] = [entries.c.writer, entries.c.sequence, entries.c.hash, entries.c.signature]
    columns.append(cast(entries.c.bytes, LargeBinary).label("bytes"))
    query = select(*columns)
    if with_bodies:
        query = select(*columns, cast(bodies.c.bytes, LargeBinary).label("body")).outerjoin_from(
            entries, bodies, entries.c.id == bodies.c.id
        )
    query = query.where(*conditions).order_by(entries.c.writer, entries.c.sequence).limit(_PAGE)
    after: tuple[str, int] | None = None
    while True:
        page = query
        if after is not None:
            writer, sequence = after
            of_next, of_same = entries.c.writer > writer, entries.c.writer == writer
            page = query.where(entries.c.writer >= writer, or_(of_next, and_(of_same, entries.c.sequence > sequence)))
        with translated(_READING), reader.connect() as connection:
            rows = connection.execute(page).all()
        yield from rows
        if len(rows) < _PAGE:
            return
        after = rows[-1].writer, rows[-1].sequence


def _entry_line(row: Any, *, with_bodies: bool) -> JSONObject:
    line: JSONObject = {
        "hash": row.hash,
        "signature": base64.b64encode(row.signature).decode(),
        "entry": _text(row.bytes),
        "body": orjson.loads(row.bytes).get("body"),
    }
    if with_bodies and row.body is not None:
        line["policyInput"] = _text(row.body)
    return line


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise RecordUnavailableError(
            "an entry of the decision log is damaged; `ecs-admission log verify` says which"
        ) from None


def _converted(proof: IO[bytes], form: Format, rules: Mapping[str, Rule]) -> Iterator[bytes]:
    """The entries of an export in another format."""
    if form == "csv":
        yield csv_line(COLUMNS).encode()
    for line in proof:
        document = orjson.loads(line)
        if "entry" not in document:
            continue
        entry = orjson.loads(document["entry"])
        if form == "csv":
            yield csv_line(list(flat(entry, document["hash"]).values())).encode()
        else:
            for event in ocsf_events(entry, document["hash"], rules):
                yield orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)


def _file(path: Path) -> JSONObject:
    hashed = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            hashed.update(block)
    return {"bytes": path.stat().st_size, "sha256": hashed.hexdigest()}
