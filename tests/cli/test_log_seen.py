"""`ecs-admission log seen`, in the database of the settings and by asking a service."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from ecs_admission.adapt.submission import read_operation
from ecs_admission.cli import main
from ecs_admission.decision_log.keys import load_or_create_signing_key
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.engines.pack import Pack
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.http import create_flask, fingerprints
from ecs_admission.http.auth import Access
from ecs_admission.journal import node_entry
from ecs_admission.model import UserInfo, new_decision_id
from ecs_admission.project.fingerprints import FingerprintKey, make_key
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision, prepare
from tests.project.samples import environment

VALUE = "Good morning"


@pytest.fixture
def log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, revision: Revision, key: FingerprintKey
) -> Iterator[DecisionLog]:
    """The log of the settings with one decision, of a request that holds the value."""
    monkeypatch.setenv("ECS_ADMISSION_DATA_DIR", str(tmp_path))
    file = tmp_path / "fingerprint.key"
    file.write_text(key.secret.hex() + "\n")
    file.chmod(0o600)
    opened = DecisionLog.open(
        f"sqlite:///{tmp_path / 'decisions.sqlite3'}",
        writer=new_decision_id(),
        start=node_entry("node_start", "embedded", revision.id),
        log_key=load_or_create_signing_key(tmp_path / "signing.key"),
        timeout_seconds=10.0,
    )
    _reviewer(revision, opened).review(
        partial(
            read_operation,
            "RegisterTaskDefinition",
            orjson.dumps(environment([("GREETING", VALUE)])),
            {"environment": "prod"}.items(),
        ),
        operation="RegisterTaskDefinition",
        user=UserInfo("pipeline"),
        enforcement_point="test",
    )
    yield opened
    opened.close()


def _reviewer(revision: Revision, log: DecisionLog) -> Reviewer:
    def fail(error: Exception) -> None:
        raise error

    return Reviewer(
        revision,
        inventory=NoInventory(),
        recorder=lambda draft: log.append(draft, deadline_seconds=10),
        on_error=fail,
    )


@pytest.fixture(params=["database", "server"])
def source(
    request: pytest.FixtureRequest, log: DecisionLog, revision: Revision, key: FingerprintKey
) -> Iterator[list[str]]:
    """The options by which the command reads the log."""
    if request.param == "database":
        yield []
        return
    access = Access(recorder=lambda draft: log.append(draft, deadline_seconds=5))
    app = create_flask(_reviewer(revision, log), log.reader, access=access, fingerprint_keys=[key])
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield ["--server", f"http://127.0.0.1:{server.server_port}"]
    server.shutdown()
    thread.join()
    server.server_close()


def seen(value: str | bytes, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["log", "seen", *arguments], input=value)


def recorded(log: DecisionLog) -> list[dict[str, Any]]:
    return log.reader.list_entries(kind="fingerprint_lookup").items


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_value_that_was_there_is_found(source: list[str], end: str) -> None:
    result = seen(VALUE + end, *source)
    assert result.exit_code == 0, result.output
    head, line = result.stdout.splitlines()
    assert head.split()[:2] == ["TIME", "OUTCOME"]
    assert ["allowed", "web", "prod", "GREETING"] == line.split()[1:5]
    assert VALUE not in result.output
    assert "other keys" in result.stderr


def test_one_that_was_not_there_ends_with_one(source: list[str]) -> None:
    result = seen(secrets.token_hex(8), *source)
    assert (result.exit_code, result.stdout) == (1, "not seen in 1 decisions\n")


def test_a_program_gets_all_of_it(source: list[str], key: FingerprintKey) -> None:
    document = json.loads(seen(VALUE, *source, "--output", "json").stdout)
    (item,) = document["items"]
    assert item["places"] == [{"pointer": "/containerDefinitions/0/environment/0/value", "name": "GREETING"}]
    assert (document["keys"], document["searched"], document["withoutInventory"]) == ([key.id], 1, 0)
    assert key.marker()(VALUE).hex() not in json.dumps(document)


def test_times_limit_it(source: list[str]) -> None:
    assert seen(VALUE, *source, "--until", "1h").exit_code == 1
    assert seen(VALUE, *source, "--since", "1h").exit_code == 0
    assert seen(VALUE, *source, "--since", "soon").exit_code == 2


def test_that_somebody_asked_is_recorded_and_not_what(source: list[str], log: DecisionLog, key: FingerprintKey) -> None:
    seen(VALUE, *source)
    (entry,) = recorded(log)
    assert (entry["details"]["count"], entry["details"]["keys"]) == (1, [key.id])
    assert VALUE not in str(entry)
    assert key.marker()(VALUE).hex() not in str(entry)
    if not source:
        assert entry["caller"]["username"].startswith("local:")


def test_a_service_is_asked_until_it_has_looked_through_everything(
    log: DecisionLog, revision: Revision, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    from ecs_admission.cli import log_seen

    pages = [
        {
            "keys": ["k"],
            "items": [{"n": 1}],
            "searched": 5,
            "withoutInventory": 1,
            "next": "1:a",
            "cannotKnow": ["x", "older"],
        },
        {
            "keys": ["k"],
            "items": [{"n": 2}],
            "searched": 2,
            "withoutInventory": 0,
            "next": None,
            "cannotKnow": ["x", "y"],
        },
    ]
    whole = log_seen._collect(iter(pages), 50)
    assert whole == {
        "keys": ["k"], "items": [{"n": 1}, {"n": 2}], "searched": 7, "withoutInventory": 1, "next": None,
        "cannotKnow": ["x", "y"],
    }  # fmt: skip
    first = log_seen._collect(iter(pages), 1)
    assert (first["next"], first["cannotKnow"]) == ("1:a", ["x", "older"])


@pytest.mark.parametrize("times", [1, 2])
def test_it_is_looked_up_under_every_key_that_the_file_still_has(
    log: DecisionLog, tmp_path: Path, key: FingerprintKey, pack: Pack, embedded: EmbeddedEngine, times: int
) -> None:
    """The decision of the fixture was recorded under one key, the next ones under those that came after it."""
    lines = [key.secret.hex()]
    for _ in range(times):
        lines.insert(0, secrets.token_hex(32))
        later = make_key(bytes.fromhex(lines[0]))
        _reviewer(prepare(pack, engine=embedded, detectors=(), key=later, now=0), log).review(
            lambda: read_operation(
                "RegisterTaskDefinition", orjson.dumps(environment([("OTHER", VALUE)])), [("environment", "prod")]
            ),
            operation="RegisterTaskDefinition",
            user=UserInfo("pipeline"),
            enforcement_point="test",
        )
    for known in range(len(lines), 0, -1):
        (tmp_path / "fingerprint.key").write_text("\n".join(lines[:known]) + "\n")
        found = orjson.loads(seen(VALUE, "--output", "json").stdout)
        assert (len(found["keys"]), len(found["items"])) == (known, known)


@pytest.mark.parametrize("value", ["", "\n", b"\xff\xfe"])
def test_nothing_is_no_value(log: DecisionLog, value: str | bytes) -> None:
    result = seen(value)
    assert result.exit_code == 2
    assert "standard input" in result.stderr
    assert recorded(log) == []


def test_an_argument_is_no_place_for_a_value(log: DecisionLog) -> None:
    assert seen("", VALUE).exit_code == 2


def test_without_the_key_the_database_alone_says_nothing(log: DecisionLog, tmp_path: Path) -> None:
    (tmp_path / "fingerprint.key").unlink()
    result = seen(VALUE)
    assert result.exit_code == 2
    assert "--server" in result.stderr
    assert not (tmp_path / "fingerprint.key").exists()


def test_a_service_that_refuses_is_told(
    log: DecisionLog, revision: Revision, key: FingerprintKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.cli.answering import serving

    with serving() as service:
        service.says(429, {"title": "at most 30 values a minute"})
        result = seen(VALUE, "--server", service.url)
        assert result.exit_code == 2
        assert "at most 30 values a minute" in result.stderr
        (_, path, _, body) = service.requests[0]
        assert (path, json.loads(body)) == ("/v1/fingerprints:lookup", {"value": VALUE})
    assert fingerprints.LIMIT == 30
