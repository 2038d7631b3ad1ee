"""Which release a build is: the commit that its sources are at, and a serial that grows with it. For authors and CI."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ecs_admission.engines.bundles.format import COMMIT, MAX_SERIAL, Release
from ecs_admission.errors import PolicyError

_TIMEOUT_SECONDS: Final = 20


def read_release_of(places: Sequence[Path], *, serial: int | None, commit: str | None, now: float) -> Release:
    """The release of what is built from `places`, where the author does not say otherwise. Raises `PolicyError`.

    The commit is that of the first place, and only where no place has a change that is not committed. The serial is
    then the time of that commit, SOURCE_DATE_EPOCH where that is set (https://reproducible-builds.org), else now.
    """
    found = _commit(places)
    if commit is not None and not COMMIT.fullmatch(commit):
        raise PolicyError("a commit is 7 to 64 hex digits")
    if serial is None:
        epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
        if epoch and not epoch.isdecimal():
            raise PolicyError("SOURCE_DATE_EPOCH must be seconds since 1970")
        serial = int(epoch) if epoch else found[1] if found else int(now)
    if not 0 < serial <= MAX_SERIAL:
        raise PolicyError(f"a serial is a number from 1 to {MAX_SERIAL}")
    return Release(serial, commit or (found[0] if found else None))


def _commit(places: Sequence[Path]) -> tuple[str, int] | None:
    """The commit of the places and its time, None where they are not all as committed."""
    folders = [place if place.is_dir() else place.parent for place in places]
    for place, folder in zip(places, folders, strict=True):
        if _git(folder, "status", "--porcelain", "--", str(place.absolute())) != "":
            return None
    shown = (_git(folders[0], "log", "-1", "--format=%H %ct", "HEAD") or "").split()
    return (shown[0], int(shown[1])) if len(shown) == 2 else None


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says, None where there is no git, no repository or no commit."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - the author's own git
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
