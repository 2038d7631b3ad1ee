"""Whatever breaks beside the service, its answer is no allow, says why, comes in time, and all is well afterwards."""

from __future__ import annotations

import resource
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from ecs_admission.decision_log.keys import make_signing_key
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.engines.pack import Pack
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.errors import RecordUnavailableError
from ecs_admission.http import create_flask
from ecs_admission.journal import node_entry
from ecs_admission.model import new_decision_id
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision
from tests.engines.opa_server import OpaServer, serve_bundle
from tests.engines.tcp_faults import Answer, FaultServer, Peer, reply, serve_faults
from tests.service.conftest import BUNDLE, COMPLIANT
from tests.service.running_service import OPERATION, REVIEWS, Reply, RunningService, run_service, wait_until

DEADLINE_SECONDS = 1.0
GENEROUS_SECONDS = 5.0
"""Beyond any deadline that is set here, and far below what a hang would take."""

REVIEW = {
    "apiVersion": "admission.k8s.io/v1",
    "kind": "AdmissionReview",
    "request": {"uid": "u", "operation": "RegisterTaskDefinition", "object": COMPLIANT},
}


def ask(subject: RunningService) -> list[Reply]:
    """Have a compliant request judged by both routes, each answered in time."""
    begin = time.monotonic()
    replies = [subject.post(f"{OPERATION}?environment=prod", COMPLIANT), subject.post(REVIEWS, REVIEW)]
    assert time.monotonic() - begin < 2 * GENEROUS_SECONDS
    return replies


def assert_refused(replies: list[Reply], reason: str, code: str | None = None) -> None:
    """Fail unless each answer is a 503 with this reason, and is no allow in any reading."""
    for answer in replies:
        assert [answer.status, answer.json["reason"], answer.json.get("code")] == [503, reason, code]
        assert b"allowed" not in answer.body


def assert_allowed(subject: RunningService) -> None:
    assert [reply.json["response"]["allowed"] for reply in ask(subject)] == [True, True]


