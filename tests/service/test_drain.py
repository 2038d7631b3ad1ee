"""A service that is told to end lets go of its clients first, and no request is lost on the way."""

from __future__ import annotations

import http.client
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

from tests.service.conftest import COMPLIANT, leaky
from tests.service.haproxy import run_haproxy
from tests.service.running_service import OPERATION, RunningService, free_port, run_service, wait_until

pytestmark = pytest.mark.service

CLIENTS = 4
PAUSE_SECONDS = 0.02
"""Between two requests of a client: a service that starts while another is asked needs some of the machine."""


@dataclass
class Load:
    """What clients were answered, and what went wrong."""

    answers: list[tuple[int, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def ids(self) -> set[str]:
        return {decision for _, decision in self.answers}


@contextmanager
def steady_load(port: int) -> Iterator[Load]:
    """Clients that ask one request after another on connections that they keep, until the block ends."""
    load, enough = Load(), threading.Event()
    bodies = [orjson.dumps(COMPLIANT), orjson.dumps(leaky())]

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        number = 0
        while not enough.wait(PAUSE_SECONDS):
            number += 1
            try:
                connection.request("POST", OPERATION, bodies[number % 2])
                answer = connection.getresponse()
                body = answer.read()
                if answer.status in (200, 403):
                    found = orjson.loads(body)["response"]["auditAnnotations"]["decision-id"]
                    load.answers.append((answer.status, found))
                else:
                    load.failures.append(f"{answer.status} {body.decode()}")
            except (OSError, http.client.HTTPException) as error:
                load.failures.append(repr(error))
                connection.close()
        connection.close()

    with ThreadPoolExecutor(CLIENTS) as threads:
        try:
            asking = [threads.submit(ask) for _ in range(CLIENTS)]
            yield load
        finally:
            enough.set()
        for each in asking:
            each.result()


def recorded(service: RunningService) -> set[str]:
    rows = service.rows("SELECT bytes FROM entries WHERE kind = 'decision'")
    return {orjson.loads(content)["id"] for (content,) in rows}


def test_a_rolling_restart_answers_every_request(tmp_path: Path) -> None:
    binds = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    with ExitStack() as ending:

        def start(number: int) -> RunningService:
            running = run_service(tmp_path / str(number), bind=binds[number], drain_seconds="1")
            return ending.enter_context(running)

        services = [start(number) for number in range(2)]
        proxy = ending.enter_context(run_haproxy(tmp_path / "haproxy", [service.port for service in services]))
        with steady_load(proxy.port) as load:
            for number in range(2):
                before = len(load.answers)
                wait_until(lambda before=before: len(load.answers) > before + 50, "clients have answers")  # type: ignore[misc]
                assert services[number].stop() == 0
                services[number] = start(number)
                wait_until(lambda: len(proxy.up()) == 2, "HAProxy has noticed")
            before = len(load.answers)
            wait_until(lambda: len(load.answers) > before + 50, "clients have answers")
        assert load.failures == []
        assert {status for status, _ in load.answers} == {200, 403}
        assert load.ids() <= recorded(services[0]) | recorded(services[1])
        assert len(load.ids()) == len(load.answers)
        for service in services:
            service.kill()  # how one ends is seen already


def test_workers_are_replaced_without_a_lost_decision(tmp_path: Path) -> None:
    with run_service(tmp_path, max_requests="60") as service:
        before = set(service.workers())
        with steady_load(service.port) as load:
            wait_until(lambda: not before & set(service.workers()), "both workers are replaced")
            wait_until(lambda: len(service.workers()) == 2, "others serve")
            answered = len(load.answers)
            wait_until(lambda: len(load.answers) > answered + 20, "clients have answers")
        assert load.failures == []
        assert load.ids() <= recorded(service)
        assert service.log_problems() == []


class TestDraining:
    @pytest.fixture
    def service(self, tmp_path: Path) -> Iterator[RunningService]:
        """A service that drains for longer than any test takes."""
        with run_service(tmp_path, drain_seconds="60") as running:
            yield running

    def test_it_is_not_ready_and_serves_on_until_it_is_told_again(self, service: RunningService) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)) as kept:

            def connection_header() -> str | None:
                kept.request("GET", "/healthz")
                answer = kept.getresponse()
                answer.read()
                return answer.getheader("Connection")

            assert connection_header() == "keep-alive"
            service.process.send_signal(signal.SIGTERM)
            wait_until(lambda: service.get("/readyz").status == 503, "it drains")
            for _ in range(10):  # whichever worker answers
                ready = service.get("/readyz")
                assert [ready.status, ready.json["status"], ready.json["reason"]] == [503, "not ready", "draining"]
                assert set(ready.json["checks"].values()) == {"ok"}
                answer = service.post(OPERATION, COMPLIANT)
                assert [answer.status, answer.headers["Connection"]] == [200, "close"]
            assert service.get("/healthz").status == 200
            assert connection_header() == "close"
        assert service.stop() == 0  # a second SIGTERM
        assert service.verify_log().returncode == 0

    def test_an_interrupt_ends_it_at_once_and_in_order(self, service: RunningService) -> None:
        assert service.post(OPERATION, COMPLIANT).status == 200
        for pid in [service.process.pid, *service.workers(), *service.sealers()]:  # as a terminal does
            os.kill(pid, signal.SIGINT)
        assert service.process.wait(timeout=30) == 0
        assert service.verify_log().returncode == 0
