"""The answer in Kubernetes' words."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest

from ecs_admission.catalogue import Rule
from ecs_admission.decide import refused
from ecs_admission.errors import CannotDecideError, InputError
from ecs_admission.model import Action, Decision, Finding, Fix, JSONObject, Notice, Outcome, Place
from ecs_admission.respond.admission_review import MAX_WARNING_CHARS, problem, review_response

CATALOGUE = {
    "a/one": Rule(
        "a/one", "t", "d", "w", "high", Action.DENY, "{place} is wrong", "Mend {name}.", "https://example.com/one",
        controls=("AWS-FSBP:ECS.8",),
    )
}  # fmt: skip
FIX = Fix(
    patch=({"op": "remove", "path": "/x/0"},),
    statements=({"Effect": "Allow", "Action": ["ssm:GetParameters"], "Resource": ["arn"]},),
    commands=("aws ssm put-parameter",),
    left=("store the value",),
)


def finding(action: Action = Action.DENY, exception: str | None = None, pointer: str = "/x/0") -> Finding:
    return Finding("a/one", pointer, action, "high", Place("app", "environment", "KEY"), None, exception)


def decision(*findings: Finding, outcome: Outcome = Outcome.DENIED, notices: Sequence[Notice] = ()) -> Decision:
    denied = outcome is Outcome.DENIED
    return Decision(
        outcome, "NonCompliant" if denied else "", "m", findings, tuple(notices), status=403 if denied else 200
    )


def respond(given: Decision) -> JSONObject:
    return review_response(given, uid="u1", decision_id="d1", revision="sha256:one", catalogue=CATALOGUE)


def test_an_allow_says_no_more_than_that() -> None:
    assert respond(decision(outcome=Outcome.ALLOWED)) == {
        "uid": "u1",
        "allowed": True,
        "status": {"code": 200, "status": "Success"},
        "auditAnnotations": {"decision-id": "d1", "policy-revision": "sha256:one"},
    }


def test_a_deny_says_what_where_and_how_to_mend_it() -> None:
    assert respond(decision(finding())) == {
        "uid": "u1",
        "allowed": False,
        "status": {
            "code": 403,
            "status": "Failure",
            "reason": "NonCompliant",
            "message": "denied: 1 finding\n"
            "a/one at /x/0: environment variable KEY of container app is wrong. Mend KEY.",
            "details": {
                "causes": [
                    {
                        "reason": "a/one",
                        "message": "environment variable KEY of container app is wrong",
                        "field": "/x/0",
                        "severity": "high",
                        "container": "app",
                        "name": "KEY",
                        "remediation": "Mend KEY.",
                        "link": "https://example.com/one",
                        "controls": ["AWS-FSBP:ECS.8"],
                    }
                ]
            },
        },
        "auditAnnotations": {"decision-id": "d1", "policy-revision": "sha256:one"},
    }


def test_a_deny_that_can_be_mended_says_how_and_offers_one_patch() -> None:
    operations = ({"op": "remove", "path": "/x/0"}, {"op": "remove", "path": "/y"})
    given = replace(decision(finding(), finding(pointer="/z")), fixes=(FIX, None), patch=operations)
    response = respond(given)
    first, second = response["status"]["details"]["causes"]
    assert first["fix"] == {
        "patch": [{"op": "remove", "path": "/x/0"}],
        "statements": [{"Effect": "Allow", "Action": ["ssm:GetParameters"], "Resource": ["arn"]}],
        "commands": ["aws ssm put-parameter"],
        "left": ["store the value"],
    }
    assert "fix" not in second
    assert response["patchType"] == "JSONPatch"
    assert orjson.loads(base64.b64decode(response["patch"], validate=True)) == list(operations)


def test_a_fix_belongs_to_the_denial_at_the_same_place_in_the_list() -> None:
    findings = finding(Action.WARN), finding(pointer="/a"), finding(Action.DENY, "e1"), finding(pointer="/b")
    causes = respond(replace(decision(*findings), fixes=(None, FIX)))["status"]["details"]["causes"]
    assert [(cause["field"], "fix" in cause) for cause in causes] == [("/a", False), ("/b", True)]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_without_operations_and_with_an_allow_there_is_no_patch(outcome: Outcome) -> None:
    assert "patch" not in respond(Decision(outcome, "", "m"))
    offered = respond(Decision(outcome, "", "m", patch=({"op": "remove", "path": "/x"},)))
    assert ("patch" in offered, "patchType" in offered) == (not offered["allowed"],) * 2


def test_the_message_alone_has_a_line_for_each_finding() -> None:
    message = respond(decision(finding(pointer=""), finding(pointer="/y")))["status"]["message"]
    head, *lines = message.splitlines()
    assert head == "denied: 2 findings"
    assert [line.split(":")[0] for line in lines] == ["a/one at /", "a/one at /y"]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_nothing_but_an_allow_is_allowed(outcome: Outcome) -> None:
    expected = outcome in (Outcome.ALLOWED, Outcome.FAIL_OPEN)
    response = respond(Decision(outcome, "", "m"))
    assert response["allowed"] is expected
    assert response["status"]["status"] == ("Success" if expected else "Failure")


@pytest.mark.parametrize("outcome", list(Outcome))
def test_what_nobody_judged_says_so_in_its_annotations(outcome: Outcome) -> None:
    annotations = respond(Decision(outcome, "EngineUnavailable", "m"))["auditAnnotations"]
    expected = "EngineUnavailable" if outcome is Outcome.FAIL_OPEN else None
    assert annotations.get("failed-open") == expected


def test_warnings_are_what_is_warned_of_exempted_or_odd() -> None:
    given = decision(
        finding(Action.WARN), finding(Action.DENY, "e1"), finding(Action.DRYRUN), finding(Action.WARN, "e2"),
        outcome=Outcome.ALLOWED, notices=[Notice("unknown-field", "no such member", "/<3>"), Notice("n", "m", "")],
    )  # fmt: skip
    text = "a/one at /x/0: environment variable KEY of container app is wrong"
    assert respond(given)["warnings"] == [
        text, f"{text} (exempted by e1)", text, "unknown-field at /<3>: no such member", "n at /: m"
    ]  # fmt: skip


@pytest.mark.parametrize("length", [0, 248, 249, 250, 5000])
def test_a_warning_has_at_most_256_characters(length: int) -> None:
    (warning,) = respond(decision(outcome=Outcome.ALLOWED, notices=[Notice("n", "x" * length, "/a")]))["warnings"]
    whole = "n at /a: " + "x" * length
    assert len(warning) == min(len(whole), MAX_WARNING_CHARS)
    assert warning == whole or warning.endswith("x\u2026")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InputError("c", "m", status=400),
         {"code": 400, "status": "Failure", "reason": "InvalidRequest", "message": "m"}),
        (InputError("c", "m", pointer="/a"),
         {"code": 422, "status": "Failure", "reason": "InvalidRequest", "message": "m (at /a)"}),
        (CannotDecideError("m"), {"code": 503, "status": "Failure", "reason": "CannotDecide", "message": "m"}),
    ],
)  # fmt: skip
def test_an_error_has_no_causes(error: Any, status: JSONObject) -> None:
    assert respond(refused(error))["status"] == status


def test_problem_details_leave_out_what_is_not_known() -> None:
    assert problem(refused(CannotDecideError("m", code="c")), decision_id="d1") == {
        "type": "about:blank",
        "title": "m",
        "status": 503,
        "reason": "CannotDecide",
        "code": "c",
        "decisionId": "d1",
    }
    assert problem(refused(InputError("c", "m", pointer="/x")), decision_id=None) == {
        "type": "about:blank",
        "title": "m",
        "status": 422,
        "reason": "InvalidRequest",
        "code": "c",
        "field": "/x",
    }