@pytest.mark.service
@pytest.mark.opa
class TestAnEngineThatBreaks:
    @pytest.fixture(scope="class")
    @classmethod
    def socket_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Where OPA listens, each time it is started."""
        return tmp_path_factory.mktemp("opa") / "opa.sock"

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, socket_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
        """A service whose OPA need not be there."""
        settings = {"opa_url": f"unix://{socket_path}", "engine_deadline_seconds": str(DEADLINE_SECONDS)}
        with run_service(tmp_path_factory.mktemp("service"), engine="opa", **settings) as running:
            yield running

    @pytest.fixture
    def opa(self, socket_path: Path) -> Iterator[OpaServer]:
        """A real OPA server."""
        with serve_bundle(BUNDLE, unix_socket=socket_path) as running:
            yield running
        socket_path.unlink(missing_ok=True)

    def test_one_that_was_never_there_is_unavailable(self, subject: RunningService) -> None:
        assert_refused(ask(subject), "EngineUnavailable", "unreachable")
        ready = subject.get("/readyz")
        assert [ready.status, ready.json["checks"]["engine"]] == [503, "EngineUnavailable"]
        assert subject.get("/healthz").status == 200

    def test_one_that_starts_later_is_used(self, subject: RunningService, opa: OpaServer) -> None:
        assert_allowed(subject)
        wait_until(lambda: subject.get("/readyz").status == 200, "the engine was tried")

    def test_one_that_is_killed_is_unavailable(
        self, subject: RunningService, opa: OpaServer, socket_path: Path
    ) -> None:  # fmt: skip
        assert_allowed(subject)
        opa.process.kill()
        opa.process.wait()
        assert_refused(ask(subject), "EngineUnavailable", "unreachable")
        socket_path.unlink(missing_ok=True)
        with serve_bundle(BUNDLE, unix_socket=socket_path):
            assert_allowed(subject)

    def test_one_that_is_stopped_is_too_late(self, subject: RunningService, opa: OpaServer) -> None:
        assert_allowed(subject)
        opa.pause()
        assert_refused(ask(subject), "Timeout")
        assert subject.get("/readyz").json["checks"]["engine"] == "Timeout"
        opa.process.send_signal(signal.SIGCONT)
        assert_allowed(subject)

    def test_what_is_not_decided_is_on_record(self, subject: RunningService) -> None:
        (answer, _) = ask(subject)
        found = subject.get(f"/v1/decisions/{answer.json['decisionId']}").json
        assert [found["entry"]["outcome"], found["entry"]["reason"]] == ["undecided", "EngineUnavailable"]
        assert found["policyInput"]["object"]["family"] == "web"


@pytest.mark.service
class TestAnEngineThatLies:
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Iterator[FaultServer]:
        """A server in OPA's place, whose `answer` tests replace."""
        with serve_faults(lambda peer, _: peer.reset()) as server:
            yield server

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, engine: FaultServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
        """A service that believes the server to be OPA."""
        settings = {"opa_url": engine.url, "engine_deadline_seconds": str(DEADLINE_SECONDS)}
        with run_service(tmp_path_factory.mktemp("service"), engine="opa", **settings) as running:
            yield running

    @pytest.fixture
    def evaluated(self, pack: Pack) -> list[str]:
        """All rules of the pack that ships."""
        return sorted(pack.catalogue)

    def answers(self, pack: Pack, **changes: Any) -> Answer:
        """An answer as OPA gives it for a request without findings, with changes."""

        def answer(peer: Peer, request: bytes) -> bool:
            asked = orjson.loads(request.partition(b"\r\n\r\n")[2])["input"]["request"]["uid"]
            honest = {
                "decisionId": asked,
                "revision": pack.revision,
                "evaluated": sorted(pack.catalogue),
                "findings": [],
            }
            return peer.send(reply(orjson.dumps({"result": honest | changes})))

        return answer

    def test_an_honest_answer_is_believed(self, subject: RunningService, engine: FaultServer, pack: Pack) -> None:
        engine.answer = self.answers(pack)
        assert_allowed(subject)

    @pytest.mark.parametrize(
        ("answer", "reason", "code"),
        [
            (lambda peer, _: peer.send(reply(b"{}")), "CannotDecide", "no-proof"),
            (lambda peer, _: peer.send(reply(b'{"result": {}}')), "CannotDecide", "no-proof"),
            (lambda peer, _: peer.send(reply(b'{"result": null}')), "CannotDecide", "no-proof"),
            (lambda peer, _: peer.send(reply(b'{"result": true}')), "CannotDecide", "no-proof"),
            (lambda peer, _: peer.send(reply(b'{"result": {"allowed": true}}')), "CannotDecide", "no-proof"),
            (lambda peer, _: peer.send(reply(b"allow")), "EngineUnavailable", None),
            (lambda peer, _: peer.send(reply(b"")), "EngineUnavailable", None),
            (lambda peer, _: peer.send(reply(b"[]")), "EngineUnavailable", None),
            (lambda peer, _: peer.send(reply(b"{}", status="500 Internal Server Error")), "EngineUnavailable", None),
            (lambda peer, _: peer.send(reply(b"{}", status="204 No Content")), "EngineUnavailable", None),
            (
                lambda peer, _: peer.send(reply(b"", "307 x", b"Location: http://127.0.0.1:1/\r\n")),
                "EngineUnavailable",
                None,
            ),
            (lambda peer, _: peer.send(b"\x00\xff garbage\r\n\r\n") and False, "EngineUnavailable", None),
            (lambda peer, _: peer.send(reply(b'{"result": {}}')[:-4]) and False, "EngineUnavailable", None),
            (lambda peer, _: peer.reset(), "EngineUnavailable", None),
            (lambda *_: False, "EngineUnavailable", None),
            (lambda peer, _: peer.flood(b"HTTP/1.1 200 OK\r\nX-More: " + b"x" * 8192), "EngineUnavailable", None),
            (lambda peer, _: peer.hold(), "Timeout", None),
            (lambda peer, _: peer.drip(reply(b" " * 10_000)), "Timeout", None),
        ],
    )
    def test_nonsense_proves_nothing(
        self, subject: RunningService, engine: FaultServer, answer: Answer, reason: str, code: str | None
    ) -> None:
        engine.answer = answer
        assert_refused(ask(subject), reason, code)

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"decisionId": "01939e5e-7c00-7000-8000-000000000000"}, "wrong-decision"),
            ({"revision": "sha256:" + "0" * 64}, "wrong-revision"),
            ({"evaluated": []}, "wrong-rules"),
            ({"evaluated": ["plaintext/environment"]}, "wrong-rules"),
            ({"findings": [{"rule": "no/rule", "at": ""}]}, "unknown-rule"),
            ({"findings": [{"rule": "plaintext/environment", "at": "/no/place"}]}, "unknown-place"),
            ({"findings": [{"rule": "plaintext/environment", "at": "", "variant": "none"}]}, "unknown-variant"),
            ({"findings": [{"rule": "plaintext/environment"}]}, "no-proof"),
            ({"findings": {}}, "no-proof"),
            ({"decisionId": None}, "no-proof"),
            ({"more": 1}, "no-proof"),
        ],
    )
    def test_an_answer_that_is_not_for_us_proves_nothing(
        self, subject: RunningService, engine: FaultServer, pack: Pack, *, changes: dict[str, Any], code: str
    ) -> None:
        engine.answer = self.answers(pack, **changes)
        assert_refused(ask(subject), "CannotDecide", code)

    @pytest.mark.parametrize("change", ["one-less", "one-more", "one-other"])
    def test_rules_are_counted_exactly(
        self, subject: RunningService, engine: FaultServer, pack: Pack, evaluated: list[str], change: str
    ) -> None:
        changed = {
            "one-less": evaluated[1:],
            "one-more": [*evaluated, "plaintext/imagined"],
            "one-other": [*evaluated[1:], "plaintext/imagined"],
        }
        engine.answer = self.answers(pack, evaluated=changed[change])
        assert_refused(ask(subject), "CannotDecide", "wrong-rules")

    def test_nothing_of_it_stays(self, subject: RunningService, engine: FaultServer, pack: Pack) -> None:
        engine.answer = self.answers(pack)
        assert_allowed(subject)
        assert len(subject.workers()) == 2


