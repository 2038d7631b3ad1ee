"""`ecs-admission bundle`: what an author and a pipeline do with it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from ecs_admission.cli import main
from ecs_admission.engines.archives import unpack
from ecs_admission.engines.bundles.format import write_archive
from ecs_admission.engines.bundles.provenance import read_release_of
from ecs_admission.engines.pack import load_pack
from ecs_admission.errors import PolicyError
from tests.engines.bundles.released import new_key, public_key_file, released
from tests.engines.layers import folder
from tests.engines.opa_server import opa_program

NOW = 1_790_000_000


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["bundle", *map(str, arguments)])


def git(place: Path, *arguments: str) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", place, *settings, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A layer in a repository, committed."""
    made = folder(tmp_path / "repository" / "ours", {"config/words/data.yaml": "secret: [sesame]\n"})
    git(made.parent, "init", "-q")
    git(made.parent, "add", ".")
    git(made.parent, "commit", "-q", "-m", "policies")
    return made


class TestRelease:
    def test_it_is_that_of_the_commit(self, layer: Path) -> None:
        release = read_release_of([layer], serial=None, commit=None, now=NOW)
        commit, at = git(layer, "log", "-1", "--format=%H %ct").split()
        assert (release.serial, release.commit) == (int(at), commit)

    def test_what_is_not_committed_has_no_commit(self, layer: Path, tmp_path: Path) -> None:
        (layer / "more.yaml").write_text("")
        release = read_release_of([layer], serial=None, commit=None, now=NOW)
        assert (release.serial, release.commit) == (NOW, None)
        release = read_release_of([tmp_path], serial=None, commit=None, now=NOW)
        assert (release.serial, release.commit) == (NOW, None)

    def test_an_author_may_say_otherwise(self, layer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        release = read_release_of([layer], serial=7, commit="abcdef0", now=NOW)
        assert (release.serial, release.commit) == (7, "abcdef0")
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "12345")
        assert read_release_of([layer], serial=None, commit=None, now=NOW).serial == 12345
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "x")
        with pytest.raises(PolicyError, match="SOURCE_DATE_EPOCH"):
            read_release_of([layer], serial=None, commit=None, now=NOW)

    @pytest.mark.parametrize(("serial", "commit"), [(0, None), (-1, None), (2**60, None), (1, "main"), (1, "A" * 40)])
    def test_what_is_neither_serial_nor_commit_is_refused(self, layer: Path, serial: int, commit: str | None) -> None:
        with pytest.raises(PolicyError):
            read_release_of([layer], serial=serial, commit=commit, now=NOW)

    def test_no_git_is_no_commit(self, layer: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert read_release_of([layer], serial=None, commit=None, now=NOW).commit is None


@pytest.mark.opa
def test_a_bundle_is_built_signed_verified_and_inspected(layer: Path, tmp_path: Path) -> None:
    made = run("make-key", tmp_path / "k.pem")
    assert made.exit_code == 0, made.output
    built = run("build", layer, "--output", tmp_path / "built", "--opa", opa_program(), "--key", tmp_path / "k.pem")
    assert built.exit_code == 0, built.output
    verified = run("verify", tmp_path / "built", "--key", tmp_path / "k.pem.pub")
    assert verified.exit_code == 0, verified.output
    revision = built.stdout.strip()
    assert f"fit to judge: {revision}, serial " in verified.output
    shown = orjson.loads(run("inspect", tmp_path / "built" / "policies.tar.gz", "--output", "json").stdout)
    assert shown["commit"] == git(layer, "rev-parse", "HEAD")
    assert (shown["revision"], shown["whole"], shown["signature"]["algorithm"]) == (revision, True, "ES256")
    assert {rule["id"] for rule in shown["rules"]} == load_pack().catalogue.keys()
    manifest = orjson.loads(unpack((tmp_path / "built" / "policies.tar.gz").read_bytes())[".manifest"])
    assert manifest["revision"] == f"{revision}+{shown['commit']}"
    # Signed again it is another bundle of the same revision, also beside it for runtimes of WebAssembly.
    signed = run("sign", tmp_path / "built", "--key", tmp_path / "k.pem")
    assert signed.output.count("signed by key") == 2
    text = run("inspect", tmp_path / "built").output
    assert f"revision   {revision}" in text
    assert "not verified here" in text


def test_the_exit_status_of_verify_says_what_is_wrong(tmp_path: Path) -> None:
    bundle = tmp_path / "policies.tar.gz"

    def status(content: bytes, key: Path | None = None) -> int:
        bundle.write_bytes(content)
        return run("verify", bundle, "--key", key or public_key_file()).exit_code

    assert status(released(1)) == 0
    assert status(released(1, is_signed=False)) == 1
    assert status(released(1, key=new_key(tmp_path / "other.pem"))) == 1
    assert status(write_archive(unpack(released(1)) | {"more.rego": b"package more\n"})) == 1
    assert status(b"x") == 1
    words = dict(load_pack().config["words"]) | {"placeholders": [".*"]}
    assert status(released(1, words=words)) == 3
    assert status(released(1), bundle) == 2
    assert run("verify", tmp_path / "none", "--key", public_key_file()).exit_code == 2
    assert run("verify", bundle).exit_code == 2


def test_what_is_no_bundle_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(write_archive({"a.rego": b"package a\n"}))
    for command in (("inspect",), ("sign", "--key", tmp_path / "k.pem")):
        if not (tmp_path / "k.pem").exists():
            new_key(tmp_path / "k.pem")
        told = run(command[0], tmp_path / "x.tar.gz", *command[1:])
        assert (told.exit_code, "this is not a bundle" in told.output) == (2, True)
    assert "holds no policies.tar.gz" in run("sign", tmp_path, "--key", tmp_path / "k.pem").output


def test_a_bundle_of_sources_alone_is_said_to_be_that(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(write_archive({".manifest": b'{"revision": "r"}', "data.json": b"{}"}))
    assert "sources alone" in run("inspect", tmp_path / "x.tar.gz").output


def test_how_the_pack_ships_goes_with_no_release(tmp_path: Path) -> None:
    told = run("build", tmp_path, "--output", tmp_path / "o", "--unreleased", "--serial", "1")
    assert (told.exit_code, "goes with none of" in told.output) == (2, True)
