"""A bundle at an HTTP server: bounded in time and size, with no proxy, no netrc and no other host than the one named.

The certificate authorities are the system's, or SSL_CERT_FILE's.
"""

from __future__ import annotations

from functools import partial
from typing import Final
from urllib.parse import urljoin, urlsplit

from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry

from ecs_admission.engines import opa_transport
from ecs_admission.engines.opa_transport import DeadlineAdapter
from ecs_admission.engines.remote import DEADLINE_SECONDS, MAX_BYTES, Fetched
from ecs_admission.errors import PolicyUnavailableError
from ecs_admission.places import Remote

_PORTS: Final = {"http": 80, "https": 443}
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_MOST_MOVES: Final = 3
_MAX_TAG: Final = 256
_HEAD_BYTES: Final = 64 * 1024
_FAILURES: Final = (HTTPError, OSError, ValueError)


class HttpSource:
    """See `Source`."""

    def __init__(
        self, remote: Remote, *, deadline_seconds: float = DEADLINE_SECONDS, max_bytes: int = MAX_BYTES
    ) -> None:
        parts = remote.parts
        self._url = remote.url
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._deadline_seconds, self._max_bytes = deadline_seconds, max_bytes
        dial = partial(opa_transport.dial_tcp, parts.hostname or "", parts.port or _PORTS[parts.scheme])
        adapter = DeadlineAdapter(dial, connections=1, tls=parts.scheme == "https")
        self._pool = adapter.poolmanager.connection_from_url(self._origin)

    def fetch(self, etag: str | None) -> Fetched | None:
        """See `Source.fetch`."""
        with opa_transport.limits(seconds=self._deadline_seconds, received_bytes=self._max_bytes + _HEAD_BYTES):
            opa_transport.demand_fresh_connection()  # polls are far apart: one that was kept alive is stale
            try:
                return self._follow(etag)
            except _FAILURES:
                pass  # its text may quote what the server sent
            if opa_transport.is_expired():
                raise PolicyUnavailableError(f"{self._url}: no answer within {self._deadline_seconds:g} s")
            if opa_transport.is_exhausted():
                raise PolicyUnavailableError(f"{self._url}: is longer than {self._max_bytes} bytes")
        raise PolicyUnavailableError(f"{self._url}: cannot be reached, or broke off")

    def _follow(self, etag: str | None) -> Fetched | None:
        url = self._url
        for _ in range(_MOST_MOVES + 1):
            response = self._ask(url, etag)
            try:
                if response.status == 304 and etag is not None:
                    return None
                if response.status == 200:
                    return self._read(response)
                if response.status not in _MOVED:
                    raise PolicyUnavailableError(f"{self._url}: answered with status {response.status}")
                url = urljoin(url, response.headers.get("Location", ""))
            finally:
                response.close()
                response.release_conn()
            parts = urlsplit(url)
            if f"{parts.scheme}://{parts.netloc}" != self._origin:
                raise PolicyUnavailableError(f"{self._url}: leads to another host, which is not followed")
        raise PolicyUnavailableError(f"{self._url}: leads on and on")

    def _ask(self, url: str, etag: str | None) -> BaseHTTPResponse:
        headers = {"User-Agent": "ecs-admission", "Accept-Encoding": "identity"}
        if etag is not None:
            headers["If-None-Match"] = etag
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        response: BaseHTTPResponse = self._pool.urlopen(
            "GET",
            target,
            headers=headers,
            retries=Retry(total=False),
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
        )
        return response

    def _read(self, response: BaseHTTPResponse) -> Fetched:
        content = response.read(self._max_bytes + 1)
        if len(content) > self._max_bytes:
            raise PolicyUnavailableError(f"{self._url}: is longer than {self._max_bytes} bytes")
        if response.length_remaining:
            raise PolicyUnavailableError(f"{self._url}: the answer was cut short")
        tag = response.headers.get("ETag")
        return Fetched(content, tag if tag and len(tag) <= _MAX_TAG and tag.isascii() and tag.isprintable() else None)
