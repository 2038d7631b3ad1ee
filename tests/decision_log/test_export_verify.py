"""An export proves itself: with public keys alone, and without the database."""

from __future__ import annotations

import base64
import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest

from ecs_admission.decision_log.digests import SignedDigest
from ecs_admission.decision_log.entries import canonical_bytes
from ecs_admission.decision_log.exports_verify import verify_export
from ecs_admission.decision_log.keys import make_signing_key
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.decision_log.verdicts import Report
from ecs_admission.decision_log.verify import Evidence
from ecs_admission.errors import SettingsError

from .conftest import LOG_KEY, LogOpener, make_draft
from .databases import LogDatabase
from .sealing import SEALER_KEY, Sealing

Line = dict[str, Any]


@pytest.fixture
def lines(open_log: LogOpener, sealing: Sealing, database: LogDatabase) -> list[Line]:
    """The lines of a complete export of three digests, before the manifest, of two writers."""
    first = open_log(writer="writer-1")
    sealer = sealing.sealer()
    for name in ("writer-1", "writer-2"):
        log = first if name == first.writer else open_log(writer=name)
        for _ in range(2):
            log.append(make_draft(), deadline_seconds=5)
        sealer.step()
    sealer.step()
    statement = (
        "SELECT e.hash, e.signature, e.bytes, b.bytes, b.sha256 FROM entries e LEFT JOIN bodies b ON b.id = e.id "
        "ORDER BY e.writer, e.sequence"
    )
    return [
        {"export": 1, "filters": {}, "first": 0, "last": 2, "entries": "sealed"},
        *(
            orjson.loads(SignedDigest(number, digest_hash, content, signature).line)
            for number, digest_hash, content, signature in database.rows(
                "SELECT number, hash, bytes, signature FROM digests ORDER BY number"
            )
        ),
        *(
            {"writer": writer, "certificate": content.decode(), "signature": base64.b64encode(signature).decode()}
            for writer, content, signature in database.rows(
                "SELECT writer, certificate, signature FROM writers ORDER BY writer"
            )
        ),
        *(
            {
                "hash": entry_hash,
                "signature": base64.b64encode(signature).decode(),
                "entry": content.decode(),
                "body": body_hash,
            }
            | ({} if body is None else {"policyInput": body.decode()})
            for entry_hash, signature, content, body, body_hash in database.rows(statement)
        ),
    ]


def written(lines: list[Line], /, **manifest: Any) -> bytes:
    """The file, with a manifest that fits it."""
    content = b"".join(canonical_bytes(line) + b"\n" for line in lines)
    places: dict[str, list[int]] = {}
    for line in lines:
        if "entry" in line:
            document = orjson.loads(line["entry"])
            places.setdefault(document["writer"], []).append(document["sequence"])
    last = {
        "manifest": 1,
        "lines": len(lines),
        "sha256": hashlib.sha256(content).hexdigest(),
        "entries": sum(map(len, places.values())),
        "writers": [
            {"writer": writer, "from": found[0], "to": found[-1], "entries": len(found)}
            for writer, found in sorted(places.items())
        ],
        "digests": sum("digest" in line for line in lines),
    }
    return content + canonical_bytes(last | manifest) + b"\n"


def verify(content: bytes, sealing: Sealing, folder: Path, *, with_anchor: bool = True) -> Report:
    evidence = Evidence([LOG_KEY.public], [SEALER_KEY.public], [sealing.anchor] if with_anchor else [])
    folder.mkdir(exist_ok=True)
    return verify_export(BytesIO(content), evidence, folder)


def counts(lines: list[Line], sealing: Sealing, tmp_path: Path) -> tuple[int, dict[str, int]]:
    report = verify(written(lines), sealing, tmp_path / "x")
    return report.exit_code, dict(report.counts)


def test_an_export_is_whole(lines: list[Line], sealing: Sealing, tmp_path: Path) -> None:
    report = verify(written(lines), sealing, tmp_path / "x")

    assert (report.exit_code, report.problems, report.entries, report.digests.checked) == (0, (), 6, 3)


def test_without_an_anchor_it_cannot_tell(lines: list[Line], sealing: Sealing, tmp_path: Path) -> None:
    assert verify(written(lines), sealing, tmp_path / "x", with_anchor=False).exit_code == 3


def test_an_export_without_bodies_is_whole(lines: list[Line], sealing: Sealing, tmp_path: Path) -> None:
    for line in lines:
        line.pop("policyInput", None)

    assert counts(lines, sealing, tmp_path) == (0, {})


def test_an_export_of_some_digests_is_whole(lines: list[Line], sealing: Sealing, tmp_path: Path) -> None:
    part = [line for line in lines if '"writer-2"' in str(line.get("entry")) or line.get("writer") == "writer-2"]
    head = lines[0] | {"first": 1, "last": 2}

    assert counts([head, *lines[2:4], *part], sealing, tmp_path) == (0, {})


