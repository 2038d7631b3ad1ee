"""`ecs-admission policies preview` on a log as the service writes it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from ecs_admission.adapt.submission import read_operation
from ecs_admission.cli import main, policies_preview
from ecs_admission.decision_log.keys import load_or_create_signing_key
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.journal import node_entry
from ecs_admission.model import JSONObject, UserInfo, new_decision_id
from ecs_admission.replay import Draft
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision
from tests.engines.layers import folder
from tests.project.samples import environment

SECRET = "Orange-7-Boat"
LEAKY = environment([("DB_PASSWORD", SECRET)])
CLEAN = environment([("LOG_LEVEL", "info")])

Admit = Callable[..., str]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, revision: Revision) -> Iterator[DecisionLog]:
    """The log of the settings."""
    monkeypatch.setenv("ECS_ADMISSION_DATA_DIR", str(tmp_path))
    opened = DecisionLog.open(
        f"sqlite:///{tmp_path / 'decisions.sqlite3'}",
        writer=new_decision_id(),
        start=node_entry("node_start", "embedded", revision.id),
        log_key=load_or_create_signing_key(tmp_path / "signing.key"),
        timeout_seconds=10.0,
    )
    yield opened
    opened.close()


@pytest.fixture
def admit(log: DecisionLog, revision: Revision) -> Admit:
    """Has a request decided and recorded some days ago, and returns the decision's id."""

    def admit(document: JSONObject, *, days: float = 1, **context: str) -> str:
        def fail(error: Exception) -> None:
            raise error

        reviewer = Reviewer(
            revision,
            inventory=NoInventory(),
            recorder=lambda draft: log.append(draft, deadline_seconds=10),
            on_error=fail,
            clock=lambda: time.time() - days * 86_400,
        )
        answer = reviewer.review(
            partial(
                read_operation, "RegisterTaskDefinition", orjson.dumps(document),
                ({"environment": "prod"} | context).items(),
            ),
            operation="RegisterTaskDefinition",
            user=UserInfo("pipeline"),
            enforcement_point="test",
        )  # fmt: skip
        return answer.decision_id

    return admit


@pytest.fixture
def milder(tmp_path: Path) -> str:
    """A draft that only warns of a secret in the environment of production."""
    layer = {"prod": {"profile": "baseline", "actions": {"plaintext/environment": "warn"}}}
    return str(folder(tmp_path / "milder", {"config/environments/data.json": json.dumps(layer)}))


def preview(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["policies", "preview", *arguments])


def as_json(*arguments: str) -> Any:
    result = preview(*arguments, "--output", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_what_would_change_is_counted_and_named(admit: Admit, milder: str) -> None:
    denied = [admit(LEAKY), admit(LEAKY | {"family": "api"})]
    admit(CLEAN)
    document = as_json("--policies", milder)
    assert document["records"]["judged"] == 3
    assert {item["id"]: item["change"] for item in document["decisions"]} == dict.fromkeys(denied, "newlyAllowed")
    assert [(item["family"], item["decisions"]) for item in document["byRule"]] == [("api", 1), ("web", 1)]
    assert document["cannotTell"] == []


def test_a_person_reads_it_in_columns(admit: Admit, milder: str) -> None:
    decision = admit(LEAKY)
    lines = preview("--policies", milder).stdout.splitlines()
    assert lines[1:3] == ["judged   1 records", "changed  1 newly allowed"]
    assert ["newly", "allowed", "plaintext/environment", "web", "1"] in [line.split() for line in lines]
    assert any(line.endswith(decision) for line in lines)


def test_the_policies_that_judged_change_nothing(admit: Admit) -> None:
    for document in (LEAKY, CLEAN):
        admit(document)
    assert "changed  nothing" in preview("--policies", "").stdout


def test_a_week_unless_it_is_told_otherwise(admit: Admit, milder: str) -> None:
    admit(LEAKY, days=8)
    assert as_json("--policies", milder)["records"]["judged"] == 0
    assert as_json("--policies", milder, "--since", "30d")["records"]["judged"] == 1


def test_filters_and_the_limit_are_those_of_a_query(admit: Admit, milder: str) -> None:
    admit(LEAKY | {"family": "api"}, days=3)
    web = admit(LEAKY, days=2)
    admit(CLEAN, days=1)
    filtered = as_json("--policies", milder, "--family", "web", "--outcome", "denied")
    assert [item["id"] for item in filtered["decisions"]] == [web]
    assert as_json("--policies", milder, "--limit", "2")["records"]["judged"] == 2


def test_more_than_a_page_is_judged(admit: Admit, milder: str) -> None:
    for _ in range(203):
        admit(LEAKY)
    assert as_json("--policies", milder)["changes"]["newlyAllowed"] == 203
    lines = preview("--policies", milder).stdout.splitlines()
    assert "and 183 more: --output json lists all" in lines


def test_no_decision_is_recorded_and_the_read_is(admit: Admit, log: DecisionLog, milder: str) -> None:
    admit(LEAKY)
    before = [entry["id"] for entry in log.reader.list_entries().items]
    preview("--policies", milder)
    assert [entry["id"] for entry in log.reader.list_entries().items] == before
    (read,) = log.reader.list_entries(kind="log_read").items
    assert read["details"] == {"query": "preview since=7d", "count": 1}


def test_what_the_draft_reads_otherwise_is_said(admit: Admit, tmp_path: Path) -> None:
    admit(CLEAN)
    layer = folder(tmp_path / "words", {"config/words/data.json": json.dumps({"secret": ["frobnicator"]})})
    output = preview("--policies", str(layer)).stdout
    assert "otherwise (words)" in output
    assert "the record cannot tell" in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--policies", "missing-folder"], "missing-folder"),
        (["--policies", "", "--kind", "log_read"], "--kind"),
        (["--policies", "", "--since", "soon"], "since"),
        (["--policies", "", "--known", "missing-folder"], "missing-folder"),
    ],
)
def test_what_cannot_be_done_ends_with_two(log: DecisionLog, arguments: list[str], words: str) -> None:
    result = preview(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""


def test_a_bar_is_shown_to_a_person_alone(
    admit: Admit, milder: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    admit(LEAKY)
    assert preview("--policies", milder).stderr == ""

    class Terminal:
        """Standard error, as a terminal."""

        written = ""

        def isatty(self) -> bool:
            """What is asked."""
            return True

        def write(self, text: str) -> int:
            """What is shown."""
            self.written += text
            return len(text)

        def flush(self) -> None:
            """Nothing is kept back."""

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with policies_preview._progress(iter([1, 2]), 2) as watched:  # type: ignore[list-item]
        assert list(watched) == [1, 2]  # type: ignore[comparison-overlap]
    assert "judging" in terminal.written


def test_the_draft_is_closed(admit: Admit, milder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    admit(LEAKY)
    closed = []
    from ecs_admission import replay

    prepare = replay.prepare_draft

    def watched(*arguments: Any) -> Draft:
        draft = prepare(*arguments)
        close = draft.revision.engine.close

        def closing() -> None:
            closed.append(1)
            close()

        monkeypatch.setattr(draft.revision.engine, "close", closing)
        return draft

    monkeypatch.setattr(replay, "prepare_draft", watched)
    preview("--policies", milder)
    assert closed == [1]
