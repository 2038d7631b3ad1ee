"""The folder in which the processes of a service count together: in memory, private, and new with each start.

Its name is in an environment variable, which children inherit. Standard library only: the master makes it before
anything counts, and forks.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Of prometheus-client, which looks at it when it is imported."""

_PREFIX: Final = "ecs-admission-metrics-"
_LOCK: Final = "in-use"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - counters must not wait for a disk
_LEAST_FREE_BYTES: Final = 16 * 1024 * 1024
"""A write into a mapped file of a full tmpfs ends the process, so a small or full one is not used."""


@dataclass(frozen=True, slots=True)
class MetricsFolder:
    """A folder, and the lock that says that it is in use. The lock goes with the last process that inherited it."""

    path: Path
    lock: int
    owner: int

    def close(self) -> None:
        """Remove the folder, once. Does nothing in a process that was forked from the one that made it."""
        if os.getpid() == self.owner and self.path.exists():
            os.environ.pop(VARIABLE, None)
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self.lock)


def make_folder() -> MetricsFolder:
    """Make the folder, name it to the processes to come, and remove those of services that are gone."""
    parent = _parent()
    for old in parent.glob(f"{_PREFIX}*"):
        _remove_unused(old)
    path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))  # mode 0700, and nobody's before
    lock = os.open(path / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_SH)
    os.environ[VARIABLE] = str(path)
    return MetricsFolder(path, lock, os.getpid())


def shared_folder() -> Path | None:
    """The folder in which this process counts with others; None where it counts for itself."""
    name = os.environ.get(VARIABLE)
    return Path(name) if name else None


def policies_file(folder: Path, process: int) -> Path:
    """Where a process says what it judges by."""
    return folder / f"policies_{process}.json"


def process_of(path: Path) -> int | None:
    """The process that writes a file of the folder; None where it is none's."""
    number = path.stem.rpartition("_")[2]
    return int(number) if number.isdecimal() and path.suffix in (".db", ".json") else None


def ended_files(folder: Path) -> Iterator[Path]:
    """The files of processes that are gone."""
    for path in sorted(folder.iterdir()):
        process = process_of(path)
        if process and not _is_alive(process):
            yield path


def _parent() -> Path:
    try:
        free = os.statvfs(_MEMORY)
        is_fit = os.access(_MEMORY, os.W_OK) and free.f_bavail * free.f_frsize >= _LEAST_FREE_BYTES
    except OSError:
        is_fit = False
    return _MEMORY if is_fit else Path(tempfile.gettempdir())


def _remove_unused(path: Path) -> None:
    """Remove a folder that is ours and that no process holds any more, as one is left by a service that was killed."""
    try:
        if path.is_symlink() or path.stat().st_uid != os.getuid():
            return
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(lock)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's by now
        return False
    return True
