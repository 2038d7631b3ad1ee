"""Whether a service would take a bundle: by whom it is signed, and whether what is in it is fit to judge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ecs_admission.engines.archives import read_bytes, unpack
from ecs_admission.engines.bundles.files import bundle_file, read_manifest
from ecs_admission.engines.bundles.format import read_release, read_revision
from ecs_admission.engines.bundles.keys import BundleKey
from ecs_admission.engines.bundles.signatures import read_signature, verify
from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.engines.pack import is_whole, read_pack
from ecs_admission.model import JSONObject
from ecs_admission.policies import Policies, load_policies
from ecs_admission.project.detectors.kingfisher import KingfisherDetector
from ecs_admission.project.fingerprints import ephemeral_key
from ecs_admission.revision import prepare
from ecs_admission.tripwires import check_revision

_DEADLINE_SECONDS: Final = 10.0


def signing_key(place: Path, keys: Sequence[BundleKey]) -> BundleKey:
    """The key that the bundle at a place is signed with. Raises `PolicyError` where that is none of `keys`."""
    return verify(unpack(read_bytes(bundle_file(place))), keys)


def try_bundle(place: Path, *, now: float) -> Policies:
    """Read a bundle and try it, as before an activation. Raises `PolicyError` that says why it is not fit to judge."""
    policies = load_policies([bundle_file(place)], now=now)
    engine = EmbeddedEngine(policies.pack, threads=1, deadline_seconds=_DEADLINE_SECONDS)
    try:
        check_revision(
            prepare(policies.pack, engine=engine, detectors=(KingfisherDetector(),), key=ephemeral_key(), now=now)
        )
    finally:
        engine.close()
    return policies


def describe(place: Path) -> JSONObject:
    """What the bundle at a place says of itself, for `bundle inspect`. Raises `PolicyError`."""
    packed = read_bytes(bundle_file(place))
    files = unpack(packed)
    manifest, signature = read_manifest(files), read_signature(files)
    release = read_release(manifest)
    rules: list[JSONObject] = []
    if is_whole(files):
        catalogue = read_pack(files, packed).catalogue
        rules = [{"id": rule.id, "severity": rule.severity, "title": rule.title} for rule in catalogue.values()]
    return {
        "revision": read_revision(manifest),
        "serial": release.serial if release else None,
        "commit": release.commit if release else None,
        "whole": is_whole(files),
        "signature": None
        if signature is None
        else {"keyId": signature.key_id, "algorithm": signature.algorithm, "files": signature.files},
        "rules": rules,
        "files": {name: len(content) for name, content in sorted(files.items())},
    }
