"""The pipeline: whatever breaks, in whatever step, the answer is no allow and the record says so, before the answer."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import orjson
import pytest

from ecs_admission.adapt.submission import Adapted, read_operation, read_review
from ecs_admission.decision_log.entries import EntryDraft
from ecs_admission.engines.protocol import PolicyEngine
from ecs_admission.enrich.inventory import Fact, Inventory, NoInventory
from ecs_admission.errors import (
    AdmissionError,
    CannotDecideError,
    DeadlineError,
    EngineUnavailableError,
    InputError,
    PolicyError,
    RecordUnavailableError,
)
from ecs_admission.model import Evaluation, Outcome, PolicyInput, RawFinding, UserInfo, new_decision_id
from ecs_admission.review import Answer, Reviewer
from ecs_admission.revision import Revision
from tests.project.samples import container, environment, github_token, letters, task

NOW = 1_700_000_000.75
CLEAN = orjson.dumps(task(container()))
USER = UserInfo("system:test", ("ci",))


class FakeEngine:
    """Answers with the findings it was made with, and all the proof that a decision needs unless told otherwise."""

    name = "fake"

    def __init__(
        self,
        of: Revision,
        *findings: RawFinding,
        error: BaseException | None = None,
        unreachable: bool = False,
        **changes: Any,
    ) -> None:
        self._proof = {"revision": of.id, "evaluated": frozenset(of.governance.catalogue), **changes}
        self._findings = findings
        self._error = error
        self._unreachable = unreachable
        self.probed = 0
        self.seen: list[PolicyInput] = []

    def evaluate(self, policy_input: PolicyInput) -> Evaluation:
        self.seen.append(policy_input)
        if self._error is not None:
            raise self._error
        proof = {"decision_id": policy_input.decision_id, **self._proof}
        return Evaluation(findings=self._findings, **proof)

    def probe(self) -> None: ...

    def is_unreachable(self) -> bool:
        self.probed += 1
        return self._unreachable

    def close(self) -> None: ...


class BrokenInventory:
    def facts(self, subjects: Sequence[tuple[str, str]]) -> Iterable[Fact]:
        raise OSError("hunter2")


class Bench:
    """A reviewer among fakes, and what it told them."""

    def __init__(
        self,
        revision: Revision,
        engine: PolicyEngine | None = None,
        *,
        inventory: Inventory | None = None,
        recording: BaseException | None = None,
    ) -> None:
        self.engine = engine or FakeEngine(revision)
        self.records: list[EntryDraft] = []
        self.errors: list[Exception] = []
        self._recording = recording
        self.reviewer = Reviewer(
            dataclasses.replace(revision, engine=self.engine),
            inventory=inventory or NoInventory(),
            recorder=self._record,
            on_error=self.errors.append,
            clock=lambda: NOW,
        )

    def _record(self, draft: EntryDraft) -> None:
        if self._recording is not None:
            raise self._recording
        self.records.append(draft)

    def ask(self, read: Callable[[], Adapted] | bytes = CLEAN, **parameters: str) -> Answer:
        if isinstance(read, bytes):
            body = read
            read = lambda: read_operation("RegisterTaskDefinition", body, parameters.items())  # noqa: E731
        return self.reviewer.review(read, operation="RegisterTaskDefinition", user=USER, enforcement_point="http")

    @property
    def record(self) -> dict[str, Any]:
        (draft,) = self.records
        return draft.document


def refused(answer: Answer) -> tuple[Outcome, str, int]:
    assert answer.response["allowed"] is False
    assert answer.response["status"]["code"] == answer.decision.status >= 400
    assert answer.response["status"]["reason"] == answer.decision.reason
    return answer.decision.outcome, answer.decision.reason, answer.decision.status


def test_a_clean_request_is_allowed_and_recorded(revision: Revision) -> None:
    bench = Bench(revision)
    answer = bench.ask(environment="prod", commit="abc123")
    assert answer.response["allowed"] is True
    assert bench.record["outcome"] == "allowed"
    assert bench.record["id"] == answer.decision_id == answer.uid
    assert bench.record["time"] == int(NOW * 1_000_000)
    assert bench.record["caller"] == {"username": "system:test", "groups": ["ci"]}
    assert bench.record["policy"] == {"engine": "fake", "revision": revision.id}
    request = bench.record["request"]
    assert (request["operation"], request["family"], request["enforcementPoint"]) == (
        "RegisterTaskDefinition",
        "web",
        "http",
    )
    assert (request["context"]["commit"], request["context"]["now"]) == ("abc123", int(NOW))
    assert bench.errors == []


def test_the_record_keeps_what_the_engine_saw_byte_for_byte(revision: Revision) -> None:
    engine = FakeEngine(revision)
    bench = Bench(revision, engine)
    bench.ask(environment="prod")
    assert [draft.body for draft in bench.records] == [seen.body for seen in engine.seen]


def test_time_place_and_user_are_the_services_own(revision: Revision) -> None:
    engine = FakeEngine(revision)
    Bench(revision, engine).ask(environment="prod")
    request = orjson.loads(engine.seen[0].body)["request"]
    assert request["context"]["now"] == int(NOW)
    assert request["userInfo"] == {"username": "system:test", "groups": ["ci"]}
    assert request["enforcementPoint"] == "http"


def test_a_finding_is_a_denial(revision: Revision) -> None:
    bench = Bench(revision, FakeEngine(revision, RawFinding("roles/execution-role-missing", "/executionRoleArn")))
    assert refused(bench.ask(environment="prod")) == (Outcome.DENIED, "NonCompliant", 403)
    assert [finding["rule"] for finding in bench.record["findings"]] == ["roles/execution-role-missing"]


ERRORS: list[tuple[AdmissionError, str]] = [
    (EngineUnavailableError("x"), "EngineUnavailable"),
    (DeadlineError("x"), "Timeout"),
    (CannotDecideError("x"), "CannotDecide"),
    (PolicyError("x"), "CannotDecide"),
    (RecordUnavailableError("x"), "RecordUnavailable"),
]


@pytest.mark.parametrize(("error", "reason"), ERRORS, ids=lambda value: type(value).__name__)
def test_an_engine_that_fails_is_no_allow_and_recorded(revision: Revision, error: AdmissionError, reason: str) -> None:
    bench = Bench(revision, FakeEngine(revision, error=error))
    assert refused(bench.ask(environment="prod")) == (Outcome.UNDECIDED, reason, 503)
    assert (bench.record["outcome"], bench.record["reason"]) == ("undecided", reason)
    assert bench.records[0].body is not None
    assert bench.errors == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"decision_id": "other"}, "wrong-decision"), ({"revision": "other"}, "wrong-revision"),
     ({"evaluated": frozenset()}, "wrong-rules")],
)  # fmt: skip
def test_an_engine_that_proves_nothing_is_no_allow(revision: Revision, changes: dict[str, Any], code: str) -> None:
    bench = Bench(revision, FakeEngine(revision, **changes))
    assert refused(bench.ask(environment="prod")) == (Outcome.UNDECIDED, "CannotDecide", 503)
    assert bench.record["error"] == {"code": code, "pointer": None}


SURPRISES: list[Exception] = [
    ValueError("hunter2"), KeyError("hunter2"), MemoryError("hunter2"), RecursionError("hunter2"), OSError("hunter2"),
    AssertionError("hunter2"), UnicodeError("hunter2"), StopIteration("hunter2"), TypeError("hunter2"),
]  # fmt: skip


def breaking(monkeypatch: pytest.MonkeyPatch, step: str, error: Exception, revision: Revision) -> tuple[Bench, Any]:
    """A bench on which `step` raises `error`, and what to ask it."""

    def fail(*_: Any, **__: Any) -> Any:
        raise error

    if step == "adapt":
        return Bench(revision), fail
    if step == "evaluate":
        return Bench(revision, FakeEngine(revision, error=error)), CLEAN
    if step == "decide":
        monkeypatch.setattr("ecs_admission.review.decide", fail)
    elif step == "project":
        monkeypatch.setattr(revision.projector, "project", fail)
    elif step == "suspects":
        monkeypatch.setattr(revision.projector, "suspects", fail)
    else:
        monkeypatch.setattr(f"ecs_admission.review.{step}", fail)
    return Bench(revision), CLEAN


@pytest.mark.parametrize("step", ["adapt", "suspects", "project", "enrich", "assemble", "evaluate", "decide"])
@pytest.mark.parametrize("error", SURPRISES, ids=lambda error: type(error).__name__)
def test_any_surprise_at_any_step_is_no_allow_and_recorded(
    monkeypatch: pytest.MonkeyPatch, revision: Revision, step: str, error: Exception
) -> None:
    bench, read = breaking(monkeypatch, step, error, revision)
    answer = bench.ask(read, environment="prod", commit="abc")
    assert refused(answer) == (Outcome.UNDECIDED, "CannotDecide", 503)
    assert bench.errors == [error]
    assert (bench.record["outcome"], bench.record["error"]) == ("undecided", {"code": "internal", "pointer": None})
    assert b"hunter2" not in orjson.dumps([answer.response, bench.record])


def test_an_inventory_that_fails_is_no_allow(revision: Revision) -> None:
    document = task(container(secrets=[{"name": "A", "valueFrom": "/a"}]))
    bench = Bench(revision, inventory=BrokenInventory())
    assert refused(bench.ask(orjson.dumps(document))) == (Outcome.UNDECIDED, "CannotDecide", 503)


@pytest.mark.parametrize(
    "read", [b"", b"{", b"[]", b"null", b'{"family": 1}', b'{"a": 1, "a": 2}', b"{{ values }}", b"\xff", b"[" * 500]
)
def test_what_cannot_be_judged_is_recorded_as_invalid(revision: Revision, read: bytes) -> None:
    bench = Bench(revision)
    answer = bench.ask(read)
    assert answer.decision.outcome is Outcome.INVALID
    assert 400 <= answer.decision.status < 500
    assert (bench.record["outcome"], bench.record["reason"]) == ("invalid", "InvalidRequest")
    assert bench.record["error"]["code"] == answer.decision.error_code
    assert bench.record["request"]["operation"] == "RegisterTaskDefinition"
    assert (bench.record["body"], bench.records[0].body, bench.errors) == (None, None, [])


@pytest.mark.parametrize(
    "name", ["environment", "cluster", "service", "actor", "repository", "commit", "run", "ticket"]
)
def test_a_parameter_that_looks_like_a_secret_is_refused_and_not_recorded(revision: Revision, name: str) -> None:
    token = github_token()
    bench = Bench(revision)
    answer = bench.ask(**{name: token})
    assert refused(answer) == (Outcome.INVALID, "InvalidRequest", 400)
    assert answer.decision.error_code == "suspicious-parameter"
    assert token.encode() not in orjson.dumps([answer.response, bench.record])


@pytest.mark.parametrize(
    ("name", "claim"),
    [
        ("environment", "zQ7xK" + letters(20)),
        ("run", "https://ci:Orange7Boat@ci.example.com/1"),
        ("run", "https://ci.example.com/1?token=Orange7Boat"),
        ("repository", "https://oauth2:Orange7Boat@git.example.com/x"),
    ],
)
def test_nor_is_one_that_holds_one(revision: Revision, name: str, claim: str) -> None:
    bench = Bench(revision)
    answer = bench.ask(**{name: claim})
    assert answer.decision.error_code == "suspicious-parameter"
    assert claim.encode() not in orjson.dumps([answer.response, bench.record])
    assert b"Orange7Boat" not in orjson.dumps([answer.response, bench.record])


@pytest.mark.parametrize(
    ("name", "claim"),
    [
        ("commit", "3f2a9c1b" * 5),
        ("run", "https://ci.example.com/runs/1234567890123?attempt=2"),
        ("actor", "jane@example.com"),
        ("cluster", "arn:aws:ecs:eu-central-1:111122223333:cluster/main"),
    ],
)
def test_hashes_and_links_are_taken_as_they_are(revision: Revision, name: str, claim: str) -> None:
    bench = Bench(revision)
    assert bench.ask(environment="prod", **{name: claim}).response["allowed"] is True
    assert bench.record["request"]["context"][name] == claim


def test_a_uid_that_looks_like_a_secret_is_refused_and_not_echoed(revision: Revision) -> None:
    token = github_token()
    review = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {"uid": token, "operation": "RegisterTaskDefinition", "object": task(container())},
    }
    bench = Bench(revision)
    answer = bench.ask(lambda: read_review(orjson.dumps(review)))
    assert answer.decision.error_code == "suspicious-parameter"
    assert answer.uid == answer.decision_id
    assert token.encode() not in orjson.dumps([answer.response, bench.record])


@pytest.mark.parametrize("body", [CLEAN, orjson.dumps(environment([("DB_PASSWORD", "Orange-7")])), b"{"])
def test_a_decision_that_cannot_be_recorded_is_not_given(revision: Revision, body: bytes) -> None:
    bench = Bench(revision, revision.engine, recording=RecordUnavailableError("the decision log is full"))
    answer = bench.ask(body, environment="prod")
    assert refused(answer) == (Outcome.UNDECIDED, "RecordUnavailable", 503)
    assert "details" not in answer.response["status"]


def test_the_record_is_made_before_the_answer(monkeypatch: pytest.MonkeyPatch, revision: Revision) -> None:
    order: list[str] = []

    class Engine(FakeEngine):
        def evaluate(self, policy_input: PolicyInput) -> Evaluation:
            order.append("evaluate")
            return super().evaluate(policy_input)

    class Records(list[EntryDraft]):
        def append(self, draft: EntryDraft) -> None:
            order.append("record")
            super().append(draft)

    from ecs_admission import review

    respond = review.review_response
    monkeypatch.setattr(review, "review_response", lambda *a, **k: order.append("respond") or respond(*a, **k))
    bench = Bench(revision, Engine(revision))
    bench.records = Records()
    bench.ask(environment="prod")
    assert order == ["evaluate", "record", "respond"]


def test_each_step_has_its_time(revision: Revision) -> None:
    bench = Bench(revision)
    answer = bench.ask(environment="prod")
    steps = ["adapt", "project", "enrich", "evaluate", "decide", "record"]
    assert list(answer.timings_us) == steps
    assert all(isinstance(time, int) and time >= 0 for time in answer.timings_us.values())
    assert list(bench.record["timings"]) == steps[:-1]


def test_a_step_that_broke_off_has_its_time_too(revision: Revision) -> None:
    bench = Bench(revision, FakeEngine(revision, error=DeadlineError("x")))
    bench.ask(environment="prod")
    assert list(bench.record["timings"]) == ["adapt", "project", "enrich", "evaluate"]


def test_an_unknown_environment_is_judged_and_warned_of(revision: Revision) -> None:
    for parameters in ({}, {"environment": "production"}):
        answer = Bench(revision).ask(**parameters)
        assert answer.response["allowed"] is True
        assert any(
            w.startswith("unknown-environment at /: judged by the strictest") for w in answer.response["warnings"]
        )
        assert "production" not in str(answer.response)
    assert "warnings" not in Bench(revision).ask(environment="prod").response


def test_a_finding_never_shows_the_callers_text(revision: Revision) -> None:
    canaries = (f"{letters(12, seed=index)}!{letters(12, seed=index + 99)}" for index in itertools.count())
    planted: list[str] = []

    def canary() -> str:
        planted.append(next(canaries))
        return planted[-1]

    document = task(
        container(
            name=canary(),
            image=canary(),
            command=["--password=" + canary(), "--token", canary()],
            environment=[
                {"name": canary() + "_PASSWORD", "value": canary()},
                {"name": "DB_PASSWORD", "value": canary()},
            ],
            secrets=[{"name": canary(), "valueFrom": canary()}],
            dockerLabels={canary(): canary(), "api-token": canary()},
            logConfiguration={"logDriver": canary(), "options": {"splunk-token": canary(), canary(): canary()}},
            repositoryCredentials={"credentialsParameter": canary() + " "},
            **{canary(): {"password": canary(), canary(): [canary()]}},
        ),
        family=canary(),
        tags=[{"key": canary(), "value": canary()}],
        **{canary() + "token": canary()},
    )
    bench = Bench(revision, revision.engine)
    answer = bench.ask(orjson.dumps(document), environment="prod")
    assert refused(answer) == (Outcome.DENIED, "NonCompliant", 403)
    rules = {cause["reason"] for cause in answer.response["status"]["details"]["causes"]}
    assert rules >= {"plaintext/environment", "plaintext/field", "logging/secret-option",
                     "references/invalid-value-from",
                     "registries/repository-credentials", "roles/execution-role-missing"}  # fmt: skip
    said = orjson.dumps([answer.response, bench.record]) + repr(answer).encode() + (bench.records[0].body or b"")
    assert [text for text in planted if text.encode() in said] == []


def test_a_pointer_leads_into_the_wrapped_document(revision: Revision) -> None:
    document = {"taskDefinition": environment([("DB_PASSWORD", "Orange-7")])}
    answer = Bench(revision, revision.engine).ask(orjson.dumps(document), environment="prod")
    assert [cause["field"] for cause in answer.response["status"]["details"]["causes"]] == [
        "/taskDefinition/containerDefinitions/0/environment/0/value"
    ]


def test_decision_ids_are_unique_and_ordered_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: Iterator[int] = itertools.count(1_700_000_000_000_000_000, 1_000_000)
    monkeypatch.setattr("ecs_admission.model.time.time_ns", ticks.__next__)
    ids = [new_decision_id() for _ in range(2000)]
    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids)


def test_decision_ids_of_one_moment_are_unique(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecs_admission.model.time.time_ns", lambda: 1_700_000_000_000_000_000)
    ids = {new_decision_id() for _ in range(2000)}
    assert len(ids) == 2000
    assert {(text[14], text[19] in "89ab") for text in ids} == {("7", True)}


def test_each_review_has_an_id_of_its_own(revision: Revision) -> None:
    bench = Bench(revision)
    answers = [bench.ask(environment="prod"), bench.ask(environment="prod"), bench.ask(b"{")]
    assert len({answer.decision_id for answer in answers}) == 3
    assert [draft.id for draft in bench.records] == [answer.decision_id for answer in answers]


def test_an_input_error_of_ours_keeps_its_place(revision: Revision) -> None:
    def read() -> Adapted:
        raise InputError("some-code", "some words", status=413, pointer="/a/<3>")

    bench = Bench(revision)
    answer = bench.ask(read)
    assert answer.response["status"]["message"] == "some words (at /a/<3>)"
    assert bench.record["error"] == {"code": "some-code", "pointer": "/a/<3>"}
