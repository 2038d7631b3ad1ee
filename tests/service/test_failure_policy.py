"""`failurePolicy: Ignore` in the real service: what is let through when OPA is away, and what is not for all else."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from ecs_admission.engines.pack import OPA_ARTEFACT
from ecs_admission.policies import build_policies
from tests.engines.layers import folder
from tests.engines.opa_server import OpaServer, opa_program, serve_bundle
from tests.engines.tcp_faults import Answer, reply, serve_faults
from tests.service.conftest import COMPLIANT, leaky
from tests.service.running_service import (
    OPERATION,
    REVIEWS,
    Reply,
    RunningService,
    run_command,
    run_service,
    wait_until,
)

LAYER = "dev: {failurePolicy: Ignore}\n"


def ask(subject: RunningService, environment: str = "dev") -> Reply:
    return subject.post(f"{OPERATION}?environment={environment}", COMPLIANT)


def decided(answer: Reply) -> list[object]:
    """What became of a request: the status, and whether somebody judged it."""
    if answer.status == 503:
        assert b"allowed" not in answer.body
        return [503, answer.json["reason"]]
    response = answer.json["response"]
    return [answer.status, response["allowed"], response["auditAnnotations"].get("failed-open")]


LET_THROUGH = [200, True, "EngineUnavailable"]
JUDGED = [200, True, None]


@pytest.mark.service
@pytest.mark.opa
class TestWithOpa:
    @pytest.fixture(scope="class")
    @classmethod
    def built(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The pack that ships, with an environment that ignores failures."""
        place = tmp_path_factory.mktemp("policies")
        layer = folder(place / "layer", {"config/environments/data.yaml": LAYER})
        policies = build_policies([layer], place / "built", opa=opa_program(), now=time.time())
        assert policies.weakened == ("environment dev: failurePolicy is Ignore and no longer Fail",)
        return place / "built"

    @pytest.fixture(scope="class")
    @classmethod
    def socket_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Where OPA listens, each time it is started."""
        return tmp_path_factory.mktemp("opa") / "opa.sock"

    @pytest.fixture(scope="class")
    @classmethod
    def subject(
        cls, built: Path, socket_path: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[RunningService]:
        """A service that ignores in dev that its OPA is away."""
        with run_service(
            tmp_path_factory.mktemp("service"),
            engine="opa",
            opa_url=f"unix://{socket_path}",
            policies=str(built),
            engine_deadline_seconds="0.5",
            record_deadline_seconds="0.5",
        ) as running:
            yield running

    @pytest.fixture
    def opa(self, built: Path, socket_path: Path) -> Iterator[OpaServer]:
        """A real OPA server."""
        with serve_bundle(built / OPA_ARTEFACT, unix_socket=socket_path) as running:
            yield running
        socket_path.unlink(missing_ok=True)

    def test_one_that_is_away_is_ignored_where_data_says_so(self, subject: RunningService) -> None:
        assert decided(ask(subject)) == LET_THROUGH
        for other in ("prod", "nowhere"):
            assert decided(ask(subject, other)) == [503, "EngineUnavailable"]
        review = {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {"uid": "u", "operation": "RegisterTaskDefinition", "object": COMPLIANT},
        }
        assert decided(subject.post(REVIEWS, review)) == [503, "EngineUnavailable"]

    def test_it_is_on_record_and_can_be_found(self, subject: RunningService) -> None:
        answer = ask(subject)
        found = subject.get("/v1/decisions?outcome=failOpen&limit=1").json["items"][0]
        assert found["id"] == answer.json["response"]["auditAnnotations"]["decision-id"]
        assert [found["reason"], found["error"]] == ["EngineUnavailable", {"code": "unreachable", "pointer": None}]
        shown = subject.get(f"/v1/decisions/{found['id']}").json
        assert shown["policyInput"]["object"]["family"] == "web"

    def test_it_is_one_log_line_of_level_warning(self, subject: RunningService) -> None:
        identity = ask(subject).json["response"]["auditAnnotations"]["decision-id"]
        written = (subject.stdout.read_bytes() + subject.stderr.read_bytes()).splitlines()
        lines = [orjson.loads(line) for line in written if identity.encode() in line]
        assert [(line["level"], line["outcome"]) for line in lines] == [("warning", "failOpen")]

    def test_the_command_line_shows_it_and_goes_on(self, subject: RunningService, tmp_path: Path) -> None:
        file = tmp_path / "task.json"
        file.write_bytes(orjson.dumps(COMPLIANT))
        done = run_command(
            "check", "--server", subject.url, "--environment", "dev", file, environment=subject.environment
        )
        assert done.returncode == 0
        assert "failOpen, allowed and judged by nobody" in done.stdout
        assert "failed-open at /" in done.stdout

    def test_the_log_says_since_when_failures_are_ignored(self, subject: RunningService) -> None:
        done = run_command("log", "policy", "--at", "0h", environment=subject.environment)
        assert "failurePolicy is Ignore and no longer Fail" in done.stdout
        assert "failures: dev Ignore, prod Fail" in done.stdout

    def test_what_was_let_through_is_judged_later(self, subject: RunningService, built: Path) -> None:
        leak = subject.post(f"{OPERATION}?environment=dev", leaky())
        assert decided(leak) == LET_THROUGH
        done = run_command(
            *("policies", "preview", "--policies", built, "--outcome", "failOpen"), environment=subject.environment
        )
        assert leak.json["response"]["auditAnnotations"]["decision-id"] in done.stdout
        assert "newly denied" in done.stdout

    def test_without_a_record_nothing_is_let_through(self, subject: RunningService) -> None:
        with closing(sqlite3.connect(subject.database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            answer = ask(subject)
            other.execute("ROLLBACK")
        assert decided(answer) == [503, "RecordUnavailable"]
        assert decided(ask(subject)) == LET_THROUGH

    def test_one_that_is_there_judges(self, subject: RunningService, opa: OpaServer) -> None:
        assert decided(ask(subject)) == JUDGED
        assert subject.post(f"{OPERATION}?environment=dev", leaky()).status == 403

    def test_one_that_is_stopped_is_not_ignored(self, subject: RunningService, opa: OpaServer) -> None:
        assert decided(ask(subject)) == JUDGED
        opa.pause()
        assert decided(ask(subject)) == [503, "Timeout"]
        opa.process.send_signal(signal.SIGCONT)
        assert decided(ask(subject)) == JUDGED

    def test_one_that_dies_while_it_judges_is_not_ignored_until_it_was_back(
        self, subject: RunningService, built: Path, socket_path: Path
    ) -> None:
        with serve_bundle(built / OPA_ARTEFACT, unix_socket=socket_path) as opa:
            assert decided(ask(subject)) == JUDGED
            opa.pause()
            assert decided(ask(subject)) == [503, "Timeout"]
        socket_path.unlink()
        for _ in range(4):  # whichever worker is asked
            assert decided(ask(subject)) == [503, "EngineUnavailable"]
        with serve_bundle(built / OPA_ARTEFACT, unix_socket=socket_path):
            assert decided(ask(subject)) == JUDGED
            # Workers that were not ready try the engine each second: one that ends under such a try died under a call.
            wait_until(
                lambda: [subject.get("/readyz").status for _ in range(10)] == [200] * 10, "each worker has tried it"
            )
        socket_path.unlink()
        assert decided(ask(subject)) == LET_THROUGH

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (lambda peer, _: peer.send(reply(b"{}", "500 Internal Server Error")), "EngineUnavailable"),
            (lambda peer, _: peer.send(reply(b"{}")), "CannotDecide"),
            (lambda peer, _: peer.reset(), "EngineUnavailable"),
            (lambda peer, _: peer.drip(reply(b" " * 10_000)), "Timeout"),
        ],
        ids=["500", "undefined", "reset", "slow"],
    )
    def test_one_that_answers_badly_is_not_ignored(
        self, subject: RunningService, socket_path: Path, answer: Answer, reason: str
    ) -> None:
        with serve_faults(answer, unix_socket=socket_path):
            assert decided(ask(subject)) == [503, reason]
        socket_path.unlink()

    def test_the_chains_are_whole_afterwards(self, subject: RunningService) -> None:
        assert subject.log_problems() == []


@pytest.mark.service
def test_the_embedded_engine_cannot_be_away(tmp_path: Path) -> None:
    layer = folder(tmp_path / "layer", {"config/environments/data.yaml": LAYER})
    with run_service(tmp_path / "service", policies=str(layer)) as subject:
        assert decided(ask(subject)) == JUDGED
        assert subject.post(f"{OPERATION}?environment=dev", leaky()).status == 403
