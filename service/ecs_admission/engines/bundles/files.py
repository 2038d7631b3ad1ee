"""Bundles on a disk: found, described, and signed where they lie."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Final

import orjson

from ecs_admission.engines.archives import read_bytes, unpack
from ecs_admission.engines.bundles.format import MANIFEST, write_archive
from ecs_admission.engines.bundles.keys import BundleKey
from ecs_admission.engines.bundles.signatures import SIGNATURES, sign
from ecs_admission.errors import PolicyError, PolicyUnavailableError
from ecs_admission.model import JSONObject

NAMES: Final = ("policies.tar.gz", "policies-wasm.tar.gz")
"""What `bundle build` writes into a folder: the bundle, and beside it what Wasm runtimes load."""


def bundle_file(place: Path) -> Path:
    """The bundle at a place: a file, or the folder that it was built into."""
    return place / NAMES[0] if place.is_dir() else place


def sign_bundle(place: Path, key: BundleKey) -> tuple[Path, ...]:
    """Sign the bundles at a place, in place of whatever signature they have. Raises `PolicyError`."""
    files = [place / name for name in NAMES if (place / name).is_file()] if place.is_dir() else [place]
    if not files:
        raise PolicyError(f"{place}: holds no {NAMES[0]}; bundle build makes one")
    signed = []
    for file in files:
        content = unpack(read_bytes(file))
        read_manifest(content)
        signed.append((file, write_archive(content | {SIGNATURES: sign(content, key)})))
    for file, packed in signed:
        replace_file(file, packed)
    return tuple(files)


def read_manifest(files: dict[str, bytes]) -> JSONObject:
    """The manifest of a bundle. Raises `PolicyError`: without one it is no bundle."""
    try:
        document = orjson.loads(files[MANIFEST])
    except (KeyError, orjson.JSONDecodeError):
        document = None
    if not isinstance(document, dict):
        raise PolicyError(f"there is no {MANIFEST} in it: this is not a bundle")
    return document


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that whoever reads it sees the old or the new one, whole. Raises `PolicyError`."""
    draft = None
    try:
        descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        os.chmod(draft, mode)
        os.replace(draft, path)
    except OSError as error:
        if draft is not None:
            with contextlib.suppress(OSError):
                os.unlink(draft)
        raise PolicyUnavailableError(f"{path}: cannot be written: {error.strerror}") from None
