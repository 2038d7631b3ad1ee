"""Files that hold a key: made once, complete, and readable by nobody else."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Final

from ecs_admission.errors import SettingsError

KEY_BYTES: Final = 32


def create_once(path: Path, content: bytes) -> None:
    """Make `path` with `content` and mode 0600, unless it is there: the first to link its finished file wins.

    Raises `OSError`.
    """
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)


def read_private(path: Path) -> bytes:
    """What is in a file that holds a key. Raises `OSError`, and `SettingsError` when others can read it.

    Nobody but its owner may. A file of root's that a group of this process may read, and nobody else, counts as private
    too: it was handed to this process by whoever runs it, as Kubernetes does with a Secret in a pod with an fsGroup
    (mode 0440), and this process could not change its mode.
    """
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if not _is_private(status):
            mode = stat.S_IMODE(status.st_mode)
            raise SettingsError(f"{path} is readable by others (mode {mode:04o}): chmod 600 it, or make a new key")
        return file.read()


def load_or_create_hex_keys(path: Path, *, name: str) -> list[bytes]:
    """The keys of 32 bytes in `path` (64 hex digits each, mode 0600); where there is no file, one is made.

    Safe against two processes that start at once: the first to link its finished file wins, the other reads it. `name`
    is for people, as in "fingerprint key". Raises `SettingsError` when the file is readable by others or holds no key.
    """
    try:
        if not path.exists():
            create_once(path, f"{secrets.token_hex(KEY_BYTES)}\n".encode())
        text = read_private(path)
    except OSError as error:
        raise SettingsError(f"the {name} {path} cannot be read or made: {error.strerror}") from None
    try:
        keys = [bytes.fromhex(word) for word in text.decode("ascii").split()]
    except ValueError:  # no ASCII, or no hex
        keys = []
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise SettingsError(f"{path} does not hold a {name} of {2 * KEY_BYTES} hex digits")
    return keys


def _is_private(status: os.stat_result) -> bool:
    if not status.st_mode & 0o077:
        return True
    is_handed_over = status.st_uid == 0 != os.geteuid() and status.st_gid in {os.getegid(), *os.getgroups()}
    return is_handed_over and not status.st_mode & 0o037


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, as fsync has the content of a file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
