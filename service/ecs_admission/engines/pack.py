"""A built pack: the artefacts of one revision, read and checked before anything is judged with it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import orjson

from ecs_admission.catalogue import Rule, read_catalogue
from ecs_admission.engines.archives import read_bytes, unpack
from ecs_admission.engines.bundles.format import DATA, MANIFEST, WASM, Release, read_release, read_revision
from ecs_admission.engines.bundles.signatures import SIGNATURES
from ecs_admission.errors import PolicyError
from ecs_admission.serials import Mark

ENTRYPOINT = "admission/main/evaluation"
OPA_ARTEFACT = "policies.tar.gz"
WASM_ARTEFACT = "policies-wasm.tar.gz"
CAPABILITIES = "capabilities.json"
_MODULE = "policy.wasm"


@dataclass(frozen=True, slots=True)
class Pack:
    """One revision of the policies: what projects, what judges and what explains.

    `data` is OPA's whole base document; `config` in it holds the tunables of projection and decision. `rego` are the
    modules that `wasm` was compiled from. `release` says where the bundle it came from stands among others, `released`
    is the revision of that bundle, and `signed` the bundle, packed, where it is signed and nothing was laid over it.
    """

    revision: str
    catalogue: Mapping[str, Rule] = field(repr=False)
    data: Mapping[str, Any] = field(repr=False)
    wasm: bytes = field(repr=False)
    rego: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    capabilities: bytes | None = field(default=None, repr=False, compare=False)
    release: Release | None = None
    released: str | None = None
    signed: bytes | None = field(default=None, repr=False)

    @property
    def mark(self) -> Mark | None:
        """The bundle it came from, None where that has no serial."""
        if self.release is None or self.released is None:
            return None
        return Mark(self.release.serial, self.released)

    @property
    def config(self) -> Mapping[str, Any]:
        """The tunables under `policies/config`."""
        config = self.data.get("config")
        if not isinstance(config, dict):
            raise PolicyError("the pack has no config")
        return config


def load_pack(folder: Path | None = None) -> Pack:
    """Read the pack in `folder`, or the one that ships with the package.

    Raises `PolicyError` when an artefact is missing or damaged, or when the two are not of one revision.
    """
    source = resources.files("ecs_admission") / "pack" if folder is None else folder
    packed = read_bytes(source / OPA_ARTEFACT)
    members = {OPA_ARTEFACT: unpack(packed)}
    if WASM in members[OPA_ARTEFACT]:
        return read_pack(members[OPA_ARTEFACT], packed)
    with contextlib.suppress(OSError):
        members[OPA_ARTEFACT][CAPABILITIES] = (source / CAPABILITIES).read_bytes()
    members[WASM_ARTEFACT] = unpack(read_bytes(source / WASM_ARTEFACT))
    wasm = members[WASM_ARTEFACT].get(_MODULE)
    if not wasm:
        raise PolicyError(f"{WASM_ARTEFACT} holds no {_MODULE}")
    data = _json(members[WASM_ARTEFACT].get(DATA), DATA)
    revision = _revision(data)
    for name, content in members.items():
        if read_revision(_json(content.get(MANIFEST), MANIFEST)) != revision or not revision:
            raise PolicyError(f"{name} is not of the revision that its data names")
    return _pack(members[OPA_ARTEFACT], data, wasm, packed)


def is_whole(files: Mapping[str, bytes]) -> bool:
    """True of a bundle that has all that a pack needs, and is no layer to be laid over one."""
    return WASM in files


def read_pack(files: Mapping[str, bytes], packed: bytes) -> Pack:
    """The pack in the files of a bundle that travels; `packed` is that bundle. Raises `PolicyError`."""
    if not files.get(WASM):
        raise PolicyError(f"the bundle holds no {WASM}: bundle build makes one that does")
    data = _json(files.get(DATA), DATA)
    if read_revision(_json(files.get(MANIFEST), MANIFEST)) != _revision(data) or not _revision(data):
        raise PolicyError("the bundle is not of the revision that its data names")
    return _pack(files, data, files[WASM], packed)


def _pack(files: Mapping[str, bytes], data: dict[str, Any], wasm: bytes, packed: bytes) -> Pack:
    revision = str(_revision(data))
    release = read_release(_json(files.get(MANIFEST), MANIFEST))
    return Pack(
        revision=revision,
        catalogue=read_catalogue(data.get("catalogue", {}).get("rules")),
        data=data,
        wasm=wasm,
        rego={name: content for name, content in files.items() if name.endswith(".rego")},
        capabilities=files.get(CAPABILITIES),
        released=None if release is None else revision,
        release=release,
        signed=packed if SIGNATURES in files else None,
    )


def _revision(data: dict[str, Any]) -> Any:
    made = data.get("revision")
    return made.get("id") if isinstance(made, dict) else None


def _json(content: bytes | None, name: str) -> dict[str, Any]:
    if content is None:
        raise PolicyError(f"the policy pack holds no {name}")
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise PolicyError(f"{name} of the policy pack is not JSON") from error
    if not isinstance(value, dict):
        raise PolicyError(f"{name} of the policy pack is not an object")
    return value
