"""The service refuses to start where it could not keep its promises, and says which setting to change."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.service.conftest import COMPLIANT
from tests.service.running_service import OPERATION, clean_environment, run_command, run_service

pytestmark = pytest.mark.service

SHARED_MEMORY = Path("/dev/shm")


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder on tmpfs."""
    if not SHARED_MEMORY.is_dir():
        pytest.skip("there is no tmpfs at /dev/shm")
    with TemporaryDirectory(dir=SHARED_MEMORY) as folder:
        yield Path(folder)


def refuse(**settings: str) -> str:
    """What the service says when it refuses to start with these settings."""
    done = run_command("serve", environment=clean_environment(**settings))
    assert [done.returncode, done.stdout] == [2, ""]
    assert "Traceback" not in done.stderr
    return done.stderr


def canary() -> str:
    return "".join(secrets.choice(string.ascii_letters) for _ in range(24))


def test_a_data_folder_in_memory_is_refused(in_memory: Path) -> None:
    assert "data folder lives in memory (tmpfs)" in refuse(data_dir=str(in_memory / "data"))


def test_a_data_folder_in_memory_is_accepted_when_told_so(in_memory: Path) -> None:
    settings = {"unsafe_ephemeral_data_dir": "true", "workers": "1"}
    with run_service(in_memory, **settings) as service:
        assert service.post(OPERATION, COMPLIANT).status == 200


@pytest.mark.parametrize("url", ["mysql://user:WORD@db/log", "sqlite://", "WORD"])
def test_a_database_that_cannot_keep_the_log_is_refused_without_repeating_it(tmp_path: Path, url: str) -> None:
    word = canary()
    told = refuse(data_dir=str(tmp_path), database_url=url.replace("WORD", word))
    assert "database" in told or "SQLite" in told
    assert word not in told


def test_a_database_in_memory_is_refused_wherever_the_data_folder_is(tmp_path: Path, in_memory: Path) -> None:
    url = f"sqlite:///{in_memory / 'log' / 'decisions.sqlite3'}"
    assert "data folder lives in memory (tmpfs)" in refuse(data_dir=str(tmp_path), database_url=url)


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be made" in refuse(data_dir=str(tmp_path / "file" / "data"))


def test_a_fingerprint_key_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert "cannot be read or made" in refuse(data_dir=str(tmp_path), fingerprint_key_file=str(tmp_path / "folder"))


@pytest.mark.parametrize("bind", ["0.0.0.0:8080", "[::]:8080", "10.0.0.1:8080", "example.com:8080"])
def test_an_address_that_others_reach_is_refused(tmp_path: Path, bind: str) -> None:
    told = refuse(data_dir=str(tmp_path), bind=bind)
    assert "bind" in told
    assert "loopback" in told


def test_every_wrong_setting_is_named_without_its_value(tmp_path: Path) -> None:
    word = canary()
    names = ["bind", "engine", "workers", "threads", "engine_deadline_seconds", "record_deadline_seconds", "log_level"]
    told = refuse(data_dir=str(tmp_path), **dict.fromkeys(names, word))
    assert all(f"ECS_ADMISSION_{name.upper()}" in told for name in names)
    assert word not in told


@pytest.mark.parametrize("name", ["workers", "threads", "engine_deadline_seconds", "record_deadline_seconds"])
@pytest.mark.parametrize("value", ["0", "-1", "1e9", "nan", ""])
def test_a_number_out_of_range_is_refused(tmp_path: Path, name: str, value: str) -> None:
    assert f"ECS_ADMISSION_{name.upper()}" in refuse(data_dir=str(tmp_path), **{name: value})


@pytest.mark.parametrize("url", ["ftp://WORD", "WORD:8181"])
def test_an_opa_url_that_is_none_is_refused_without_repeating_it(tmp_path: Path, url: str) -> None:
    word = canary()
    told = refuse(data_dir=str(tmp_path), engine="opa", opa_url=url.replace("WORD", word))
    assert word not in told
    assert "OPA" in told or "opa_url" in told


def test_a_missing_pack_is_refused(tmp_path: Path) -> None:
    assert "holds no rule and no data" in refuse(data_dir=str(tmp_path / "data"), policies=str(tmp_path))


def test_a_damaged_pack_is_refused(tmp_path: Path) -> None:
    for name in ("policies.tar.gz", "policies-wasm.tar.gz"):
        (tmp_path / name).write_bytes(b"nonsense")
    assert "damaged" in refuse(data_dir=str(tmp_path / "data"), policies=str(tmp_path))


@pytest.mark.parametrize("content", ["", "00", "nonsense"])
def test_a_fingerprint_key_that_is_none_is_refused_without_repeating_it(tmp_path: Path, content: str) -> None:
    file = tmp_path / "fingerprint.key"
    file.write_text(content)
    file.chmod(0o600)
    told = refuse(data_dir=str(tmp_path))
    assert "fingerprint.key does not hold a fingerprint key" in told
    assert not content or content not in told.replace("0600", "")


def test_a_fingerprint_key_that_others_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "fingerprint.key"
    file.write_text(secrets.token_hex(32))
    file.chmod(0o644)
    told = refuse(data_dir=str(tmp_path))
    assert "chmod 600" in told
    assert file.read_text() not in told


def test_a_node_with_another_fingerprint_key_than_the_logs_is_refused(tmp_path: Path) -> None:
    with run_service(tmp_path, workers="1") as service:
        assert service.post(OPERATION, COMPLIANT).status == 200
    key = tmp_path / "data" / "fingerprint.key"
    old = key.read_text()
    key.write_text(secrets.token_hex(32) + "\n")

    told = refuse(data_dir=str(tmp_path / "data"), bind=service.environment["ECS_ADMISSION_BIND"])

    assert "the log's active one is k" in told
    assert "ECS_ADMISSION_UNSAFE_NEW_FINGERPRINT_KEY" in told
    key.write_text(key.read_text() + old)
    with run_service(tmp_path, workers="1") as service:
        assert service.post(OPERATION, COMPLIANT).status == 200
        assert len(service.rows("SELECT 1 FROM entries WHERE kind = 'key_rotation'")) == 1
