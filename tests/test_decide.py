"""The decision: allow needs proof, and each missing piece of it has a reason of its own."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission import errors
from ecs_admission.catalogue import Rule, Variant
from ecs_admission.decide import (
    BOUNDS_RULE,
    MAX_FINDINGS,
    UNEXCEPTABLE,
    UNSCANNED_RULE,
    decide,
    refused,
    subject,
    submitted_pointer,
)
from ecs_admission.errors import (
    AdmissionError,
    CannotDecideError,
    DeadlineError,
    EngineUnavailableError,
    EngineUnreachableError,
    ForbiddenError,
    InputError,
    PolicyError,
    PolicyUnavailableError,
    RecordUnavailableError,
    SettingsError,
    UnauthorizedError,
)
from ecs_admission.governance import Environment, Governance, PolicyException
from ecs_admission.model import (
    Action,
    AdmissionRequest,
    CanonicalObject,
    Decision,
    DeployContext,
    Evaluation,
    Notice,
    Outcome,
    Place,
    PolicyInput,
    RawFinding,
    UserInfo,
)
from tests.project.samples import unhurried

REVISION = "sha256:one"
NOW = 1_700_000_000
MEMBERS = frozenset({"containerDefinitions", "executionRoleArn", "environment", "value"})
AT = "/containerDefinitions/0/environment/0/value"
PLACES = {
    AT: Place("app", "environment", "DB_PASSWORD"),
    "/containerDefinitions/0/dockerLabels/a~1b": Place("app", "dockerLabel", "a/b"),
}


def rule(rule_id: str, action: Action = Action.DENY, **members: Any) -> Rule:
    return Rule(rule_id, "t", "d", "w", "high", action, "m", "r", "https://example.com", **members)


RULES = {
    "a/deny": rule("a/deny", variants={"one": Variant("m1", None)}),
    "a/warn": rule("a/warn", Action.WARN),
    "a/dryrun": rule("a/dryrun", Action.DRYRUN),
    BOUNDS_RULE: rule(BOUNDS_RULE),
    UNSCANNED_RULE: rule(UNSCANNED_RULE),
}


def governance(*exceptions: PolicyException, **environments: dict[str, Action]) -> Governance:
    known = {name: Environment("baseline", actions) for name, actions in (environments or {"prod": {}}).items()}
    return Governance(RULES, {}, known, {}, exceptions)


def request(**members: Any) -> AdmissionRequest:
    given_ = {
        "decision_id": "d1",
        "uid": "u1",
        "operation": "RegisterTaskDefinition",
        "canonical": CanonicalObject({"family": "web"}),
        "context": DeployContext(environment="prod", account="111122223333"),
        "user": UserInfo("u"),
        "enforcement_point": "test",
        "now": NOW,
    }
    return AdmissionRequest(**{**given_, **members})


def policy_input(**members: Any) -> PolicyInput:
    return PolicyInput(**{"decision_id": "d1", "body": b"{}", "places": PLACES, **members})


def evaluation(*findings: RawFinding, **members: Any) -> Evaluation:
    proof = {"decision_id": "d1", "revision": REVISION, "evaluated": frozenset(RULES), "findings": findings}
    return Evaluation(**{**proof, **members})


def judge(
    *findings: RawFinding, by: Governance | None = None, asked: AdmissionRequest | None = None,
    seen: PolicyInput | None = None, **members: Any,
) -> Decision:  # fmt: skip
    return decide(
        asked or request(),
        seen or policy_input(),
        evaluation(*findings, **members),
        revision=REVISION,
        governance=by or governance(),
        members=MEMBERS,
    )


def exception(**members: Any) -> PolicyException:
    return PolicyException(**{"id": "e1", "match": {"rule": "a/deny", "family": "web"}, "expires": NOW + 1, **members})


def test_no_finding_and_all_proof_is_an_allow() -> None:
    notice = Notice("unknown-field", "m", "/x")
    decision = judge(asked=request(canonical=CanonicalObject({"family": "web"}, (notice,))))
    assert decision == Decision(Outcome.ALLOWED, "", "the request complies", notices=(notice,), status=200)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"decision_id": "d2"}, "wrong-decision"),
        ({"decision_id": ""}, "wrong-decision"),
        ({"revision": "sha256:two"}, "wrong-revision"),
        ({"revision": ""}, "wrong-revision"),
        ({"evaluated": frozenset()}, "wrong-rules"),
        ({"evaluated": frozenset(RULES) - {"a/warn"}}, "wrong-rules"),
        ({"evaluated": frozenset(RULES) | {"a/more"}}, "wrong-rules"),
        ({"findings": (RawFinding("a/none", AT),)}, "unknown-rule"),
        ({"findings": (RawFinding("a/deny", AT, "two"),)}, "unknown-variant"),
        ({"findings": (RawFinding("a/warn", AT, "one"),)}, "unknown-variant"),
        ({"findings": (RawFinding("a/deny", "/containerDefinitions/0/nowhere"),)}, "unknown-place"),
        ({"findings": (RawFinding("a/deny", "/"),)}, "unknown-place"),
        ({"findings": (RawFinding("a/deny", "value"),)}, "unknown-place"),
        ({"findings": (RawFinding("a/deny", AT + "/"),)}, "unknown-place"),
        ({"findings": (RawFinding("a/deny", "/containerDefinitions/-1"),)}, "unknown-place"),
        ({"findings": (RawFinding("a/deny", "/containerDefinitions/\u0660"),)}, "unknown-place"),
        ({"findings": (RawFinding("a/deny", "/containerDefinitions/0\n"),)}, "unknown-place"),
        ({"findings": (RawFinding("a/dryrun", AT), RawFinding("a/none", AT))}, "unknown-rule"),
    ],
)
def test_an_answer_that_proves_something_else_is_no_decision(members: dict[str, Any], code: str) -> None:
    with pytest.raises(CannotDecideError) as caught:
        judge(**members)
    assert caught.value.code == code


def test_a_finding_shows_nothing_that_the_engine_made_up() -> None:
    for raw in (RawFinding("hunter2", AT), RawFinding("a/deny", "/hunter2"), RawFinding("a/deny", AT, "hunter2")):
        with pytest.raises(CannotDecideError) as caught:
            judge(raw)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("at", ["", AT, "/executionRoleArn", "/containerDefinitions/0/<3>/value", *PLACES])
def test_a_finding_may_be_at_a_literal_a_member_or_the_request(at: str) -> None:
    decision = judge(RawFinding("a/deny", at))
    assert (decision.outcome, decision.status, decision.reason) == (Outcome.DENIED, 403, "NonCompliant")
    assert [finding.pointer for finding in decision.denials] == [at]


@pytest.mark.parametrize(
    ("at", "place"),
    [
        (AT, Place("app", "environment", "DB_PASSWORD")),
        ("/executionRoleArn", Place(None, "executionRoleArn", None)),
        ("/containerDefinitions/0/<3>", Place(None, "containerDefinitions", None)),
        ("", Place(None, "request", None)),
    ],
)
def test_a_place_is_named_after_what_stands_there(at: str, place: Place) -> None:
    assert judge(RawFinding("a/deny", at)).findings[0].place == place


def test_unscanned_text_that_no_rule_reports_is_no_decision() -> None:
    with pytest.raises(CannotDecideError) as caught:
        judge(seen=policy_input(unscanned=True))
    assert caught.value.code == "unscanned"
    assert judge(RawFinding(UNSCANNED_RULE, AT), seen=policy_input(unscanned=True)).outcome is Outcome.DENIED


def test_what_was_left_out_is_a_denial() -> None:
    decision = judge(seen=policy_input(overflow=True))
    assert [(finding.rule, finding.pointer) for finding in decision.denials] == [(BOUNDS_RULE, "")]
    again = judge(RawFinding(BOUNDS_RULE, ""), seen=policy_input(overflow=True))
    assert again == decision


@pytest.mark.parametrize(("number", "denials"), [(200, 0), (201, 1), (900, 1)])
def test_more_findings_than_can_be_judged_are_a_denial(number: int, denials: int) -> None:
    raws = [RawFinding("a/dryrun", f"/containerDefinitions/{index}/value") for index in range(number)]
    decision = judge(*raws)
    assert len(decision.findings) == min(number, MAX_FINDINGS)
    assert [finding.rule for finding in decision.denials] == [BOUNDS_RULE] * denials


@pytest.mark.parametrize(
    ("rule_id", "outcome", "warnings"),
    [("a/deny", Outcome.DENIED, 0), ("a/warn", Outcome.ALLOWED, 1), ("a/dryrun", Outcome.ALLOWED, 0)],
)
def test_the_action_says_what_a_finding_does(rule_id: str, outcome: Outcome, warnings: int) -> None:
    decision = judge(RawFinding(rule_id, AT))
    assert (decision.outcome, len(decision.warnings), len(decision.findings)) == (outcome, warnings, 1)


@pytest.mark.parametrize(
    ("environment", "action"),
    [
        ("prod", Action.WARN),
        ("dev", Action.DRYRUN),
        ("test", Action.DENY),
        ("nope", Action.DENY),
        (None, Action.DENY),
        ("", Action.DENY),
    ],
)
def test_an_unknown_environment_is_judged_by_the_strictest(environment: str | None, action: Action) -> None:
    by = governance(prod={"a/deny": Action.WARN}, dev={"a/deny": Action.DRYRUN}, test={})
    decision = judge(RawFinding("a/deny", AT), by=by, asked=request(context=DeployContext(environment=environment)))
    assert [finding.action for finding in decision.findings] == [action]


def test_a_mild_rule_that_one_environment_denies_is_a_denial_where_none_is_named() -> None:
    by = governance(prod={"a/dryrun": Action.DENY}, dev={"a/dryrun": Action.DRYRUN})
    asked = request(context=DeployContext())
    assert judge(RawFinding("a/dryrun", AT), by=by, asked=asked).outcome is Outcome.DENIED


@pytest.mark.parametrize(
    ("expires", "outcome"), [(NOW + 1, Outcome.ALLOWED), (NOW, Outcome.DENIED), (NOW - 1, Outcome.DENIED)]
)
def test_an_exception_holds_until_its_last_second(expires: int, outcome: Outcome) -> None:
    decision = judge(RawFinding("a/deny", AT), by=governance(exception(expires=expires)))
    assert decision.outcome is outcome
    assert [finding.exception for finding in decision.findings] == ["e1" if outcome is Outcome.ALLOWED else None]


def test_an_exempted_finding_is_still_a_warning() -> None:
    decision = judge(RawFinding("a/deny", AT), by=governance(exception()))
    assert [finding.exception for finding in decision.warnings] == ["e1"]


def test_an_exception_covers_its_own_finding_only() -> None:
    covered = exception(match={"rule": "a/deny", "family": "web", "name": "DB_PASSWORD"})
    decision = judge(RawFinding("a/deny", AT), RawFinding("a/deny", ""), by=governance(covered))
    assert [finding.pointer for finding in decision.denials] == [""]


@pytest.mark.parametrize("family", ["Web", "web2", None])
def test_an_exception_for_another_family_covers_nothing(family: str | None) -> None:
    asked = request(canonical=CanonicalObject({"family": family} if family else {}))
    assert judge(RawFinding("a/deny", AT), by=governance(exception()), asked=asked).outcome is Outcome.DENIED


@pytest.mark.parametrize("rule_id", sorted(UNEXCEPTABLE))
@pytest.mark.parametrize("action", [Action.WARN, Action.DRYRUN])
def test_what_was_not_judged_denies_whatever_data_says(rule_id: str, action: Action) -> None:
    by = governance(exception(match={"rule": rule_id, "family": "web"}), prod={rule_id: action})
    decision = judge(RawFinding(rule_id, AT), by=by)
    assert [(f.action, f.exception) for f in decision.denials] == [(Action.DENY, None)]


def test_a_finding_reported_twice_counts_once() -> None:
    assert len(judge(RawFinding("a/deny", AT), RawFinding("a/deny", AT)).findings) == 1


@pytest.mark.parametrize(
    ("pointer", "submitted"),
    [
        ("", ""),
        ("/containerDefinitions/0/environment/1/value", "/taskDefinition/containerDefinitions/0/environment/1/value"),
        ("/containerDefinitions", "/taskDefinition/containerDefinitions"),
        ("/tags/0/value", "/tags/0/value"),
        ("/executionRoleArn", "/taskDefinition/executionRoleArn"),
    ],
)
def test_pointers_lead_into_the_document_as_it_was_wrapped(pointer: str, submitted: str) -> None:
    moved = {name: f"/taskDefinition/{name}" for name in ("containerDefinitions", "family")} | {"tags": "/tags"}
    assert submitted_pointer(pointer, request(canonical=CanonicalObject({}, (), moved))) == submitted


raw_findings = st.builds(
    RawFinding,
    st.sampled_from([*RULES, "a/none", ""]),
    st.sampled_from([*PLACES, "", "/executionRoleArn", "/hunter2", "x"]),
    st.none() | st.sampled_from(["one", "two"]),
)
evaluations = st.builds(
    Evaluation,
    decision_id=st.sampled_from(["d1", "d1", "d2", ""]),
    revision=st.sampled_from([REVISION, REVISION, "sha256:two"]),
    evaluated=st.sampled_from([frozenset(RULES), frozenset(RULES), frozenset(), frozenset(["a/deny"])]),
    findings=st.lists(raw_findings, max_size=4).map(tuple),
)
inputs = st.builds(
    PolicyInput,
    decision_id=st.sampled_from(["d1", "d1", "d2"]),
    body=st.just(b"{}"),
    places=st.sampled_from([PLACES, {}]),
    unscanned=st.sampled_from([False, False, True]),
    overflow=st.sampled_from([False, False, True]),
)
governances = st.builds(
    lambda exceptions, actions: governance(*exceptions, prod=actions),
    st.lists(st.builds(exception, expires=st.sampled_from([NOW - 1, NOW, NOW + 1])), max_size=1),
    st.dictionaries(st.sampled_from(sorted(RULES)), st.sampled_from(Action), max_size=3),
)


@unhurried
@given(answer=evaluations, seen=inputs, by=governances)
def test_nothing_is_allowed_without_all_proof(answer: Evaluation, seen: PolicyInput, by: Governance) -> None:
    try:
        decision = decide(request(), seen, answer, revision=REVISION, governance=by, members=MEMBERS)
    except CannotDecideError:
        return
    assert decision.outcome in (Outcome.ALLOWED, Outcome.DENIED)
    if decision.outcome is Outcome.ALLOWED:
        assert answer.decision_id == seen.decision_id
        assert answer.revision == REVISION
        assert answer.evaluated == frozenset(RULES)
        assert not seen.unscanned
        assert not seen.overflow
        for raw in answer.findings:
            covered = any(e.match["rule"] == raw.rule and e.expires > NOW for e in by.exceptions)
            mild = by.environments["prod"].actions.get(raw.rule, RULES[raw.rule].action) is not Action.DENY
            assert raw.rule not in UNEXCEPTABLE
            assert covered or mild


@unhurried
@given(answer=evaluations, seen=inputs, by=governances, data=st.data())
def test_the_order_of_findings_changes_nothing(
    answer: Evaluation, seen: PolicyInput, by: Governance, data: st.DataObject
) -> None:
    shuffled = dataclasses.replace(answer, findings=tuple(data.draw(st.permutations(answer.findings))))
    outcomes: list[object] = []
    for each in (answer, shuffled):
        try:
            outcomes.append(decide(request(), seen, each, revision=REVISION, governance=by, members=MEMBERS))
        except CannotDecideError:
            outcomes.append(None)
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    ("error", "outcome", "reason", "status", "code"),
    [
        (InputError("c", "m", status=413, pointer="/x"), Outcome.INVALID, "InvalidRequest", 413, "c"),
        (InputError("c", "m"), Outcome.INVALID, "InvalidRequest", 422, "c"),
        (ForbiddenError("c", "m"), Outcome.INVALID, "Forbidden", 403, "c"),
        (UnauthorizedError("c", "m"), Outcome.UNDECIDED, "Unauthorized", 503, "c"),
        (CannotDecideError("m", code="c"), Outcome.UNDECIDED, "CannotDecide", 503, "c"),
        (CannotDecideError("m"), Outcome.UNDECIDED, "CannotDecide", 503, "no-proof"),
        (EngineUnavailableError("m"), Outcome.UNDECIDED, "EngineUnavailable", 503, None),
        (EngineUnreachableError("m"), Outcome.UNDECIDED, "EngineUnavailable", 503, "unreachable"),
        (DeadlineError("m"), Outcome.UNDECIDED, "Timeout", 503, None),
        (RecordUnavailableError("m"), Outcome.UNDECIDED, "RecordUnavailable", 503, None),
        (PolicyUnavailableError("m"), Outcome.UNDECIDED, "CannotDecide", 503, None),
        (PolicyError("m"), Outcome.UNDECIDED, "CannotDecide", 503, None),
        (SettingsError("m"), Outcome.UNDECIDED, "CannotDecide", 503, None),
        (AdmissionError("m"), Outcome.UNDECIDED, "CannotDecide", 503, None),
    ],
)
def test_no_error_amounts_to_an_allow(
    error: AdmissionError, outcome: Outcome, reason: str, status: int, code: str | None
) -> None:
    decision = refused(error)
    assert (decision.outcome, decision.reason, decision.status, decision.error_code) == (outcome, reason, status, code)
    assert (decision.message, decision.findings) == ("m", ())
    assert decision.error_pointer == getattr(error, "pointer", None)


def test_every_error_of_the_tree_is_in_the_table_above() -> None:
    tree = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AdmissionError)}
    (table,) = test_no_error_amounts_to_an_allow.pytestmark  # type: ignore[attr-defined]
    assert tree == {type(row[0]) for row in table.args[1]}


ARN = "arn:aws:ecs:eu-west-1:111122223333"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"family": "web"}, "web"),
        ({"taskDefinition": "web"}, "web"),
        ({"taskDefinition": "web:7"}, "web"),
        ({"taskDefinition": f"{ARN}:task-definition/web:7"}, "web"),
        ({"taskDefinition": f"{ARN}:task-definition/web"}, "web"),
        ({"taskDefinition": "web:7", "service": "shop", "cluster": "main"}, "web"),
        ({"service": "shop", "cluster": "main"}, "shop"),
        ({"service": f"{ARN}:service/main/shop"}, f"{ARN}:service/main/shop"),
        ({"serviceName": "shop"}, "shop"),
        ({"serviceName": "shop", "taskDefinition": "web:7"}, "web"),
        ({"resourceArn": f"{ARN}:cluster/main"}, f"{ARN}:cluster/main"),
        ({"taskDefinition": "", "service": "shop"}, "shop"),
        ({"taskDefinition": ":7", "service": "shop"}, "shop"),
        ({"taskDefinition": None, "family": 7}, None),
        ({"family": ""}, None),
        ({}, None),
    ],
)
def test_what_a_request_is_about_is_a_family_or_a_service(value: dict[str, Any], expected: str | None) -> None:
    """So that an exception for a family holds for RunTask and UpdateService, too, and outlives a revision of it."""
    assert subject(value) == expected
