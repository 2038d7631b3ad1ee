from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ecs_admission.decision_log.entries import EntryDraft, build_draft, build_node_draft
from ecs_admission.decision_log.keys import SigningKey, make_signing_key
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

from .databases import LogDatabase, PostgreSQLLog, SQLiteLog
from .postgresql_proxy import PostgreSQLProxy, run_proxy
from .postgresql_server import PostgreSQLServer, run_postgresql

LOG_KEY: SigningKey = make_signing_key()
"""The signing key of every log that these tests write."""

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
            controls=("ECS.8",),
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


@pytest.fixture(scope="session")
def server() -> Iterator[PostgreSQLServer]:
    with run_postgresql() as running:
        yield running


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SQLiteLog]:
    """A file that is not there yet."""
    log = SQLiteLog(tmp_path / "decisions.db")
    yield log
    log.close()


@pytest.fixture
def postgresql(server: PostgreSQLServer) -> Iterator[PostgreSQLLog]:
    """An empty log in a database of its own."""
    log = PostgreSQLLog(server, server.create_database())
    yield log
    log.close()


@pytest.fixture
def proxy(server: PostgreSQLServer) -> Iterator[PostgreSQLProxy]:
    """A proxy in a folder whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="proxy-") as folder, run_proxy(Path(folder), server.folder) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> LogDatabase:
    """Each of the two databases: what is tested with it holds for both."""
    found: LogDatabase = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def open_database() -> Iterator[LogOpener]:
    """Opens a log in a database as a process does at its start, and closes it at the end of the test."""
    logs: list[DecisionLog] = []

    def open_at(
        database: LogDatabase, *, url: str | None = None, writer: str | None = None, timeout_seconds: float = 5
    ) -> DecisionLog:  # fmt: skip
        log = DecisionLog.open(
            url or database.url,
            writer=writer or new_decision_id(),
            start=make_node_draft(),
            log_key=LOG_KEY,
            timeout_seconds=timeout_seconds,
            read_url=database.read_url,
        )
        logs.append(log)
        return log

    yield open_at
    for log in logs:
        log.close()


@pytest.fixture
def open_log(open_database: LogOpener, database: LogDatabase) -> LogOpener:
    """The same in the database of the test."""

    def open_here(**options: Any) -> DecisionLog:
        return open_database(database, **options)

    return open_here


@pytest.fixture
def log(open_log: LogOpener) -> DecisionLog:
    return open_log(writer="writer-1")


@pytest.fixture
def sealing(database: LogDatabase, tmp_path: Path) -> Iterator[Any]:
    """Seals the log of the test, with an anchor in a folder. See `sealing.Sealing`."""
    from .sealing import Sealing

    made = Sealing(database, tmp_path / "anchors")
    yield made
    made.close()
