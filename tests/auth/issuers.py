"""An OIDC issuer for tests: keys made here and valid nowhere, served on this machine, and tokens as forgers make."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey

from ecs_admission.auth.oidc import ALGORITHMS

AUDIENCE = "https://admission.example.com"
ISSUER = "https://issuer.example.com"


@cache
def rsa_key(name: str) -> RSAKey:
    """A key of the issuer, or of somebody else, by its name."""
    return RSAKey.generate_key(2048, {"kid": name})


@cache
def ec_key(name: str) -> ECKey:
    """The same on a curve."""
    return ECKey.generate_key("P-256", {"kid": name})


def claims(**changes: Any) -> dict[str, Any]:
    """Claims that are good now. None leaves one out."""
    now = int(time.time())
    made: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "repo:example/web:ref:refs/heads/main",
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        "repository_id": "4711",
    }
    return {name: value for name, value in (made | changes).items() if value is not None}


def sign(content: Mapping[str, Any], key: Key, *, algorithm: str = "RS256", **header: Any) -> str:
    """A token as an issuer makes it."""
    named = {"alg": algorithm, "kid": key.kid} | header
    fields = {name: value for name, value in named.items() if value is not None}
    return jwt.encode(fields, dict(content), key, algorithms=list(ALGORITHMS))


def unsigned(content: Mapping[str, Any], **header: Any) -> str:
    """A token that says of itself that it needs no signature."""
    return f"{_part({'alg': 'none', 'typ': 'JWT'} | header)}.{_part(content)}."


def signed_with_the_public_key(content: Mapping[str, Any], key: RSAKey) -> str:
    """A token signed with what everybody has, as if it were a shared secret."""
    body = f"{_part({'alg': 'HS256', 'kid': key.kid})}.{_part(content)}"
    mac = hmac.digest(key.as_pem(private=False), body.encode(), hashlib.sha256)
    return f"{body}.{_encoded(mac)}"


def tampered(token: str, **changes: Any) -> str:
    """A genuine token with other claims."""
    header, content, signature = token.split(".")
    said = orjson.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
    return f"{header}.{_part(said | changes)}.{signature}"


def jwks(*keys: Key) -> bytes:
    """The document of these keys' public halves."""
    return orjson.dumps({"keys": [key.as_dict(private=False) | {"use": "sig"} for key in keys]})


@dataclass
class KeyServer:
    """Answers every GET with `body`, and counts them."""

    url: str = ""
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    count: int = 0
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serving_keys(*keys: Key) -> Iterator[KeyServer]:
    """The keys on a free port of this machine."""
    served = KeyServer(body=jwks(*keys) if keys else b"")
    served.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.count += 1
            served.requests.append((self.path, dict(self.headers)))
            served.may_answer.wait(10)
            self.send_response(served.status)
            for name, value in served.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(served.body)))
            self.end_headers()
            self.wfile.write(served.body)

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}/jwks"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            served.may_answer.set()
            server.shutdown()
            thread.join()


def _part(content: Mapping[str, Any]) -> str:
    return _encoded(orjson.dumps(content))


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