@pytest.mark.service
class TestADatabaseThatBreaks:
    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
        """A service that waits half a second for its database."""
        with run_service(tmp_path_factory.mktemp("service"), record_deadline_seconds="0.5") as running:
            yield running

    def test_a_locked_one_takes_no_record(self, subject: RunningService) -> None:
        assert_allowed(subject)
        with closing(sqlite3.connect(subject.database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert_refused(ask(subject), "RecordUnavailable")
            other.execute("ROLLBACK")
        assert_allowed(subject)

    def test_a_refused_answer_was_not_recorded(self, subject: RunningService) -> None:
        before = subject.get("/v1/decisions?limit=1").json["items"][0]["id"]
        with closing(sqlite3.connect(subject.database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert subject.get("/v1/decisions?limit=1").status == 503  # nor is a read that cannot be recorded answered
            (answer, _) = ask(subject)
            other.execute("ROLLBACK")
        assert_allowed(subject)
        assert subject.get(f"/v1/decisions/{answer.json['decisionId']}").status == 404
        assert subject.get(f"/v1/decisions/{before}").status == 200

    def test_a_full_disk_takes_no_record_and_ends_nothing(self, subject: RunningService) -> None:
        assert_allowed(subject)
        workers = subject.workers()
        written = max(path.stat().st_size for path in subject.data_dir.iterdir())
        _limit_files(workers, written)
        try:
            # What fits into pages that are there already is still written.
            wait_until(lambda: ask(subject)[0].status == 503, "the disk is full")
            replies = [answer for _ in range(5) for answer in ask(subject)]
        finally:
            _limit_files(workers, resource.RLIM_INFINITY)
        refused = [answer for answer in replies if answer.status != 200]
        assert len(refused) > 0
        assert_refused(refused, "RecordUnavailable")
        assert subject.workers() == workers
        assert_allowed(subject)

    def test_its_chains_are_whole_afterwards(self, subject: RunningService) -> None:
        assert subject.log_problems() == []


def _limit_files(processes: list[int], size: int) -> None:
    """Let these processes write no file beyond `size` bytes: their disk is full. The hard limit stays."""
    for process in processes:
        _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
        resource.prlimit(process, resource.RLIMIT_FSIZE, (size, hard))


@pytest.mark.service
def test_a_database_that_is_locked_at_start_is_waited_for(tmp_path: Path) -> None:
    with run_service(tmp_path, record_deadline_seconds="0.3") as before:
        assert before.stop() == 0
    booted = before.stderr.read_text().count("Booting worker")

    def release(lock: sqlite3.Connection) -> None:
        wait_until(lambda: before.stderr.read_text().count("Booting worker") > booted + 2, "a worker is replaced")
        lock.execute("ROLLBACK")

    with (
        closing(sqlite3.connect(before.database, isolation_level=None, check_same_thread=False)) as lock,
        ThreadPoolExecutor(1) as thread,
    ):
        lock.execute("BEGIN EXCLUSIVE")
        released = thread.submit(release, lock)
        with run_service(tmp_path, record_deadline_seconds="0.3") as service:
            released.result()
            assert_allowed(service)
            assert service.stop() == 0
    assert b"Traceback" not in before.stderr.read_bytes()


class TestAReadOnlyDatabase:
    """In process: a database that nobody may write, not even root."""

    @pytest.fixture
    def make_read_only(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[DecisionLog], None]:
        """Make the write connection of a log refuse to write, as SQLite does for a read-only file."""

        def make(log: DecisionLog) -> None:
            log._disconnect()
            begin = log._begin

            def read_only(deadline: float) -> Any:
                connection = begin(deadline)
                connection.exec_driver_sql("PRAGMA query_only = ON")
                return connection

            monkeypatch.setattr(log, "_begin", read_only)

        return make

    def test_it_takes_no_record(
        self, tmp_path: Path, revision: Revision, make_read_only: Callable[[DecisionLog], None]
    ) -> None:
        start = node_entry("node_start", "embedded", revision.id)
        url = f"sqlite:///{tmp_path / 'decisions.sqlite3'}"
        log = DecisionLog.open(
            url, writer=new_decision_id(), start=start, log_key=make_signing_key(), timeout_seconds=5.0
        )  # fmt: skip
        make_read_only(log)
        with pytest.raises(RecordUnavailableError, match="SQLITE_READONLY"):
            log.append(node_entry("node_stop", "embedded", revision.id), deadline_seconds=5.0)
        reviewer = Reviewer(
            revision,
            inventory=NoInventory(),
            recorder=lambda draft: log.append(draft, deadline_seconds=5.0),
            on_error=lambda error: pytest.fail(repr(error)),
        )
        answer = create_flask(reviewer, log.reader).test_client().post(OPERATION, json=COMPLIANT)
        assert [answer.status_code, answer.get_json()["reason"]] == [503, "RecordUnavailable"]
        log.close()
