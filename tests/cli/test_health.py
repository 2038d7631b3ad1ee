"""`ecs-admission health`: what an orchestrator learns from its exit status."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ecs_admission.cli import main
from tests.service.test_tls import make_certificate

NOBODY = "127.0.0.1:1"


class Answer(socketserver.StreamRequestHandler):
    """Says 200 to /healthz and 503 to anything else."""

    def handle(self) -> None:
        path = self.rfile.readline().split()[1]
        while self.rfile.readline().strip():
            pass
        status = b"200 OK" if path == b"/healthz" else b"503 Service Unavailable"
        self.wfile.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


class Silence(socketserver.StreamRequestHandler):
    """Closes the connection."""

    def handle(self) -> None:
        self.rfile.readline()


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def health(monkeypatch: pytest.MonkeyPatch, bind: str, *options: str) -> Result:
    monkeypatch.setenv("ECS_ADMISSION_BIND", bind)
    monkeypatch.setenv("ECS_ADMISSION_AUTHENTICATION", "required")
    return CliRunner().invoke(main, ["health", *options])


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])  # noqa: S104
def test_it_asks_where_the_service_listens(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), Answer) as server, serving(server):
        done = health(monkeypatch, f"{host}:{server.server_address[1]}")
    assert [0, "alive\n"] == [done.exit_code, done.output]


def test_it_asks_on_a_unix_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socketserver.UnixStreamServer(str(path), Answer) as server, serving(server):
        done = health(monkeypatch, f"unix:{path}")
    assert [0, "alive\n"] == [done.exit_code, done.output]


def test_it_speaks_tls_where_the_service_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "elsewhere.example.com")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv("ECS_ADMISSION_TLS_CERTIFICATE_FILE", str(certificate))
    monkeypatch.setenv("ECS_ADMISSION_TLS_KEY_FILE", str(key))
    with socketserver.TCPServer(("127.0.0.1", 0), Answer) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        with serving(server):
            done = health(monkeypatch, f"127.0.0.1:{server.server_address[1]}")
    assert [0, "alive\n"] == [done.exit_code, done.output]


def test_alive_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), Answer) as server, serving(server):
        done = health(monkeypatch, f"127.0.0.1:{server.server_address[1]}", "--ready")
    assert [1, "not ready: 503\n"] == [done.exit_code, done.output]


def test_nobody_and_nothing_are_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [1, "no answer: ConnectionRefusedError\n"] == [
        (done := health(monkeypatch, NOBODY)).exit_code,
        done.output,
    ]
    with socketserver.TCPServer(("127.0.0.1", 0), Silence) as server, serving(server):
        done = health(monkeypatch, f"127.0.0.1:{server.server_address[1]}")
    assert [1, "no answer: RemoteDisconnected\n"] == [done.exit_code, done.output]


def test_settings_that_the_service_refuses_are_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    done = health(monkeypatch, "nowhere")
    assert 2 == done.exit_code
    assert "ECS_ADMISSION_BIND" in done.output
