"""What `check` prints, and its exit code: nothing but an allow is counted as one."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from ecs_admission.model import JSONObject
from ecs_admission.respond.report import exit_code, json_report, table_report, verdict

ALLOWED: JSONObject = {"allowed": True, "status": {"code": 200}}
CAUSE = {
    "reason": "a/one", "message": "KEY is wrong", "field": "/x/0", "severity": "high", "container": "app",
    "name": "KEY", "remediation": "Mend KEY.", "link": "https://example.com",
}  # fmt: skip
DENIED: JSONObject = {
    "allowed": False,
    "status": {"code": 403, "reason": "NonCompliant", "message": "m", "details": {"causes": [CAUSE]}},
    "warnings": ["odd"],
}
UNDECIDED: JSONObject = {"allowed": False, "status": {"code": 503, "reason": "EngineUnavailable", "message": "m"}}
INVALID: JSONObject = {"allowed": False, "status": {"code": 422, "reason": "InvalidRequest", "message": "m"}}
FAILED_OPEN: JSONObject = {
    **ALLOWED,
    "warnings": ["failed-open at /: nobody judged this request"],
    "auditAnnotations": {"failed-open": "EngineUnavailable"},
}
ALL = {"allowed": ALLOWED, "failOpen": FAILED_OPEN, "denied": DENIED, "undecided": UNDECIDED, "invalid": INVALID}
CODES = {"undecided": 3, "invalid": 4, "denied": 1, "failOpen": 0, "allowed": 0}


def result(response: JSONObject, file: str = "a.json") -> JSONObject:
    return {"source": {"file": file, "resource": None}, "response": response}


@pytest.mark.parametrize(("name", "response"), ALL.items())
def test_each_answer_has_its_verdict(name: str, response: JSONObject) -> None:
    assert verdict(response) == name
    assert exit_code([result(response)]) == CODES[name]


@pytest.mark.parametrize(
    "response",
    [{}, {"allowed": None}, {"allowed": 1}, {"allowed": "true"}, {"allowed": [True]}, {"allowed": False},
     {"allowed": False, "status": None}, {"allowed": False, "status": {"reason": "Other", "code": 422}},
     {"allowed": False, "status": {"reason": "InvalidRequest"}},
     {"allowed": False, "status": {"reason": "InvalidRequest", "code": "422"}},
     {"allowed": False, "status": {"reason": "InvalidRequest", "code": 503}},
     {"allowed": False, "status": {"reason": "InvalidRequest", "code": 200}}, {"status": {"code": 200}}],
)  # fmt: skip
def test_what_nobody_knows_is_undecided(response: JSONObject) -> None:
    assert verdict(response) == "undecided"


@pytest.mark.parametrize("names", [p for n in (1, 2, 3, 4, 5) for p in itertools.permutations(ALL, n)], ids=",".join)
def test_of_several_files_the_first_of_3_4_1_0_is_the_exit_code(names: tuple[str, ...]) -> None:
    expected = next(CODES[name] for name in ("undecided", "invalid", "denied", "failOpen", "allowed") if name in names)
    assert exit_code([result(ALL[name]) for name in names]) == expected


def test_no_results_are_no_allow() -> None:
    assert exit_code([]) == 2


def test_the_json_report_is_one_object_with_a_count_of_each_verdict() -> None:
    results = [result(ALLOWED), result(DENIED), result(DENIED), result(INVALID)]
    report: dict[str, Any] = json.loads(json_report(results))
    assert report["results"] == results
    assert report["summary"] == {"allowed": 1, "failOpen": 0, "denied": 2, "undecided": 0, "invalid": 1}


def test_what_nobody_judged_is_an_allow_that_can_be_seen() -> None:
    assert table_report([result(FAILED_OPEN)]).splitlines() == [
        "a.json: failOpen, allowed and judged by nobody",
        "  warning   failed-open at /: nobody judged this request",
    ]
    summary = json.loads(json_report([result(FAILED_OPEN), result(ALLOWED)]))["summary"]
    assert (summary["allowed"], summary["failOpen"]) == (1, 1)


def test_the_table_says_what_where_and_how_to_mend_it() -> None:
    assert table_report(
        [result(DENIED, "a.json"), result(ALLOWED, "b.json"), result(INVALID, "c.json")]
    ).splitlines() == [
        "a.json: denied (1 finding)",
        "  high      a/one  /x/0",
        "            KEY is wrong",
        "            Fix: Mend KEY.",
        "  warning   odd",
        "b.json: allowed",
        "c.json: invalid",
        "  InvalidRequest: m",
    ]


def test_the_request_itself_is_written_as_a_slash() -> None:
    response = {**DENIED, "status": {**DENIED["status"], "details": {"causes": [{**CAUSE, "field": ""}] * 2}}}
    lines = table_report([result(response)]).splitlines()
    assert lines[:2] == ["a.json: denied (2 findings)", "  high      a/one  /"]
