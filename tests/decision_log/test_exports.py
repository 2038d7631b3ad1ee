"""Exports: what is in them, that they prove themselves, and that they show when they were touched."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ecs_admission.decision_log.export_lines import export_lines, plan_export
from ecs_admission.decision_log.exports import FILES, MANIFEST, PROOF, Format, write_export
from ecs_admission.decision_log.exports_verify import verify_export
from ecs_admission.decision_log.filters import Filters, read_filters
from ecs_admission.decision_log.flat import COLUMNS, csv_line, flat, moment, safe_cell
from ecs_admission.decision_log.ocsf import ocsf_events
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.decision_log.verdicts import Report
from ecs_admission.decision_log.verify import Evidence
from ecs_admission.engines.pack import Pack
from ecs_admission.errors import SettingsError
from ecs_admission.model import Decision, Outcome

from .conftest import DENIED, LOG_KEY, LogOpener, make_draft
from .sealing import SEALER_KEY, SECOND_US, Sealing

ALLOWED = Decision(outcome=Outcome.ALLOWED, reason="", message="")


@pytest.fixture
def filled(open_log: LogOpener, sealing: Sealing) -> DecisionLog:
    """Two chains in two digests, and a decision that no digest has yet."""
    log, other = open_log(writer="writer-1"), open_log(writer="writer-2")
    sealer = sealing.sealer()
    for each in (log, other):
        each.append(make_draft(), deadline_seconds=5)
    sealing.clock.pass_by(10)
    sealer.step()
    log.append(make_draft(ALLOWED, family="=cmd()"), deadline_seconds=5)
    sealing.clock.pass_by(10)
    sealer.step()
    log.append(make_draft(family="late"), deadline_seconds=5)
    return log


def export(log: DecisionLog, folder: Path, form: Format = "ndjson", *query: tuple[str, str], **options: Any) -> Any:
    rules = options.pop("rules", None)
    plan = plan_export(log.reader, read_filters(query, now=1_900_000_000), **options)
    manifest = write_export(export_lines(log.reader, plan), folder, form, rules=rules)
    assert manifest["entries"] == plan.count
    return manifest


def verify(folder: Path, scratch: Path, sealing: Sealing) -> Report:
    evidence = Evidence([LOG_KEY.public], [SEALER_KEY.public], (sealing.anchor,))
    scratch.mkdir()
    with open(folder / PROOF, "rb") as file:
        return verify_export(file, evidence, scratch)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (folder / PROOF).read_bytes().splitlines()]


def entries_in(folder: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line["entry"]) for line in lines(folder) if "entry" in line]


def test_an_export_has_what_is_sealed_and_proves_it_complete(
    filled: DecisionLog, sealing: Sealing, tmp_path: Path
) -> None:
    manifest = export(filled, tmp_path / "out", with_bodies=True)

    assert (manifest["entries"], manifest["digests"]) == (5, 2)
    assert [(each["writer"], each["from"], each["to"], each["entries"]) for each in manifest["writers"]] == [
        ("writer-1", 0, 2, 3),
        ("writer-2", 0, 1, 2),
    ]
    assert "late" not in (tmp_path / "out" / PROOF).read_text()
    head, *_, last = lines(tmp_path / "out")
    assert head == {
        "export": 1,
        "filters": {},
        "first": manifest["first"],
        "last": manifest["last"],
        "entries": "sealed",
        "bodies": True,
        "inventories": False,
        "retained": None,
    }
    assert last["manifest"] == 1
    report = verify(tmp_path / "out", tmp_path / "scratch", sealing)
    assert (report.exit_code, report.problems, report.entries) == (0, (), 5)


def test_the_manifest_names_each_file_by_its_content(filled: DecisionLog, tmp_path: Path) -> None:
    export(filled, tmp_path / "out", "csv")

    manifest = orjson.loads((tmp_path / "out" / MANIFEST).read_bytes())

    assert manifest["files"].keys() == {PROOF, FILES["csv"]}
    for name, facts in manifest["files"].items():
        content = (tmp_path / "out" / name).read_bytes()
        assert facts == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@pytest.mark.parametrize("number", range(4, 10))
def test_an_export_without_one_of_its_lines_is_found(
    filled: DecisionLog, sealing: Sealing, tmp_path: Path, number: int
) -> None:
    export(filled, tmp_path / "out")
    file = tmp_path / "out" / PROOF
    content = file.read_bytes().splitlines(keepends=True)
    assert len(content) == 1 + 2 + 2 + 5 + 1
    file.write_bytes(b"".join(content[:number] + content[number + 1 :]))

    assert verify(tmp_path / "out", tmp_path / "scratch", sealing).exit_code in (1, 2)


def test_an_edited_entry_of_an_export_is_found(filled: DecisionLog, sealing: Sealing, tmp_path: Path) -> None:
    export(filled, tmp_path / "out")
    file = tmp_path / "out" / PROOF
    file.write_bytes(file.read_bytes().replace(rb"\"denied\"", rb"\"allowed\""))

    assert verify(tmp_path / "out", tmp_path / "scratch", sealing).exit_code == 1


def test_a_filtered_export_has_what_was_asked_for_and_each_entry_is_proven(
    filled: DecisionLog, sealing: Sealing, tmp_path: Path
) -> None:
    manifest = export(filled, tmp_path / "out", "ndjson", ("outcome", "denied"))

    assert [entry["outcome"] for entry in entries_in(tmp_path / "out")] == ["denied", "denied"]
    assert manifest["filters"] == {"outcome": ["denied"]}
    report = verify(tmp_path / "out", tmp_path / "scratch", sealing)
    assert (report.problems, report.entries, report.filtered) == ((), 2, True)


def test_a_period_is_widened_to_whole_digests(filled: DecisionLog, sealing: Sealing, tmp_path: Path) -> None:
    everything = export(filled, tmp_path / "all")
    none = export(filled, tmp_path / "none", "ndjson", ("since", "2999-01-01"))
    some = export(filled, tmp_path / "some", "ndjson", ("since", moment(sealing.clock.now_us - 2 * SECOND_US)))
    period = export(filled, tmp_path / "period", "ndjson", ("since", "2020-01-01"), ("until", "2998-01-01"))

    assert period["entries"] == everything["entries"]
    assert period["filters"] == {}
    assert (none["entries"], none["digests"], none["last"]) == (0, 0, None)
    assert (some["entries"], some["first"], some["last"]) == (1, everything["last"], everything["last"])
    assert verify(tmp_path / "some", tmp_path / "scratch", sealing).exit_code == 0


def test_a_log_without_digests_is_exported_and_says_that_nothing_proves_it(log: DecisionLog, tmp_path: Path) -> None:
    log.append(make_draft(), deadline_seconds=5)

    manifest = export(log, tmp_path / "out")

    assert (manifest["entries"], manifest["last"]) == (2, None)
    assert lines(tmp_path / "out")[0]["entries"] == "unsealed"


def test_what_is_there_is_not_written_over(filled: DecisionLog, tmp_path: Path) -> None:
    export(filled, tmp_path / "out")

    with pytest.raises(SettingsError, match="has an export already"):
        export(filled, tmp_path / "out")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SettingsError):
        export(filled, tmp_path / "file")


def test_pages_of_an_export_follow_each_other(
    filled: DecisionLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(filled, tmp_path / "whole")
    export(filled, tmp_path / "queried", "ndjson", ("outcome", "denied,allowed"))
    monkeypatch.setattr("ecs_admission.decision_log.export_lines._PAGE", 1)
    export(filled, tmp_path / "paged")
    export(filled, tmp_path / "queried in pages", "ndjson", ("outcome", "denied,allowed"))

    for name, paged in (("whole", "paged"), ("queried", "queried in pages")):
        assert (tmp_path / paged / PROOF).read_bytes() == (tmp_path / name / PROOF).read_bytes()


def test_bodies_are_left_out_unless_they_are_asked_for(filled: DecisionLog, tmp_path: Path) -> None:
    export(filled, tmp_path / "without")
    export(filled, tmp_path / "with", with_bodies=True)

    assert not [line for line in lines(tmp_path / "without") if "policyInput" in line]
    assert len([line for line in lines(tmp_path / "with") if "policyInput" in line]) == 3


def test_csv_has_a_row_for_each_entry_and_no_formula(filled: DecisionLog, tmp_path: Path) -> None:
    export(filled, tmp_path / "out", "csv")

    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / FILES["csv"]).read_text())))

    assert len(rows) == 5
    assert tuple(rows[0]) == COLUMNS
    assert [row["family"] for row in rows if row["outcome"]] == ["web", "'=cmd()", "web"]
    assert {row["rules"] for row in rows if row["outcome"] == "denied"} == {"plaintext/environment"}


@given(st.text(max_size=20))
def test_no_cell_begins_as_a_formula_and_each_is_read_back(text: str) -> None:
    cell = safe_cell(text)

    assert cell.lstrip(" ")[:1] not in set("=+-@\t\r\n")
    assert cell.removeprefix("'") == text.removeprefix("'")
    if "\0" not in text:
        assert next(csv.reader(io.StringIO(csv_line([text]), newline=""))) == [cell]


def required(*names: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(names), "properties": properties}


BASE = required(
    *("category_uid", "class_uid", "activity_id", "type_uid", "severity_id", "time", "metadata", "cloud", "action_id"),
    time={"type": "integer", "minimum": 10**12, "maximum": 10**13},
    severity_id={"enum": [0, 1, 2, 3, 4, 5, 6, 99]},
    action_id={"enum": [0, 1, 2, 3, 4, 99]},
    status_id={"type": "integer"},
    cloud=required("provider", provider={"const": "AWS"}),
    metadata=required(
        *("version", "product", "profiles"),
        version={"const": "1.6.0"},
        profiles={"const": ["cloud", "security_control"]},
        product=required("name", "vendor_name"),
    ),
)
CLASSES = {
    6003: required(
        *("actor", "api", "src_endpoint"),
        category_uid={"const": 6},
        activity_id={"enum": [1, 2, 3, 4, 99]},
        actor=required("user", user=required("name")),
        api=required("operation", operation={"type": "string"}),
    ),
    2003: required(
        *("compliance", "finding_info", "remediation"),
        category_uid={"const": 2},
        activity_id={"enum": [1, 2, 3]},
        compliance=required(
            "status_id",
            "standards",
            "control",
            status_id={"enum": [1, 2, 3]},
            standards={"type": "array", "minItems": 1},
        ),
        finding_info=required("uid", "title"),
        remediation=required("desc"),
    ),
}
"""What classes 6003 and 2003 of OCSF 1.6.0 require with the profiles `cloud` and `security_control`."""


def check_ocsf(event: dict[str, Any]) -> None:
    Draft202012Validator({"allOf": [BASE, CLASSES[event["class_uid"]]]}).validate(event)
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert event["category_uid"] == event["class_uid"] // 1000


def test_ocsf_has_an_activity_for_each_entry_and_a_finding_for_each_finding(
    filled: DecisionLog, tmp_path: Path, pack: Pack
) -> None:
    export(filled, tmp_path / "out", "ocsf", rules=pack.catalogue)

    events = [orjson.loads(line) for line in (tmp_path / "out" / FILES["ocsf"]).read_bytes().splitlines()]

    for event in events:
        check_ocsf(event)
    assert [event["class_uid"] for event in events] == [6003, 6003, 2003, 6003, 6003, 6003, 2003]
    denied = next(event for event in events if event.get("action_id") == 2)
    assert (denied["action"], denied["disposition"], denied["api"]["operation"]) == (
        "Denied",
        "Blocked",
        "RegisterTaskDefinition",
    )
    finding = next(event for event in events if event["class_uid"] == 2003)
    rule = pack.catalogue["plaintext/environment"]
    assert finding["finding_info"]["title"] == rule.title
    assert finding["remediation"]["desc"] == rule.remediation
    assert finding["compliance"]["requirements"] == ["ECS.8"]
    assert finding["compliance"]["status"] == "Fail"


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_an_event(outcome: Outcome) -> None:
    decision = Decision(outcome, "", "", findings=DENIED.findings)
    document = {
        **make_draft(decision, operation=None, family=None).document,
        "v": 1,
        "writer": "w",
        "sequence": 1,
        "previous": "",
    }

    activity, finding = ocsf_events(document, "0" * 64, {})

    check_ocsf(activity)
    check_ocsf(finding)
    assert (activity["action"] == "Allowed") == (outcome in (Outcome.ALLOWED, Outcome.FAIL_OPEN))
    assert activity["is_alert"] == (outcome is not Outcome.ALLOWED)
    assert activity["policy"]["is_applied"] == (outcome is not Outcome.FAIL_OPEN)
    if outcome is Outcome.FAIL_OPEN:
        assert activity["severity"] == "High"


def test_an_entry_of_any_kind_is_a_row(filled: DecisionLog) -> None:
    for item in filled.reader.list_entries(
        Filters(clauses=read_filters([("kind", "!token_create")], now=0).clauses)
    ).items:
        row = flat(item, item["hash"])
        assert tuple(row) == COLUMNS
        assert row["hash"] == item["hash"]
