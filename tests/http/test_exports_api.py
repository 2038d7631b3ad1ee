"""`GET /v1/decisions:export`: what is handed out, that it is recorded first, and to whom."""

from __future__ import annotations

import csv
import io
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from ecs_admission.auth.bindings import Scope
from ecs_admission.auth.roles import Role
from ecs_admission.decision_log.anchors import FolderAnchor
from ecs_admission.decision_log.entries import EntryDraft
from ecs_admission.decision_log.exports import FILES
from ecs_admission.decision_log.exports_verify import verify_export
from ecs_admission.decision_log.flat import COLUMNS
from ecs_admission.decision_log.inventory import inventory_id
from ecs_admission.decision_log.keys import make_signing_key
from ecs_admission.decision_log.schema import bodies
from ecs_admission.decision_log.sealer import Sealer
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.decision_log.verdicts import Report
from ecs_admission.decision_log.verify import Evidence
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.errors import RecordUnavailableError
from ecs_admission.http import create_flask, exports
from ecs_admission.http.auth import Access
from ecs_admission.http.openapi import description
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision
from tests.auth.issuers import KeyServer, ec_key, rsa_key, serving_keys
from tests.http.conftest import COMPLIANT, LOG_KEY, leaky
from tests.http.test_auth_matrix import World
from tests.http.test_openapi import check

PATH = "/v1/decisions:export"
OPERATION = "/v1/operations/RegisterTaskDefinition?environment=prod"
SEALER_KEY = make_signing_key()


@pytest.fixture
def client(log: DecisionLog, revision: Revision) -> FlaskClient:
    """A client of a service that records who reads, after two decisions about two families."""

    def record(draft: EntryDraft) -> object:
        return log.append(draft, deadline_seconds=5)

    reviewer = Reviewer(revision, inventory=NoInventory(), recorder=record, on_error=_raise)
    client = create_flask(reviewer, log.reader, access=Access(recorder=record)).test_client()
    assert client.post(OPERATION, json=leaky(secrets.token_hex(12))).status_code == 403
    assert client.post(OPERATION, json=COMPLIANT | {"family": "api"}).status_code == 200
    return client


def _raise(error: Exception) -> None:
    raise error


def seal(folder: Path) -> None:
    sealer = Sealer(
        f"sqlite:///{folder / 'decisions.sqlite3'}",
        key=SEALER_KEY,
        log_keys=[LOG_KEY.public],
        anchors=[FolderAnchor(folder / "anchors")],
        holder="sealer",
    )
    sealer.step()
    sealer.close()


def verify(answer: TestResponse, folder: Path) -> Report:
    (folder / "scratch").mkdir(exist_ok=True)
    evidence = Evidence([LOG_KEY.public], [SEALER_KEY.public], [FolderAnchor(folder / "anchors")])
    return verify_export(io.BytesIO(answer.get_data()), evidence, folder / "scratch")


def recorded(log: DecisionLog) -> list[dict[str, Any]]:
    return log.reader.list_entries(kind="log_export").items


def test_an_export_proves_itself_and_is_an_entry(client: FlaskClient, log: DecisionLog, tmp_path: Path) -> None:
    seal(tmp_path)

    answer = client.get(PATH)

    assert (answer.status_code, answer.content_type) == (200, "application/x-ndjson")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="export.ndjson"'
    assert answer.headers["Cache-Control"] == "no-store"
    report = verify(answer, tmp_path)
    assert (report.exit_code, report.problems, report.entries) == (0, (), 3)
    (entry,) = recorded(log)
    assert entry["caller"]["username"] == "system:anonymous"
    assert entry["details"] == {
        "query": "", "covers": [], "format": "ndjson", "bodies": False, "count": 3, "firstDigest": 0, "lastDigest": 0,
    }  # fmt: skip


def test_what_is_not_sealed_yet_is_not_in_it(client: FlaskClient, tmp_path: Path) -> None:
    seal(tmp_path)
    client.post(OPERATION, json=COMPLIANT | {"family": "late"})

    assert b"late" not in client.get(PATH).get_data()


def test_filters_leave_entries_out_and_are_said(client: FlaskClient, log: DecisionLog, tmp_path: Path) -> None:
    seal(tmp_path)

    answer = client.get(PATH, query_string={"outcome": "denied", "bodies": "true"})

    report = verify(answer, tmp_path)
    assert (report.problems, report.entries, report.filtered) == ((), 1, True)
    assert (recorded(log)[0]["details"]["query"], recorded(log)[0]["details"]["bodies"]) == ("outcome=denied", True)
    assert b'"policyInput":' in answer.get_data()


