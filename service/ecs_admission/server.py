"""Run the service under gunicorn: a master that holds the sockets and workers that build the service after fork."""

from __future__ import annotations

import math
import sys
from functools import partial
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from ecs_admission.app import check_start
from ecs_admission.companions import Companion, Companions
from ecs_admission.drain import Drain
from ecs_admission.errors import AdmissionError
from ecs_admission.gunicorn_arbiter import Arbiter
from ecs_admission.gunicorn_worker import configured
from ecs_admission.metrics_folder import MetricsFolder
from ecs_admission.settings import Settings
from ecs_admission.telemetry import logger
from ecs_admission.tls import server_context

_EXAMPLE = Path("examples/leaky-task-definition.json")


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with our settings and none of its own sources: no configuration file, no command line."""

    def __init__(self, settings: Settings, folder: MetricsFolder | None = None) -> None:
        """`folder` is where the processes count, and goes with the master."""
        self._settings = settings
        self._folder = folder
        self._companions = Companions(companions(settings))
        self._drain = Drain()
        self._is_replacement = False
        super().__init__()

    def load_config(self) -> None:
        """See `BaseApplication.load_config`."""
        for name, value in options(self._settings).items():
            self.cfg.set(name, value)
        self.cfg.set("on_exit", self._end)
        self.cfg.set("pre_request", self._let_go)
        self.cfg.set("pre_fork", self._note_age)

    def run(self) -> None:
        """See `BaseApplication.run`."""
        Arbiter(
            self, companions=self._companions, drain=self._drain, drain_seconds=self._settings.drain_seconds
        ).run()  # fmt: skip

    def can_start(self) -> bool:
        """Whether workers could start now, with the files as they are. Logs why not."""
        try:
            check_start(self._settings)
        except AdmissionError as error:
            logger().error("not reloaded", error=str(error))
            return False
        return True

    def _end(self, _: Any) -> None:
        self._companions.end()
        if self._folder is not None:
            self._folder.close()

    def load(self) -> Any:
        """See `BaseApplication.load`. Called in each worker."""
        from ecs_admission.wsgi import application

        return application(self._settings, self._drain, is_replacement=self._is_replacement)

    def _note_age(self, _: Any, worker: Any) -> None:
        """Runs in the master, just before it forks a worker: the first ones are those that it is to have."""
        self._is_replacement = worker.age > self._settings.workers

    def _let_go(self, _: Any, request: Any) -> None:
        """While the service drains each answer is the last of its connection, and the client goes elsewhere."""
        if self._drain.has_begun:
            request.force_close()


def options(settings: Settings) -> dict[str, Any]:
    """gunicorn's settings."""
    shared_memory = Path("/dev/shm")  # noqa: S108 - where gunicorn's heartbeat file does not touch a disk
    return {
        "bind": [settings.bind],
        "workers": settings.workers,
        "threads": settings.threads,
        "worker_class": configured(
            deadline_seconds=settings.request_deadline_seconds, tls=partial(server_context, settings)
        ),
        # Of these gunicorn uses no more than that the scheme is https.
        "certfile": _text(settings.tls_certificate_file),
        "keyfile": _text(settings.tls_key_file),
        "max_requests": settings.max_requests,
        "max_requests_jitter": settings.max_requests // 10,
        "logger_class": "ecs_admission.gunicorn_worker.QuietLogger",
        "worker_tmp_dir": str(shared_memory) if shared_memory.is_dir() else None,
        "control_socket_disable": True,
        "preload_app": False,
        "timeout": 60,
        "graceful_timeout": math.ceil(settings.finish_seconds),
        "keepalive": 75,
        "forwarded_allow_ips": "",
        "umask": 0o077,
        "proc_name": "ecs-admission",
        "post_worker_init": announce,
        "worker_exit": _say_goodbye,
    }


def _text(file: Path | None) -> str | None:
    return None if file is None else str(file)


def companions(settings: Settings) -> tuple[Companion, ...]:
    """The processes beside the workers, the one that has to be the last first."""
    found = []
    if settings.sealer == "auto" and settings.is_embedded:
        # In a cluster the sealer is a process, and a role, of its own. It ends last, and seals what the workers wrote.
        found.append(Companion("sealer", ("log", "seal"), end_seconds=10.0))
    if settings.metrics_bind != "off":
        found.append(Companion("metrics", ("metrics",), end_seconds=5.0))
    return tuple(found)


def announce(worker: Any) -> None:
    """The first worker that can serve says where, and how to try it."""
    if worker.age != 1:
        return
    address = worker.sockets[0].getsockname()
    if not isinstance(address, tuple):
        _print(f"ecs-admission is ready on unix socket {address}")
        return
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    base = f"{'https' if worker.cfg.is_ssl else 'http'}://{host}:{address[1]}"
    _print(f"ecs-admission is ready on {base}")
    if _EXAMPLE.exists():
        call = f"{base}/v1/operations/RegisterTaskDefinition?environment=prod"
        _print(f"Try it:\n  curl --fail-with-body --data-binary @{_EXAMPLE} '{call}'")


def _say_goodbye(_: Any, __: Any) -> None:
    """Close the decision log of a worker that exits: gunicorn ends workers without running exit handlers."""
    from ecs_admission import wsgi

    wsgi.close()


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
