"""Bundles that travel, made of the pack that ships without an OPA: other data, another serial, another key."""

from __future__ import annotations

import copy
import hashlib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import orjson

from ecs_admission.engines.bundles.format import DATA, MANIFEST, WASM, Release, manifest, write_archive
from ecs_admission.engines.bundles.keys import BundleKey, make_key, read_private_key
from ecs_admission.engines.bundles.signatures import SIGNATURES, sign
from ecs_admission.engines.pack import load_pack

_made: dict[tuple[object, ...], bytes] = {}


@cache
def signing_key() -> BundleKey:
    """A key of this run alone."""
    return new_key(Path(_folder()) / "signing.pem")


def new_key(path: Path) -> BundleKey:
    """A key in a file, with its public half beside it."""
    make_key(path)
    return read_private_key(path)


def public_key_file() -> Path:
    """The public half of `signing_key`."""
    signing_key()
    return Path(_folder()) / "signing.pem.pub"


def released_files(serial: int = 1, *, commit: str | None = None, **config: Any) -> dict[str, bytes]:
    """The files of a bundle that travels: the pack that ships, with parts of `config` replaced."""
    pack = load_pack()
    data = copy.deepcopy(dict(pack.data))
    data["config"] |= config
    del data["revision"]
    data["revision"] = {"id": f"sha256:{hashlib.sha256(orjson.dumps(data)).hexdigest()}"}
    capabilities = (resources.files("ecs_admission") / "pack" / "capabilities.json").read_bytes()
    return {
        **pack.rego,
        DATA: orjson.dumps(data),
        MANIFEST: manifest(data["revision"]["id"], Release(serial, commit)),
        WASM: pack.wasm,
        "capabilities.json": capabilities,
    }


def released(serial: int = 1, *, key: BundleKey | None = None, is_signed: bool = True, **config: Any) -> bytes:
    """The same as a bundle, signed by `key` or else by `signing_key`."""
    made = (serial, key and key.id, is_signed, orjson.dumps(config))
    if made not in _made:
        files = released_files(serial, **config)
        _made[made] = write_archive(files | ({SIGNATURES: sign(files, key or signing_key())} if is_signed else {}))
    return _made[made]


def revision_of(serial: int = 1, **config: Any) -> str:
    """The revision of `released` with the same arguments."""
    revision: str = orjson.loads(released_files(serial, **config)[DATA])["revision"]["id"]
    return revision


@cache
def _folder() -> str:
    import atexit
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix="ecs-admission-test-keys-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
