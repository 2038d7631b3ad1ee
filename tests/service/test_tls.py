"""TLS by the service itself: for clients that believe its certificate, in time, and for those alone that it lets in."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from ecs_admission.exporter import serving
from ecs_admission.metrics import CERTIFICATE_EXPIRY
from ecs_admission.settings import Settings
from ecs_admission.tls import certificate_expiry
from tests.service.conftest import COMPLIANT, leaky
from tests.service.running_service import (
    OPERATION,
    RunningService,
    clean_environment,
    run_command,
    run_service,
    wait_until,
)

pytestmark = pytest.mark.service


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    if shutil.which("openssl") is None and os.environ.get("CI") != "true":
        pytest.skip("openssl is missing, which makes the certificate")
    files = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-out", files[0], "-keyout", files[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    return files


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that only its own certificate can connect to."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = map(str, make_certificate(folder, "own"))
    files = {"tls_certificate_file": certificate, "tls_key_file": key, "tls_client_ca_file": certificate}
    with run_service(folder / "service", request_deadline_seconds="2", threads="2", **files) as running:
        yield running


def test_it_serves_on_connections_that_are_kept(service: RunningService) -> None:
    wait_until(lambda: "ready on https://127.0.0.1:" in service.stdout.read_text(), "it says where it is")
    with closing(service.connect()) as connection:
        for _ in range(3):
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            assert [answer.read(), answer.getheader("Connection")] == [b'{"status":"ok"}', "keep-alive"]
        assert connection.sock.version() == "TLSv1.3"
    assert service.post(OPERATION, COMPLIANT).status == 200
    assert service.post(OPERATION, leaky() | {"padding": ["x" * 100] * 5000}).status == 403  # several TLS records


def test_its_health_is_told_to_who_is_turned_away(service: RunningService) -> None:
    alive = run_command("health", "--timeout", "30", environment=service.environment)
    assert [alive.returncode, alive.stdout] == [0, "alive\n"]
    assert run_command("health", "--ready", "--timeout", "30", environment=service.environment).returncode == 1


@pytest.mark.filterwarnings("ignore:.*TLSv1_1:DeprecationWarning")
@pytest.mark.parametrize("kind", ["no-certificate", "other-certificate", "old", "plain"])
def test_others_do_not_get_in(service: RunningService, tmp_path: Path, kind: str) -> None:
    context = ssl.create_default_context(cafile=service.environment["ECS_ADMISSION_TLS_CERTIFICATE_FILE"])
    if kind == "other-certificate":
        context.load_cert_chain(*make_certificate(tmp_path, "other"))
    if kind == "old":
        context.load_cert_chain(*(service.environment[f"ECS_ADMISSION_TLS_{n}_FILE"] for n in ("CERTIFICATE", "KEY")))
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    received = b""
    with contextlib.suppress(ssl.SSLError, ConnectionError), ExitStack() as stack:
        client = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=30))
        if kind != "plain":
            client = stack.enter_context(context.wrap_socket(client, server_hostname="127.0.0.1"))
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = client.recv(65_536)
    assert b"HTTP/" not in received


def test_handshakes_that_do_not_go_on_keep_nobody_waiting_and_end(service: RunningService) -> None:
    with ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=30)) for _ in range(64)
        ]
        for client in slow:
            client.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert [service.post(OPERATION, COMPLIANT).status for _ in range(5)] == [200] * 5
        assert {client.recv(10) for client in slow} == {b""}


def test_files_that_do_not_serve_are_refused(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "own")
    _, other = make_certificate(tmp_path, "other")
    (tmp_path / "nonsense").write_text("nonsense")

    def told(**settings: Path) -> str:
        texts = {name: str(file) for name, file in settings.items()}
        done = run_command("serve", "--check", environment=clean_environment(data_dir=str(tmp_path / "data"), **texts))
        assert done.returncode == 2
        return done.stderr

    assert "need each other" in told(tls_certificate_file=certificate)
    assert "needs tls_certificate_file" in told(tls_client_ca_file=certificate)
    assert "key values mismatch" in told(tls_certificate_file=certificate, tls_key_file=other)
    assert "No such file" in told(tls_certificate_file=tmp_path / "none", tls_key_file=key)
    nonsense = {"tls_certificate_file": certificate, "tls_key_file": key, "tls_client_ca_file": tmp_path / "nonsense"}
    assert "tls_client_ca_file cannot be used" in told(**nonsense)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
def test_it_is_known_when_the_certificate_expires(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "dated")
    settings = Settings(
        data_dir=tmp_path, metrics_bind="127.0.0.1:0", tls_certificate_file=certificate, tls_key_file=key
    )
    registry = CollectorRegistry()
    with serving(settings, registry):
        found = registry.get_sample_value(CERTIFICATE_EXPIRY.name)
    printed = subprocess.run(
        ["openssl", "x509", "-noout", "-enddate", "-in", certificate], capture_output=True, text=True, check=True
    ).stdout
    assert found == ssl.cert_time_to_seconds(printed.strip().removeprefix("notAfter="))


def test_a_certificate_that_cannot_be_read_expires_never(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("nothing")
    assert certificate_expiry(tmp_path / "file") is None
    assert certificate_expiry(tmp_path / "none") is None


def test_a_new_certificate_is_taken_when_told_and_one_that_does_not_serve_is_not(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "own")
    files = {"tls_certificate_file": str(certificate), "tls_key_file": str(key)}
    with run_service(tmp_path / "service", workers="1", **files) as service:
        (worker,) = service.workers()
        before = certificate.read_bytes()
        certificate.write_text("nonsense")
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "not reloaded" in service.stderr.read_text(), "it says why not")
        assert service.workers() == [worker]
        assert ssl.get_server_certificate(("127.0.0.1", service.port)).encode() == before
        make_certificate(tmp_path, "own")
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(service.workers()) == 1 and service.workers() != [worker], "another worker serves")
        assert ssl.get_server_certificate(("127.0.0.1", service.port)).encode() == certificate.read_bytes()
        assert service.get("/healthz").status == 200
