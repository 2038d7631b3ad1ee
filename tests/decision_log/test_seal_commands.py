"""`ecs-admission log seal|verify|retain|hold` as operators call them, on both databases."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from ecs_admission.cli import main
from ecs_admission.decision_log import keys
from ecs_admission.decision_log.keys import load_or_create_signing_key, read_public_key
from ecs_admission.decision_log.sealer import Sealer
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.model import new_decision_id

from .conftest import make_draft, make_node_draft
from .databases import LogDatabase


@pytest.fixture
def data_dir(database: LogDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The settings of a log with an anchor in a folder, and with a role for each in PostgreSQL."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("ECS_ADMISSION_DATA_DIR", str(folder))
    monkeypatch.setenv("ECS_ADMISSION_ANCHORS", str(folder / "anchors"))
    monkeypatch.setenv("ECS_ADMISSION_DATABASE_URL", database.url)
    monkeypatch.setenv("ECS_ADMISSION_DATABASE_READ_URL", database.read_url)
    return folder


@pytest.fixture
def filled(database: LogDatabase, data_dir: Path) -> list[str]:
    """Three receipts of decisions."""
    log = DecisionLog.open(
        database.url,
        writer=new_decision_id(),
        start=make_node_draft(),
        log_key=load_or_create_signing_key(data_dir / "signing.key"),
        timeout_seconds=5,
        read_url=database.read_url,
    )
    receipts = [log.append(make_draft(), deadline_seconds=5).receipt for _ in range(3)]
    log.close(stop=make_node_draft("node_stop"))
    return receipts


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["log", *map(str, arguments)])


@pytest.fixture
def seal(database: LogDatabase, monkeypatch: pytest.MonkeyPatch) -> object:
    def run(*arguments: str) -> Result:
        with monkeypatch.context() as patch:
            patch.setenv("ECS_ADMISSION_DATABASE_URL", database.seal_url)
            return call("seal", *arguments)

    return run


@pytest.fixture
def as_owner(database: LogDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECS_ADMISSION_DATABASE_URL", database.owner_url)


def test_a_log_is_sealed_once_and_is_whole(filled: list[str], seal, data_dir: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    sealed = seal("--once")
    (tmp_path / "receipts").write_text("\n".join(filled))

    result = call("verify", "--receipts", tmp_path / "receipts")

    assert (sealed.exit_code, sealed.stdout) == (0, "digest 0: 5 entries\n")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("1/1 digests valid, 5 entries in 1 chains: no entry was edited")
    assert "3 were compared" in result.stdout
    assert (data_dir / "sealer.key").stat().st_mode & 0o777 == 0o600


def test_without_the_logs_key_nothing_is_sealed(filled: list[str], seal, data_dir: Path) -> None:  # type: ignore[no-untyped-def]
    (data_dir / "signing.key").unlink()

    refused = seal("--once")

    assert (refused.exit_code, "no writer can be recognised" in refused.stderr) == (2, True)


def test_a_report_is_json_on_request(filled: list[str], seal, data_dir: Path) -> None:  # type: ignore[no-untyped-def]
    seal("--once")

    report = orjson.loads(call("verify", "--output", "json", "--from", "1h", "--every-signature").stdout)

    assert (report["exitCode"], report["doubts"], report["problems"]) == (0, [], [])
    assert report["digests"]["checked"] == 1
    assert report["sealer_keys"] == [read_public_key(data_dir / "sealer.key").id]


def test_what_is_wrong_is_told_by_digest(filled: list[str], seal, database: LogDatabase) -> None:  # type: ignore[no-untyped-def]
    seal("--once")
    database.tamper("UPDATE entries SET actor = 'x' WHERE sequence = 2")

    result = call("verify", "--verbose")

    assert result.exit_code == 1
    assert "digest 0\tINVALID: columns" in result.stdout
    assert "0/1 digests valid" in result.stdout


def test_without_an_anchor_it_cannot_tell(filled: list[str], seal, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    seal("--once")

    result = call("verify", "--anchor", tmp_path / "empty")

    assert result.exit_code == 3
    assert "No digest was compared with an anchor" in result.stdout


def test_a_key_is_rotated(filled: list[str], seal, data_dir: Path) -> None:  # type: ignore[no-untyped-def]
    seal("--once")
    old = read_public_key(data_dir / "sealer.key")

    result = seal("--rotate")

    new = read_public_key(data_dir / "sealer.key")
    assert (result.exit_code, result.stdout) == (0, f"digest 1 announces the key {new.id}\n")
    assert (data_dir / "sealer.key").stat().st_mode & 0o777 == 0o600
    assert seal("--once").exit_code == 0
    assert call("verify").exit_code == 0
    assert read_public_key(data_dir / f"sealer-{old.id}.pub").id == old.id
    assert call("public-key", "--sealer").stdout == new.pem
    (data_dir / "first.pem").write_text(old.pem)
    assert call("verify", "--sealer-key", data_dir / "first.pem").exit_code == 0


def test_sealing_by_cron_and_a_rotation_raise_no_question(  # type: ignore[no-untyped-def]
    filled: list[str], seal, database: LogDatabase
) -> None:
    for arguments in (["--once"], ["--rotate"], ["--once"], ["--once"]):
        assert seal(*arguments).exit_code == 0

    report = orjson.loads(call("verify", "--output", "json").stdout)
    states = [orjson.loads(row[0])["state"] for row in database.rows("SELECT bytes FROM digests ORDER BY number")]
    assert (report["exitCode"], report["notice_counts"], states) == (0, {}, ["stop"] * 4)


class CrashError(BaseException):
    """The process is gone, and nothing after this is done."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", ["write_public_key", "create_once", "sync_folder", "commit", "anchor", "replace"])