def test_an_entry_that_is_left_out_is_missed(lines: list[Line], sealing: Sealing, tmp_path: Path) -> None:
    assert counts(lines[:7] + lines[8:], sealing, tmp_path) == (2, {"gap": 1})
    (tmp_path / "y").mkdir()
    assert counts(lines[:-1], sealing, tmp_path / "y") == (2, {"gap": 1})


def test_an_edited_entry_is_found(lines: list[Line], sealing: Sealing, tmp_path: Path) -> None:
    lines[7]["entry"] = lines[7]["entry"].replace('"denied"', '"allowed"')

    code, found = counts(lines, sealing, tmp_path)

    assert (code, {"hash", "signature"} <= found.keys()) == (1, True)


def test_an_edited_body_is_found(lines: list[Line], sealing: Sealing, tmp_path: Path) -> None:
    lines[7]["policyInput"] += " "

    assert counts(lines, sealing, tmp_path) == (1, {"body": 1})


def test_an_invented_entry_is_found(
    lines: list[Line], sealing: Sealing, tmp_path: Path, open_database: LogOpener, database: LogDatabase
) -> None:
    intruder = DecisionLog.open(
        database.url,
        writer="intruder",
        start=make_draft(),
        log_key=make_signing_key(),
        timeout_seconds=5,
        read_url=database.read_url,
    )
    intruder.close()
    ((digest, signature, content),) = database.rows(
        "SELECT hash, signature, bytes FROM entries WHERE writer = 'intruder'"
    )
    line = {
        "hash": digest,
        "signature": base64.b64encode(signature).decode(),
        "entry": content.decode(),
        "body": None,
    }

    assert counts([*lines[:6], line, *lines[6:]], sealing, tmp_path) == (1, {"outside-a-digest": 1})


def test_a_digest_that_is_left_out_is_missed(lines: list[Line], sealing: Sealing, tmp_path: Path) -> None:
    code, found = counts([lines[0], lines[1], *lines[3:]], sealing, tmp_path)

    assert code == 1
    assert {"digest-missing", "outside-a-digest"} <= found.keys()


@pytest.mark.parametrize("change", [{"sha256": "0"}, {"entries": 7}, {"writers": []}, {"lines": 1}, {"digests": 9}])
def test_a_manifest_that_does_not_fit_is_found(
    lines: list[Line], sealing: Sealing, tmp_path: Path, change: Line
) -> None:
    report = verify(written(lines, **change), sealing, tmp_path / "x")

    assert (report.exit_code, dict(report.counts)) == (1, {"manifest": 1})


def test_an_export_that_was_cut_off_is_found(lines: list[Line], sealing: Sealing, tmp_path: Path) -> None:
    content = b"".join(written(lines).splitlines(keepends=True)[:-1])

    assert dict(verify(content, sealing, tmp_path / "x").counts) == {"manifest": 1}


def test_a_filtered_export_shows_that_each_entry_is_genuine(
    lines: list[Line], sealing: Sealing, tmp_path: Path
) -> None:
    lines[0]["filters"] = {"outcome": "denied"}
    some = [*lines[:6], lines[7], lines[10]]

    report = verify(written(some), sealing, tmp_path / "x")

    assert (report.exit_code, report.problems, report.entries) == (3, (), 2)
    assert "not that it is all" in report.summary


def test_a_filtered_export_that_was_edited_is_found(lines: list[Line], sealing: Sealing, tmp_path: Path) -> None:
    lines[0]["filters"] = {"outcome": "denied"}
    lines[7]["entry"] = lines[7]["entry"].replace("DB_PASSWORD", "DB_USERNAME")

    code, found = counts(lines, sealing, tmp_path)

    assert (code, found) == (1, {"hash": 1, "signature": 1})


@pytest.mark.parametrize(
    "content",
    [b"", b"x\n", b"{}\n", b'{"export":2,"first":0,"last":0,"filters":{}}\n', b'{"export":1}\n', b'{"manifest":1}\n'],
)
def test_what_is_no_export_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="export"):
        verify_export(BytesIO(content), Evidence(), tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        b"null\n",
        b'{"digest":"{}","signature":""}\n',
        b'{"entry":"[]","hash":"","signature":"","body":null}\n',
        b'{"a":1}\n',
    ],
)
def test_a_line_that_is_none_is_named(line: bytes, tmp_path: Path) -> None:
    head = canonical_bytes({"export": 1, "filters": {}, "first": 0, "last": 0, "entries": "sealed"}) + b"\n"

    with pytest.raises(SettingsError, match="line 2 of the export"):
        verify_export(BytesIO(head + line), Evidence(), tmp_path)
