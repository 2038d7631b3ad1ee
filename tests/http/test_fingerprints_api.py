"""`POST /v1/fingerprints:lookup`: what is answered, what is recorded, and what nobody gets out of it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ecs_admission.auth.authenticator import Authenticator
from ecs_admission.auth.bindings import Grant, Scope
from ecs_admission.auth.proxies import TrustedProxies
from ecs_admission.auth.roles import Role
from ecs_admission.auth.rules import read_rules
from ecs_admission.auth.tokens import Pepper, TokenRecord, make_token
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.decision_log.token_store import StoredToken
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.http import create_flask, fingerprints
from ecs_admission.http.auth import Access
from ecs_admission.http.fingerprints import LIMIT, WINDOW_SECONDS, Pace
from ecs_admission.project.fingerprints import FingerprintKey, make_key
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision
from tests.http.conftest import COMPLIANT, leaky
from tests.http.test_openapi import check

PATH = "/v1/fingerprints:lookup"
OPERATION = "/v1/operations/RegisterTaskDefinition?environment=prod"


@pytest.fixture
def client(log: DecisionLog, revision: Revision, key: FingerprintKey) -> FlaskClient:
    """A client of the service, which records who reads."""
    access = Access(recorder=lambda draft: log.append(draft, deadline_seconds=5))
    return _client(log, revision, access, key)


def ask(client: FlaskClient, value: str, **members: str) -> TestResponse:
    answer = client.post(PATH, json={"value": value, **members})
    check(answer, PATH, "post")
    return answer


def recorded(log: DecisionLog) -> list[dict[str, Any]]:
    return log.reader.list_entries(kind="fingerprint_lookup").items


def test_it_says_where_a_value_was(client: FlaskClient, key: FingerprintKey) -> None:
    value = secrets.token_hex(16)
    submitted = client.post(OPERATION, json=leaky(value)).get_json()
    answer = ask(client, value).get_json()
    (item,) = answer["items"]
    assert item["id"] == submitted["response"]["auditAnnotations"]["decision-id"]
    assert (item["outcome"], item["family"], item["environment"]) == ("denied", "web", "prod")
    assert item["places"] == [{"pointer": "/containerDefinitions/0/environment/0/value", "name": "DB_PASSWORD"}]
    assert (answer["keys"], answer["searched"], answer["next"]) == ([key.id], 1, None)


def test_it_says_that_a_value_was_not_seen_and_what_it_cannot_know(client: FlaskClient) -> None:
    client.post(OPERATION, json=COMPLIANT)
    answer = ask(client, "1234567").get_json()
    assert answer["items"] == []
    assert any("fewer than 8 characters" in sentence for sentence in answer["cannotKnow"])
    assert any("other keys" in sentence for sentence in answer["cannotKnow"])


def test_neither_the_answer_nor_the_record_has_the_value_or_a_hash_of_it(
    client: FlaskClient, log: DecisionLog, key: FingerprintKey, capsys: pytest.CaptureFixture[str]
) -> None:
    value = secrets.token_hex(16)
    client.post(OPERATION, json=leaky(value))
    answer = ask(client, value)
    (entry,) = recorded(log)
    output = capsys.readouterr()
    for text in (answer.get_data(as_text=True), str(entry), output.out, output.err):
        assert value not in text
        assert key.fingerprint(value).partition(":")[2] not in text
        assert key.marker()(value).hex() not in text
    assert entry["details"] == {
        "query": "",
        "count": 1,
        "keys": [key.id],
        "searched": 1,
        "complete": True,
    }
    assert entry["caller"]["username"] == "system:anonymous"


def test_each_question_is_recorded_also_where_nothing_is_found(client: FlaskClient, log: DecisionLog) -> None:
    ask(client, "never-seen-anywhere", since="7d")
    (entry,) = recorded(log)
    assert (entry["details"]["query"], entry["details"]["count"]) == ("since=7d", 0)


def test_what_cannot_be_recorded_is_not_answered(log: DecisionLog, revision: Revision, key: FingerprintKey) -> None:
    from ecs_admission.errors import RecordUnavailableError

    def refuse(_: object) -> None:
        raise RecordUnavailableError("the disk is full")

    client = _client(log, revision, Access(recorder=refuse), key)
    answer = client.post(PATH, json={"value": "never-seen-anywhere"})
    assert answer.status_code == 503
    assert "items" not in answer.get_json()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not-an-object"),
        (b"value: x", "not-an-object"),
        (b'["x"]', "not-an-object"),
        (b'{"value": "x"', "malformed-json"),
        (b'{"value": "x", "value": "y"}', "duplicate-key"),
        (b'{"value": 1}', "wrong-type"),
        (b'{"value": null}', "wrong-type"),
        (b'{"value": ""}', "invalid-value"),
        (b"{}", "invalid-value"),
        (b'{"value": "x", "fingerprint": "y"}', "unknown-member"),
        (b'{"value": "x", "since": "soon"}', "invalid-parameter"),
        (b'{"value": "x", "cursor": "soon"}', "bad-cursor"),
        (b'{"value": "' + b"x" * 65_537 + b'"}', "invalid-value"),
        (b'{"value": "' + b"x" * 600_000 + b'"}', "too-large"),
    ],
)
def test_what_is_no_question_is_refused(client: FlaskClient, log: DecisionLog, body: bytes, code: str) -> None:
    answer = client.post(PATH, data=body)
    assert (answer.status_code, answer.get_json()["code"]) == (413 if code == "too-large" else 400, code)
    check(answer, PATH, "post")
    assert recorded(log) == []


def test_a_value_in_a_bad_question_is_not_repeated(client: FlaskClient) -> None:
    value = secrets.token_hex(16)
    for body in (f'{{"value": "{value}"', f'{{"{value}": "x"}}', f'{{"value": "x", "since": "{value}"}}'):
        assert value not in client.post(PATH, data=body).get_data(as_text=True)


def test_a_query_string_is_no_place_for_a_value(client: FlaskClient) -> None:
    assert client.post(f"{PATH}?value=x", json={}).status_code == 400
    assert client.get(PATH).status_code == 405


def test_who_asks_too_often_is_told_to_wait(client: FlaskClient, log: DecisionLog) -> None:
    for _ in range(LIMIT):
        assert ask(client, "never-seen-anywhere").status_code == 200
    answer = ask(client, "never-seen-anywhere")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= WINDOW_SECONDS + 1
    last, *others = recorded(log)
    assert len(others) == LIMIT
    assert last["details"] == {"query": "", "count": 0, "refused": "too-many-lookups"}
    assert last["caller"]["username"] == "system:anonymous"


def test_the_pace_is_that_of_each_caller_and_of_a_minute() -> None:
    now = [0.0]
    pace = Pace(clock=lambda: now[0])
    assert [pace.wait_seconds("ada") for _ in range(LIMIT)] == [0] * LIMIT
    assert pace.wait_seconds("ada") == WINDOW_SECONDS + 1
    assert pace.wait_seconds("bob") == 0
    now[0] = WINDOW_SECONDS - 1
    assert pace.wait_seconds("ada") == 2
    now[0] = WINDOW_SECONDS
    assert pace.wait_seconds("ada") == 0


def test_the_pace_forgets_the_oldest_caller_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "_MAX_CALLERS", 2)
    pace = Pace(clock=lambda: 0.0)
    for caller in ("ada", "bob", "eve"):
        pace.wait_seconds(caller)
    assert list(pace._asked) == ["bob", "eve"]


def test_it_goes_on_with_the_cursor(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from ecs_admission.decision_log import inventory

    monkeypatch.setattr(inventory, "PAGE", 1)
    monkeypatch.setattr(fingerprints, "SEARCH_SECONDS", 0.0)
    value = secrets.token_hex(16)
    for _ in range(2):
        client.post(OPERATION, json=leaky(value))
    first = ask(client, value).get_json()
    assert len(first["items"]) == 1
    assert any("cursor" in sentence for sentence in first["cannotKnow"])
    second = ask(client, value, cursor=first["next"]).get_json()
    assert len(second["items"]) == 1
    assert second["items"][0]["id"] != first["items"][0]["id"]


def test_without_a_key_nothing_is_looked_up(log: DecisionLog, revision: Revision) -> None:
    answer = _client(log, revision, Access()).post(PATH, json={"value": "never-seen-anywhere"})
    assert answer.status_code == 503
    check(answer, PATH, "post")


def test_an_earlier_key_finds_what_was_recorded_under_it(
    client: FlaskClient, log: DecisionLog, revision: Revision, key: FingerprintKey
) -> None:
    value = secrets.token_hex(16)
    client.post(OPERATION, json=leaky(value))
    current = make_key(bytes(range(9, 41)))
    assert ask(_client(log, revision, Access(), current), value).get_json()["items"] == []
    found = ask(_client(log, revision, Access(), current, key), value).get_json()
    assert (found["keys"], len(found["items"])) == ([current.id, key.id], 1)


@pytest.mark.parametrize("role", Role)
def test_it_is_for_auditors_and_within_what_they_cover(
    log: DecisionLog, revision: Revision, key: FingerprintKey, role: Role
) -> None:
    value = secrets.token_hex(16)
    open_client = _client(log, revision, Access(), key)
    for family in ("web", "api"):
        open_client.post(OPERATION, json=leaky(value) | {"family": family})
    pepper, token = Pepper(b"p" * 32), make_token()
    record = TokenRecord(
        id="0", name="ada", digest=pepper.digest(token), created=0, expires=1 << 52,
        grant=Grant(frozenset({role}), Scope(families=("web",))),
    )  # fmt: skip
    access = Access(
        authenticator=Authenticator(
            find_token=lambda given: StoredToken(record, None) if pepper.digest(given) == record.digest else None,
            rules=read_rules({}, folder=Path("/")),
            proxies=TrustedProxies.read("", None),
        ),
        recorder=lambda draft: log.append(draft, deadline_seconds=5),
    )
    client = _client(log, revision, access, key)
    answer = client.post(PATH, json={"value": value}, headers={"Authorization": f"Bearer {token}"})
    if role is Role.AUDITOR:
        assert [item["family"] for item in answer.get_json()["items"]] == ["web"]
    else:
        assert answer.status_code == 403
        assert recorded(log) == []


def _client(log: DecisionLog, revision: Revision, access: Access, *keys: FingerprintKey) -> FlaskClient:
    def fail(error: Exception) -> None:
        raise error

    reviewer = Reviewer(
        revision,
        inventory=NoInventory(),
        recorder=lambda draft: log.append(draft, deadline_seconds=5),
        on_error=fail,
    )
    return create_flask(reviewer, log.reader, access=access, fingerprint_keys=keys).test_client()
