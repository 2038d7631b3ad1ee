"""The routes that read the decision log."""

from __future__ import annotations

import json
import secrets
import string
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from ecs_admission.decision_log.filters import Filters
from ecs_admission.decision_log.queries import Cursor, encode_cursor
from tests.http.conftest import COMPLIANT, leaky

OPERATION = "/v1/operations/RegisterTaskDefinition"
CURSOR = encode_cursor(Cursor(Filters().key, None, None, None, 1, "x"))


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
    ["", "WORD", "WORD==", "\u00e9", CURSOR + "=", CURSOR[:-1], CURSOR + "A"],
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


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("outcome=denied", 1),
        ("outcome=denied,allowed", 2),
        ("outcome=denied&outcome=allowed", 2),
        ("outcome=!denied", 1),
        ("outcome=denied&rule=plaintext/environment&container=app", 1),
        ("outcome=allowed&rule=plaintext/environment", 0),
        ("rule=!plaintext/environment", 1),
        ("severity=critical,high", 1),
        ("environment=prod&since=2001-01-01", 1),
        ("environment=!prod", 1),
        ("since=2999-01-01", 0),
        ("until=2000-01-01T00:00:00Z", 0),
        ("family=web&operation=RegisterTaskDefinition&caller=system:anonymous", 2),
        ("family=other", 0),
        ("kind=node_start", 1),
    ],
)
def test_decisions_are_found_by_what_they_are(client: FlaskClient, query: str, expected: int) -> None:
    ask(client, 1)
    client.post(OPERATION, json=leaky(canary()), query_string={"environment": "prod"})

    answer = client.get(f"/v1/decisions?{query}")

    assert [answer.status_code, len(answer.get_json()["items"])] == [200, expected]


def test_pages_of_a_filter_follow_each_other(client: FlaskClient) -> None:
    ids = ask(client, 3)
    client.post(OPERATION, json=leaky(canary()))

    first = client.get("/v1/decisions?outcome=allowed&limit=2").get_json()
    second = client.get(f"/v1/decisions?outcome=allowed&limit=2&cursor={first['next']}").get_json()

    assert [item["id"] for item in (*first["items"], *second["items"])] == sorted(ids, reverse=True)
    assert client.get(f"/v1/decisions?outcome=denied&cursor={first['next']}").get_json()["code"] == "bad-cursor"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("since", "WORD"),
        ("until", "24"),
        ("outcome", "WORD"),
        ("outcome", "denied,WORD"),
        ("outcome", "!WORD"),
        ("severity", "WORD"),
        ("account", "WORD"),
        ("region", "WORD"),
        ("rule", "WORD"),
        ("fingerprint", "WORD"),
        ("family", ""),
        ("kind", "WORD"),
        ("as_of", "WORD"),
    ],
)
def test_a_value_that_is_none_is_refused_by_the_name_of_its_parameter(
    client: FlaskClient, name: str, value: str
) -> None:  # fmt: skip
    word = canary()

    answer = client.get("/v1/decisions", query_string={name: value.replace("WORD", word)})

    document = answer.get_json()
    assert [answer.status_code, document["code"], document["field"]] == [400, "invalid-parameter", name]
    assert f"parameter {name} must be " in document["title"]
    assert word not in answer.get_data(as_text=True)


def test_a_name_that_is_nearly_right_is_told(client: FlaskClient) -> None:
    assert client.get("/v1/decisions?familly=web").get_json()["title"].endswith("was family meant?")


def test_statistics_count_what_is_asked_for(client: FlaskClient) -> None:
    ask(client, 2)
    client.post(OPERATION, json=leaky(canary()))

    counted = client.get("/v1/statistics?since=2001-01-01").get_json()

    assert counted["total"] == 3
    assert counted["outcomes"] == [{"outcome": "allowed", "count": 2}, {"outcome": "denied", "count": 1}]
    assert counted["rules"] == [{"rule": "plaintext/environment", "count": 1}]
    assert counted["families"] == [{"family": "web", "count": 3}]
    assert [day["count"] for day in counted["days"]] == [3]
    assert client.get("/v1/statistics?limit=1").get_json()["code"] == "unknown-parameter"
