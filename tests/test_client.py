"""Asking a service: only its own allow, whole and not contradicted, is one."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from ecs_admission.client import remote_judge
from ecs_admission.errors import SettingsError
from ecs_admission.model import JSONObject
from ecs_admission.respond.report import verdict
from tests.auth.issuers import KeyServer, serving_keys
from tests.cli.answering import Service, serving
from tests.project.samples import letters

ALLOW: JSONObject = {"uid": "u", "allowed": True, "status": {"code": 200}}
DENY: JSONObject = {"uid": "u", "allowed": False, "status": {"code": 403, "reason": "NonCompliant"}}
PROBLEM: JSONObject = {"title": "m", "status": 422, "reason": "InvalidRequest", "field": "/x", "decisionId": "d1"}


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as running:
        yield running


def ask(service: Service) -> JSONObject:
    return remote_judge(service.url, "RegisterTaskDefinition", [])(b"{}")


def test_the_request_is_the_document_with_its_context(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ECS_ADMISSION_TOKEN", raising=False)
    service.says(200, {"response": ALLOW})
    judge = remote_judge(f"{service.url}/base/", "Register/Task?", [("environment", "prod"), ("cluster", "a/b&c")])
    assert judge(b"\x00document") == ALLOW
    assert judge(b"again") == ALLOW
    method, path, headers, content = service.requests[0]
    assert (method, path) == ("POST", "/base/v1/operations/Register%2FTask%3F?environment=prod&cluster=a%2Fb%26c")
    assert (headers["Content-Type"], content, "Authorization" in headers) == (
        "application/json",
        b"\x00document",
        False,
    )
    assert [request[3] for request in service.requests] == [b"\x00document", b"again"]


def test_the_token_is_sent_to_the_service(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    token = letters(20)
    monkeypatch.setenv("ECS_ADMISSION_TOKEN", token)
    service.says(200, {"response": ALLOW})
    ask(service)
    assert service.requests[0][2]["Authorization"] == f"Bearer {token}"


def test_the_own_token_of_a_gitlab_job_is_sent(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ECS_ADMISSION_TOKEN", raising=False)
    token = letters(20)
    monkeypatch.setenv("ECS_ADMISSION_ID_TOKEN", token)
    service.says(200, {"response": ALLOW})
    ask(service)
    assert service.requests[0][2]["Authorization"] == f"Bearer {token}"


class TestGitHubActions:
    @pytest.fixture
    def actions(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyServer]:
        """What gives a job its token."""
        with serving_keys() as served:
            monkeypatch.delenv("ECS_ADMISSION_TOKEN", raising=False)
            monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{served.url}?api-version=2.0")
            monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", letters(12))
            yield served

    def test_the_own_token_of_a_job_is_sent(self, service: Service, actions: KeyServer) -> None:
        token = letters(20)
        actions.body = orjson.dumps({"value": token})
        service.says(200, {"response": ALLOW})
        ask(service)
        assert service.requests[0][2]["Authorization"] == f"Bearer {token}"
        path, headers = actions.requests[0]
        assert path == f"/jwks?api-version=2.0&audience={quote(service.url, safe='')}"
        assert headers["Authorization"] == f"Bearer {os.environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"

    def test_the_audience_can_be_another(
        self, service: Service, actions: KeyServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ECS_ADMISSION_AUDIENCE", "ecs admission")
        actions.body = orjson.dumps({"value": letters(20)})
        service.says(200, {"response": ALLOW})
        ask(service)
        assert actions.requests[0][0].endswith("&audience=ecs+admission")

    def test_a_token_that_was_given_comes_first(
        self, service: Service, actions: KeyServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = letters(20)
        monkeypatch.setenv("ECS_ADMISSION_TOKEN", token)
        service.says(200, {"response": ALLOW})
        ask(service)
        assert (service.requests[0][2]["Authorization"], actions.count) == (f"Bearer {token}", 0)

    @pytest.mark.parametrize(
        ("status", "body"), [(200, b"{}"), (200, b"[]"), (200, b"x"), (200, b'{"value": ""}'), (403, b'{"value": "x"}')]
    )
    def test_a_job_that_gets_none_is_told_what_to_permit(
        self, service: Service, actions: KeyServer, status: int, body: bytes
    ) -> None:
        actions.status, actions.body = status, body
        with pytest.raises(SettingsError, match="id-token: write"):
            ask(service)
        assert service.requests == []

    def test_the_job_is_not_asked_in_clear(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("ECS_ADMISSION_TOKEN", raising=False)
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "http://192.0.2.1/token")
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", letters(12))
        with pytest.raises(SettingsError, match="https"):
            ask(service)


@pytest.mark.parametrize(("status", "reason"), [(401, "Unauthorized"), (403, "Forbidden"), (429, "TooManyRequests")])
def test_who_may_not_ask_is_undecided(service: Service, status: int, reason: str) -> None:
    service.says(status, {"title": "m", "status": status, "reason": reason, "code": "c"})
    response = ask(service)
    assert [response["allowed"], response["status"]["reason"], verdict(response)] == [False, reason, "undecided"]


def test_no_proxy_is_used(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    service.says(200, {"response": ALLOW})
    assert ask(service) == ALLOW


def test_a_decision_is_handed_on_as_it_is(service: Service) -> None:
    service.says(200, {"response": ALLOW})
    assert ask(service) == ALLOW
    for status in (403, 200):
        service.says(status, {"response": DENY})
        assert ask(service) == DENY


@pytest.mark.parametrize("status", [400, 413, 422])
def test_problem_details_become_a_response_that_is_invalid(service: Service, status: int) -> None:
    service.says(status, {**PROBLEM, "status": status})
    response = ask(service)
    assert response == {
        "uid": "",
        "allowed": False,
        "status": {"code": status, "status": "Failure", "reason": "InvalidRequest", "message": "m (at /x)"},
        "auditAnnotations": {"decision-id": "d1"},
    }
    assert verdict(response) == "invalid"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, {"title": "m", "reason": "EngineUnavailable"}),
        (503, {"response": ALLOW}),
        (500, {"response": ALLOW}),
        (201, {"response": ALLOW}),
        (404, {"response": ALLOW}),
        (429, {"response": ALLOW}),
        (403, {"response": ALLOW}),
        (403, {"message": "Forbidden"}),
        (403, {}),
        (200, {}),
        (200, {"allowed": True}),
        (200, {"response": {}}),
        (200, {"response": {"allowed": 1}}),
        (200, {"response": {"allowed": "true"}}),
        (200, {"response": {"allowed": None}}),
        (200, {"response": [ALLOW]}),
        (200, {"response": None}),
        (200, [{"response": ALLOW}]),
        (200, "allowed"),
        (200, b""),
        (200, b"<html>sign in</html>"),
        (200, b'{"response": {"allowed": true}'),
        (200, b"\xff\xfe"),
        (401, b"no"),
        (502, b"Bad Gateway"),
        (200, b"[" * 5000),
    ],
)
def test_anything_else_is_undecided(service: Service, status: int, body: Any) -> None:
    service.says(status, body)
    response = ask(service)
    assert response["allowed"] is False
    assert verdict(response) == "undecided"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(service: Service, status: int) -> None:
    service.says(status, {"response": ALLOW}, Location=f"{service.url}/elsewhere")
    assert verdict(ask(service)) == "undecided"
    assert len(service.requests) == 1


def test_a_service_that_is_not_there_is_undecided() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        response = remote_judge(f"http://127.0.0.1:{taken.getsockname()[1]}", "X", [])(b"{}")
    assert response["status"]["message"] == "the service did not answer: ConnectionRefusedError"
    assert verdict(response) == "undecided"


@pytest.mark.parametrize(
    "url", ["", "localhost:8080", "ftp://x", "http://", "https:///v1", "file:///etc/passwd", "//x"]
)
def test_what_is_no_url_of_a_service_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="--server must be a URL such as https://"):
        remote_judge(url, "X", [])
