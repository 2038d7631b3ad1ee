"""The routes that read the decision log."""

from __future__ import annotations

import json
import secrets
import string
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from ecs_admission.decision_log.queries import encode_cursor
from tests.http.conftest import COMPLIANT, leaky

OPERATION = "/v1/operations/RegisterTaskDefinition"


def canary() -> str:
    return "".join(secrets.choice(string.ascii_letters) for _ in range(24))


def ask(client: FlaskClient, count: int) -> list[str]:
    """Have `count` requests judged; their decision ids, oldest first."""
    answers = [client.post(OPERATION, json=COMPLIANT).get_json()["response"] for _ in range(count)]
    return [answer["auditAnnotations"]["decision-id"] for answer in answers]


def test_an_empty_log_lists_nothing(client: FlaskClient) -> None:
    assert client.get("/v1/decisions").get_json() == {"items": [], "next": None}


def test_the_newest_decision_comes_first(client: FlaskClient) -> None:
    ids = ask(client, 5)
    listed = [item["id"] for item in client.get("/v1/decisions").get_json()["items"]]
    assert listed == sorted(ids, reverse=True)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_neither_repeat_nor_skip(client: FlaskClient, limit: int) -> None:
    ids = ask(client, 7)
    seen: list[str] = []
    cursor = ""
    while True:
        page = client.get(f"/v1/decisions?limit={limit}{cursor}").get_json()
        assert 1 <= len(page["items"]) <= limit
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={quote(page['next'])}"
    assert seen == sorted(ids, reverse=True)


def test_what_arrives_later_is_on_no_later_page(client: FlaskClient) -> None:
    ids = ask(client, 3)
    first = client.get("/v1/decisions?limit=2").get_json()
    ask(client, 2)
    second = client.get(f"/v1/decisions?limit=2&cursor={first['next']}").get_json()
    assert [item["id"] for item in second["items"]] == [min(ids)]


@pytest.mark.parametrize(
    "limit",
    [
        "",
        "0",
        "-1",
        "1.5",
        "WORD",
        "201",
        "501",
        "999999999",
        "00001",
        "0" * 5000 + "1",
        "9" * 5000,
        "\u0661",
        " 1",
        "+1",
        "1e1",
    ],
)
def test_a_limit_that_is_none_is_refused(client: FlaskClient, limit: str) -> None:
    word = canary()
    answer = client.get("/v1/decisions", query_string={"limit": limit.replace("WORD", word)})
    document = answer.get_json()
    assert [answer.status_code, answer.content_type] == [400, "application/problem+json"]
    assert [document["code"], document["reason"]] == ["bad-limit", "InvalidRequest"]
    assert word not in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    "query",
    ["limit=1&limit=200", "limit=WORD&limit=1", "limit=1&limit=WORD", "cursor=WORD&cursor=WORD", "limit&limit="],
)
def test_a_parameter_given_twice_is_refused(client: FlaskClient, query: str) -> None:
    word = canary()
    answer = client.get(f"/v1/decisions?{query.replace('WORD', word)}")
    assert [answer.status_code, answer.get_json()["code"]] == [400, "repeated-parameter"]
    assert word not in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    "cursor",
    ["", "WORD", "WORD==", "\u00e9", encode_cursor(1, "x") + "=", encode_cursor(1, "x")[:-1], encode_cursor(-1, "x")],
)
def test_a_cursor_that_is_none_is_refused(client: FlaskClient, cursor: str) -> None:
    word = canary()
    answer = client.get("/v1/decisions", query_string={"cursor": cursor.replace("WORD", word)})
    document = answer.get_json()
    assert [answer.status_code, document["code"]] == [400, "bad-cursor"]
    assert word not in answer.get_data(as_text=True)


def test_an_unknown_parameter_is_refused(client: FlaskClient) -> None:
    word = canary()
    answer = client.get(f"/v1/decisions?{word}={word}")
    assert [answer.status_code, answer.get_json()["code"]] == [400, "unknown-parameter"]
    assert word not in answer.get_data(as_text=True)


@pytest.mark.parametrize("path", ["WORD", "..", "WORD%20WORD", "%00", "01939e5e-7c00-7000-8000-000000000000"])
def test_an_unknown_decision_is_not_found_and_not_repeated(client: FlaskClient, path: str) -> None:
    word = canary()
    answer = client.get(f"/v1/decisions/{path.replace('WORD', word)}")
    assert [answer.status_code, answer.content_type] == [404, "application/problem+json"]
    assert answer.get_json()["reason"] == "NotFound"
    assert word not in answer.get_data(as_text=True)


def test_a_decision_has_what_the_engine_saw(client: FlaskClient) -> None:
    value = canary()
    answered = client.post(OPERATION, json=leaky(value), query_string={"environment": "prod"}).get_json()["response"]
    decision_id = answered["auditAnnotations"]["decision-id"]
    found: dict[str, Any] = client.get(f"/v1/decisions/{decision_id}").get_json()
    assert found.keys() == {"entry", "hash", "policyInput"}
    entry, policy_input = found["entry"], found["policyInput"]
    assert [entry["id"], entry["outcome"], entry["reason"]] == [decision_id, "denied", "NonCompliant"]
    assert [finding["rule"] for finding in entry["findings"]] == ["plaintext/environment"]
    assert policy_input["request"]["uid"] == decision_id
    assert policy_input["object"]["family"] == "web"
    assert [literal["name"] for literal in policy_input["literals"]] == ["DB_PASSWORD"]
    assert value not in json.dumps(found)


def test_what_no_engine_saw_has_no_policy_input(client: FlaskClient) -> None:
    decision_id = client.post(OPERATION, data="{").get_json()["decisionId"]
    found = client.get(f"/v1/decisions/{decision_id}").get_json()
    assert [found["entry"]["outcome"], found["policyInput"]] == ["invalid", None]


def test_a_list_and_a_single_decision_agree(client: FlaskClient) -> None:
    ask(client, 1)
    (item,) = client.get("/v1/decisions").get_json()["items"]
    found = client.get(f"/v1/decisions/{item['id']}").get_json()
    assert item == found["entry"] | {"hash": found["hash"]}
