"""`ecs-admission config` and `serve --check`: what is in force, from where, and nothing that is secret."""

from __future__ import annotations

import secrets
from pathlib import Path

import orjson

from tests.service.running_service import clean_environment, run_command


def test_it_prints_every_setting_with_its_origin(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("workers = 3\n")
    word = secrets.token_urlsafe(12)
    environment = clean_environment(config=str(file), threads="4", database_url=f"postgresql://u:{word}@db/log")
    done = run_command("config", environment=environment)
    assert [done.returncode, done.stderr] == [0, ""]
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["SETTING", "VALUE", "FROM"] == rows[0]
    assert ["workers", "3", str(file)] in rows
    assert ["threads", "4", "ECS_ADMISSION_THREADS"] in rows
    assert ["engine", "embedded", "default"] in rows
    assert ["auth_file", "-", "default"] in rows
    assert ["database_url", "postgresql://***@db/log", "ECS_ADMISSION_DATABASE_URL"] in rows
    assert word not in done.stdout
    document = orjson.loads(run_command("config", "--output", "json", environment=environment).stdout)
    assert document["settings"]["workers"] == {"value": 3, "origin": str(file)}


def test_it_lists_every_problem(tmp_path: Path) -> None:
    done = run_command("config", environment=clean_environment(workers="0", threads="0", bid="x"))
    assert [done.returncode, done.stdout] == [2, ""]
    assert len(done.stderr.splitlines()) == 4


def test_serve_can_be_asked_whether_it_would_start(tmp_path: Path) -> None:
    done = run_command("serve", "--check", environment=clean_environment(data_dir=str(tmp_path / "data")))
    assert [done.returncode, done.stderr] == [0, ""]
    assert "data_dir" in done.stdout
    done = run_command(
        "serve", "--check", environment=clean_environment(data_dir=str(tmp_path), policies=str(tmp_path / "none"))
    )
    assert [done.returncode, done.stdout] == [2, ""]
