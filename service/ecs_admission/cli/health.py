"""`ecs-admission health`: what an orchestrator runs in a container that has neither a shell nor curl."""

from __future__ import annotations

import http.client
import socket
import sys

import click

from ecs_admission.cli import fail
from ecs_admission.errors import SettingsError
from ecs_admission.settings import read_settings

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - read, not bound


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """See `http.client.HTTPConnection.connect`."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@click.command(name="health")
@click.option("--ready", is_flag=True, help="Ask whether it can decide and record, not only whether it answers.")
@click.option("--timeout", default=3.0, type=click.FloatRange(0, 60, min_open=True), help="Seconds to wait.")
def command(ready: bool, timeout: float) -> None:
    """Ask the service of this machine whether it is alive: exit status 0, or 1.

    The address is that of ECS_ADMISSION_BIND. Restart it when it is not alive; when it is not ready, only send it
    nothing: a database that is away does not come back by a restart of the service.
    """
    try:
        bind = read_settings().bind
    except SettingsError as error:
        fail(error)
        return
    connection = _connect(bind, timeout)
    try:
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


def _connect(bind: str, timeout: float) -> http.client.HTTPConnection:
    if bind.startswith("unix:"):
        return _UnixConnection(bind.removeprefix("unix:"), timeout)
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    return http.client.HTTPConnection(_ANYWHERE.get(host, host), int(port), timeout=timeout)
