"""The other commands: what they say when something they need is not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ecs_admission import __version__
from ecs_admission.cli import main
from ecs_admission.engines.pack import load_pack
from tests.engines.layers import folder, rule
from tests.engines.opa_server import opa_program

POLICIES = Path(__file__).parent.parent.parent / "policies"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ECS_ADMISSION_")]:
        monkeypatch.delenv(name)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_the_program_knows_its_version() -> None:
    assert call("--version").output == f"ecs-admission, version {__version__}\n"


def test_a_build_without_opa_says_where_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = call("bundle", "build", str(POLICIES), "--output", str(tmp_path / "out"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("ecs-admission: ")
    assert "opa" in result.stderr
    assert "tools/opa" in result.stderr or "https://" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_build_with_a_program_that_is_not_opa_fails(tmp_path: Path) -> None:
    result = call("bundle", "build", str(POLICIES), "--output", str(tmp_path / "out"), "--opa", "/bin/false")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("ecs-admission: opa check failed")


@pytest.mark.parametrize("output", ["table", "json"])
def test_verifying_a_log_that_is_not_there_is_2_and_makes_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, output: str
) -> None:
    monkeypatch.setenv("ECS_ADMISSION_DATA_DIR", str(tmp_path / "data"))
    result = call("log", "verify", "--output", output)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "ecs-admission: there is no decision log at the database URL\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("serve",), ("log", "verify")])
def test_wrong_settings_are_2_and_not_shown(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    monkeypatch.setenv("ECS_ADMISSION_WORKERS", "hunter2")
    result = call(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "ECS_ADMISSION_WORKERS" in result.stderr
    assert "hunter2" not in result.stderr


@pytest.mark.parametrize("arguments", [("log",), ("bundle",), ("log", "none"), ("serve", "x"), ("bundle", "build")])
def test_an_incomplete_command_is_2(arguments: tuple[str, ...]) -> None:
    assert call(*arguments).exit_code == 2


@pytest.mark.opa
def test_a_build_says_its_revision_and_what_is_milder(tmp_path: Path) -> None:
    files = {
        **rule("org/some", "true"),
        "config/environments/data.yaml": "dev: {actions: {plaintext/field: warn, plaintext/environment: warn}}\n",
    }
    layer, output = folder(tmp_path / "layer", files), tmp_path / "out"
    result = call("bundle", "build", str(layer), "--output", str(output), "--opa", opa_program())
    assert (result.exit_code, result.stdout) == (0, f"{load_pack(output).revision}\n")
    assert result.stderr.splitlines() == [
        "milder than what ships: environment dev: plaintext/environment is warn and no longer deny",
        "milder than what ships: environment dev: plaintext/field is warn and no longer deny",
    ]


@pytest.mark.opa
def test_a_build_of_a_mistake_is_2_and_makes_nothing(tmp_path: Path) -> None:
    layer = folder(tmp_path / "layer", {"config/words/data.yaml": "secret:\n  - Sesame\n"})
    result = call("bundle", "build", str(layer), "--output", str(tmp_path / "out"), "--opa", opa_program())
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"ecs-admission: {layer}/config/words/data.yaml:2: expected a word or a phrase")
    assert not (tmp_path / "out").exists()