def test_no_export_has_an_inventory(client: FlaskClient, log: DecisionLog, tmp_path: Path) -> None:
    """It is what a value is looked up in: with the key, whoever has one can test guesses as often as they like."""
    seal(tmp_path)
    item = log.reader.list_entries().items[-1]
    query = select(bodies.c.bytes).where(bodies.c.id == inventory_id(item["id"]))
    with log.reader.connect() as connection:
        inventory = orjson.loads(connection.execute(query).scalar_one())
    assert len(inventory["fingerprints"]) >= 32

    for form in FILES:
        whole = client.get(PATH, query_string={"bodies": "true", "format": form}).get_data(as_text=True)
        assert inventory["fingerprints"][:32] not in whole
        assert "leftOut" not in whole
        if form == "ndjson":
            assert orjson.loads(whole.partition("\n")[0])["inventories"] is False
            assert '"policyInput":' in whole


def test_csv_and_ocsf_are_made_of_it(client: FlaskClient, tmp_path: Path) -> None:
    seal(tmp_path)

    answer = client.get(PATH, query_string={"format": "csv", "kind": "decision"})
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    events = client.get(PATH, query_string={"format": "ocsf"})

    assert answer.content_type == "text/csv; charset=utf-8"
    assert (tuple(rows[0]), len(rows)) == (COLUMNS, 2)
    assert {orjson.loads(line)["class_uid"] for line in events.get_data().splitlines()} == {6003, 2003}
    assert events.headers["Content-Disposition"] == 'attachment; filename="entries.ocsf.ndjson"'


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("format=WORD", "format"),
        ("format=csv&format=csv", "format"),
        ("bodies=WORD", "bodies"),
        ("outcome=WORD", "outcome"),
        ("limit=5", None),
        ("as_of=1", None),
    ],
)
def test_what_is_wrong_is_told_by_its_name(
    client: FlaskClient, log: DecisionLog, query: str, field: str | None
) -> None:
    answer = client.get(f"{PATH}?{query}")

    assert (answer.status_code, answer.get_json().get("field")) == (400, field)
    assert "WORD" not in answer.get_data(as_text=True)
    check(answer, PATH, "get")
    assert recorded(log) == []


def test_what_cannot_be_recorded_is_not_handed_out(log: DecisionLog, reviewer: Reviewer) -> None:
    def refuse(_: object) -> None:
        raise RecordUnavailableError("the disk is full")

    answer = create_flask(reviewer, log.reader, access=Access(recorder=refuse)).test_client().get(PATH)

    assert answer.status_code == 503
    assert "node_start" not in answer.get_data(as_text=True)


def test_one_export_runs_at_a_time(client: FlaskClient) -> None:
    with client.get(PATH) as running:
        assert running.status_code == 200
        answer = client.get(PATH)
        assert (answer.status_code, answer.get_json()["code"], answer.headers["Retry-After"]) == (429, "busy", "30")
        check(answer, PATH, "get")
    assert client.get(f"{PATH}?outcome=nothing").status_code == 400
    for _ in range(2):
        with client.get(PATH) as again:
            assert again.status_code == 200


def test_an_export_that_breaks_off_has_no_last_line(
    client: FlaskClient, log: DecisionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> Any:
        yield b"{}\n"
        raise RecordUnavailableError("the database is gone")

    monkeypatch.setattr(exports, "export_lines", breaks)
    with pytest.raises(RecordUnavailableError):
        client.get(PATH).get_data()
    monkeypatch.undo()
    assert client.get(PATH).get_data().splitlines()[-1].startswith(b'{"digests":')


def test_a_team_exports_its_part_and_the_export_says_so(
    log: DecisionLog, revision: Revision, tmp_path: Path, world: World
) -> None:
    submitter = world.token(Role.SUBMITTER)
    for family in ("pay-api", "web"):
        body = COMPLIANT | {"family": family}
        world.client.post(OPERATION, json=body, headers={"Authorization": f"Bearer {submitter}"})
    seal(tmp_path)
    token = world.token(Role.AUDITOR, scope=Scope(families=("pay-*",)))

    answer = world.client.get(PATH, headers={"Authorization": f"Bearer {token}"})

    report = verify(answer, tmp_path)
    assert (report.problems, report.entries, report.filtered) == ((), 1, True)
    covers = ['{"families":["pay-*"]}']
    assert orjson.loads(answer.get_data().splitlines()[0])["filters"] == {"covers": covers}
    (entry,) = recorded(log)
    assert (entry["details"]["covers"], entry["details"]["count"]) == (covers, 1)
    assert entry["caller"]["username"] == "token:ci"


def test_the_document_has_every_filter_of_a_list() -> None:
    paths = description()["paths"]
    listed, exported = (
        {json.dumps(each) for each in paths[path]["get"]["parameters"] if "$ref" in each}
        for path in ("/v1/decisions", PATH)
    )
    assert {each for each in listed if "as_of" not in each} == exported


@pytest.fixture(scope="module")
def keys() -> Iterator[KeyServer]:
    with serving_keys(rsa_key("one"), ec_key("two")) as served:
        yield served


@pytest.fixture
def world(log: DecisionLog, revision: Revision, tmp_path: Path, keys: KeyServer) -> World:
    return World(log, revision, f"sqlite:///{tmp_path / 'decisions.sqlite3'}", keys)
