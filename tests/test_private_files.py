"""Files with a key: who else may read them."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecs_admission.errors import SettingsError
from ecs_admission.private_files import create_once, read_private

USER = 65532
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")


@contextlib.contextmanager
def service_user(groups: list[int]) -> Iterator[None]:
    """Be the service's user, in a pod whose fsGroup is among `groups`, until the block ends."""
    before = os.getgroups(), os.getegid(), os.geteuid()
    os.setgroups(groups)
    os.setegid(USER)
    os.seteuid(USER)
    try:
        yield
    finally:
        os.seteuid(before[2])
        os.setegid(before[1])
        os.setgroups(before[0])


def test_what_was_made_here_is_private(tmp_path: Path) -> None:
    path, content = tmp_path / "key", secrets.token_bytes(8)
    create_once(path, content)
    assert content == read_private(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o610, 0o601, 0o777])
def test_a_file_of_ours_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    create_once(path, b"x")
    path.chmod(mode)
    with pytest.raises(SettingsError, match=rf"is readable by others \(mode {mode:04o}\): chmod 600 it"):
        read_private(path)


@needs_root
@pytest.mark.parametrize(
    ("owner", "group", "mode", "is_read"),
    [
        (0, USER, 0o440, True),
        (0, USER, 0o400, False),  # nobody gave it to the group
        (0, USER, 0o460, False),
        (0, USER, 0o450, False),
        (0, USER, 0o444, False),
        (0, 0, 0o440, False),
        (0, 0, 0o444, False),
        (1, USER, 0o440, False),
        (USER, USER, 0o400, True),
        (USER, USER, 0o440, False),
    ],
)
def test_a_secret_of_kubernetes_is_private_to_the_group_of_the_pod(
    secret_volume: Path, owner: int, group: int, mode: int, is_read: bool
) -> None:
    path = secret_volume / "key"
    os.chown(path.resolve(), owner, group)
    path.resolve().chmod(mode)
    with service_user([USER]):
        if is_read:
            assert b"content" == read_private(path)
        else:
            with pytest.raises((SettingsError, PermissionError)):
                read_private(path)


@pytest.fixture
def secret_volume() -> Iterator[Path]:
    """As kubelet lays a Secret out: links to a folder that it exchanges as a whole."""
    with tempfile.TemporaryDirectory() as name:  # not below pytest's own, which is for its user alone
        folder = Path(name)
        folder.chmod(0o755)
        data = folder / "..2026_11_24"
        data.mkdir()
        data.chmod(0o755)  # whatever the umask of this process is
        (data / "key").write_bytes(b"content")
        (folder / "..data").symlink_to(data.name)
        (folder / "key").symlink_to("..data/key")
        yield folder
