"""The form of a bundle: a gzipped tar archive with `.manifest`, as OPA reads it, and what the manifest says of it.

A bundle that travels has a serial, so that an older one can be told from a newer one, and holds beside what OPA reads
the same policies as WebAssembly and the list of built-ins they may call: one file, one signature, one revision.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ecs_admission.errors import PolicyError
from ecs_admission.model import JSONObject

MANIFEST: Final = ".manifest"
DATA: Final = "data.json"
WASM: Final = "policies.wasm"
"""The WebAssembly in a bundle that travels. Under its usual name, `policy.wasm`, an OPA without a Wasm runtime refuses
the bundle; a file of another name it leaves alone."""

MAX_SERIAL: Final = 2**53 - 1
COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
_REGO_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Release:
    """What a bundle says of where it stands among others: a later one has a larger serial."""

    serial: int
    commit: str | None = None


def manifest(revision: str, release: Release | None, *, wasm: Any = None, roots: Sequence[str] = ("",)) -> bytes:
    """The `.manifest` of a revision. OPA reports its `revision`, which here names the commit too.

    `roots` are the parts of OPA's data that the bundle owns: by default all.
    """
    document: JSONObject = {"revision": revision, "roots": list(roots), "rego_version": _REGO_VERSION}
    if release is not None:
        if release.commit is not None:
            document["revision"] = f"{revision}+{release.commit}"
        document["metadata"] = {"serial": release.serial}
        document["metadata"] |= {"commit": release.commit} if release.commit is not None else {}
    if wasm is not None:
        document["wasm"] = wasm
    return orjson.dumps(document)


def read_revision(document: JSONObject) -> str | None:
    """The revision that a manifest names, without the commit."""
    revision = document.get("revision")
    return revision.partition("+")[0] if isinstance(revision, str) else None


def read_release(document: JSONObject) -> Release | None:
    """What a manifest says of where the bundle stands, None where it says nothing. Raises `PolicyError`."""
    metadata = document.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise PolicyError(f"{MANIFEST}: metadata must be a mapping")
    serial, commit = metadata.get("serial"), metadata.get("commit")
    if serial is None:
        return None
    if type(serial) is not int or not 0 < serial <= MAX_SERIAL:
        raise PolicyError(f"{MANIFEST}: metadata/serial must be a number from 1 to {MAX_SERIAL}")
    if commit is not None and not (isinstance(commit, str) and COMMIT.fullmatch(commit)):
        raise PolicyError(f"{MANIFEST}: metadata/commit must be the id of a commit")
    return Release(serial, commit)


def write_archive(files: Mapping[str, bytes]) -> bytes:
    """A bundle with these files: of the same files the same bytes, wherever and whenever it is made."""
    unpacked = io.BytesIO()
    with tarfile.open(fileobj=unpacked, mode="w") as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"/{name}")
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(unpacked.getvalue(), mtime=0)
