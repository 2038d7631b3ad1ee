"""`ecs-admission tokens`: shown once, listed without themselves, recorded."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from ecs_admission.auth.tokens import is_token, load_or_create_pepper
from ecs_admission.cli import main
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.token_store import TokenReader


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in [name for name in os.environ if name.startswith("ECS_ADMISSION_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ECS_ADMISSION_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ECS_ADMISSION_UNSAFE_EPHEMERAL_DATA_DIR", "true")
    return tmp_path / "data"


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["tokens", *arguments])


def listed() -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = orjson.loads(call("list", "--output", "json").stdout)["items"]
    return items


def entries(data: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(data / "decisions.sqlite3")) as file:
        return [orjson.loads(row[0]) for row in file.execute("SELECT bytes FROM entries ORDER BY time, sequence")]


def test_a_token_is_printed_once_and_opens_what_it_was_made_for(data: Path) -> None:
    result = call(
        "create", "ci", "--role", "submitter", "--role", "author", "--family", "pay-*", "--environment", "prod"
    )
    token = result.stdout.strip()
    assert (result.exit_code, is_token(token)) == (0, True)
    assert "is not shown again" in result.stderr
    with closing(LogReader.open(f"sqlite:///{data / 'decisions.sqlite3'}", timeout_seconds=5)) as reader:
        found = TokenReader(reader.connect, load_or_create_pepper(data / "tokens.key")).find(token)
    assert found is not None
    assert found.record.username == "token:ci"
    assert found.record.grant.roles == {"submitter", "author"}
    assert found.record.grant.scope.document() == {"environments": ["prod"], "families": ["pay-*"]}
    everything = b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file()).decode("latin-1")
    assert token not in everything + call("list").output + call("list", "--output", "json").output


def test_what_is_done_is_recorded_with_who_did_it(data: Path) -> None:
    call("create", "ci", "--role", "submitter", "--account", "111122223333", "--expires-in", "7d")
    (item,) = listed()
    call("revoke", item["token"])
    recorded = entries(data)
    assert [entry["kind"] for entry in recorded] == [
        *("node_start", "token_create", "node_stop"),
        *("node_start", "token_revoke", "node_stop"),
    ]
    made, revoked = recorded[1], recorded[4]
    assert re.fullmatch(r"local:.+", made["caller"]["username"])
    assert made["caller"]["groups"] == ["system:authenticated", "operator"]
    assert made["details"] == {
        "token": item["token"],
        "name": "ci",
        "roles": ["submitter"],
        "covers": ["accounts=111122223333"],
        "expires": item["expires"],
    }
    assert item["expires"] - made["time"] // 1_000_000 in range(7 * 86_400 - 5, 7 * 86_400 + 1)
    assert revoked["details"] == {"token": item["token"], "name": "ci"}


def test_a_log_with_tokens_verifies(data: Path) -> None:
    call("create", "ci", "--role", "submitter")
    result = CliRunner().invoke(main, ["log", "verify"])
    assert "tampered" not in result.output.splitlines()[-1]
    assert result.exit_code in (0, 3)


def test_a_token_is_revoked_once_and_may_be_told_twice() -> None:
    call("create", "ci", "--role", "submitter")
    call("create", "ci", "--role", "auditor")
    first, second = listed()
    assert [first["state"], second["state"]] == ["live", "live"]
    assert call("revoke", first["token"]).stdout == f"{first['token']} revoked\n"
    assert call("revoke", first["token"], second["token"]).stdout == (
        f"{first['token']} was revoked before\n{second['token']} revoked\n"
    )
    assert [item["state"] for item in listed()] == ["revoked", "revoked"]
    assert call("list").stdout.count("revoked") == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("create", "CI", "--role", "author"), "NAME must be"),
        (("create", "", "--role", "author"), "NAME must be"),
        (("create", "x" * 64, "--role", "author"), "NAME must be"),
        (("create", "ci"), "Missing option '--role'"),
        (("create", "ci", "--role", "root"), "Invalid value for '--role'"),
        (("create", "ci", "--role", "author", "--family", "*"), "`*` can only end"),
        (("create", "ci", "--role", "author", "--account", ""), "accounts of a binding"),
        *((("create", "ci", "--role", "author", "--expires-in", text), "must be 1d to 366d") for text in
          ("0d", "367d", "9999d", "1h", "-1d", "90", "")),
        (("revoke", "nothing"), "there is no token with that id"),
        (("revoke",), "Missing argument"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_and_makes_nothing(arguments: tuple[str, ...], told: str) -> None:
    call("create", "first", "--role", "author")
    result = call(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr
    assert len(listed()) == 1


def test_a_log_that_is_not_there_has_no_tokens(data: Path) -> None:
    result = call("list")
    assert result.stderr == "ecs-admission: there is no decision log at the database URL\n"
    assert result.exit_code == 2
    assert not data.exists()
