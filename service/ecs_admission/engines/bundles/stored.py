"""What a service keeps of bundles in its data folder: the last good ones, and the highest serial that was active.

Both are also elsewhere, bundles at their source and the serial in the decision log. Here they outlive the other's loss.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Final

import orjson

from ecs_admission.engines.archives import read_bytes
from ecs_admission.engines.bundles.files import replace_file
from ecs_admission.errors import PolicyError, PolicyUnavailableError
from ecs_admission.serials import Mark, later

KEPT: Final = 10
_NAME: Final = re.compile(r"([0-9]{16})-([0-9a-f]{64})\.tar\.gz")


class Store:
    """The bundles and the serial in one folder. Several processes may share it: each file is replaced whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def bundles(self) -> tuple[tuple[Mark, Path], ...]:
        """The bundles that are kept, the highest serial first, by the names of their files: nothing is verified."""
        found = []
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                if match := _NAME.fullmatch(path.name):
                    found.append((Mark(int(match[1]), f"sha256:{match[2]}"), path))
        return tuple(sorted(found, key=lambda each: (-each[0].serial, each[1].name)))

    def read(self, mark: Mark) -> bytes | None:
        """The bundle of a mark, packed and unverified, None where it is not kept. Raises `PolicyUnavailableError`."""
        path = self._path(mark)
        return read_bytes(path) if path.is_file() else None

    def save(self, mark: Mark, content: bytes) -> None:
        """Keep a bundle, and of older ones as many as are kept. Raises `PolicyUnavailableError`."""
        path = self._path(mark)
        if not path.is_file():
            self._write(path, content)
        for _, old in self.bundles()[KEPT:]:
            with contextlib.suppress(OSError):
                old.unlink()

    def highest(self) -> Mark | None:
        """The highest mark that was active as far as this folder knows. Raises `PolicyError` where it is damaged."""
        path = self._folder / "highest.json"
        try:
            document = orjson.loads(path.read_bytes())
            serial, revision = document["serial"], document["bundle"]
        except FileNotFoundError:
            return None
        except OSError as error:
            raise PolicyUnavailableError(f"{path}: cannot be read: {error.strerror}") from None
        except (orjson.JSONDecodeError, KeyError, TypeError):
            serial = revision = None
        if type(serial) is not int or not isinstance(revision, str):
            raise PolicyError(f"{path}: is damaged; without it the decision log alone says which serial was active")
        return Mark(serial, revision)

    def raise_to(self, mark: Mark) -> None:
        """Keep that a mark was active, unless a higher one was. Raises `PolicyUnavailableError`."""
        if later(self.highest(), mark) == mark:
            document = {"serial": mark.serial, "bundle": mark.revision}
            self._write(self._folder / "highest.json", orjson.dumps(document) + b"\n")

    def _path(self, mark: Mark) -> Path:
        return self._folder / f"{mark.serial:016}-{mark.revision.removeprefix('sha256:')}.tar.gz"

    def _write(self, path: Path, content: bytes) -> None:
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise PolicyUnavailableError(f"{self._folder}: cannot be made: {error.strerror}") from None
        replace_file(path, content)