def test_a_rotation_that_breaks_off_anywhere_mends_itself(  # type: ignore[no-untyped-def]
    filled: list[str], seal, data_dir: Path, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    target: tuple[Any, str] = {
        "write_public_key": (keys, "write_public_key"),
        "create_once": (keys, "create_once"),
        "sync_folder": (keys, "sync_folder"),
        "commit": (Sealer, "_append"),
        "anchor": (Sealer, "_anchor_all"),
        "replace": (os, "replace"),
    }[step]
    seal("--once")
    first = read_public_key(data_dir / "sealer.key")
    original = getattr(*target)

    def crashes(*arguments: Any) -> Any:
        if after:
            original(*arguments)
        raise CrashError

    with monkeypatch.context() as patch:
        patch.setattr(*target, crashes)
        with pytest.raises(CrashError):
            seal("--rotate")

    resumed = seal("--once")
    assert (resumed.exit_code, resumed.stderr) == (0, "")
    assert call("verify").exit_code == 0
    rotated = seal("--rotate")
    assert rotated.exit_code == 0, rotated.stderr
    assert seal("--once").exit_code == 0
    (data_dir / "first.pem").write_text(first.pem)
    report = orjson.loads(call("verify", "--sealer-key", data_dir / "first.pem", "--output", "json").stdout)
    assert (report["exitCode"], report["notice_counts"].get("key-changed", 0)) == (0, 0)
    assert read_public_key(data_dir / "sealer.key").id in rotated.stdout


def test_a_rotation_beside_a_sealer_that_leads_changes_nothing(  # type: ignore[no-untyped-def]
    filled: list[str], seal, data_dir: Path, database: LogDatabase
) -> None:
    seal("--once")
    before = sorted(path.name for path in data_dir.iterdir())
    database.tamper("UPDATE sealer_lease SET holder = 'another'")

    refused = seal("--rotate")

    assert (refused.exit_code, "another sealer leads" in refused.stderr) == (2, True)
    assert sorted(path.name for path in data_dir.iterdir()) == before


def test_a_sealer_that_waited_finds_the_key_that_was_rotated_meanwhile(
    filled: list[str],
    seal,
    data_dir: Path,
    database: LogDatabase,  # type: ignore[no-untyped-def]
) -> None:
    seal("--once")
    waiting = Sealer(
        database.seal_url,
        key=load_or_create_signing_key(data_dir / "sealer.key"),
        log_keys=[read_public_key(data_dir / "signing.key")],
        anchors=[],
        holder="waiting",
        find_key=partial(keys.announced_signing_key, data_dir / "sealer.key"),
    )
    seal("--rotate")

    assert waiting.step().leads

    waiting.close()
    assert call("verify").exit_code == 0


def test_a_lost_key_needs_a_word_and_an_old_copy_stops_it(
    filled: list[str], seal, data_dir: Path, database: LogDatabase
) -> None:  # type: ignore[no-untyped-def]
    seal("--once")
    (data_dir / "sealer.key").unlink()

    refused = seal("--once")
    accepted = seal("--once", "--accept-new-key")
    database.tamper("DELETE FROM digests WHERE number = 1")
    stopped = seal("--once", "--accept-new-key")

    assert (refused.exit_code, accepted.exit_code, stopped.exit_code) == (2, 0, 1)
    assert "--accept-new-key" in refused.stderr
    assert "it is an older copy" in stopped.stderr


def test_sealing_ends_when_it_is_told_to(filled: list[str], data_dir: Path, database: LogDatabase) -> None:
    environment = {**os.environ, "ECS_ADMISSION_DATABASE_URL": database.seal_url}
    code = "from ecs_admission.cli import main; main()"
    with subprocess.Popen([sys.executable, "-c", code, "log", "seal"], env=environment) as sealer:
        deadline = time.monotonic() + 60
        while database.rows("SELECT count(*) FROM digests") == [(0,)]:
            assert time.monotonic() < deadline
        sealer.terminate()
        assert sealer.wait(timeout=60) == 0

    ((content,),) = database.rows("SELECT bytes FROM digests ORDER BY number DESC LIMIT 1")
    assert orjson.loads(content)["state"] == "stop"
    assert call("verify").exit_code == 0


def test_holds_are_placed_listed_and_released(filled: list[str], as_owner: None) -> None:
    placed = call("hold", "add", "--reason", "case 7", "--operator", "ada")
    hold = placed.stdout.strip()

    assert (placed.exit_code, call("hold", "list").stdout.split()[0]) == (0, hold)
    assert "case 7" in call("hold", "list").stdout
    assert call("hold", "release", hold, "--operator", "grace").exit_code == 0
    assert call("hold", "list").stdout == ""
    assert call("hold", "release", hold, "--operator", "grace").exit_code == 2


def test_retention_says_what_it_would_not_do(filled: list[str], seal, as_owner: None) -> None:  # type: ignore[no-untyped-def]
    seal("--once")

    assert call("retain", "--older-than", "400d", "--operator", "ada").stdout == "nothing is old enough\n"
    for arguments, message in (
        (["--older-than", "400d"], "--operator NAME"),
        (["--older-than", "1d", "--operator", "ada"], "kept for 365 days"),
        (["--older-than", "a year", "--operator", "ada"], "a number of days"),
    ):
        refused = call("retain", *arguments)
        assert (refused.exit_code, message in refused.stderr) == (2, True)


def test_old_bodies_are_dropped_by_command(
    filled: list[str],
    seal,
    as_owner: None,
    monkeypatch: pytest.MonkeyPatch,
    database: LogDatabase,  # type: ignore[no-untyped-def]
) -> None:
    seal("--once")
    monkeypatch.setenv("ECS_ADMISSION_RETENTION_FLOOR_DAYS", "1")
    arguments = ("retain", "--older-than", "1d", "--operator", "ada", "--operator", "grace")
    from ecs_admission.decision_log import retention

    monkeypatch.setattr(retention, "_DAY_US", -86_400_000_000)  # so that what is sealed now is old

    planned, done = call(*arguments, "--dry-run"), call(*arguments)

    assert planned.stdout.startswith("would drop the bodies of digests 0 to 0")
    assert done.stdout.startswith("dropped 3 bodies of digests 0 to 0")
    assert database.rows("SELECT count(*) FROM bodies") == [(0,)]
    assert call("verify").exit_code == 0
