from __future__ import annotations

from pathlib import Path

import pytest

from ecs_admission.decision_log import durability
from ecs_admission.decision_log.durability import check_data_dir, file_system_type, refusal
from ecs_admission.errors import SettingsError

MOUNTINFO = r"""
21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
22 21 0:20 / /proc rw,nosuid - proc proc rw
23 21 0:21 / /run rw,nosuid shared:5 - tmpfs tmpfs rw,size=1g
24 23 254:1 / /run/data rw master:1 propagate_from:2 - xfs /dev/vdb rw
25 21 0:40 / /mnt/my\040data\134dir rw - fuse.sshfs host:/ rw
26 21 0:41 / /mnt/twice rw - ext4 /dev/vdc rw
27 26 0:42 / /mnt/twice rw - nfs4 host:/ rw
28 21 0:43 / /mnt/tab\011\012end rw - 9p share rw
not a mount
29 21 0:44 / /mnt/odd rw -
""".strip()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "ext4"),
        ("/home/me/data", "ext4"),
        ("/run", "tmpfs"),
        ("/run/other", "tmpfs"),
        ("/run/data", "xfs"),
        ("/run/data/deep/er", "xfs"),
        ("/run/database", "tmpfs"),
        ("/running", "ext4"),
        ("/mnt/my data\\dir/x", "fuse.sshfs"),
        ("/mnt/tab\t\nend", "9p"),
        ("/mnt/twice/x", "nfs4"),
        ("/mnt/odd", "ext4"),
    ],
)
def test_the_deepest_and_last_mount_tells_the_file_system(path: str, expected: str) -> None:
    assert file_system_type(path, MOUNTINFO) == expected


def test_no_mount_tells_nothing() -> None:
    assert file_system_type("/data", "") is None


@pytest.mark.parametrize(
    "kind", ["tmpfs", "ramfs", "overlay", "nfs", "nfs4", "cifs", "smb3", "9p", "fuse", "fuse.sshfs", "fuse.s3fs"]
)
def test_file_systems_that_may_lose_a_commit_are_refused(kind: str) -> None:
    assert refusal(kind) is not None


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "apfs", "fuseblk"])
def test_local_file_systems_are_accepted(kind: str) -> None:
    assert refusal(kind) is None


def mounted_as(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(f"1 0 0:1 / / rw - {kind} none rw\n")
    monkeypatch.setattr(durability, "_MOUNTINFO", mountinfo)


def test_a_folder_in_memory_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted_as("tmpfs", tmp_path, monkeypatch)

    with pytest.raises(SettingsError, match="tmpfs"):
        check_data_dir(tmp_path / "not-yet" / "there", unsafe_ephemeral=False)


def test_whoever_says_so_gets_an_ephemeral_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted_as("tmpfs", tmp_path, monkeypatch)

    check_data_dir(tmp_path, unsafe_ephemeral=True)


def test_a_local_disk_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted_as("ext4", tmp_path, monkeypatch)

    check_data_dir(tmp_path, unsafe_ephemeral=False)


def test_a_symbolic_link_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mountinfo = tmp_path / "mountinfo"
    target = tmp_path / "target"
    mountinfo.write_text(f"1 0 0:1 / / rw - ext4 none rw\n2 1 0:2 / {target} rw - tmpfs none rw\n")
    monkeypatch.setattr(durability, "_MOUNTINFO", mountinfo)
    target.mkdir()
    (tmp_path / "link").symlink_to(target)

    with pytest.raises(SettingsError):
        check_data_dir(tmp_path / "link", unsafe_ephemeral=False)


def test_where_the_kernel_does_not_tell_every_folder_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durability, "_MOUNTINFO", tmp_path / "absent")

    check_data_dir(tmp_path, unsafe_ephemeral=False)
