"""From what was sent to who sent it. One of three kinds of proof, each sufficient, none of them guessed at."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ecs_admission.auth.attempts import Attempts
from ecs_admission.auth.bindings import Grant, Principal
from ecs_admission.auth.proxies import TrustedProxies
from ecs_admission.auth.rules import AuthRules
from ecs_admission.auth.tokens import PREFIX, TokenRecord, is_token
from ecs_admission.errors import UnauthorizedError
from ecs_admission.model import JSONObject

_BEARER: Final = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/=-]+) *")
_MAX_HEADER: Final = 20_000
_MICROSECONDS: Final = 1_000_000
_MAX_KNOWN: Final = 1024


@dataclass(frozen=True, slots=True)
class Shown:
    """What a request shows of who sends it. `peer` is the address of the connection, empty for a unix socket.

    `authorization` and `identity` are the values of those headers, `forwarded` those of X-Forwarded-For.
    """

    peer: str
    authorization: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    forwarded: tuple[str, ...] = ()


class StoredToken(Protocol):
    """A token as it is now; `revoked` is since when it is not accepted any more."""

    @property
    def record(self) -> TokenRecord:
        """What was granted."""

    @property
    def revoked(self) -> int | None:
        """In microseconds since the epoch."""


class Identity(Protocol):
    """What a token of an OIDC issuer proves."""

    @property
    def issuer(self) -> str:
        """Who says so."""

    @property
    def username(self) -> str:
        """Who it is."""

    @property
    def claims(self) -> JSONObject:
        """What is said."""


class Authenticator:
    """Thread-safe. `find_token` and `verify` do what their names say; `verify` is None where there is no issuer."""

    def __init__(
        self,
        *,
        find_token: Callable[[str], StoredToken | None],
        verify: Callable[[str], Identity] | None = None,
        rules: AuthRules | None = None,
        proxies: TrustedProxies | None = None,
        attempts: Attempts | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._find_token = find_token
        self._verify = verify
        self._rules = rules or AuthRules()
        self._clock = clock
        self._known = _Known()
        self.proxies = proxies or TrustedProxies()
        self.attempts = attempts or Attempts()

    def authenticate(self, shown: Shown) -> Principal:
        """Who sent a request. Raises `UnauthorizedError`, or `RecordUnavailableError` where tokens cannot be read."""
        address = self.proxies.client(shown.peer, shown.forwarded)
        is_limited = self.attempts.is_limited(address)
        try:
            return self._proven(shown, is_limited)
        except UnauthorizedError as error:
            self.attempts.fail(address, str(error.code))
            if is_limited:
                raise UnauthorizedError(
                    "too-many-failures", "too many requests of this address were without a valid credential", status=429
                ) from None
            raise

    def _proven(self, shown: Shown, is_limited: bool) -> Principal:
        if shown.authorization:
            token = _bearer(shown.authorization)
            if token.startswith(PREFIX):
                return self._by_token(token, is_limited)
            return self._by_issuer(token)
        if shown.identity:
            return self._by_certificate(shown)
        raise UnauthorizedError("no-credential", "the request shows no credential; send Authorization: Bearer TOKEN")

    def _by_token(self, token: str, is_limited: bool) -> Principal:
        is_candidate = is_token(token) and (not is_limited or token in self._known)
        stored = self._find_token(token) if is_candidate else None
        if stored is None:
            raise UnauthorizedError("unknown-token", "the token is not known here")
        if stored.revoked is not None:
            raise UnauthorizedError("revoked", "the token was revoked")
        if self._clock() * _MICROSECONDS >= stored.record.expires:
            raise UnauthorizedError("expired", "the token has expired")
        self._known.add(token)
        return Principal.known(stored.record.username, (stored.record.grant,))

    def _by_issuer(self, token: str) -> Principal:
        if self._verify is None:
            raise UnauthorizedError("malformed", "the credential has no form that is accepted here")
        identity = self._verify(token)
        grants = self._rules.grants(identity.issuer, identity.claims)
        if not grants:
            raise UnauthorizedError("no-binding", "the token is genuine, but no binding is for its claims")
        return Principal.known(identity.username, grants)

    def _by_certificate(self, shown: Shown) -> Principal:
        if not self.proxies.trusts(shown.peer):
            raise UnauthorizedError("untrusted-proxy", "a certificate is reported by an address that is not trusted")
        grants: tuple[Grant, ...] = ()
        certificates: Mapping[str, tuple[Grant, ...]] = self._rules.certificates
        if len(shown.identity) == 1:
            grants = certificates.get(shown.identity[0], ())
        if not grants:
            raise UnauthorizedError("no-binding", "no binding is for the certificate")
        return Principal.known(f"certificate:{shown.identity[0]}", grants)


def _bearer(values: tuple[str, ...]) -> str:
    match = _BEARER.fullmatch(values[0]) if len(values) == 1 and len(values[0]) <= _MAX_HEADER else None
    if match is None:
        raise UnauthorizedError("malformed", "Authorization must be, once: Bearer TOKEN")
    return match[1]


class _Known:
    """Tokens that were accepted here: where an address is slowed down, who always had one is not. Kept as hashes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hashes: OrderedDict[bytes, None] = OrderedDict()

    def add(self, token: str) -> None:
        with self._lock:
            self._hashes[_hash(token)] = None
            if len(self._hashes) > _MAX_KNOWN:
                self._hashes.popitem(last=False)

    def __contains__(self, token: Any) -> bool:
        return _hash(token) in self._hashes


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
