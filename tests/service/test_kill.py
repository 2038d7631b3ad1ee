"""`kill -9` during load, of the service or of its database, loses no decision that a client had an answer for."""

from __future__ import annotations

import http.client
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.decision_log.postgresql_server import READER, WRITER, PostgreSQLServer, run_postgresql
from tests.service.conftest import COMPLIANT, leaky
from tests.service.running_service import OPERATION, RunningService, run_service, wait_until

pytestmark = pytest.mark.service

CLIENTS = 8
ANSWERED_BEFORE = 150
"""How many answers clients have before the service is killed."""


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """Of a service with each of the two databases."""
    return {} if request.param == "sqlite" else request.getfixturevalue("on_postgresql")


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQLServer]:
    with run_postgresql() as server:
        yield server


@pytest.fixture
def on_postgresql(postgresql: PostgreSQLServer) -> dict[str, str]:
    """Settings of a service that may only insert, and reads with another role."""
    name = postgresql.create_database()
    return {"database_url": postgresql.url(WRITER, name), "database_read_url": postgresql.url(READER, name)}


def load(service: RunningService, answered: list[tuple[str, bool]], dead: threading.Event) -> None:
    """Ask until the service is gone or not to be asked any more, noting each decision that came whole."""
    bodies = [orjson.dumps(COMPLIANT), orjson.dumps(leaky())]
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    try:
        for number in range(5_000):
            connection.request("POST", OPERATION, bodies[number % 2])
            answer = connection.getresponse()
            document = orjson.loads(answer.read())
            if answer.status in (200, 403):
                response = document["response"]
                answered.append((response["auditAnnotations"]["decision-id"], response["allowed"]))
            if dead.is_set():
                return
    except (OSError, http.client.HTTPException):
        return  # it was killed
    finally:
        connection.close()


def recorded(service: RunningService) -> set[tuple[str, bool]]:
    """Every decision in the log, and whether it is an allow."""
    rows = service.rows("SELECT bytes FROM entries WHERE kind = 'decision'")
    documents = [orjson.loads(content) for (content,) in rows]
    return {(document["id"], document["outcome"] == "allowed") for document in documents}


def test_a_killed_service_has_every_decision_that_it_answered(tmp_path: Path, settings: dict[str, str]) -> None:
    answered: list[tuple[str, bool]] = []
    with run_service(tmp_path, **settings) as service:
        dead = threading.Event()
        threads = [threading.Thread(target=load, args=(service, answered, dead)) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answered) >= ANSWERED_BEFORE, "clients have some answers")
        service.kill()
        dead.set()
        for thread in threads:
            thread.join()
        assert len(answered) < CLIENTS * 5_000  # it was killed in the midst of it
        assert {allowed for _, allowed in answered} == {True, False}
        assert set(answered) - recorded(service) == set()
        assert service.log_problems() == []

    with run_service(tmp_path, **settings) as again:
        assert again.post(OPERATION, COMPLIANT).status == 200
        some = answered[-1][0]
        assert again.get(f"/v1/decisions/{some}").json["entry"]["id"] == some
        assert set(answered) - recorded(again) == set()
        assert again.stop() == 0
        assert again.log_problems() == []


def test_a_database_that_crashes_has_every_decision_that_was_answered_and_is_used_again(
    tmp_path: Path, postgresql: PostgreSQLServer, on_postgresql: dict[str, str]
) -> None:
    answered: list[tuple[str, bool]] = []
    with run_service(tmp_path, **on_postgresql) as service:
        workers = service.workers()
        dead = threading.Event()
        threads = [threading.Thread(target=load, args=(service, answered, dead)) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answered) >= ANSWERED_BEFORE, "clients have some answers")
        postgresql.send(signal.SIGKILL)
        refused = service.post(OPERATION, COMPLIANT)
        assert [refused.status, refused.json["reason"]] == [503, "RecordUnavailable"]
        before = len(answered)
        postgresql.start()
        wait_until(lambda: len(answered) >= before + ANSWERED_BEFORE, "clients have answers again")
        dead.set()
        for thread in threads:
            thread.join()
        assert set(answered) - recorded(service) == set()
        assert service.workers() == workers
        assert service.log_problems() == []


def test_a_killed_worker_is_replaced_and_begins_a_chain_of_its_own(tmp_path: Path) -> None:
    with run_service(tmp_path) as service:
        before = service.workers()
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: len(set(service.workers()) - {before[0]}) == 2, "the worker is replaced")
        wait_until(lambda: len(service.rows("SELECT writer FROM writers")) == 3, "the new worker has opened its log")
        assert [service.post(OPERATION, COMPLIANT).status for _ in range(10)] == [200] * 10
        assert service.log_problems() == []


def test_policies_that_were_damaged_end_no_service_that_loses_a_worker(tmp_path: Path) -> None:
    """The worker that is left judges on, and has company again as soon as the policies can be read."""
    data = tmp_path / "policies" / "config" / "profiles" / "data.yaml"
    data.parent.mkdir(parents=True)
    data.write_text("baseline:\n  plaintext/environment: deny\n")
    with run_service(tmp_path, policies=str(tmp_path / "policies"), policies_poll_seconds="0") as service:
        data.write_text("baseline: [")
        before = service.workers()
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: service.stderr.read_text().count('"worker cannot start"') > 1, "a worker has failed twice")
        assert [service.post(OPERATION, leaky()).status for _ in range(4)] == [403] * 4
        data.write_text("baseline:\n  plaintext/environment: deny\n")
        wait_until(lambda: len(service.rows("SELECT writer FROM writers")) == 3, "a worker has taken its place")
        assert before[1] in service.workers()
        assert [service.post(OPERATION, COMPLIANT).status for _ in range(4)] == [200] * 4
        assert service.stop() == 0
        assert service.log_problems() == []
