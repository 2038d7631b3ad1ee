"""The real service for tests: the installed command under gunicorn, driven over HTTP, ended by its process id."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

COMMAND = Path(sys.executable).with_name("ecs-admission")
OPERATION = "/v1/operations/RegisterTaskDefinition"
REVIEWS = "/v1/admission/reviews"
PATIENCE_SECONDS = 30.0
"""How long to wait for what must happen, before a test fails."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class RunningService:
    """A service that was ready once. `process` is gunicorn's master and leads a process group of its own."""

    port: int
    process: subprocess.Popen[bytes]
    data_dir: Path
    stdout: Path
    stderr: Path
    environment: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        return self.data_dir / "decisions.sqlite3"

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What its decision log holds, in SQLite or PostgreSQL, as another program reads it."""
        url = self.environment.get("ECS_ADMISSION_DATABASE_READ_URL")
        if url is not None:
            with psycopg.connect(url) as server:
                return server.execute(statement.encode()).fetchall()
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as file:
            return file.execute(statement).fetchall()

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:  # fmt: skip
        """One request on a connection of its own. Raises OSError or HTTPException when there is no whole answer."""
        connection = self.connect()
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def connect(self) -> http.client.HTTPConnection:
        """A connection that can be kept; where the service has a certificate, one by TLS that believes it."""
        certificate = self.environment.get("ECS_ADMISSION_TLS_CERTIFICATE_FILE")
        if certificate is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        context = ssl.create_default_context(cafile=certificate)
        if "ECS_ADMISSION_TLS_CLIENT_CA_FILE" in self.environment:
            context.load_cert_chain(certificate, self.environment["ECS_ADMISSION_TLS_KEY_FILE"])
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS, context=context)

    def get(self, path: str) -> Reply:
        return self.call("GET", path)

    def post(self, path: str, document: Any) -> Reply:
        """Post a JSON document."""
        return self.call("POST", path, orjson.dumps(document), {"Content-Type": "application/json"})

    def send(self, data: bytes) -> bytes:
        """Send bytes as they are, say that no more come, and read until the service closes the connection."""
        received = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS) as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while chunk := connection.recv(65_536):
                    received += chunk
            except (ConnectionResetError, BrokenPipeError):
                pass  # it closed without reading all: what it answered before counts
        return received

    def workers(self) -> list[int]:
        """The process ids of the workers: forks of the master, where a companion is a program of its own."""
        own = _command_line(self.process.pid)
        return [pid for pid in self._children() if _command_line(pid) == own]

    def companions(self, word: str) -> list[int]:
        """The process ids of the companions with this word in their command line, such as `seal`."""
        own = _command_line(self.process.pid)
        return [pid for pid in self._children() if _command_line(pid) != own and word in _command_line(pid)]

    def sealers(self) -> list[int]:
        """The process ids of the sealers: one, or none."""
        return self.companions("seal")

    def _children(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def stop(self) -> int:
        """End it as an operator would, and return its exit status. Kills it when it does not end."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail("the service did not end")

    def kill(self) -> None:
        """End master and workers at once, with no chance to do anything."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def verify_log(self) -> subprocess.CompletedProcess[str]:
        """Run `ecs-admission log verify` on its log."""
        return run_command("log", "verify", environment=self.environment)

    def log_problems(self) -> list[Any]:
        """What that finds, also where nobody seals and it cannot tell everything."""
        done = run_command("log", "verify", "--output", "json", environment=self.environment)
        assert [done.returncode in (0, 3), done.stderr] == [True, ""]
        found: list[Any] = orjson.loads(done.stdout)["problems"]
        return found


def clean_environment(**settings: str) -> dict[str, str]:
    """An environment with nothing but what any program needs, and settings by their names without the prefix."""
    kept = {
        name: os.environ[name] for name in ("HOME", "PATH", "XDG_CACHE_HOME", "KF_RULE_CACHE_DIR") if name in os.environ
    }
    return kept | {f"ECS_ADMISSION_{name.upper()}": value for name, value in settings.items()}


def run_command(
    *arguments: str | Path, environment: Mapping[str, str], stdin: bytes | None = None
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run the installed command to its end."""
    done = subprocess.run(
        [COMMAND, *arguments],
        env=dict(environment),
        input=stdin or b"",
        capture_output=True,
        timeout=PATIENCE_SECONDS * 2,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@contextmanager
def run_service(folder: Path, **settings: str) -> Iterator[RunningService]:
    """Run the service with its data and its output in `folder` until the block ends; ready when the block begins.

    `settings` are those of the service, such as `engine="opa"`. A block may end the service itself.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(3):  # the port may be taken between choosing and using it
        port = int(settings["bind"].rpartition(":")[2]) if "bind" in settings else free_port()
        given = {
            "bind": f"127.0.0.1:{port}",
            "data_dir": str(folder / "data"),
            "workers": "2",
            "threads": "8",
            "metrics_bind": "off",
            "drain_seconds": "0",  # nobody asks a test's service whether it is ready before it ends
        }
        environment = clean_environment(**(given | settings))
        stdout, stderr = folder / "stdout", folder / "stderr"
        started_us = time.time_ns() // 1000
        with open(stdout, "ab") as out, open(stderr, "ab") as err:
            process = subprocess.Popen(
                [COMMAND, "serve"], env=environment, stdout=out, stderr=err, cwd=folder, start_new_session=True
            )
        service = RunningService(port, process, folder / "data", stdout, stderr, environment)
        try:
            if _becomes_ready(service, started_us):
                yield service
                return
        finally:
            _end(service)
    pytest.fail(f"the service ended before it was ready: {stderr.read_text()[-2000:]}")


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Ask again and again until `condition` holds; fail when it takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited in vain until {what}")
        time.sleep(0.01)


def runs(pid: int) -> bool:
    """Whether a process is there, and is more than what nobody has asked after."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _command_line(pid: int) -> list[str]:
    """The words of a process's command line; none when it is not there any more."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _becomes_ready(service: RunningService, started_us: int) -> bool:
    """Wait until every worker serves: True, or False when the service ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if service.process.poll() is not None:
            return False
        if _started_workers(service, started_us) == int(service.environment["ECS_ADMISSION_WORKERS"]):
            return service.get("/healthz").status == http.HTTPStatus.OK
        time.sleep(0.02)
    pytest.fail(f"the service was not ready: {service.stderr.read_text()[-2000:]}")


def _started_workers(service: RunningService, since_us: int) -> int:
    """How many workers have opened their decision log since then."""
    try:
        rows = service.rows(f"SELECT time FROM entries WHERE kind = 'node_start' AND time >= {int(since_us)}")  # noqa: S608
    except sqlite3.OperationalError:  # the first worker has not made its file or its tables yet
        return 0
    return len(rows)


def _end(service: RunningService) -> None:
    """End it if the block did not, the way that leaves nothing behind."""
    if service.process.poll() is None:
        service.process.terminate()
        try:
            service.process.wait(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            service.kill()
