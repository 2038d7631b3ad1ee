"""A PostgreSQL server for tests, from the machine's own programs: on a unix socket, ended by its process id."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ecs_admission.decision_log.migrate import migrate

OWNER, WRITER, READER, SEALER = "log_owner", "log_writer", "log_reader", "log_sealer"
PATIENCE_SECONDS = 30.0
_TEMPLATE = "log_template"
_SUPERUSER = "postgres"


@dataclass(slots=True)
class PostgreSQLServer:
    """A running server with the four roles and a template of an empty log."""

    programs: Path
    folder: Path
    account: dict[str, Any]
    process: subprocess.Popen[bytes] | None = None
    databases: int = 0
    clean: list[str] = field(default_factory=list)
    """Databases with an empty log that a test has given back: a new one costs 7 MB."""

    def url(self, role: str, database: str, folder: Path | None = None) -> str:
        """How a role reaches a database, through the socket in another folder if there is one."""
        return f"postgresql://{role}@/{database}?host={folder or self.folder}"

    def start(self, **settings: str) -> None:
        """Start the server, or start it again, and wait until it answers."""
        options = [f"--{name}={value}" for name, value in settings.items()]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data", "-k", self.folder, "-h", "", *options],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self.account,
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self.execute("SELECT 1")
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    pytest.fail(f"PostgreSQL does not start: {(self.folder / 'log').read_text()[-2000:]}")
                time.sleep(0.01)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all its processes, the first first: SIGKILL is a crash, SIGSTOP a hang."""
        assert self.process is not None
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(each, number)
        if number is signal.SIGKILL:
            self.process.wait()

    def restart(self, **settings: str) -> None:
        """End it as an operator does who does not wait for clients, and start it again."""
        self.stop()
        self.start(**settings)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it in an orderly way, or with SIGQUIT in a hurry."""
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(timeout=PATIENCE_SECONDS)

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements as a superuser, each on its own."""
        with psycopg.connect(
            host=str(self.folder), user=_SUPERUSER, dbname=database, autocommit=True, connect_timeout=30
        ) as connection:  # fmt: skip
            for statement in statements:
                connection.execute(statement.encode())

    def create_database(self, *, empty: bool = False) -> str:
        """The name of a database of the owner's, with an empty log unless it is to be `empty` altogether."""
        if self.clean and not empty:
            return self.clean.pop()
        self.databases += 1
        name = f"log_{self.databases}"
        self.execute(f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {'template0' if empty else _TEMPLATE}")
        return name


@contextmanager
def run_postgresql() -> Iterator[PostgreSQLServer]:
    """A server until the block ends. Skips the test where there are no programs; in CI they must be there."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        with run_postgresql_in(folder, how=signal.SIGQUIT) as server:
            yield server
    finally:
        shutil.rmtree(folder)


@contextmanager
def run_postgresql_in(folder: Path, *, how: signal.Signals = signal.SIGINT) -> Iterator[PostgreSQLServer]:
    """The same with its data in a folder that is there: made when it is empty, and kept when the block ends."""
    programs = _programs()
    if programs is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no PostgreSQL: apt-get install postgresql")
    account = _account()
    is_new = not (folder / "data").exists()
    if is_new:
        if account:
            os.chown(folder, account["user"], account["group"])
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", "-U", _SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            **account,
        )
    server = PostgreSQLServer(programs, folder, account)
    server.start()
    try:
        if is_new:
            _set_up(server)
        else:
            server.databases = len(list((folder / "data" / "base").iterdir()))
        yield server
    finally:
        server.stop(how)


def _set_up(server: PostgreSQLServer) -> None:
    server.execute(
        *(f"CREATE ROLE {role} LOGIN" for role in (OWNER, WRITER, READER, SEALER)),
        # Whatever a role is set to, a commit must wait for the disk.
        f"ALTER ROLE {WRITER} SET synchronous_commit = off",
        f"CREATE DATABASE {_TEMPLATE} OWNER {OWNER}",
    )
    migrate(
        server.url(OWNER, _TEMPLATE),
        writer_role=WRITER,
        reader_role=READER,
        sealer_role=SEALER,
        timeout_seconds=PATIENCE_SECONDS,
    )


def _programs() -> Path | None:
    on_path = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    found = [Path(on_path).resolve(), *debian[-1:]] if on_path else debian[-1:]
    return found[0].parent if found else None


def _account() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: it then gets an account of its own, or nobody's."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    pytest.fail("there is no account that PostgreSQL could run under")
