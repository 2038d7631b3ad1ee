"""Values that look like live secrets, made when a test runs, so that no file of the repository holds one.

`{{secret:KIND}}` in a document stands for a value of a kind. A kind is the secret alone, without the URL, header or
option around it: whatever of that leaks is then found by looking for the secret's own text. `{{repeat:COUNT:TEXT}}`
stands for a text again and again.
"""

from __future__ import annotations

import base64
import json
import re
import string
import zlib
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

_PLACE = re.compile(r"\{\{secret:([a-z0-9-]+)\}\}")
_REPEAT = re.compile(r"\{\{repeat:([0-9]+):([^}]+)\}\}")
_ALPHANUMERIC = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BASE32 = string.ascii_uppercase + "234567"
_EACH_CLASS = (string.ascii_lowercase, string.ascii_uppercase, string.digits)


def make_secret(kind: str, random: Random) -> str:
    """A new value of `kind`. Raises KeyError for an unknown kind."""
    return _MAKERS[kind](random)


def fill(document: Any, random: Random) -> tuple[Any, list[str]]:
    """A copy of `document` with each `{{secret:KIND}}` replaced, in keys as well, and the secrets in it."""
    secrets: list[str] = []

    def make(match: re.Match[str]) -> str:
        secrets.append(make_secret(match.group(1), random))
        return secrets[-1]

    def copy(value: Any) -> Any:
        if isinstance(value, str):
            return _PLACE.sub(make, _REPEAT.sub(lambda match: match.group(2) * int(match.group(1)), value))
        if isinstance(value, dict):
            return {copy(key): copy(inner) for key, inner in value.items()}
        return [copy(inner) for inner in value] if isinstance(value, list) else value

    return copy(document), secrets


def traces(secret: str) -> list[str]:
    """What must not be found where `secret` must not be: each of its lines that says something, as is and in JSON."""
    lines = [line for line in secret.splitlines() if not line.startswith("-----")]
    return sorted({form for line in lines for form in (line, json.dumps(line)[1:-1])})


def _pick(random: Random, alphabet: str, length: int) -> str:
    return "".join(random.choices(alphabet, k=length))


def _mixed(random: Random, length: int, extra: str = "") -> str:
    """Letters of both cases and digits, some of each, and one of `extra`."""
    characters = [random.choice(alphabet) for alphabet in (*_EACH_CLASS, *([extra] if extra else []))]
    characters += random.choices(_ALPHANUMERIC, k=length - len(characters))
    random.shuffle(characters)
    return "".join(characters)


def _base64(random: Random, length: int, *, url: bool = False) -> str:
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    return encode(random.randbytes(length)).decode()


def _github_pat(random: Random) -> str:
    """GitHub's classic token ends in the CRC-32 of what is before it, in base 62."""
    body, checksum = _mixed(random, 30), ""
    rest = zlib.crc32(body.encode())
    for _ in range(6):
        rest, digit = divmod(rest, len(_ALPHANUMERIC))
        checksum = _ALPHANUMERIC[digit] + checksum
    return "gh" + "p_" + body + checksum


def _private_key(random: Random) -> str:
    words = "RSA PRIVATE" + " KEY"
    text = _base64(random, 600)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {words}-----", *lines, f"-----END {words}-----"])


def _jwt(random: Random) -> str:
    claims = {"sub": _mixed(random, 12), "iat": random.randrange(1_600_000_000, 1_700_000_000)}
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    encoded = [base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, _base64(random, 32, url=True).rstrip("=")])


_MAKERS: Mapping[str, Callable[[Random], str]] = {
    "password": lambda random: _mixed(random, 18, "!%+^"),
    "url-password": lambda random: _mixed(random, 16),
    "token": lambda random: _mixed(random, 40),
    "api-key": lambda random: _mixed(random, 32),
    "hex": lambda random: random.randbytes(32).hex(),
    "basic-auth": lambda random: base64.b64encode(f"deploy:{_mixed(random, 20)}".encode()).decode(),
    "aws-access-key-id": lambda random: "AK" + "IA" + _pick(random, _BASE32, 16),
    "aws-secret-access-key": lambda random: _base64(random, 30),
    "github-pat": _github_pat,
    "private-key": _private_key,
    "jwt": _jwt,
}

KINDS = tuple(_MAKERS)
