"""Tar archives as OPA writes them, read whole and within bounds before anything of them is used."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from pathlib import Path
from typing import Any

from ecs_admission.errors import PolicyError

MAX_ARCHIVE_BYTES = 64 * 1024 * 1024


def read_archive(place: Any) -> dict[str, bytes]:
    """The files of a gzipped tar archive by path. `place` has `read_bytes`. Raises `PolicyError`."""
    try:
        content = place.read_bytes()
    except OSError as error:
        name = place.name if isinstance(place, Path) else "the policy pack"
        raise PolicyError(f"cannot read {name}: {error.strerror}; build one with bundle build") from error
    if len(content) > MAX_ARCHIVE_BYTES:
        raise PolicyError("the policy pack is larger than 64 MiB")
    try:
        # All of it is unpacked first: reading the archive alone would stop before the checksum at its end.
        with tarfile.open(fileobj=io.BytesIO(_unpack(content)), mode="r:") as archive:
            return {
                member.name.removeprefix("./").removeprefix("/"): archive.extractfile(member).read()  # type: ignore[union-attr]
                for member in archive
                if member.isfile()
            }
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise PolicyError("the policy pack is damaged") from error


def _unpack(content: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        unpacked = file.read(MAX_ARCHIVE_BYTES + 1)
        if len(unpacked) > MAX_ARCHIVE_BYTES:
            raise PolicyError("the policy pack is larger than 64 MiB")
        return unpacked
