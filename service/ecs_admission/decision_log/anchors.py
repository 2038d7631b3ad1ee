"""Where digests are kept a second time, out of reach of whoever can change the database.

An anchor takes each digest once and never gives it up. It names it by number and hash, so that a list of names alone
tells whether the database still has the digests that it had; and it is only ever added to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ecs_admission.decision_log.digests import SignedDigest
from ecs_admission.errors import AdmissionError

NAME: Final = re.compile(r"(\d{12})-([0-9a-f]{64})\.json")
_FOLDER: Final = re.compile(r"\d{8}")
_PER_FOLDER: Final = 10_000


class AnchorError(AdmissionError):
    """An anchor cannot be reached or does not take a digest now."""


class AnchorConflictError(AdmissionError):
    """An anchor holds something else than it should: a digest that the database does not have, or another one."""


@dataclass(frozen=True, slots=True)
class Anchored:
    """A digest that an anchor holds. `versions` are how often it was written: more than once is no accident."""

    number: int
    hash: str
    versions: int = 1


class Anchor(Protocol):
    """A place for digests. Each method raises `AnchorError` when it cannot be reached."""

    name: str
    """What it is called in the settings and in the database."""

    def put(self, digest: SignedDigest) -> None:
        """Keep a digest; nothing happens when it is there already.

        Raises `AnchorConflictError` when there is another one of that number.
        """

    def listed(self, first: int) -> Iterator[Anchored]:
        """All digests from number `first` on, in order; of a number that has several, each."""

    def read(self, anchored: Anchored) -> bytes:
        """The line that was kept, see `SignedDigest.line`."""


class FolderAnchor:
    """Files in a folder, best on another machine or on a file system that keeps what it is given.

    Ten thousand digests share a folder. Each file is made new, never opened for writing again, and on the disk before
    `put` returns.
    """

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._folder = folder

    def put(self, digest: SignedDigest) -> None:
        """See `Anchor`."""
        folder = self._folder / folder_name(digest.number)
        path = folder / file_name(digest.number, digest.hash)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            others = [found for found in folder.glob(f"{digest.number:012d}-*.json") if found != path]
            if others:
                raise AnchorConflictError(f"{self.name} holds another digest {digest.number}")
            self._create(path, digest.line + b"\n")
        except OSError as error:
            raise AnchorError(f"{self.name} cannot be written: {error.strerror}") from None

    def listed(self, first: int) -> Iterator[Anchored]:
        """See `Anchor`."""
        try:
            folders = sorted(entry.name for entry in os.scandir(self._folder) if _FOLDER.fullmatch(entry.name))
        except FileNotFoundError:
            return
        except OSError as error:
            raise AnchorError(f"{self.name} cannot be read: {error.strerror}") from None
        for folder in folders:
            if folder < folder_name(first):
                continue
            try:
                files = sorted(os.listdir(self._folder / folder))
            except OSError as error:
                raise AnchorError(f"{self.name} cannot be read: {error.strerror}") from None
            for match in filter(None, map(NAME.fullmatch, files)):
                if int(match[1]) >= first:
                    yield Anchored(int(match[1]), match[2])

    def read(self, anchored: Anchored) -> bytes:
        """See `Anchor`."""
        try:
            return (
                self._folder / folder_name(anchored.number) / file_name(anchored.number, anchored.hash)
            ).read_bytes()
        except OSError as error:
            raise AnchorError(f"{self.name} cannot be read: {error.strerror}") from None

    def _create(self, path: Path, content: bytes) -> None:
        """Write a file that is not there. What a crash has left half written is written again, and nothing else is."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        except FileExistsError:
            found = path.read_bytes()
            if found == content:
                return
            if not content.startswith(found):
                raise AnchorConflictError(f"{self.name} holds something else under the name {path.name}") from None
            path.unlink()
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        for folder in (path.parent, path.parent.parent):
            _sync(folder)


def folder_name(number: int) -> str:
    """The folder of a digest: names in the order of numbers."""
    return f"{number // _PER_FOLDER:08d}"


def file_name(number: int, digest_hash: str) -> str:
    """The name of a digest: names in the order of numbers."""
    return f"{number:012d}-{digest_hash}.json"


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
