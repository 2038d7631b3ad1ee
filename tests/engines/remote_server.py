"""A server of bundles for tests: HTTP on the loopback, with tags, and whatever a test wants to go wrong."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class BundleServer(http.server.ThreadingHTTPServer):
    """Serves `content` at every path. `answer` takes over where it is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content: bytes | None = None
        self.answer: Callable[[http.server.BaseHTTPRequestHandler], None] | None = None
        self.statuses: list[int] = []
        self.seen: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/bundles/policies.tar.gz"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: BundleServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append({name.lower(): value for name, value in self.headers.items()})
        if self.server.answer is not None:
            self.server.answer(self)
            return
        content = self.server.content
        tag = f'"{hashlib.sha256(content or b"").hexdigest()}"'
        status = 404 if content is None else 304 if self.headers.get("If-None-Match") == tag else 200
        body = content if status == 200 and content is not None else b""
        self.server.statuses.append(status)
        self.send_response(status)
        self.send_header("ETag", tag)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving_bundles() -> Iterator[BundleServer]:
    """A server until the block ends."""
    with BundleServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(30)
