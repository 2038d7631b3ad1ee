from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ecs_admission.decision_log.entries import EntryDraft, build_draft, build_node_draft
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.model import (
    Action,
    Decision,
    DeployContext,
    Finding,
    Notice,
    Outcome,
    Place,
    UserInfo,
    new_decision_id,
)

DENIED = Decision(
    outcome=Outcome.DENIED,
    reason="NonCompliant",
    message="prose for the caller, not for the log",
    findings=(
        Finding(
            rule="plaintext/environment",
            pointer="/containerDefinitions/0/environment/0/value",
            action=Action.DENY,
            severity="high",
            place=Place(container="web", field="environment", name="DB_PASSWORD"),
        ),
    ),
    notices=(Notice(code="unknown-field", message="prose too", pointer="/<0>"),),
    error_code="too-many",
    error_pointer="/containerDefinitions",
)

DraftMaker = Callable[..., EntryDraft]
LogOpener = Callable[..., DecisionLog]


def make_draft(decision: Decision = DENIED, **changes: Any) -> EntryDraft:
    arguments: dict[str, Any] = {
        "decision_id": new_decision_id(),
        "time_us": time.time_ns() // 1000,
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "operation": "RegisterTaskDefinition",
        "enforcement_point": "api",
        "dry_run": False,
        "family": "web",
        "context": DeployContext(environment="prod", account="123456789012", region="eu-west-1", actor="ci"),
        "now": 1_790_000_000,
        "user": UserInfo("system:anonymous", ("system:unauthenticated",)),
        "engine": "embedded",
        "revision": "r" * 64,
        "timings_us": {"adapt": 41, "evaluate": 502},
        "body": b'{"request":{},"object":{}}',
    }
    return build_draft(decision, **(arguments | changes))


def make_node_draft(kind: Any = "node_start") -> EntryDraft:
    return build_node_draft(
        kind, entry_id=new_decision_id(), time_us=time.time_ns() // 1000, engine="embedded", revision="r" * 64
    )


@pytest.fixture
def draft() -> DraftMaker:
    """Builds a draft of a denial; keywords replace arguments of `build_draft`."""
    return make_draft


@pytest.fixture
def node_draft() -> DraftMaker:
    return make_node_draft


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "decisions.db"


@pytest.fixture
def open_log(database: Path) -> Iterator[LogOpener]:
    """Opens the log as a process does at its start, and closes it at the end of the test."""
    logs: list[DecisionLog] = []

    def open_at(url: str | None = None, *, writer: str | None = None) -> DecisionLog:
        log = DecisionLog.open(
            url or f"sqlite:///{database}",
            writer=writer or new_decision_id(),
            start=make_node_draft(),
            timeout_seconds=5,
        )
        logs.append(log)
        return log

    yield open_at
    for log in logs:
        log.close()


@pytest.fixture
def log(open_log: LogOpener) -> DecisionLog:
    return open_log(writer="writer-1")
