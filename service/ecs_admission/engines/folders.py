"""The files of a folder of policies, read so that nothing in it can be left out unseen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ecs_admission.errors import PolicyError, PolicyUnavailableError


def walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder, in the same order each time. Raises `PolicyError` where one cannot be looked into.

    Links are followed: Kubernetes mounts a ConfigMap as links into a hidden folder. What is hidden itself is left out,
    such as that folder and `.git`. A folder that is linked to twice is an error, since links may lead in a circle.
    """
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            raise PolicyError(f"{place}: is a link to a folder that is read already")
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(files) if not name.startswith("."))


def read_file(path: Path) -> bytes:
    """The content of a regular file. Raises `PolicyError` for anything else."""
    try:
        if path.exists() and not path.is_file():
            raise PolicyError(f"{path}: is no regular file")
        return path.read_bytes()
    except OSError as error:
        raise PolicyUnavailableError(f"{path}: cannot be read: {error.strerror}") from None


def _refuse(error: OSError) -> None:
    raise PolicyUnavailableError(f"{error.filename}: cannot be read: {error.strerror}") from None
