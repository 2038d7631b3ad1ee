"""A real HAProxy before services, which asks each whether it is ready."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.service.running_service import free_port, wait_until

CONFIGURATION = """
global
    stats socket {folder}/stats mode 600
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    timeout check 10s
frontend front
    bind 127.0.0.1:{port}
    default_backend services
backend services
    option httpchk GET /readyz
    http-check expect status 200
    default-server check inter 100ms fall 1 rise 1
{servers}
"""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running HAProxy. Its services are `s0`, `s1`, ..."""

    port: int
    stats: Path

    def up(self) -> set[str]:
        """The services that it sends requests to."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.stats))
            connection.sendall(b"show stat\n")
            answer = b""
            while chunk := connection.recv(65_536):
                answer += chunk
        rows = [line.split(",") for line in answer.decode().splitlines()]
        return {row[1] for row in rows if row[0] == "services" and row[1] != "BACKEND" and row[17] == "UP"}


@contextmanager
def run_haproxy(folder: Path, ports: Sequence[int]) -> Iterator[Proxy]:
    """Run HAProxy before services on these ports until the block ends."""
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no HAProxy")
        pytest.skip("no HAProxy")
    folder.mkdir()
    port = free_port()
    servers = "\n".join(f"    server s{number} 127.0.0.1:{each}" for number, each in enumerate(ports))
    configuration = folder / "haproxy.cfg"
    configuration.write_text(CONFIGURATION.format(folder=folder, port=port, servers=servers))
    with open(folder / "output", "wb") as output:
        process = subprocess.Popen([program, "-db", "-f", configuration], stdout=output, stderr=output)
    try:
        proxy = Proxy(port, folder / "stats")
        wait_until(lambda: process.poll() is not None or proxy.stats.exists(), "HAProxy runs")
        if process.poll() is not None:
            pytest.fail((folder / "output").read_text())
        wait_until(lambda: len(proxy.up()) == len(ports), "all services are up")
        yield proxy
    finally:
        process.kill()
        process.wait()
