"""Signatures of bundles in OPA's own form: one JSON Web Token that lists every file with its hash.

Verified as `opa` does and no more mildly: the token is by a key that is known, and the files are exactly those of its
list. https://www.openpolicyagent.org/docs/management-bundles/#signature-format
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from joserfc import jws
from joserfc.errors import JoseError

from ecs_admission.engines.bundles.hashes import ALGORITHM, file_hash
from ecs_admission.engines.bundles.keys import BundleKey
from ecs_admission.errors import PolicyError

SIGNATURES: Final = ".signatures.json"
_MAX_TOKEN: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Signature:
    """What a bundle says of its own signature, which proves nothing yet."""

    key_id: str | None
    algorithm: str | None
    files: int


def sign(files: Mapping[str, bytes], key: BundleKey) -> bytes:
    """The `.signatures.json` of a bundle's files. A signature that is among them is not signed again."""
    listed = [
        {"name": name, "hash": file_hash(name, content), "algorithm": ALGORITHM}
        for name, content in sorted(files.items())
        if name != SIGNATURES
    ]
    header = {"alg": key.algorithms[0], "kid": key.id, "typ": "JWT"}
    token = jws.serialize_compact(header, orjson.dumps({"files": listed}), key.key, registry=_registry(key))
    return orjson.dumps({"signatures": [token]})


def verify(files: Mapping[str, bytes], keys: Sequence[BundleKey]) -> BundleKey:
    """The key that a bundle's files are signed with. Raises `PolicyError` that says what is wrong."""
    token = _token(files)
    for key in keys:
        payload = _verified(token, key)
        if payload is not None:
            _check(files, payload)
            return key
    raise PolicyError("the bundle is signed with none of the keys that it may be signed with")


def read_signature(files: Mapping[str, bytes]) -> Signature | None:
    """What an unverified signature says, None where there is none. Raises `PolicyError` where it is not OPA's."""
    if SIGNATURES not in files:
        return None
    try:
        found = jws.extract_compact(_token(files).encode(), registry=_registry(None))
    except (JoseError, ValueError):
        found = None
    header = {} if found is None else found.headers()
    payload = None if found is None else _object(found.payload)
    if payload is None or not isinstance(payload.get("files"), list):
        raise PolicyError(f"{SIGNATURES} is not OPA's")
    key_id, algorithm = header.get("kid") or payload.get("keyid"), header.get("alg")
    return Signature(_word(key_id), _word(algorithm), len(payload["files"]))


def _token(files: Mapping[str, bytes]) -> str:
    content = files.get(SIGNATURES)
    if content is None:
        raise PolicyError("the bundle is not signed")
    document = _object(content) or {}
    tokens = document.get("signatures")
    if document.keys() != {"signatures"} or not isinstance(tokens, list) or len(tokens) != 1:
        raise PolicyError(f"{SIGNATURES} does not hold exactly one signature")
    if not isinstance(tokens[0], str) or not tokens[0].isascii():
        raise PolicyError(f"{SIGNATURES} is not OPA's")
    return tokens[0]


def _verified(token: str, key: BundleKey) -> dict[str, Any] | None:
    """What the token says, None where it is not by this key."""
    try:
        found = jws.deserialize_compact(token.encode(), key.key, registry=_registry(key))
    except (JoseError, ValueError):
        return None  # its text may quote the token
    return _object(found.payload)


def _registry(key: BundleKey | None) -> jws.JWSRegistry:
    """What joserfc accepts: the algorithms of this key alone, and the list of a bundle's files, which is long."""
    registry = jws.JWSRegistry(algorithms=list(key.algorithms) if key is not None else [])
    registry.max_payload_length = _MAX_TOKEN
    return registry


def _check(files: Mapping[str, bytes], payload: dict[str, Any]) -> None:
    if payload.get("scope"):
        raise PolicyError("the bundle is signed for another scope than that of this service")
    listed = payload.get("files")
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise PolicyError(f"{SIGNATURES} does not list files")
    wanted: dict[str, str] = {}
    for each in listed:
        name, algorithm, digest = each.get("name"), each.get("algorithm"), each.get("hash")
        if not isinstance(name, str) or not isinstance(digest, str):
            raise PolicyError(f"{SIGNATURES} does not list files")
        if algorithm != ALGORITHM:
            raise PolicyError(f"a file of the bundle is signed by another hash than {ALGORITHM}")
        name = name.removeprefix("./").removeprefix("/")
        if name in wanted:
            raise PolicyError(f"{SIGNATURES} lists a file twice")
        wanted[name] = digest.lower()
    found = {name: content for name, content in files.items() if name != SIGNATURES}
    for name, content in sorted(found.items()):
        if name not in wanted:
            raise PolicyError(f"{name}: is not among the files that are signed")
        if file_hash(name, content) != wanted[name]:
            raise PolicyError(f"{name}: is not the file that was signed")
    missing = sorted(wanted.keys() - found.keys())
    if missing:
        raise PolicyError("a file that was signed is missing from the bundle")


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _word(value: Any) -> str | None:
    """A text of the signature as it may be shown."""
    return value[:100] if isinstance(value, str) and value.isprintable() else None
