"""JSON Web Tokens of OIDC issuers: a pipeline's proof of what it is, without a secret that could leak.

Every step refuses, and none trusts what the token says of itself before the signature has been checked, except to find
the issuer among those that are pinned. Algorithms are asymmetric, whatever the token or the key names.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import orjson
from joserfc import jws
from joserfc.errors import JoseError

from ecs_admission.auth.jwks import KeySource
from ecs_admission.errors import UnauthorizedError
from ecs_admission.model import JSONObject

MAX_CHARACTERS: Final = 16 * 1024
LEEWAY_SECONDS: Final = 30
"""How far clocks may be apart."""

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")

_PARTS: Final = 3
_MAX_SUBJECT: Final = 1024
_SAFE: Final = "._@+=,:/-"


@dataclass(frozen=True, slots=True)
class Issuer:
    """One whose tokens are accepted. `issuer` is compared byte for byte; `audience` is ours, and nobody else's."""

    issuer: str
    audience: str
    keys: KeySource = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a token proves. `username` is `oidc:ISSUER:SUBJECT`."""

    issuer: str
    username: str
    claims: JSONObject = field(repr=False)


class TokenVerifier:
    """Verifies tokens of the issuers given. Thread-safe."""

    def __init__(self, issuers: Iterable[Issuer], *, clock: Callable[[], float] = time.time) -> None:
        self._issuers: Mapping[str, Issuer] = {issuer.issuer: issuer for issuer in issuers}
        self._clock = clock
        self._registry = jws.JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)

    def verify(self, token: str) -> Identity:
        """What a token proves. Raises `UnauthorizedError`, whose text repeats nothing of it."""
        header, unproven = _unproven(token)
        named = unproven.get("iss")
        issuer = self._issuers.get(named) if isinstance(named, str) else None
        if issuer is None:
            raise UnauthorizedError("wrong-issuer", "the token is of an issuer that is not accepted here")
        claims = self._signed(token, header, issuer)
        self._check(claims, issuer)
        return Identity(issuer.issuer, _username(issuer.issuer, claims["sub"]), claims)

    def _signed(self, token: str, header: JSONObject, issuer: Issuer) -> JSONObject:
        if header.get("alg") not in ALGORITHMS:
            raise UnauthorizedError("wrong-algorithm", "the token is not signed in a way that is accepted here")
        key_id = header.get("kid")
        key = issuer.keys.find(key_id) if key_id is None or isinstance(key_id, str) else None
        if key is None:
            raise UnauthorizedError("unknown-key", "the token is signed with no key that its issuer has")
        try:
            signed = jws.deserialize_compact(token, key, registry=self._registry)
            claims = orjson.loads(signed.payload or b"")
        except (JoseError, ValueError, TypeError):
            claims = None
        if not isinstance(claims, dict):
            raise UnauthorizedError("bad-signature", "the token is not signed by its issuer")
        return claims

    def _check(self, claims: JSONObject, issuer: Issuer) -> None:
        now = self._clock()
        if claims.get("iss") != issuer.issuer:
            raise UnauthorizedError("wrong-issuer", "the token is of an issuer that is not accepted here")
        audience = claims.get("aud")
        if issuer.audience not in (audience if isinstance(audience, list) else [audience]):
            raise UnauthorizedError("wrong-audience", "the token was made for another audience than this service")
        expires, begins, issued = (_seconds(claims, name) for name in ("exp", "nbf", "iat"))
        if expires is None:
            raise UnauthorizedError("no-expiry", "the token never expires")
        if now >= expires + LEEWAY_SECONDS:
            raise UnauthorizedError("expired", "the token has expired")
        if any(since is not None and now < since - LEEWAY_SECONDS for since in (begins, issued)):
            raise UnauthorizedError("not-yet", "the token is not valid yet")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT:
            raise UnauthorizedError("no-subject", "the token does not say whose it is")


def _unproven(token: str) -> tuple[JSONObject, JSONObject]:
    """The header and the claims as anybody could have written them."""
    parts = token.split(".")
    if len(token) > MAX_CHARACTERS or len(parts) != _PARTS:
        raise UnauthorizedError("malformed", "the credential has no form that is accepted here")
    try:
        header, claims = (orjson.loads(_decoded(part)) for part in parts[:2])
    except (ValueError, binascii.Error):
        header = claims = None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise UnauthorizedError("malformed", "the credential has no form that is accepted here")
    return header, claims


def _decoded(part: str) -> bytes:
    return base64.b64decode(part.encode() + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)


def _seconds(claims: JSONObject, name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnauthorizedError("malformed", "the token has a time that is none")
    return float(value)


def _username(issuer: str, subject: str) -> str:
    """Whatever a subject holds, the name is of plain characters: others are percent-encoded, so that none is lost."""
    return f"oidc:{issuer}:{quote(subject, safe=_SAFE)}"
