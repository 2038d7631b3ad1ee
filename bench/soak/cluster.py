"""Two service processes on one PostgreSQL, an OPA server beside each, a sealer, and HAProxy in front."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from tests.decision_log.postgresql_server import READER, SEALER, WRITER, PostgreSQLServer, run_postgresql
from tests.engines.opa_server import opa_program

from bench.processes import ask, free_port
from ecs_admission.settings import Settings

COMMAND = Path(sys.executable).with_name("ecs-admission")
PATIENCE_SECONDS = 90.0
POLICIES = "baseline:\n  plaintext/environment: deny\n"
"""What both services begin with: a layer of data that says what the pack says anyway."""
_POLL_SECONDS = 1


class SoakError(RuntimeError):
    """Something did not come about in time, or a program ended that should run."""


@dataclass(slots=True)
class Process:
    """A program that may be killed and started again. What it prints is added to one file."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    folder: Path
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it. It leads a session of its own, so that it can be killed with its children."""
        with (self.folder / f"{self.name}.log").open("ab") as output:
            self.running = subprocess.Popen(
                self.command,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End it and all its children at once, as a machine that loses its power does."""
        if self.running is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.running.pid, signal.SIGKILL)
            self.running.wait()

    def stop(self) -> int | None:
        """End it as an orchestrator does, and return its exit status. One that does not end is killed."""
        if self.running is None or self.running.poll() is not None:
            return self.running.returncode if self.running else None
        self.running.terminate()
        try:
            return self.running.wait(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return None


@dataclass(slots=True)
class Node:
    """One service with the OPA server that it asks."""

    service: Process
    opa: Process
    port: int

    def is_ready(self) -> bool:
        """True once it would take a request."""
        return self._readiness()[0] == 200

    def revision(self) -> str | None:
        """The revision that it judges by."""
        revision: str | None = self._readiness()[1].get("revision")
        return revision

    def _readiness(self) -> tuple[int, dict[str, Any]]:
        with contextlib.suppress(OSError, orjson.JSONDecodeError):
            status, body = ask(f"http://127.0.0.1:{self.port}/readyz")
            return status, orjson.loads(body)
        return 0, {}


@dataclass(slots=True)
class Cluster:
    """Everything that runs, and the folders that tell about it."""

    folder: Path
    postgresql: PostgreSQLServer
    nodes: list[Node]
    sealer: Process
    proxy: Process
    port: int
    environment: Mapping[str, str]
    programs: list[Process] = field(default_factory=list)

    def write_policies(self, actions: str) -> None:
        """Give both services these actions, in the folder of policies that they follow."""
        _write_policies(self.folder, actions)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run `ecs-admission` as an auditor does."""
        return subprocess.run([COMMAND, *arguments], env=dict(self.environment), capture_output=True, check=False)


@contextlib.contextmanager
def run_cluster(folder: Path) -> Iterator[Cluster]:
    """Run a cluster until the block ends; ready when the block begins. Raises `SoakError`."""
    haproxy = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if haproxy is None:
        raise SoakError("no haproxy: apt-get install haproxy")
    _write_policies(folder, POLICIES)
    with run_postgresql() as postgresql:
        name = postgresql.create_database()
        shared = _keys(folder) | {
            "database_read_url": postgresql.url(READER, name),
            "anchors": str(folder / "anchors"),
            "policies": str(folder / "policies"),
            "policies_poll_seconds": str(_POLL_SECONDS),
            "workers": "2",
            "log_level": "warning",
            "drain_seconds": "2",
            "metrics_bind": "off",
        }
        (folder / "anchors").mkdir()
        nodes = [_node(number, folder, shared, postgresql.url(WRITER, name)) for number in (1, 2)]
        sealing = _environment(shared | {"database_url": postgresql.url(SEALER, name), "data_dir": str(folder / "s")})
        sealer = Process("sealer", [str(COMMAND), "log", "seal"], sealing, folder)
        port = free_port()
        proxy = _proxy(haproxy, port, nodes, folder)
        programs = [*(node.opa for node in nodes), *(node.service for node in nodes), sealer, proxy]
        auditing = _environment(shared | {"database_url": postgresql.url(READER, name), "data_dir": str(folder / "s")})
        cluster = Cluster(folder, postgresql, nodes, sealer, proxy, port, auditing, programs)
        try:
            for program in programs:
                program.start()
            for node in nodes:
                wait_until(node.is_ready, "both services are ready", patience=PATIENCE_SECONDS * 2)
            yield cluster
        finally:
            for program in reversed(programs):
                program.kill()


def wait_until(condition: Callable[[], bool], what: str, *, patience: float = PATIENCE_SECONDS) -> None:
    """Ask again and again until `condition` holds. Raises `SoakError` when it takes too long."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise SoakError(f"waited {patience:.0f} s in vain until {what}")
        time.sleep(0.05)


def _write_policies(folder: Path, actions: str) -> None:
    """Write beside the place and move it there, as whoever rolls policies out has to."""
    place = folder / "policies" / "config" / "profiles"
    place.mkdir(parents=True, exist_ok=True)
    written = folder / "actions.yaml"
    written.write_text(actions)
    written.replace(place / "data.yaml")


def _keys(folder: Path) -> dict[str, str]:
    """The keys that all nodes share, made for this run."""
    from ecs_admission.decision_log.keys import load_or_create_signing_key
    from ecs_admission.project.fingerprints import load_or_create_key

    load_or_create_signing_key(folder / "signing.key")
    load_or_create_key(folder / "fingerprint.key")
    return {
        "signing_key_file": str(folder / "signing.key"),
        "fingerprint_key_file": str(folder / "fingerprint.key"),
        "sealer_key_file": str(folder / "sealer.key"),
    }


def _node(number: int, folder: Path, shared: Mapping[str, str], database_url: str) -> Node:
    port, opa_port = free_port(), free_port()
    own = {
        "bind": f"127.0.0.1:{port}",
        "data_dir": str(folder / f"data-{number}"),
        "database_url": database_url,
        "engine": "opa",
        "opa_url": f"http://127.0.0.1:{opa_port}",
    }
    service = Process(f"service-{number}", [str(COMMAND), "serve"], _environment({**shared, **own}), folder)
    configuration = folder / f"opa-{number}.json"
    bundle = {
        "service": "admission",
        "resource": "v1/bundles/policies.tar.gz",
        "polling": {"min_delay_seconds": _POLL_SECONDS, "max_delay_seconds": _POLL_SECONDS},
    }
    configuration.write_bytes(
        orjson.dumps({"services": {"admission": {"url": f"http://127.0.0.1:{port}"}}, "bundles": {"policies": bundle}})
    )
    command = [
        *(opa_program(), "run", "--server", "--skip-version-check", "--log-level", "error"),
        *("--addr", f"127.0.0.1:{opa_port}", "--config-file", str(configuration)),
    ]
    return Node(service, Process(f"opa-{number}", command, _environment({}), folder), port)


def _proxy(haproxy: str, port: int, nodes: list[Node], folder: Path) -> Process:
    """HAProxy with nothing but a health check and one retry: what a team puts in front on its first day.

    A server is out after three checks that fail, in less time than the service drains; a check that is only slow, as
    all are where two cores carry the whole cluster, is not one that fails.
    """
    servers = [
        f"    server node{number} 127.0.0.1:{node.port} check inter 200ms fall 3 rise 1"
        for number, node in enumerate(nodes, 1)
    ]
    configuration = folder / "haproxy.cfg"
    configuration.write_text(
        "\n".join(
            [
                "defaults",
                "    mode http",
                "    timeout connect 2s",
                "    timeout client 30s",
                "    timeout server 30s",
                "    timeout check 5s",
                "    retries 1",
                "    option redispatch",
                "frontend callers",
                f"    bind 127.0.0.1:{port}",
                "    default_backend admission",
                "backend admission",
                "    balance roundrobin",
                "    option httpchk GET /readyz",
                *servers,
                "",
            ]
        )
    )
    return Process("haproxy", [haproxy, "-db", "-f", str(configuration)], _environment({}), folder)


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: os.environ[name] for name in ("HOME", "PATH", "XDG_CACHE_HOME", "KF_RULE_CACHE_DIR") if name in os.environ
    }
    known = {name: value for name, value in settings.items() if name in Settings.model_fields}
    return kept | {f"ECS_ADMISSION_{name.upper()}": value for name, value in known.items()}
