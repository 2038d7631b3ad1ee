"""`kill -9` during load loses no decision that a client had an answer for."""

from __future__ import annotations

import http.client
import os
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from tests.service.conftest import COMPLIANT, leaky
from tests.service.running_service import OPERATION, RunningService, run_service, wait_until

pytestmark = pytest.mark.service

CLIENTS = 8
ANSWERED_BEFORE = 150
"""How many answers clients have before the service is killed."""


def load(service: RunningService, answered: list[tuple[str, bool]], dead: threading.Event) -> None:
    """Ask until the service is gone, noting each answer that came whole."""
    bodies = [orjson.dumps(COMPLIANT), orjson.dumps(leaky())]
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    try:
        for number in range(500):
            connection.request("POST", OPERATION, bodies[number % 2])
            response = orjson.loads(connection.getresponse().read())["response"]
            answered.append((response["auditAnnotations"]["decision-id"], response["allowed"]))
            if dead.is_set():
                return
    except (OSError, http.client.HTTPException):
        return  # it was killed
    finally:
        connection.close()


def recorded(database: Path) -> set[tuple[str, bool]]:
    """Every decision in the log, and whether it is an allow."""
    query = "SELECT id, json_extract(CAST(bytes AS TEXT), '$.outcome') FROM entries WHERE kind = 'decision'"
    with closing(sqlite3.connect(database)) as connection:
        return {(decision_id, outcome == "allowed") for decision_id, outcome in connection.execute(query)}


def test_a_killed_service_has_every_decision_that_it_answered(tmp_path: Path) -> None:
    answered: list[tuple[str, bool]] = []
    with run_service(tmp_path) as service:
        dead = threading.Event()
        threads = [threading.Thread(target=load, args=(service, answered, dead)) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answered) >= ANSWERED_BEFORE, "clients have some answers")
        service.kill()
        dead.set()
        for thread in threads:
            thread.join()
        assert len(answered) < CLIENTS * 500  # it was killed in the midst of it
        assert {allowed for _, allowed in answered} == {True, False}
        assert set(answered) - recorded(service.database) == set()
        done = service.verify_log()
        assert [done.returncode, done.stderr] == [0, ""]

    with run_service(tmp_path) as again:
        assert again.post(OPERATION, COMPLIANT).status == 200
        some = answered[-1][0]
        assert again.get(f"/v1/decisions/{some}").json["entry"]["id"] == some
        assert set(answered) - recorded(again.database) == set()
        assert again.stop() == 0
        assert again.verify_log().returncode == 0


def test_a_killed_worker_is_replaced_and_begins_a_chain_of_its_own(tmp_path: Path) -> None:
    with run_service(tmp_path) as service:
        before = service.workers()
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: len(set(service.workers()) - {before[0]}) == 2, "the worker is replaced")
        wait_until(lambda: _writers(service.database) == 3, "the new worker has opened its log")
        assert [service.post(OPERATION, COMPLIANT).status for _ in range(10)] == [200] * 10
        assert service.verify_log().returncode == 0


def _writers(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT count(DISTINCT writer) FROM entries").fetchone()[0])
