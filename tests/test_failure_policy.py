"""`failurePolicy`: what becomes of a request while the engine is away, and that nothing else is let through by it."""

from __future__ import annotations

import base64
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.errors import (
    AdmissionError,
    CannotDecideError,
    DeadlineError,
    EngineUnavailableError,
    EngineUnreachableError,
    InputError,
    PolicyError,
    RecordUnavailableError,
)
from ecs_admission.model import FailurePolicy, Outcome, RawFinding
from ecs_admission.revision import Revision
from tests.project.samples import container, environment, letters, task, unhurried
from tests.test_review import CLEAN, Bench, FakeEngine

ACCOUNT, OTHER_ACCOUNT = "111122223333", "444455556666"
AWAY = EngineUnreachableError("nobody listens")
FAILURES: list[Exception] = [
    AWAY,
    EngineUnavailableError("broke off"),
    DeadlineError("too late"),
    CannotDecideError("undefined"),
    PolicyError("no policy"),
    RecordUnavailableError("of the engine?"),
    InputError("c", "m"),
    ValueError("x"),
    ConnectionRefusedError("x"),
]


def _nested(text: str, layers: int = 8) -> str:
    """A text inside more layers of base64 than are looked into."""
    return text if layers == 0 else _nested(base64.b64encode(text.encode()).decode(), layers - 1)


TOO_DEEP = orjson.dumps(environment([("SETTINGS", _nested(letters(20)))]))


def ignoring(revision: Revision, *names: str, accounts: dict[str, str] | None = None) -> Revision:
    """A revision of which these environments ignore failures."""
    governance = revision.governance
    environments = {
        name: replace(each, failure_policy=FailurePolicy.IGNORE if name in names else FailurePolicy.FAIL)
        for name, each in governance.environments.items()
    }
    return replace(revision, governance=replace(governance, environments=environments, accounts=accounts or {}))


def test_a_request_that_nobody_can_judge_is_let_through_where_data_says_so(revision: Revision) -> None:
    engine = FakeEngine(revision, error=AWAY, unreachable=True)
    bench = Bench(ignoring(revision, "dev"), engine)
    answer = bench.ask(environment="dev")
    assert answer.decision.outcome is Outcome.FAIL_OPEN
    assert answer.response["allowed"] is True
    assert answer.response["status"] == {"code": 200, "status": "Success"}
    assert answer.response["auditAnnotations"]["failed-open"] == "EngineUnavailable"
    assert answer.response["warnings"] == [
        "failed-open at /: nobody judged this request: nobody listens; failurePolicy here is Ignore"
    ]
    assert (bench.record["outcome"], bench.record["reason"]) == ("failOpen", "EngineUnavailable")
    assert bench.record["error"] == {"code": "unreachable", "pointer": None}
    assert bench.record["notices"] == [{"code": "failed-open", "pointer": ""}]
    assert bench.record["findings"] == []
    assert bench.errors == []


def test_what_was_let_through_can_be_judged_later(revision: Revision) -> None:
    bench = Bench(ignoring(revision, "dev"), FakeEngine(revision, error=AWAY, unreachable=True))
    bench.ask(environment="dev")
    assert orjson.loads(bench.records[0].body or b"")["object"]["family"] == "web"


@pytest.mark.parametrize("name", ["prod", "test", "nowhere", None])
def test_another_environment_is_none_of_its_business(revision: Revision, name: str | None) -> None:
    engine = FakeEngine(revision, error=AWAY, unreachable=True)
    answer = Bench(ignoring(revision, "dev"), engine).ask(**({} if name is None else {"environment": name}))
    assert (answer.decision.outcome, answer.decision.status) == (Outcome.UNDECIDED, 503)
    assert answer.decision.error_code == "unreachable"
    assert engine.probed == 0


def test_an_unknown_environment_fails_even_where_every_known_one_ignores(revision: Revision) -> None:
    every = ignoring(revision, *revision.governance.environments)
    for parameters in ({}, {"environment": "nowhere"}, {"environment": "Dev"}):
        answer = Bench(every, FakeEngine(revision, error=AWAY, unreachable=True)).ask(**parameters)
        assert answer.response["allowed"] is False


@pytest.mark.parametrize(
    ("parameters", "outcome"),
    [
        ({"account": ACCOUNT, "environment": "dev"}, Outcome.FAIL_OPEN),
        ({"account": ACCOUNT}, Outcome.FAIL_OPEN),
        ({"account": OTHER_ACCOUNT}, Outcome.UNDECIDED),
        ({"account": OTHER_ACCOUNT, "environment": "dev"}, Outcome.INVALID),
        ({"account": "777788889999", "environment": "dev"}, Outcome.UNDECIDED),
        ({"environment": "dev"}, Outcome.UNDECIDED),
        ({}, Outcome.UNDECIDED),
    ],
)
def test_once_accounts_are_listed_a_claim_is_not_enough(
    revision: Revision, parameters: dict[str, str], outcome: Outcome
) -> None:
    listed = ignoring(revision, "dev", accounts={ACCOUNT: "dev", OTHER_ACCOUNT: "prod"})
    answer = Bench(listed, FakeEngine(revision, error=AWAY, unreachable=True)).ask(**parameters)
    assert answer.decision.outcome is outcome


