"""`ecs-admission health`: what an orchestrator runs in a container that has neither a shell nor curl."""

from __future__ import annotations

import http.client
import socket
import ssl
import sys

import click

from ecs_admission.cli import fail
from ecs_admission.errors import SettingsError
from ecs_admission.settings import Settings, read_settings

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - read, not bound


class _Connection(http.client.HTTPConnection):
    """A connection to where the service of this machine listens: TCP or a unix socket, with TLS or without."""

    def __init__(self, settings: Settings, timeout: float) -> None:
        self._path = settings.bind.removeprefix("unix:") if settings.bind.startswith("unix:") else None
        host, _, port = ("localhost", "", "0") if self._path else settings.bind.rpartition(":")
        host = host.strip("[]")
        super().__init__(_ANYWHERE.get(host, host), int(port), timeout=timeout)
        self._has_tls = settings.tls_certificate_file is not None

    def connect(self) -> None:
        """See `http.client.HTTPConnection.connect`."""
        if self._path is None:
            super().connect()
        else:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._path)
        if self._has_tls:
            # Whether a process of this machine lives is no secret and no trust: its certificate is for others' names.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.sock = context.wrap_socket(self.sock)


@click.command(name="health")
@click.option("--ready", is_flag=True, help="Ask whether it can decide and record, not only whether it answers.")
@click.option("--timeout", default=3.0, type=click.FloatRange(0, 60, min_open=True), help="Seconds to wait.")
def command(ready: bool, timeout: float) -> None:
    """Ask the service of this machine whether it is alive: exit status 0, or 1.

    The address is that of ECS_ADMISSION_BIND. Restart it when it is not alive; when it is not ready, only send it
    nothing: a database that is away does not come back by a restart of the service. Where it serves clients with a
    certificate alone, this one is turned away: a sign of life, but --ready is then always 1.
    """
    try:
        settings = read_settings()
    except SettingsError as error:
        fail(error)
        return
    connection = _Connection(settings, timeout)
    try:
        if settings.tls_client_ca_file is not None and not ready:
            status = _knock(connection)
        else:
            connection.request("GET", "/readyz" if ready else "/healthz")
            status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        click.echo(f"no answer: {type(error).__name__}")
        sys.exit(1)
    finally:
        connection.close()
    if status != http.HTTPStatus.OK:
        click.echo(f"{'not ready' if ready else 'not alive'}: {status}")
        sys.exit(1)
    click.echo("ready" if ready else "alive")


def _knock(connection: _Connection) -> int:
    """200 where we are turned away for want of a certificate. Nothing is sent: the alert would be lost with it."""
    try:
        connection.connect()
        connection.sock.recv(1)
    except ssl.SSLError as error:
        if error.reason != "TLSV13_ALERT_CERTIFICATE_REQUIRED":
            raise
        return http.HTTPStatus.OK
    return http.HTTPStatus.BAD_GATEWAY
