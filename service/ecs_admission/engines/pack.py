"""A built pack: the two artefacts of one revision, read and checked before anything is judged with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import orjson

from ecs_admission.catalogue import Rule, read_catalogue
from ecs_admission.engines.archives import read_archive
from ecs_admission.errors import PolicyError

ENTRYPOINT = "admission/main/evaluation"
OPA_ARTEFACT = "policies.tar.gz"
WASM_ARTEFACT = "policies-wasm.tar.gz"


@dataclass(frozen=True, slots=True)
class Pack:
    """One revision of the policies: what projects, what judges and what explains.

    `data` is OPA's whole base document; `config` in it holds the tunables of projection and decision.
    """

    revision: str
    catalogue: Mapping[str, Rule] = field(repr=False)
    data: Mapping[str, Any] = field(repr=False)
    wasm: bytes = field(repr=False)

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
    members = {name: read_archive(source / name) for name in (OPA_ARTEFACT, WASM_ARTEFACT)}
    data = _json(members[WASM_ARTEFACT].get("data.json"), "data.json")
    revision = data.get("revision", {}).get("id")
    for name, content in members.items():
        if _json(content.get(".manifest"), ".manifest").get("revision") != revision or not revision:
            raise PolicyError(f"{name} is not of the revision that its data names")
    wasm = members[WASM_ARTEFACT].get("policy.wasm")
    if not wasm:
        raise PolicyError(f"{WASM_ARTEFACT} holds no policy.wasm")
    return Pack(
        revision=revision,
        catalogue=read_catalogue(data.get("catalogue", {}).get("rules")),
        data=data,
        wasm=wasm,
    )


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
