"""Fingerprints and the file of their key."""

from __future__ import annotations

import hmac
import multiprocessing
import multiprocessing.synchronize
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.errors import SettingsError
from ecs_admission.project.fingerprints import (
    FingerprintKey,
    ephemeral_key,
    load_or_create_key,
    load_or_create_keys,
    make_key,
)
from tests.project.samples import unhurried

KEY = bytes(range(32))


@unhurried
@given(value=st.text())
def test_equal_values_have_equal_fingerprints_under_one_key(value: str) -> None:
    assert make_key(KEY).fingerprint(value) == make_key(KEY).fingerprint(value)


@unhurried
@given(one=st.text(), other=st.text())
def test_different_values_have_different_fingerprints(one: str, other: str) -> None:
    assert (make_key(KEY).fingerprint(one) == make_key(KEY).fingerprint(other)) == (one == other)


def test_a_fingerprint_is_a_keyed_hash_of_the_text_behind_the_id_of_its_key() -> None:
    key = make_key(KEY)
    expected = hmac.digest(KEY, "p\u00e4ss".encode(), "sha256").hex()[:32]
    assert key.fingerprint("p\u00e4ss") == f"{key.id}:{expected}"
    assert re.fullmatch(r"k[0-9a-f]{8}:[0-9a-f]{32}", key.fingerprint(""))


def test_another_key_gives_another_fingerprint_and_has_another_id() -> None:
    one, other = make_key(KEY), ephemeral_key()
    assert one.id != other.id
    assert one.fingerprint("x").rpartition(":")[2] != other.fingerprint("x").rpartition(":")[2]


def test_half_a_surrogate_pair_has_a_fingerprint_too() -> None:
    assert make_key(KEY).fingerprint("\ud800")


def test_a_key_does_not_show_its_secret() -> None:
    assert repr(make_key(KEY)) == f"FingerprintKey(id='{make_key(KEY).id}')"
    assert KEY.hex()[:8] not in make_key(KEY).id


def test_the_file_is_made_once_and_only_for_us(tmp_path: Path) -> None:
    path = tmp_path / "fingerprint.key"
    made = load_or_create_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert re.fullmatch(r"[0-9a-f]{64}\n", path.read_text())
    assert load_or_create_key(path) == made
    assert [entry.name for entry in tmp_path.iterdir()] == ["fingerprint.key"]


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        load_or_create_key(tmp_path / "key")
    finally:
        os.umask(before)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610, 0o777])
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    load_or_create_key(path)
    path.chmod(mode)
    with pytest.raises(SettingsError, match=rf"is readable by others \(mode {mode:04o}\): chmod 600 it"):
        load_or_create_key(path)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"00" * 31, b"00" * 33, b"zz" * 32, b"\xff" * 64, "\u0660".encode() * 64, b"0" * 63]
)
def test_a_file_that_holds_no_key_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SettingsError) as caught:
        load_or_create_key(path)
    assert str(caught.value) == f"{path} does not hold a fingerprint key of 64 hex digits"
    assert caught.value.__cause__ is None


def test_a_given_key_is_read_with_or_without_a_closing_line_break(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for content in (KEY.hex(), KEY.hex().upper() + "\r\n"):
        path.write_text(content, newline="")
        path.chmod(0o600)
        assert load_or_create_key(path) == FingerprintKey(make_key(KEY).id, KEY)


def test_the_first_of_several_keys_is_the_one_in_use_and_the_others_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("\n".join(key.hex() for key in (KEY[::-1], KEY, KEY[::-1])))
    path.chmod(0o600)
    assert load_or_create_key(path) == make_key(KEY[::-1])
    assert load_or_create_keys(path) == (make_key(KEY[::-1]), make_key(KEY))


def test_one_line_that_is_no_key_spoils_the_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{KEY.hex()}\n{KEY.hex()[2:]}\n")
    path.chmod(0o600)
    with pytest.raises(SettingsError):
        load_or_create_keys(path)


@unhurried
@given(value=st.text())
def test_a_mark_is_keyed_personalised_and_no_part_of_the_fingerprint(value: str) -> None:
    key = make_key(KEY)
    mark = key.marker()
    assert mark(value) == mark(value) == key.marker()(value)
    assert len(mark(value)) == 16
    assert mark(value) != ephemeral_key().marker()(value)
    assert mark(value).hex() not in key.fingerprint(value)


def _load(path: Path, barrier: multiprocessing.synchronize.Barrier, results: multiprocessing.Queue[str]) -> None:
    barrier.wait()
    results.put(load_or_create_key(path).fingerprint("x"))


RACE = """
import multiprocessing, sys
from pathlib import Path
from tests.project.test_fingerprints import _load

fork = multiprocessing.get_context("fork")
for attempt in range(20):
    barrier, results = fork.Barrier(4), fork.Queue()
    processes = [
        fork.Process(target=_load, args=(Path(sys.argv[1], str(attempt)), barrier, results)) for _ in range(4)
    ]
    for process in processes: process.start()
    seen = {results.get() for _ in processes}
    for process in processes: process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert len(seen) == 1, seen
print("same")
"""


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RACE, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "same\n", "")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted(map(str, range(20)))
