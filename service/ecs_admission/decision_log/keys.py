"""The log's signing key, and the files that keys are kept in.

One Ed25519 key vouches for a log. It certifies each writer when that starts (`certificates`), and nothing else is
signed with it by a process that answers requests. Whoever verifies needs its public half alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from ecs_admission.errors import SettingsError
from ecs_admission.private_files import create_once, read_private, sync_folder

_PRIVATE_BEGINNING: Final = b"-----BEGIN PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Who can be recognised: `id` is the beginning of the SHA-256 of the raw key, in hex, and safe to show."""

    id: str
    _key: Ed25519PublicKey = field(repr=False)

    @property
    def raw(self) -> bytes:
        """The 32 bytes of RFC 8032."""
        return self._key.public_bytes_raw()

    @property
    def pem(self) -> str:
        """What `openssl pkey -pubin` reads."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `message`. False for what is no signature at all."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with its public half. What it signs begins with what it is, so that nothing fits elsewhere."""

    public: PublicKey
    _key: Ed25519PrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature: 64 bytes, in 25 to 40 microseconds."""
        return self._key.sign(message)


def public_key(raw: bytes) -> PublicKey:
    """The public key of these 32 bytes. Raises `ValueError` for another number of bytes."""
    return _public(Ed25519PublicKey.from_public_bytes(raw))


def make_signing_key() -> SigningKey:
    """A new key that no file holds: that of a writer, or of a log in a test."""
    return _private(Ed25519PrivateKey.generate())


def load_or_create_signing_key(path: Path) -> SigningKey:
    """The log's key in `path` (PEM, mode 0600), made on first start.

    Safe against two processes that start at once: the first to link its finished file wins, the other reads it.
    Raises `SettingsError` when the file is readable by others or holds no Ed25519 key.
    """
    try:
        if not path.exists():
            _create(path)
        content = read_private(path)
    except OSError as error:
        raise SettingsError(f"the signing key {path} cannot be read or made: {error.strerror}") from None
    return _read_private(path, content)


@contextlib.contextmanager
def replace_signing_key(key: SigningKey, path: Path) -> Iterator[None]:
    """Have `key` in `path` when the block has ended, in which the key before it announces it.

    It is on the disk beside it before the block begins, under a name with its id. So after a crash, and after a block
    that raised while nobody knows whether the announcement was made, `announced_signing_key` has it.
    """
    draft = _draft(path, key.public.id)
    with _writing(draft):
        create_once(draft, key._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        sync_folder(path.parent)
    try:
        yield
    except SettingsError:  # it was refused before anything was announced
        draft.unlink()
        raise
    announced_signing_key(path, key.public)


def announced_signing_key(path: Path, announced: PublicKey) -> SigningKey | None:
    """The key that another one announced, brought to `path` if it is still beside it; None where it is not here."""
    draft = _draft(path, announced.id)
    if draft.exists():
        with _writing(path), contextlib.suppress(FileNotFoundError):  # whoever announced it was quicker
            os.replace(draft, path)
            sync_folder(path.parent)
    key = load_or_create_signing_key(path)
    return key if key.public.id == announced.id else None


def _draft(path: Path, key_id: str) -> Path:
    return path.with_name(f"{path.name}.{key_id}.next")


def write_public_key(key: PublicKey, path: Path) -> None:
    """Keep a public key in a file of its own, whole or not at all."""
    with _writing(path):
        create_once(path, key.pem.encode("ascii"))


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from None


def read_public_key(path: Path) -> PublicKey:
    """The public key in a PEM file, or that of a private key there. Raises `SettingsError` when there is none."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"the key {path} cannot be read: {error.strerror}") from None
    if _PRIVATE_BEGINNING in content:
        return _read_private(path, content).public
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"{path} does not hold an Ed25519 key in PEM")
    return _public(key)


def _read_private(path: Path, content: bytes) -> SigningKey:
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{path} does not hold an unencrypted Ed25519 key in PEM")
    return _private(key)


def _private(key: Ed25519PrivateKey) -> SigningKey:
    return SigningKey(_public(key.public_key()), key)


def _public(key: Ed25519PublicKey) -> PublicKey:
    return PublicKey(hashlib.sha256(key.public_bytes_raw()).hexdigest()[:32], key)


def _create(path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    create_once(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
