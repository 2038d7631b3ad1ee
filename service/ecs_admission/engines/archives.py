"""Tar archives as OPA writes them, read whole and within bounds before anything of them is used."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from pathlib import Path
from typing import Any

from ecs_admission.errors import PolicyError, PolicyUnavailableError

MAX_ARCHIVE_BYTES = 64 * 1024 * 1024


def read_archive(place: Any) -> dict[str, bytes]:
    """The files of a gzipped tar archive by path. `place` has `read_bytes`. Raises `PolicyError`."""
    return unpack(read_bytes(place))


def read_bytes(place: Any) -> bytes:
    """The bytes of an archive, packed. Raises `PolicyError`."""
    try:
        content: bytes = place.read_bytes()
    except OSError as error:
        name = place.name if isinstance(place, Path) else "the policy pack"
        raise PolicyUnavailableError(f"cannot read {name}: {error.strerror}; build one with bundle build") from error
    return content


def unpack(content: bytes) -> dict[str, bytes]:
    """The files of a gzipped tar archive by path. Raises `PolicyError`."""
    if len(content) > MAX_ARCHIVE_BYTES:
        raise PolicyError("the policy pack is larger than 64 MiB")
    try:
        # All of it is unpacked first: reading the archive alone would stop before the checksum at its end.
        with tarfile.open(fileobj=io.BytesIO(_unpack(content)), mode="r:") as archive:
            return _read(archive)
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise PolicyError("the policy pack is damaged") from error


def _read(archive: tarfile.TarFile) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for member in archive:
        name = member.name.removeprefix("./").removeprefix("/")
        if member.isdir():
            continue
        # A link is never followed, and a sparse file would grow to any size that it claims.
        if not member.isfile() or member.issparse():
            raise PolicyError("the policy pack holds something other than files and folders")
        if not name.isprintable() or not {"", ".", ".."}.isdisjoint(name.split("/")):
            raise PolicyError("the policy pack has a file with a name that leads out of it or cannot be shown")
        if name in files:
            raise PolicyError(f"the policy pack has {name} twice")
        files[name] = archive.extractfile(member).read()  # type: ignore[union-attr]
    return files


def _unpack(content: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        unpacked = file.read(MAX_ARCHIVE_BYTES + 1)
        if len(unpacked) > MAX_ARCHIVE_BYTES:
            raise PolicyError("the policy pack is larger than 64 MiB")
        return unpacked
