"""Keyed fingerprints: they tell that two literals are the same, to nobody without the key.

A plain hash would not do: the rest of a task definition is known, so a weak password could be guessed from it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ecs_admission.private_files import KEY_BYTES, load_or_create_hex_keys

_FINGERPRINT_BYTES = 16


@dataclass(frozen=True, slots=True)
class FingerprintKey:
    """An HMAC-SHA256 key and its id, which is safe to show."""

    id: str
    secret: bytes = field(repr=False)

    def fingerprint(self, value: str) -> str:
        """`<key id>:<32 hex digits>`: HMAC-SHA256 of the UTF-8 text, cut to 128 bits."""
        digest = hmac.digest(self.secret, value.encode("utf-8", "surrogatepass"), "sha256")
        return f"{self.id}:{digest[:_FINGERPRINT_BYTES].hex()}"

    def marker(self) -> Callable[[str], bytes]:
        """A function that gives 16 bytes for a text, for who has thousands of them: a fifth of an HMAC's time.

        BLAKE2b (RFC 7693) keyed with the same secret, personalised so that the two kinds have nothing in common.
        """
        keyed = hashlib.blake2b(key=self.secret, digest_size=_FINGERPRINT_BYTES, person=b"inventory")

        def mark(value: str) -> bytes:
            state = keyed.copy()
            state.update(value.encode("utf-8", "surrogatepass"))
            return state.digest()

        return mark


def make_key(secret: bytes) -> FingerprintKey:
    """A key with an id derived from it, so that the same key has the same id on every node."""
    return FingerprintKey("k" + hashlib.sha256(b"ecs-admission fingerprint key id\0" + secret).hexdigest()[:8], secret)


def ephemeral_key() -> FingerprintKey:
    """A key that dies with the process: for `check`, which records nothing."""
    return make_key(secrets.token_bytes(KEY_BYTES))


def load_or_create_key(path: Path) -> FingerprintKey:
    """The key in `path` that is in use, see `load_or_create_keys`."""
    return load_or_create_keys(path)[0]


def load_or_create_keys(path: Path) -> tuple[FingerprintKey, ...]:
    """The keys in `path` (64 hex digits on a line, mode 0600), the first made on first start.

    The first is the one in use. Those below were, and are kept to look up what was recorded then.
    Raises `SettingsError` when the file is readable by others or holds no key.
    """
    return tuple(make_key(secret) for secret in dict.fromkeys(load_or_create_hex_keys(path, name="fingerprint key")))
