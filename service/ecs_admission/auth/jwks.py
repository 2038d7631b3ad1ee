"""The public keys of an OIDC issuer: fetched from one pinned address, kept for a while, never asked for in a storm."""

from __future__ import annotations

import http.client
import ipaddress
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, RSAKey

from ecs_admission.errors import SettingsError

VerificationKey: TypeAlias = RSAKey | ECKey
Fetch: TypeAlias = Callable[[], bytes]
"""Gives a JWKS document; raises `OSError`, `ValueError` or `http.client.HTTPException` when there is none."""

FRESH_SECONDS: Final = 600.0
"""How long keys are used without asking again."""

STALE_SECONDS: Final = 86_400.0
"""How long they are used at most where the issuer cannot be asked: its outage should not be that of every pipeline."""

PAUSE_SECONDS: Final = 30.0
"""Between two questions, whatever key a token names: who sends tokens cannot make us ask faster."""

MAX_BYTES: Final = 256 * 1024
MAX_KEYS: Final = 64
DEADLINE_SECONDS: Final = 3.0

_CHUNK_BYTES: Final = 16 * 1024


class KeySource:
    """The keys of one issuer. Thread-safe: of many threads that need keys one fetches and the others wait for it."""

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: tuple[VerificationKey, ...] = ()
        self._fetched = -STALE_SECONDS
        self._asked = -PAUSE_SECONDS

    def find(self, key_id: str | None) -> VerificationKey | None:
        """The key of this id, or the only one there is where a token names none. None where there is none."""
        known = self._known(key_id)
        if known is not None and self._clock() - self._fetched < FRESH_SECONDS:
            return known
        # Who has a key that is only no longer fresh does not wait for the one who fetches.
        if self._lock.acquire(blocking=known is None):
            try:
                self._refresh(key_id)
            finally:
                self._lock.release()
        return self._known(key_id)

    def _known(self, key_id: str | None) -> VerificationKey | None:
        return _chosen(self._keys, key_id) if self._clock() - self._fetched < STALE_SECONDS else None

    def _refresh(self, key_id: str | None) -> None:
        now = self._clock()
        is_fresh = now - self._fetched < FRESH_SECONDS
        if now - self._asked < PAUSE_SECONDS or (is_fresh and _chosen(self._keys, key_id) is not None):
            return  # another thread has just asked
        self._asked = now
        try:
            keys = read_keys(self._fetch())
        except (OSError, ValueError, http.client.HTTPException):
            return
        self._keys, self._fetched = keys, now


def read_keys(content: bytes) -> tuple[VerificationKey, ...]:
    """The keys of a JWKS document that can verify a signature. Raises `ValueError` when it is none or has none.

    Symmetric keys are left out: a public document has no secrets, and a key that is one could be forged with.
    """
    document: Any = orjson.loads(content)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_KEYS:
        raise ValueError("not a JWKS document")
    keys = [key for item in listed if (key := _read_key(item)) is not None]
    if not keys:
        raise ValueError("no key that verifies signatures")
    return tuple(keys)


def fetch_from(url: str, *, deadline_seconds: float = DEADLINE_SECONDS) -> Fetch:
    """A function that gets a document by HTTPS (by HTTP from this machine alone), without redirects or proxies.

    Raises `SettingsError` for another kind of URL.
    """
    parts = _read_url(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def fetch() -> bytes:
        deadline = time.monotonic() + deadline_seconds
        connection = kind(str(parts.hostname), parts.port, timeout=deadline_seconds)
        try:
            connection.request("GET", target, headers={"Accept": "application/json"})
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                raise ValueError("the issuer did not give its keys")
            return _read(answer, deadline)
        finally:
            connection.close()

    return fetch


def fetch_file(path: Path) -> Fetch:
    """A function that reads a document from a file: for an issuer that the service cannot reach."""
    return path.read_bytes


def _read(answer: http.client.HTTPResponse, deadline: float) -> bytes:
    content = b""
    while chunk := answer.read1(_CHUNK_BYTES):
        content += chunk
        if len(content) > MAX_BYTES or time.monotonic() > deadline:
            raise ValueError("the issuer's keys are too large or come too slowly")
    return content


def _read_url(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_usable = bool(parts.hostname) and parts.username is None and (parts.port is None or parts.port > 0)
    except ValueError:
        raise SettingsError("jwks_uri is not a URL") from None
    if not is_usable or not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))):
        raise SettingsError("jwks_uri must be https://; http:// only on a loopback address")
    return parts


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def _read_key(item: Any) -> VerificationKey | None:
    if not isinstance(item, dict) or item.get("use", "sig") != "sig":
        return None
    public: Mapping[str, Any] = {
        name: item[name] for name in ("kty", "kid", "alg", "n", "e", "crv", "x", "y") if name in item
    }
    try:
        key = JWKRegistry.import_key(dict(public))
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key if isinstance(key, RSAKey | ECKey) else None


def _chosen(keys: tuple[VerificationKey, ...], key_id: str | None) -> VerificationKey | None:
    if key_id is None:
        return keys[0] if len(keys) == 1 else None
    return next((key for key in keys if key.kid == key_id), None)