@pytest.mark.parametrize("body", [b"{", b"[]", b"{{ x }}", TOO_DEEP])
def test_what_cannot_be_read_or_scanned_is_not_let_through(revision: Revision, body: bytes) -> None:
    bench = Bench(ignoring(revision, "dev"), FakeEngine(revision, error=AWAY, unreachable=True))
    answer = bench.ask(body, environment="dev")
    assert answer.response["allowed"] is False
    assert bench.record["outcome"] in ("invalid", "undecided")


def test_nor_is_more_than_can_be_judged(revision: Revision) -> None:
    many = environment([(f"PASSWORD_{number}", f"Orange-{number}") for number in range(250)])
    bench = Bench(ignoring(revision, "dev"), FakeEngine(revision, error=AWAY, unreachable=True))
    assert bench.ask(orjson.dumps(many), environment="dev").response["allowed"] is False


def test_an_engine_that_answers_is_believed_and_not_probed(revision: Revision) -> None:
    finding = RawFinding("roles/execution-role-missing", "/executionRoleArn")
    engine = FakeEngine(revision, finding, unreachable=True)
    assert Bench(ignoring(revision, "dev"), engine).ask(environment="dev").decision.outcome is Outcome.DENIED
    assert engine.probed == 0


def test_a_probe_that_breaks_lets_nothing_through(revision: Revision) -> None:
    class Broken(FakeEngine):
        def is_unreachable(self) -> bool:
            raise OSError("x")

    bench = Bench(ignoring(revision, "dev"), Broken(revision, error=AWAY))
    assert bench.ask(environment="dev").response["allowed"] is False
    assert bench.record["outcome"] == "undecided"


@unhurried
@given(
    failure=st.sampled_from(FAILURES),
    policy=st.sampled_from(FailurePolicy),
    unreachable=st.booleans(),
    recorded=st.booleans(),
    known=st.booleans(),
    whole=st.booleans(),
)
def test_nothing_but_an_ignored_absence_that_is_on_record_is_let_through(
    revision: Revision,
    *,
    failure: Exception,
    policy: FailurePolicy,
    unreachable: bool,
    recorded: bool,
    known: bool,
    whole: bool,
) -> None:
    judged = ignoring(revision, "dev") if policy is FailurePolicy.IGNORE else revision
    engine = FakeEngine(revision, error=failure, unreachable=unreachable)
    bench = Bench(judged, engine, recording=None if recorded else RecordUnavailableError("full"))
    body = orjson.dumps(task(container())) if whole else TOO_DEEP
    answer = bench.ask(body, environment="dev" if known else "nowhere")

    is_ignored = failure is AWAY and policy is FailurePolicy.IGNORE and unreachable and known and whole
    assert answer.response["allowed"] is (is_ignored and recorded)
    assert (answer.decision.outcome is Outcome.FAIL_OPEN) is (is_ignored and recorded)
    if recorded:
        assert (bench.record["outcome"] == "failOpen") is is_ignored
    else:
        assert (answer.decision.reason, bench.records) == ("RecordUnavailable", [])
    if isinstance(failure, AdmissionError):
        assert bench.errors == []


def test_without_a_record_nothing_is_let_through(revision: Revision) -> None:
    engine = FakeEngine(revision, error=AWAY, unreachable=True)
    bench = Bench(ignoring(revision, "dev"), engine, recording=RecordUnavailableError("the log is full"))
    answer = bench.ask(CLEAN, environment="dev")
    assert (answer.response["allowed"], answer.decision.reason) == (False, "RecordUnavailable")


def test_an_engine_that_has_answered_and_then_goes_away_is_not_ignored(revision: Revision) -> None:
    """During a roll a request is judged anew: what the engine said of it first is not forgotten because it ended."""
    incoming = "sha256:" + "1" * 64
    ignored = ignoring(revision, "dev")
    engine = FakeEngine(revision, error=AWAY, unreachable=True)
    bench = Bench(ignored, FakeEngine(revision, revision=incoming))
    bench.reviewer.find = lambda _: replace(ignored, id=incoming, engine=engine)
    answer = bench.ask(environment="dev")
    assert len(engine.seen) == 1
    assert (answer.decision.outcome, answer.decision.error_code) == (Outcome.UNDECIDED, "unreachable")
    assert bench.record["policy"]["revision"] == incoming
