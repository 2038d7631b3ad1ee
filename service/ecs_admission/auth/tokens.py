"""API tokens: what they look like, and what the database keeps of them.

A token is 256 random bits, so nobody guesses one; the checksum at its end only tells a mistyped or cut one without a
look into the database. The database holds HMACs under a key (the pepper) that lies outside it: whoever reads it learns
no token, and whoever may insert into it cannot make one, nor give an existing one other roles.
"""

from __future__ import annotations

import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import orjson

from ecs_admission.auth.bindings import Grant, Scope
from ecs_admission.auth.roles import Role
from ecs_admission.errors import SettingsError
from ecs_admission.model import JSONObject
from ecs_admission.private_files import load_or_create_hex_keys

PREFIX: Final = "ecsadm_"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
MAX_DAYS: Final = 366
RECORD_VERSION: Final = 1

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_DIGITS: Final = 43  # 62^43 > 2^256
_CHECK_DIGITS: Final = 6  # 62^6 > 2^32
_TOKEN: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_SECRET_DIGITS + _CHECK_DIGITS}}}")
_KEY_BYTES: Final = 32

# What is hashed says what it is, so that the HMAC of a token never passes for that of a record.
_OF_TOKEN: Final = b"ecs-admission token v1\0"
_OF_RECORD: Final = b"ecs-admission token record v1\0"


@dataclass(frozen=True, slots=True)
class Pepper:
    """The key of the HMACs. In a file beside the data, never in the database."""

    _key: bytes = field(repr=False)

    def digest(self, token: str) -> str:
        """What the database finds a token by: 64 hex digits."""
        return hmac.digest(self._key, _OF_TOKEN + token.encode(), "sha256").hex()

    def mac(self, content: bytes) -> bytes:
        """What shows that a record was made by somebody with this key."""
        return hmac.digest(self._key, _OF_RECORD + content, "sha256")


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """What is known of a token. Times are in microseconds since the epoch, UTC; `expires` is exclusive."""

    id: str
    name: str
    digest: str = field(repr=False)
    created: int
    expires: int
    grant: Grant

    @property
    def username(self) -> str:
        """Who the log says it was."""
        return f"token:{self.name}"

    def content(self) -> bytes:
        """The bytes that are stored and covered by the pepper."""
        return orjson.dumps(
            {
                "v": RECORD_VERSION,
                "id": self.id,
                "name": self.name,
                "digest": self.digest,
                "created": self.created,
                "expires": self.expires,
                "roles": sorted(self.grant.roles),
                "covers": self.grant.scope.document(),
            },
            option=orjson.OPT_SORT_KEYS,
        )

    @classmethod
    def read(cls, content: bytes) -> Self:
        """A record from its bytes. Raises `SettingsError` for what is none."""
        try:
            document: JSONObject = orjson.loads(content)
            version = document["v"]
            grant = Grant(frozenset(Role(role) for role in document["roles"]), Scope.read(document["covers"]))
            named: dict[str, Any] = {key: document[key] for key in ("id", "name", "digest", "created", "expires")}
        except (ValueError, KeyError, TypeError, AttributeError, SettingsError):
            version = None
        if version != RECORD_VERSION:
            raise SettingsError("a record of a token is damaged")
        return cls(**named, grant=grant)


def make_token() -> str:
    """A new token. Shown once, and kept by whoever asked for it."""
    digits = _base62(int.from_bytes(secrets.token_bytes(_KEY_BYTES)), _SECRET_DIGITS)
    return f"{PREFIX}{digits}{_checksum(digits)}"


def is_token(text: str) -> bool:
    """Whether a text has the form and the checksum of a token."""
    if _TOKEN.fullmatch(text) is None:
        return False
    digits = text[len(PREFIX) : -_CHECK_DIGITS]
    return hmac.compare_digest(_checksum(digits), text[-_CHECK_DIGITS:])


def load_or_create_pepper(path: Path) -> Pepper:
    """The key in `path` (64 hex digits, mode 0600), made on first start.

    Raises `SettingsError` when the file is readable by others or does not hold one key.
    """
    keys = load_or_create_hex_keys(path, name="key of the tokens")
    if len(keys) != 1:
        raise SettingsError(f"{path} holds {len(keys)} keys: the tokens have one")
    return Pepper(keys[0])


def _checksum(digits: str) -> str:
    return _base62(zlib.crc32(digits.encode()), _CHECK_DIGITS)


def _base62(number: int, width: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[rest] + digits
    return digits.rjust(width, "0")
