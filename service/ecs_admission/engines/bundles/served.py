"""The bundle of a revision as this service gives it to OPA servers: with all that was laid over it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import orjson

from ecs_admission.engines.bundles.format import DATA, MANIFEST, manifest, write_archive
from ecs_admission.engines.pack import Pack
from ecs_admission.engines.packages import package


@dataclass(frozen=True, slots=True)
class ServedBundle:
    """A bundle, packed, and what tells it from others."""

    content: bytes = field(repr=False)
    etag: str


def serve_merged(pack: Pack) -> ServedBundle:
    """What an OPA server has to judge by, so that it agrees with this service. Nobody signed it: it was made here."""
    described = manifest(pack.revision, pack.release, roots=_roots(pack))
    content = write_archive({**pack.rego, DATA: orjson.dumps(pack.data), MANIFEST: described})
    return _served(content)


def _roots(pack: Pack) -> list[str]:
    """What the bundle owns: what it has, and not all there is.

    An OPA server drops what it had where a bundle owns it. One that is guarded by rules of its own, `system.authz`,
    keeps them this way, and refuses a bundle that would replace them.
    """
    packages = [package(content) for content in pack.rego.values()]
    return sorted({"" if path is None else path[0] for path in packages} | set(pack.data))


def serve_signed(pack: Pack) -> ServedBundle | None:
    """The bundle as it was signed, None where it was not or something was laid over it."""
    return None if pack.signed is None else _served(pack.signed)


def _served(content: bytes) -> ServedBundle:
    return ServedBundle(content, hashlib.sha256(content).hexdigest())
