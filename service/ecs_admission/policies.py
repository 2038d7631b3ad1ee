"""The policies that the settings name: the pack that ships with what an organisation lays over it.

A layer of data alone (words, actions, exceptions) is laid over in this process. One with rules has to be compiled,
which takes an `opa` program: at the latest here, better before, with `ecs-admission bundle build`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ecs_admission.engines.archives import read_archive, read_bytes, unpack
from ecs_admission.engines.build import build_pack, find_opa
from ecs_admission.engines.bundles.format import Release
from ecs_admission.engines.folders import walk
from ecs_admission.engines.pack import CAPABILITIES, WASM_ARTEFACT, Pack, is_whole, load_pack, read_pack
from ecs_admission.engines.packages import differing
from ecs_admission.engines.remote.bundle import fetch_pack
from ecs_admission.engines.sources import MADE, Sources, lay_over, read_sources
from ecs_admission.errors import PolicyError
from ecs_admission.governance import read_governance
from ecs_admission.model import JSONObject
from ecs_admission.places import PolicyPlace, Remote
from ecs_admission.project.detectors.native import NativeDetector, read_tokens
from ecs_admission.project.fingerprints import ephemeral_key
from ecs_admission.project.kinds import check_kinds
from ecs_admission.project.projection import Projector
from ecs_admission.weakening import weakenings

_MAIN = "admission/main.rego"


@dataclass(frozen=True, slots=True)
class Policies:
    """A pack, and what it judges more mildly than the one that ships."""

    pack: Pack
    weakened: tuple[str, ...] = ()


def load_policies(places: Sequence[PolicyPlace], *, now: float, base: Pack | None = None) -> Policies:
    """The pack of `places`, checked. Raises `PolicyError` with file, line and reason where these are known.

    A place is a bundle or a folder that `bundle build` made, which is the ground for what follows, or a folder or
    bundle of sources to be laid over the ground. Without one that was built the ground is the pack that ships. A place
    that is a URL can only be the first; `base` is what a service got there and verified, and without it is got now.
    """
    shipped = load_pack()
    if not places:
        return Policies(shipped)
    ground, layered = _ground(places, base)
    layers = [read_sources(place) for place in layered]
    own = ground or shipped
    capabilities = own.capabilities if any(layer.capabilities for layer in layers) else None
    sources = lay_over([_data_of(own, capabilities), *layers])
    if any(layer.rego for layer in layers):
        compiled = _compiled([_sources_of(own), *layers])
        pack = compiled if own.release is None else replace(compiled, release=own.release, released=own.released)
    elif layers:
        pack = _overlaid(own, layers, sources.data)
    else:
        pack = own
    _check(pack, sources, now)
    return Policies(pack, _weakened(shipped, pack, now))


def build_policies(
    places: Sequence[Path], output: Path, *, opa: str | None, now: float, release: Release | None = None
) -> Policies:
    """Compile the sources of `places` into the folder `output`, as a bundle that travels where `release` says which.

    They are laid over the pack that ships, unless the first has everything that a pack needs. Raises `PolicyError`.
    """
    layers = [read_sources(place) for place in places]
    if _MAIN not in layers[0].rego:
        layers = [_sources_of(load_pack()), *layers]
    sources = lay_over(layers)
    check = partial(_check, sources=sources, now=now)
    pack = build_pack(sources, output, opa=opa or find_opa(), check=check, release=release)
    return Policies(pack, _weakened(load_pack(), pack, now))


def signature(places: Sequence[PolicyPlace]) -> tuple[tuple[str | int, ...], ...]:
    """Changes when a file of `places` does, even to one as old and as long. What cannot be read counts as absent."""
    found: list[tuple[str | int, ...]] = []
    for place in (place for place in places if isinstance(place, Path)):
        with contextlib.suppress(PolicyError):
            for file in walk(place) if place.is_dir() else [place]:
                with contextlib.suppress(OSError):
                    state = os.stat(file)
                    found.append((str(file), state.st_ino, state.st_mtime_ns, state.st_ctime_ns, state.st_size))
    return tuple(found)


def _ground(places: Sequence[PolicyPlace], base: Pack | None) -> tuple[Pack | None, list[Path]]:
    """The pack that was built, None for the one that ships, and the places that are laid over it."""
    local = [place for place in places if isinstance(place, Path)]
    if len(local) < len(places):
        if not isinstance(places[0], Remote) or len(local) < len(places) - 1:
            raise PolicyError("of several places only the first can be a URL")
        base = base or fetch_pack(places[0])
    built = [place for place in local if _is_built(place)]
    if built and (base is not None or len(built) > 1 or built[0] != local[0]):
        raise PolicyError(f"{built[-1]}: of several places only the first can be a pack that was built")
    return (_load(built[0]) if built else base), local[len(built) :]


def _is_built(place: Path) -> bool:
    """True of a folder or a bundle that `bundle build` made."""
    if place.is_dir():
        return (place / WASM_ARTEFACT).is_file()
    return is_whole(read_archive(place))


def _load(built: Path) -> Pack:
    if built.is_dir():
        return load_pack(built)
    packed = read_bytes(built)
    return read_pack(unpack(packed), packed)


def _sources_of(pack: Pack) -> Sources:
    """The sources that a pack was built from."""
    if pack.capabilities is None:
        raise PolicyError(f"there is no {CAPABILITIES} beside the pack to say what policies may call")
    return replace(_data_of(pack, pack.capabilities), rego=pack.rego)


def _data_of(pack: Pack, capabilities: bytes | None = None) -> Sources:
    """The data of a pack, as layers are laid over it."""
    return Sources({}, {key: value for key, value in pack.data.items() if key not in MADE}, {}, capabilities)


def _overlaid(ground: Pack, layers: Sequence[Sources], data: JSONObject) -> Pack:
    """The pack with `data`, what layers made of its own. Its revision follows from both."""
    hashed = hashlib.sha256("\n".join([ground.revision, *(layer.digest for layer in layers)]).encode())
    revision = f"sha256:{hashed.hexdigest()}"
    made = {"catalogue": ground.data["catalogue"], "revision": {"id": revision}}
    return replace(ground, revision=revision, data=data | made, signed=None)


def _compiled(layers: Sequence[Sources]) -> Pack:
    with tempfile.TemporaryDirectory(prefix="ecs-admission-policies-") as folder:
        return build_pack(lay_over(layers), Path(folder), opa=find_opa())


def _check(pack: Pack, sources: Sources, now: float) -> None:
    """Read the data as the pipeline will, so that a mistake is told with its file and line."""
    try:
        read_governance(pack.data, pack.catalogue, now=now)
        check_kinds(pack.config)
        Projector(pack.config, (NativeDetector(read_tokens(pack.config)),), ephemeral_key())
    except PolicyError as error:
        problem = sources.locate(error)
    else:
        return
    raise problem


def _weakened(shipped: Pack, pack: Pack, now: float) -> tuple[str, ...]:
    if pack.revision == shipped.revision:
        return ()
    before: Mapping[str, Any] = shipped.data
    found = weakenings(
        read_governance({**before, "exceptions": {"items": []}}, shipped.catalogue, now=now),
        before,
        read_governance(pack.data, pack.catalogue, now=now),
        pack.data,
    )
    return tuple(sorted({*found, *differing(shipped.rego, pack.rego)}))
