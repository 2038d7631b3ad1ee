"""Refusing a data folder where a committed decision could still be lost."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Final

from ecs_admission.errors import SettingsError

_MOUNTINFO: Final = Path("/proc/self/mountinfo")

_REASONS: Final = {
    "tmpfs": "lives in memory",
    "ramfs": "lives in memory",
    "overlay": "is gone with the container",
    "nfs": "lies on a network file system, whose locks and fsync SQLite cannot rely on",
    "nfs4": "lies on a network file system, whose locks and fsync SQLite cannot rely on",
    "cifs": "lies on a network file system, whose locks and fsync SQLite cannot rely on",
    "smb3": "lies on a network file system, whose locks and fsync SQLite cannot rely on",
    "9p": "lies on a file system of another machine, whose locks and fsync SQLite cannot rely on",
    "fuse": "lies on a file system of another program, whose fsync may mean nothing",
}

_OCTAL: Final = re.compile(r"\\([0-7]{3})")


def check_data_dir(path: Path, *, unsafe_ephemeral: bool) -> None:
    """Raise `SettingsError` where an fsync means nothing or the folder dies with the node.

    `path` need not exist yet: its nearest existing parent decides. `unsafe_ephemeral` accepts any folder, for tests
    and demonstrations. Where the kernel does not tell (no /proc, as on macOS) every folder is accepted.
    """
    if unsafe_ephemeral:
        return
    try:
        mountinfo = _MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
    kind = file_system_type(os.path.realpath(path), mountinfo)
    reason = None if kind is None else refusal(kind)
    if reason is not None:
        raise SettingsError(f"the data folder {reason} ({kind}); use a folder on a local disk or a volume")


def refusal(file_system: str) -> str | None:
    """Why a file system type (`ext4`, `fuse.sshfs`) cannot keep the log; None when it can."""
    return _REASONS.get("fuse" if file_system.startswith("fuse.") else file_system)


def file_system_type(path: str, mountinfo: str) -> str | None:
    """The type of the file system that an absolute, resolved `path` is on; None when no mount holds it.

    `mountinfo` has the format of /proc/self/mountinfo, proc_pid_mountinfo(5): the mount point is the fifth field,
    with blanks and backslashes in octal, the type the first field after a lone `-`. The deepest mount point counts,
    and of several at one place the last, which hides the others.
    """
    best: tuple[int, str] | None = None
    target = PurePosixPath(path)
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5 or not after:
            continue
        mount_point = PurePosixPath(_OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4]))
        depth = len(mount_point.parts)
        if target.is_relative_to(mount_point) and (best is None or depth >= best[0]):
            best = depth, after.split(" ")[0]
    return None if best is None else best[1]
