"""`ecs-admission log list`, `show`, `tail`, `stats`, `policy` and `export`, on a database and through the API."""

from __future__ import annotations

import csv
import getpass
import io
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from ecs_admission.activation import Active
from ecs_admission.cli import log_query, main
from ecs_admission.decision_log.flat import moment
from ecs_admission.decision_log.keys import load_or_create_signing_key
from ecs_admission.decision_log.policies_at import with_policy
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.http import create_flask
from ecs_admission.journal import node_entry, start_entry
from ecs_admission.model import Decision, Outcome, new_decision_id
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision
from tests.decision_log.conftest import make_draft

ALLOWED = Decision(outcome=Outcome.ALLOWED, reason="", message="")
NOW_US = time.time_ns() // 1000
FINGERPRINT = "k01234567:" + "0" * 32


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, revision: Revision) -> Iterator[DecisionLog]:
    """The log of the settings: a denial, then two that are allowed, a second apart."""
    for name in [name for name in os.environ if name.startswith("ECS_ADMISSION_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ECS_ADMISSION_DATA_DIR", str(tmp_path))
    opened = DecisionLog.open(
        f"sqlite:///{tmp_path / 'decisions.sqlite3'}",
        writer=new_decision_id(),
        start=start_entry(Active(revision, ("config/words lacks pwd",)), authentication="none", keys={}),
        log_key=load_or_create_signing_key(tmp_path / "signing.key"),
        timeout_seconds=10.0,
    )
    body = b'{"literals":[{"fingerprint":"%s","name":"X"}]}' % FINGERPRINT.encode()
    opened.append(make_draft(time_us=NOW_US - 3_000_000, body=body), deadline_seconds=5)
    opened.append(make_draft(ALLOWED, time_us=NOW_US - 2_000_000, family="api"), deadline_seconds=5)
    opened.append(make_draft(ALLOWED, time_us=NOW_US - 1_000_000, family="@job"), deadline_seconds=5)
    yield opened
    opened.close()


@pytest.fixture(params=["database", "server"])
def source(request: pytest.FixtureRequest, log: DecisionLog, reviewer: Reviewer) -> Iterator[list[str]]:
    """The options by which a command reads the log."""
    if request.param == "database":
        yield []
        return
    server = make_server("127.0.0.1", 0, create_flask(reviewer, log.reader), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield ["--server", f"http://127.0.0.1:{server.server_port}"]
    server.shutdown()
    thread.join()
    server.server_close()


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["log", *arguments])


def test_a_list_is_a_table_newest_first(source: list[str]) -> None:
    result = call("list", *source)

    heading, *rows = result.stdout.splitlines()
    assert heading.split() == ["TIME", "OUTCOME", "FAMILY", "ENVIRONMENT", "RULES", "ID"]
    assert [row.split()[1:3] for row in rows] == [["allowed", "@job"], ["allowed", "api"], ["denied", "web"]]
    assert "plaintext/environment" in rows[-1]


def test_options_are_filters(source: list[str]) -> None:
    def families(*options: str) -> list[str]:
        result = call("list", *source, "--output", "json", *options)
        assert result.exit_code == 0, result.output
        return [item["request"]["family"] for item in orjson.loads(result.stdout)["items"]]

    assert families("--outcome", "denied") == ["web"]
    assert families("--outcome", "!denied") == ["@job", "api"]
    assert families("--family", "web,api", "--since", "1h") == ["api", "web"]
    assert families("--family", "web", "--family", "api") == ["api", "web"]
    assert families("--enforcement-point", "api", "--rule", "plaintext/environment") == ["web"]
    assert families("--until", "1h") == []


def test_a_list_goes_on_where_it_ended(source: list[str]) -> None:
    first = orjson.loads(call("list", *source, "--output", "json", "--limit", "2").stdout)
    second = orjson.loads(call("list", *source, "--output", "json", "--cursor", first["next"]).stdout)

    assert [len(first["items"]), len(second["items"]), second["next"]] == [2, 1, None]
    assert "there are more: --cursor" in call("list", *source, "--limit", "1").stderr


def test_other_outputs_have_the_same_entries(source: list[str]) -> None:
    items = orjson.loads(call("list", *source, "--output", "json").stdout)["items"]

    assert yaml.safe_load(call("list", *source, "--output", "yaml").stdout)["items"] == items
    rows = list(csv.DictReader(io.StringIO(call("list", *source, "--output", "csv").stdout)))
    assert [row["id"] for row in rows] == [item["id"] for item in items]
    assert rows[0]["family"] == "'@job"
    wide = call("list", *source, "--output", "wide").stdout
    assert wide.startswith("TIME")
    assert "REPOSITORY" in wide


def test_a_bad_filter_is_a_usage_error(source: list[str]) -> None:
    result = call("list", *source, "--severity", "hunter2")

    assert result.exit_code == 2
    assert "parameter severity must be one of critical" in result.stderr
    assert "hunter2" not in result.output


def test_one_entry_is_shown_without_its_fingerprints(source: list[str]) -> None:
    (item,) = orjson.loads(call("list", *source, "--output", "json", "--outcome", "denied").stdout)["items"]

    shown = call("show", *source, item["id"], "--output", "json")

    found = orjson.loads(shown.stdout)
    assert found["entry"]["id"] == item["id"]
    assert found["policyInput"]["literals"][0]["name"] == "X"
    if not source:
        assert FINGERPRINT not in shown.stdout
    assert yaml.safe_load(call("show", *source, item["id"]).stdout) == found
    assert call("show", *source, "none").exit_code == 1


@pytest.mark.parametrize("output", ["table", "wide", "json", "yaml", "csv"])
def test_every_command_prints_each_form(
    source: list[str], log: DecisionLog, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    def sleep(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(log_query.time, "sleep", sleep)
    (newest, *_) = log.reader.list_entries().items
    for command in (["list"], ["show", newest["id"]], ["tail", "--lines", "1"], ["stats"]):
        result = call(*command, *source, "--output", output)
        assert (result.exit_code, result.stderr) == (0, "")
        assert ("allowed" if command == ["stats"] else newest["id"]) in result.stdout


def test_statistics_count(source: list[str]) -> None:
    counted = orjson.loads(call("stats", *source, "--output", "json").stdout)

    assert counted["total"] == 3
    assert counted["families"] == [
        {"family": "@job", "count": 1},
        {"family": "api", "count": 1},
        {"family": "web", "count": 1},
    ]
    table = call("stats", *source, "--outcome", "denied").stdout
    assert table.startswith("1 decisions\n")
    assert re.search(r"rules\n  plaintext/environment +1\n", table)
    assert "outcomes,allowed,2" in call("stats", *source, "--output", "csv").stdout


def test_the_tail_gives_each_entry_once_also_one_that_comes_late(
    source: list[str], log: DecisionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    families = ["new", "late"]

    def sleep(_: float) -> None:
        if not families:
            raise KeyboardInterrupt
        family = families.pop(0)
        log.append(
            make_draft(ALLOWED, time_us=NOW_US - (1_500_000 if family == "late" else 0), family=family),
            deadline_seconds=5,
        )

    monkeypatch.setattr(log_query.time, "sleep", sleep)

    result = call("tail", *source, "--lines", "2", "--output", "json")

    assert result.exit_code == 0
    found = [orjson.loads(line)["request"]["family"] for line in result.stdout.splitlines()]
    assert found == ["api", "@job", "new", "late"]


def test_a_service_that_is_not_there_is_told(log: DecisionLog) -> None:
    result = call("list", "--server", "http://127.0.0.1:1")

    assert (result.exit_code, result.stderr) == (
        2,
        "ecs-admission: the service did not answer: ConnectionRefusedError\n",
    )


def policies(at: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads(call("policy", "--at", at, "--output", "json").stdout)["revisions"]
    return found


def test_the_policies_of_a_time_are_those_of_the_start_before_it(log: DecisionLog, revision: Revision) -> None:
    (found,) = policies("0s")

    assert found["revision"] == revision.id
    assert found["activatedBy"] == f"process {log.writer}, when it started"
    assert (found["running"], found["writers"], found["silent"]) == (True, [log.writer], [])
    assert found["weakened"] == ["config/words lacks pwd"]
    assert found["environments"].keys() == revision.governance.environments.keys()
    prod = found["environments"]["prod"]["actions"]
    assert prod["plaintext/environment"] == "deny"
    assert policies("1h") == []
    assert "no process of the service was running then" in call("policy", "--at", "2020-01-01").stdout


def test_an_activation_and_a_stop_change_what_is_in_force(log: DecisionLog, revision: Revision) -> None:
    draft = node_entry("node_start", "embedded", "sha256:other")
    draft.document["kind"] = "policy_activate"
    log.append(with_policy(draft, revision.governance, ()), deadline_seconds=5)

    (found,) = policies("0s")
    text = call("policy", "--at", "0s").stdout
    log.append(node_entry("node_stop", "embedded", "sha256:other"), deadline_seconds=5)

    assert found["revision"] == "sha256:other"
    assert found["activatedBy"] == f"process {log.writer}, when it found its policies changed"
    assert text.startswith("revision sha256:other\n")
    assert re.search(r"plaintext/environment +deny", text)
    assert policies("0s") == []


def test_a_process_that_was_killed_counts_until_it_was_silent_for_a_day(log: DecisionLog, revision: Revision) -> None:
    heard = log.reader.list_entries().items[0]["time"]
    later = moment(heard + 2 * 86_400_000_000)

    (killed,) = policies(later)
    text = call("policy", "--at", later).stdout

    assert (killed["running"], killed["writers"]) == (False, [])
    assert killed["silent"] == [{"writer": log.writer, "lastHeardOf": moment(heard)}]
    assert text.startswith("no process of the service was running then, as far as the log says\n")
    assert f"process {log.writer} never said that it stopped, last heard of at {moment(heard)}" in text
    log.append(make_draft(ALLOWED, time_us=heard + 3 * 86_400_000_000), deadline_seconds=5)
    (idle,) = policies(later)
    assert (idle["running"], idle["writers"], idle["silent"]) == (True, [log.writer], [])


def test_commands_judge_by_nothing(log: DecisionLog) -> None:
    for _ in range(3):
        assert call("list").exit_code == 0
    assert [found["writers"] for found in policies("0s")] == [[log.writer]]


def test_an_export_is_written_once(log: DecisionLog, tmp_path: Path) -> None:
    result = call("export", "--output-dir", str(tmp_path / "out"), "--format", "ocsf")

    assert result.exit_code == 0, result.output
    assert orjson.loads(result.stdout)["entries"] == 4
    assert "nothing is sealed yet" in result.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "export.ndjson",
        "entries.ocsf.ndjson",
        "manifest.json",
    }
    again = call("export", "--output-dir", str(tmp_path / "out"))
    assert again.exit_code == 2
    assert "has an export already" in again.stderr


def reads(log: DecisionLog, kind: str = "log_read") -> list[dict[str, Any]]:
    """The details of what was read, the first read first."""
    items = log.reader.list_entries(kind=kind).items[::-1]
    assert {item["caller"]["username"] for item in items} <= {f"local:{getpass.getuser()}"}
    return [item["details"] for item in items]


def test_what_a_command_reads_is_an_entry(log: DecisionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    (newest, *_) = log.reader.list_entries().items

    def sleep(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(log_query.time, "sleep", sleep)
    for arguments in (
        ("list", "--family", "web,api", "--limit", "5"),
        ("show", newest["id"]),
        ("show", "some-literal"),
        ("stats", "--since", "2d"),
        ("tail", "--outcome", "allowed"),
        ("policy", "--at", "0s"),
    ):
        assert call(*arguments).exit_code in (0, 1)

    assert reads(log) == [
        {"query": "family=<redacted>", "count": 2},
        {"query": f"id={newest['id']}", "count": 1},
        {"query": "id=<redacted>", "count": 0},
        {"query": "statistics since=2d", "count": 3},
        {"query": "tail outcome=allowed", "count": 0},
        {"query": "tail, ended outcome=allowed", "count": 2},
        {"query": "policy at=0s", "count": 1},
    ]
    assert call("verify").exit_code == 3
    assert orjson.loads(call("verify", "--output", "json").stdout)["problems"] == []


def test_what_a_service_was_asked_is_its_entry_alone(source: list[str], log: DecisionLog, reviewer: Reviewer) -> None:
    if source:
        assert call("list", *source).exit_code == 0
        assert reads(log) == []


@pytest.mark.parametrize("command", [["list"], ["stats"], ["show", "x"], ["tail"], ["policy", "--at", "0s"]])
def test_what_cannot_be_recorded_is_not_read(log: DecisionLog, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "signing.key").unlink()
    id_ = log.reader.list_entries().items[0]["id"]

    result = call(*(id_ if each == "x" else each for each in command))

    assert (result.exit_code, result.stdout) == (2, "")
    assert "signing.key is not here" in result.stderr
    assert "--unrecorded" in result.stderr
    assert not (tmp_path / "signing.key").exists()


def test_somebody_may_insist_on_reading(log: DecisionLog, tmp_path: Path) -> None:
    (tmp_path / "signing.key").unlink()

    result = call("list", "--unrecorded")

    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 4)
    assert "this read is not in the decision log" in result.stderr


def test_an_export_is_recorded_before_anything_is_written(log: DecisionLog, tmp_path: Path) -> None:
    assert (
        call("export", "--output-dir", str(tmp_path / "out"), "--outcome", "denied", "--format", "csv").exit_code == 0
    )

    assert reads(log, "log_export") == [
        {
            "query": "outcome=denied", "count": 1, "covers": [], "format": "csv", "bodies": False,
            "firstDigest": None, "lastDigest": None,
        }
    ]  # fmt: skip
    (tmp_path / "signing.key").unlink()
    refused = call("export", "--output-dir", str(tmp_path / "other"))
    assert (refused.exit_code, (tmp_path / "other").exists()) == (2, False)


def test_an_export_of_a_service_is_the_same(source: list[str], tmp_path: Path) -> None:
    for number, options in enumerate([[], ["--outcome", "denied", "--bodies"]]):
        result = call("export", *source, *options, "--output-dir", str(tmp_path / f"out{number}"), "--format", "csv")
        assert result.exit_code == 0, result.output
        manifest = orjson.loads((tmp_path / f"out{number}" / "manifest.json").read_bytes())
        assert (manifest["entries"], manifest["bodies"]) == ((4, False), (1, True))[number]
        assert manifest["inventories"] is False
        assert manifest["files"].keys() == {"export.ndjson", "entries.csv"}


def test_an_export_that_a_service_refuses_is_told(source: list[str], tmp_path: Path) -> None:
    result = call("export", *source, "--account", "nothing", "--output-dir", str(tmp_path / "out"))

    assert result.exit_code == 2
    assert "parameter account must be" in result.stderr
    assert not (tmp_path / "out").exists()
