"""Handing over the log, or a part of it, as files: a consistent snapshot that can be proven complete without it.

`export.ndjson` (`export_lines`) has all that `ecs-admission log verify --export` needs besides public keys. The other
formats are made of it, and `manifest.json` names all files with their hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

import orjson

from ecs_admission.catalogue import Rule
from ecs_admission.decision_log.flat import COLUMNS, csv_line, flat
from ecs_admission.decision_log.ocsf import ocsf_events
from ecs_admission.errors import RecordUnavailableError, SettingsError
from ecs_admission.model import JSONObject

Format: TypeAlias = Literal["ndjson", "csv", "ocsf"]

PROOF: Final = "export.ndjson"
MANIFEST: Final = "manifest.json"
FILES: Final[Mapping[Format, str]] = {"ndjson": PROOF, "csv": "entries.csv", "ocsf": "entries.ocsf.ndjson"}

_OF_THE_HEAD: Final = ("filters", "first", "last", "bodies", "inventories", "retained")


def write_export(
    lines: Iterable[bytes], folder: Path, form: Format, *, rules: Mapping[str, Rule] | None = None
) -> JSONObject:
    """Write an export into `folder`, which is made, and return its manifest. `rules` explain findings in OCSF.

    Raises `SettingsError` for a folder that has an export or cannot be written, and `RecordUnavailableError` where the
    lines end before their manifest: what is there then proves nothing.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / PROOF, "xb") as file:
            head = last = b""
            for line in lines:
                head = head or line
                file.write(line)
                last = line
        if not (last.startswith(b"{") and b'"manifest":' in last and last.endswith(b"\n")):
            raise RecordUnavailableError("the export broke off; what of it is there proves nothing")
        if form != "ndjson":
            with open(folder / PROOF, "rb") as proof, open(folder / FILES[form], "xb") as file:
                file.writelines(converted(proof, form, rules or {}))
        names = dict.fromkeys([PROOF, FILES[form]])
        described = orjson.loads(head)
        manifest: JSONObject = {name: described.get(name) for name in _OF_THE_HEAD} | orjson.loads(last)
        manifest |= {"format": form, "files": {name: _file(folder / name) for name in names}}
        (folder / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except FileExistsError:
        raise SettingsError(f"{folder} has an export already; name another folder") from None
    except OSError as error:
        raise SettingsError(f"the export cannot be written to {folder}: {error.strerror}") from None
    return manifest


def converted(lines: Iterable[bytes], form: Format, rules: Mapping[str, Rule]) -> Iterator[bytes]:
    """The lines of an export in a format, which for NDJSON is their own."""
    if form == "ndjson":
        yield from lines
        return
    if form == "csv":
        yield csv_line(COLUMNS).encode()
    for line in lines:
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
