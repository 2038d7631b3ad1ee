"""What a client shows of itself: a token that it was given, or the one that its CI system gives to each job.

Standard library only, so that a client starts fast.
"""

from __future__ import annotations

import http.client
import os
import ssl
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson

from ecs_admission.errors import SettingsError

GIVEN: Final = ("ECS_ADMISSION_TOKEN", "ECS_ADMISSION_ID_TOKEN")
"""Variables that hold a credential. The second is what `id_tokens` of a GitLab job are called: GitLab fills it."""

_AUDIENCE: Final = "ECS_ADMISSION_AUDIENCE"
_GITHUB_URL: Final = "ACTIONS_ID_TOKEN_REQUEST_URL"
_TIMEOUT_SECONDS: Final = 10.0
_MAX_BYTES: Final = 64 * 1024

Credential = Callable[[], str | None]
"""Gives the token to send, None where there is none. Raises `SettingsError` when it should have one and cannot."""


def find_credential(server: str, environment: Mapping[str, str] = os.environ) -> Credential:
    """The first of: ECS_ADMISSION_TOKEN, the token of a GitLab job, and one that GitHub Actions makes on request.

    The audience of the last is ECS_ADMISSION_AUDIENCE, or else `server` without its path: a token that leaks from one
    service is then of no use at another.
    """
    given = next(filter(None, map(environment.get, GIVEN)), None)
    if given is not None:
        return lambda: given
    url, secret = environment.get(_GITHUB_URL), environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    if url and secret:
        audience = environment.get(_AUDIENCE) or _origin(server)
        return lambda: _from_github(url, secret, audience)
    return lambda: None


def _from_github(url: str, secret: str, audience: str) -> str:
    """A token of this job for one audience, see GitHub's "OpenID Connect reference"."""
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query), ("audience", audience)])
    host, is_plain = parts.hostname or "", parts.scheme == "http"
    if parts.scheme != "https" and not (is_plain and host == "127.0.0.1"):
        raise SettingsError(f"{_GITHUB_URL} is no https URL")
    connection = (
        http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT_SECONDS)
        if is_plain
        else http.client.HTTPSConnection(
            host, parts.port, timeout=_TIMEOUT_SECONDS, context=ssl.create_default_context()
        )
    )
    try:
        connection.request(
            "GET", f"{parts.path}?{query}", headers={"Authorization": f"Bearer {secret}", "Accept": "application/json"}
        )
        answer = connection.getresponse()
        document = orjson.loads(answer.read(_MAX_BYTES)) if answer.status == http.client.OK else None
    except (OSError, http.client.HTTPException, ValueError):
        document = None
    finally:
        connection.close()
    token = document.get("value") if isinstance(document, dict) else None
    if not isinstance(token, str) or not token:
        raise SettingsError("GitHub Actions gave no OIDC token; the job needs `permissions: id-token: write`")
    return token


def _origin(server: str) -> str:
    parts = urlsplit(server)
    return f"{parts.scheme}://{parts.netloc}"
