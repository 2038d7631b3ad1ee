"""Keys of bundles: ECDSA or RSA, since OPA verifies nothing else that has a public half.

The algorithm follows from the key and is never taken from a signature. OPA has no Ed25519 (1.22.2, v1/keys).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from ecs_admission.errors import PolicyError
from ecs_admission.private_files import create_once

Key: TypeAlias = ECKey | RSAKey

_CURVES: Final[Mapping[str, str]] = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_LEAST_RSA_BITS: Final = 2048
_MAX_FILE_BYTES: Final = 64 * 1024
_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z ]{1,40})-----[A-Za-z0-9+/=\s]{1,16384}-----END \1-----")
_USABLE: Final = "an ECDSA key on P-256, P-384 or P-521, or an RSA key of 2048 bits or more, is what OPA can verify"


@dataclass(frozen=True, slots=True)
class BundleKey:
    """A key with the algorithms it may be used by, the first to sign. `id` is its JWK thumbprint (RFC 7638)."""

    id: str
    algorithms: tuple[str, ...]
    key: Key = field(repr=False)


def read_private_key(path: Path) -> BundleKey:
    """The key that a PEM file holds, to sign with. Raises `PolicyError`."""
    blocks = _blocks(path)
    if len(blocks) != 1:
        raise PolicyError(f"{path}: holds {len(blocks) or 'no'} keys in PEM; to sign takes one")
    key = _import(path, blocks[0])
    if not key.is_private:
        raise PolicyError(f"{path}: holds a public key; to sign takes the private one")
    return _bundle_key(path, key)


def read_public_keys(path: Path) -> tuple[BundleKey, ...]:
    """The keys of a PEM file, any of which a bundle may be signed with. Raises `PolicyError`.

    Several are for the time in which one follows another. A private key is refused: whoever verifies has no use for it.
    """
    blocks = _blocks(path)
    if not blocks:
        raise PolicyError(f"{path}: holds no key in PEM")
    keys = [_import(path, block) for block in blocks]
    if any(key.is_private for key in keys):
        raise PolicyError(f"{path}: holds a private key; to verify takes the public one, and the other stays elsewhere")
    return tuple(_bundle_key(path, key) for key in keys)


def make_key(path: Path) -> BundleKey:
    """Make a key on P-256: the private half in `path`, for its owner alone, the public one beside it in `.pub`.

    Raises `PolicyError`, also where there is one already.
    """
    key = ECKey.generate_key("P-256")
    private, public = key.as_pem(private=True), key.as_pem(private=False)
    other = public_path(path)
    for place in (path, other):
        if place.exists():
            raise PolicyError(f"{place}: is there already, and a key is not written over")
    try:
        create_once(path, private)
        if path.read_bytes() != private:
            raise PolicyError(f"{path}: is there already, and a key is not written over")
        other.write_bytes(public)
    except OSError as error:
        raise PolicyError(f"{path}: cannot be written: {error.strerror}") from None
    return _bundle_key(path, key)


def public_path(path: Path) -> Path:
    """Where the public half of a key lies that `make_key` made."""
    return path.with_name(path.name + ".pub")


def _blocks(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > _MAX_FILE_BYTES:
        raise PolicyError(f"{path}: is too long for a file of keys")
    # Parameters of a curve, which openssl writes before the key, are no key.
    return [match[0] for match in _BLOCK.finditer(content) if match[1] != b"EC PARAMETERS"]


def _import(path: Path, block: bytes) -> Key:
    for kind in (ECKey, RSAKey):
        try:
            return kind.import_key(block)
        except (JoseError, ValueError, TypeError):
            continue  # its text may quote the key
    raise PolicyError(f"{path}: {_USABLE}")


def _bundle_key(path: Path, key: Key) -> BundleKey:
    if isinstance(key, ECKey):
        algorithm = _CURVES.get(key.curve_name)
        if algorithm is None:
            raise PolicyError(f"{path}: {_USABLE}")
        return BundleKey(key.thumbprint(), (algorithm,), key)
    if key.raw_value.key_size < _LEAST_RSA_BITS:
        raise PolicyError(f"{path}: {_USABLE}")
    return BundleKey(key.thumbprint(), _RSA, key)
