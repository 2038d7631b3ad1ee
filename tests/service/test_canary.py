"""No literal comes out: of no answer, log line, file, engine or error path, wherever in a request it stood."""

from __future__ import annotations

import base64
import io
import json
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest
import structlog
from flask.testing import FlaskClient

from ecs_admission import review as pipeline
from ecs_admission import telemetry
from ecs_admission.adapt.wrappers import WRAPPERS
from ecs_admission.decision_log.keys import make_signing_key
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.http import create_flask
from ecs_admission.journal import node_entry
from ecs_admission.model import new_decision_id
from ecs_admission.project.projection import Projector
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision
from tests.engines.opa_server import serve_bundle
from tests.service.canaries import VARIANTS, Canaries, Make, full_answer, full_input, positions
from tests.service.conftest import BUNDLE, COMPLIANT
from tests.service.running_service import OPERATION, REVIEWS, RunningService, run_service

_JSON = {"Content-Type": "application/json"}


def assert_silent(canaries: Canaries, service: RunningService, answers: list[bytes]) -> None:
    """Fail if a word came out: in an answer, in what the service wrote, keeps or tells, or in OPA's own log."""
    assert len(canaries.words) > 0
    assert canaries.found_in(b"\0".join([*answers, *map(patches, answers)])) == []
    listed = service.get("/v1/decisions?limit=200")
    told = [listed.body, service.get("/readyz").body, service.get("/openapi.json").body]
    if listed.status == 200:
        told += [service.get(f"/v1/decisions/{item['id']}").body for item in listed.json["items"]]
    assert canaries.found_in(b"\0".join(told)) == []
    files = [path for path in service.data_dir.parent.rglob("*") if path.is_file()]
    assert {service.stdout, service.stderr, service.database} <= set(files)
    for path in files:
        assert (path.name, canaries.found_in(path.read_bytes())) == (path.name, [])


def patches(answer: bytes) -> bytes:
    """The patches in an answer, which are in base64."""
    return b"\0".join(base64.b64decode(found) for found in re.findall(rb'"patch": ?"([^"]*)"', answer))


def leaks(canaries: Canaries) -> Any:
    """A request with leaks of every kind that can be mended, each value with a harmless rest that is a word as well."""
    rest = f"quarterly-{canaries.word()}"
    canaries.words.append("harmless-rest-of-the-text")

    def text(secret: str) -> str:
        return f"--mode={rest} harmless-rest-of-the-text {secret} harmless-rest-of-the-text"

    def variables() -> list[dict[str, str]]:
        keys = {
            "AWS_ACCESS_KEY_ID": text("AKIA" + canaries.word()[:16].upper()),
            "AWS_SECRET_ACCESS_KEY": canaries.word(),
        }
        plain = {"DB_PASSWORD": canaries.word(), "API_TOKEN": text(canaries.word()), "NOTE": text("nothing")}
        misplaced = {"SMTP_PASSWORD": f"arn:aws:secretsmanager:eu-west-1:111122223333:secret:{canaries.word()}"}
        return [{"name": name, "value": value} for name, value in (keys | plain | misplaced).items()]

    password = f"--password={canaries.word()}"
    app = {
        "name": "app",
        "image": f"https://user:{canaries.word()}@registry.example.com/app:1",
        "environment": [*variables(), {"name": "DB_PASSWORD", "value": canaries.word()}],
        "secrets": [
            {"name": "API_TOKEN", "valueFrom": canaries.word()},
            {"name": "OTHER", "valueFrom": text(canaries.word())},
            {"name": "DB_PASSWORD", "valueFrom": f"/prod/{canaries.word()}"},
        ],
        "command": ["serve", f"{password} {rest}", "--token", text(canaries.word())],
        "entryPoint": ["/bin/sh", "-c", f"DB_PASSWORD={canaries.word()} exec {rest}"],
        "healthCheck": {"command": ["CMD-SHELL", f"curl -u admin:{canaries.word()} {rest}"]},
        "dockerLabels": {"password": text(canaries.word()), "note": rest},
        "logConfiguration": {
            "logDriver": "splunk",
            "options": {"splunk-token": canaries.word(), "splunk-url": f"https://{rest}.example.com", "tag": rest},
        },
        "repositoryCredentials": {"credentialsParameter": text(canaries.word())},
        "mountPoints": [{"sourceVolume": "shared", "containerPath": f"/{rest}", "readOnly": False}],
    }
    sidecar = {
        "name": "writer",
        "image": "writer:1",
        "essential": True,
        "environment": variables(),
        "mountPoints": [{"sourceVolume": "shared", "containerPath": f"/{rest}"}],
    }
    return {
        "family": "web",
        "containerDefinitions": [app, sidecar],
        "volumes": [
            {"name": "shared", "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": True,
                                                             "driverOpts": {"password": text(canaries.word())}}},
            {"name": "efs", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678", "rootDirectory": f"/{rest}"}},
        ],
        "tags": [{"key": "token", "value": text(canaries.word())}],
    }  # fmt: skip


def post(service: RunningService, path: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """The status and all bytes of an answer, its headers included."""
    reply = service.call("POST", path, body, headers or _JSON)
    return reply.status, repr(reply.headers).encode() + reply.body


def review(**request: Any) -> bytes:
    """An AdmissionReview with these members of its request."""
    envelope = {"uid": "u", "operation": "RegisterTaskDefinition", **request}
    return orjson.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": envelope})


@pytest.mark.service
class TestTheRunningService:
    def test_a_task_definition_full_of_words_is_denied_in_silence(self, service: RunningService) -> None:
        canaries, answers = Canaries(), []
        for text in (canaries.word, *[canaries.value] * 3):
            body = full_input("RegisterTaskDefinition", text, canaries.word)
            variable = {"name": "DB_PASSWORD", "value": canaries.word()}
            body["containerDefinitions"][0]["environment"].append(variable)
            for path, sent in ((OPERATION, orjson.dumps(body)), (REVIEWS, review(object=body))):
                status, answer = post(service, path, sent)
                answers.append(answer)
                assert [status, b'"allowed":false' in answer] == [403 if path == OPERATION else 200, True]
        assert_silent(canaries, service, answers)

    def test_how_to_mend_a_request_is_said_in_silence(self, service: RunningService) -> None:
        """Neither a secret nor the harmless rest of its text: what stays of it a person has to write again."""
        canaries, answers = Canaries(), []
        body = leaks(canaries)
        described = {"taskDefinition": body}
        context = "?environment=prod&account=111122223333&region=eu-central-1"
        for path, sent in (
            (f"{OPERATION}{context}", orjson.dumps(body)),
            (OPERATION, orjson.dumps(described)),
            (REVIEWS, review(object=body, options={"environment": "dev"})),
        ):
            _, answer = post(service, path, sent)
            answers.append(answer)
            for part in (
                b'"patchType":"JSONPatch"',
                b'"patch":[{"op":',
                b'"statements":[{"',
                b'"commands":["read ',
                b'"left":["',
            ):
                assert part in answer
            assert b'"op":"remove"' in patches(answer)
        assert_silent(canaries, service, answers)

    @pytest.mark.parametrize("operation", ["RegisterTaskDefinition", "RegisterDaemonTaskDefinition"])
    def test_what_aws_answers_full_of_words_is_denied_in_silence(self, service: RunningService, operation: str) -> None:
        canaries, answers = Canaries(), []
        plain = f"/v1/operations/{operation}"
        for text in (canaries.word, canaries.value):
            body = full_answer(operation, text, canaries.word)
            metadata = {"ResponseMetadata": body["ResponseMetadata"] | {"password": canaries.word()}}
            for path, sent in (
                (plain, orjson.dumps(body | metadata)),
                (plain, orjson.dumps(body[WRAPPERS[operation].member] | metadata)),
                (REVIEWS, review(object=body | metadata, operation=operation)),
            ):
                status, answer = post(service, path, sent)
                answers.append(answer)
                assert [status, b'"allowed":false' in answer] == [200 if path == REVIEWS else 403, True]
        assert_silent(canaries, service, answers)

    def test_what_aws_answers_is_allowed_in_silence(self, service: RunningService) -> None:
        canaries = Canaries()
        word, none = canaries.word, {canaries.word(): None}
        added = {"registeredBy": word(), "status": f"plain {word()}", "requiresAttributes": [{"name": word(), **none}]}
        body = {
            "taskDefinition": COMPLIANT | added | {word(): None},
            "failures": [{"reason": word()}, word()],
            "ResponseMetadata": {word(): word(), "x": {word(): None}},
            word(): None,
        }
        answers = []
        for path, sent in ((f"{OPERATION}?environment=prod", orjson.dumps(body)), (REVIEWS, review(object=body))):
            status, answer = post(service, path, sent)
            assert [status, b'"allowed":true' in answer] == [200, True]
            answers.append(answer)
        assert_silent(canaries, service, answers)

    def test_a_task_definition_is_allowed_in_silence(self, service: RunningService) -> None:
        canaries = Canaries()
        container = {
            "name": canaries.word(),
            "image": "nginx:1.27",
            "environment": [{"name": canaries.word(), "value": f"plain {canaries.word()} text"} for _ in range(20)],
            "dockerLabels": {canaries.word(): f"{canaries.word()}\n\u00fc"},
            "command": ["echo", canaries.word()],
            canaries.word(): canaries.word(),
        }
        body = {"family": canaries.word(), "containerDefinitions": [container], "tags": [{"key": canaries.word()}]}
        answers = []
        for path, sent in ((f"{OPERATION}?environment=prod", orjson.dumps(body)), (REVIEWS, review(object=body))):
            status, answer = post(service, path, sent)
            assert [status, b'"allowed":true' in answer] == [200, True]
            answers.append(answer)
        assert_silent(canaries, service, answers)

    def test_a_review_says_nothing_of_what_stands_around_its_object(self, service: RunningService) -> None:
        canaries, answers = Canaries(), []
        word, value = canaries.word, canaries.value
        user = {"username": value(), "groups": [value()], "extra": {word(): [value()]}}
        envelopes: list[tuple[dict[str, Any], int]] = [
            ({"userInfo": user, "name": value(), "namespace": value(), word(): {word(): value()}}, 200),
            ({"options": {word(): "prod"}}, 400),
            ({"options": {"environment": f" {word()}"}}, 400),
            ({"options": {"run": f"<{word()}>"}}, 400),
            ({"options": value()}, 400),
            ({"uid": f"{word()} {word()}"}, 400),
            ({"operation": value()}, 400),
            ({"kind": {"group": value(), "version": value(), "kind": value()}}, 400),
            ({"kind": {"group": "ecs.amazonaws.com", "version": "2014-11-13", "kind": value()}}, 400),
            ({"resource": {"group": "ecs.amazonaws.com", "version": "2014-11-13", "resource": value()}}, 400),
            ({"dryRun": value()}, 400),
            ({"object": [value()]}, 422),
        ]
        for envelope, expected in envelopes:
            submitted = {"object": COMPLIANT} | envelope
            status, answer = post(service, REVIEWS, review(**submitted))
            assert status == expected
            answers.append(answer)
        top = orjson.loads(review(object=COMPLIANT)) | {"kind": word()}
        answers.append(post(service, REVIEWS, orjson.dumps(top))[1])
        assert_silent(canaries, service, answers)

    def test_a_broken_body_is_refused_in_silence(self, service: RunningService) -> None:
        canaries, answers = Canaries(), []
        word = canaries.word
        wrong: list[tuple[str, int]] = [
            (f'{{"family": "{word()}"', 400),
            (f'{{"{word()}": 1 "x": 2}}', 400),
            (f'{{"family": "{word()}", "family": "{word()}"}}', 400),
            (f'{{"{(same := word())}": 1, "{same}": 2}}', 400),
            (f'{{"family": "{word()}\\ud800", "containerDefinitions": []}}', 422),
            (f'{{"family": "{word()}", "containerDefinitions": "{word()}"}}', 422),
            (f'{{"family": ["{word()}"], "containerDefinitions": []}}', 422),
            (f'{{"family": {{"{word()}": "{word()}"}}, "containerDefinitions": []}}', 422),
            (f'{{"family": "x", "containerDefinitions": [], "cpu": ["{word()}"]}}', 422),
            (f'{{"family": "x", "containerDefinitions": [{{"memory": "{word()}"}}]}}', 422),
            (f'{{"family": "{{{{ {word()} }}}}", "containerDefinitions": []}}', 422),
            (f"{{{{ {word()} }}}}", 422),
            (f'{{"Family": "{word()}"}}', 422),
            (f'{{"Resources": {{"{word()}": "{word()}"}}}}', 422),
            (f'{{"taskDefinition": "{word()}"}}', 422),
            (f'{{"taskDefinition": {{"family": "{word()}"}}, "{word()}": 1}}', 422),
            (f'{{"taskDefinition": {{"registeredBy": ["{word()}"]}}}}', 422),
            (f'{{"taskDefinition": {{"{(key := word())}": null}}, "{key}": null}}', 422),
            (f'{{"taskDefinition": {{"x": "{word()}"}}, "failures": "{word()}"}}', 422),
            (f'{{"taskDefinition": {{"status": "{{{{ {word()} }}}}"}}}}', 422),
            (f'{{"family": "x", "containerDefinitions": [], "{word()}\\ud800": null}}', 422),
            (f"family: [{word()}", 400),
            (f"family: *{word()}", 400),
            (f"family: !{word()} x", 400),
            (f"%{word()}\n---\nx", 400),
            (f"family: {word()}\n\tx: {word()}", 400),
            (f"{word()}", 422),
            ("[" * 70 + f'"{word()}"' + "]" * 70, 422),
            ("- " * 70 + word(), 422),
            (word() + "\0", 400),
            (word() + "x" * 1_048_576, 413),
        ]
        for text, expected in wrong:
            status, answer = post(service, OPERATION, text.encode("utf-8", "surrogatepass"))
            answers.append(answer)
            assert (text[:40], status) == (text[:40], expected)
        answers.append(post(service, OPERATION, b'{"family": "' + word().encode() + b'\xff"}')[1])
        assert_silent(canaries, service, answers)

    def test_parameters_headers_and_paths_are_not_repeated(self, service: RunningService) -> None:
        canaries, answers = Canaries(), []
        word, body = canaries.word, orjson.dumps(COMPLIANT)
        queries = [
            f"{word()}=prod",
            f"environment={word()}%0a",
            f"environment=%20{word()}",
            f"account={word()}",
            f"region={word()}",
            f"run=%3C{word()}",
            f"actor={word()}%22",
            word(),
            f"environment=dev&{word()}",
            f"environment=dev&environment={word()}",
            f"ticket={quote(canaries.value() + ' ')}",
            f"%ff={word()}",
        ]
        for query in queries:
            status, answer = post(service, f"{OPERATION}?{query}", body)
            answers.append(answer)
            assert (query[:12], status) == (query[:12], 400)
        for path in (
            f"/v1/operations/{word()}",
            f"/v1/{word()}",
            f"/{word()}?{word()}={word()}",
            f"/v1/operations/a/{word()}",
        ):
            status, answer = post(service, path, body)
            answers.append(answer)
            assert status in (404, 422)
        for path in (f"/v1/decisions?{word()}=1", f"/v1/decisions?limit={word()}", f"/v1/decisions?cursor={word()}",
                     f"/v1/decisions/{word()}", f"/healthz?{word()}", f"/{word()}"):  # fmt: skip
            reply = service.get(path)
            answers.append(repr(reply.headers).encode() + reply.body)
        names = ["Accept", "Authorization", "Content-Type", "Cookie", "Forwarded", "Host", "Origin", "Referer"]
        names += ["Traceparent", "User-Agent", "X-Amz-Security-Token", "X-Forwarded-For", "X-Request-Id"]
        for name in names:
            for method, path in (("POST", OPERATION), ("GET", f"/{word()}"), ("DELETE", OPERATION)):
                reply = service.call(method, path, body, {name: f"Bearer {word()}"})
                answers.append(repr(reply.headers).encode() + reply.body)
        reply = service.call("POST", OPERATION, body, {f"X-{word()}": word()})
        answers.append(repr(reply.headers).encode() + reply.body)
        reply = service.call(word(), f"/{word()}")
        answers.append(repr(reply.headers).encode() + reply.body)
        assert_silent(canaries, service, answers)

    def test_broken_framing_is_refused_in_silence(self, service: RunningService) -> None:
        canaries = Canaries()
        line = f"POST {OPERATION} HTTP/1.1\r\nHost: localhost\r\n"
        word, body = canaries.word, orjson.dumps(COMPLIANT | {"family": canaries.word()}).decode()
        wrong = [
            f"{line}Content-Length: 10\r\n\r\n{body}",
            f"{line}\r\n{body}",
            f"{line}\r\n{word()}\r\n{word()}: {word()}\r\n\r\n",
            f"{line}Content-Length: {word()}\r\n\r\n{body}",
            f"{line}Content-Length: -5\r\n\r\n{body}",
            f"{line}Content-Length: 5\r\nContent-Length: 6\r\n\r\n{body}",
            f"{line}Transfer-Encoding: chunked\r\n\r\n{word()}\r\n{body}\r\n0\r\n\r\n",
            f"{line}Transfer-Encoding: chunked\r\n\r\n5\r\n{body}\r\n0\r\n\r\n",
            f"{line}Transfer-Encoding: chunked\r\n\r\n5;{word()}={word()}\r\nhello\r\n0\r\n{word()}\r\n\r\n",
            f"{line}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n{body}",
            f"{line}Transfer-Encoding: {word()}\r\n\r\n{body}",
            f"{line}X-Long: {word() + 'x' * 100_000}\r\n\r\n",
            f"{line}{''.join(f'X-{n}: {word()}{chr(13)}{chr(10)}' for n in range(150))}\r\n",
            f"{line}X-Bad Name: {word()}\r\n\r\n",
            f"{line}X-{word()}\r\n\r\n",
            f"{line}X-Bad: {word()}\0{word()}\r\n\r\n",
            f"{line} folded {word()}\r\n\r\n",
            f"{line}Expect: {word()}\r\nContent-Length: 2\r\n\r\n{{}}",
            f"{line}Upgrade: {word()}\r\nConnection: upgrade, {word()}\r\nContent-Length: 2\r\n\r\n{{}}",
            f"POST /{word()} {word()} HTTP/1.1\r\nHost: localhost\r\n\r\n",
            f"POST /{word()} HTTP/9.9\r\nHost: {word()}\r\n\r\n",
            f"POST /{word()} {word()}\r\n\r\n",
            f"POST {'/' + word() * 400} HTTP/1.1\r\nHost: localhost\r\n\r\n",
            f"{word()}\r\n\r\n",
            f"{word()} {word()} {word()}\r\n{word()}\r\n\r\n",
            f"\x16\x03\x01{word()}\r\n\r\n",
            f"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{word()}",
            f"PROXY TCP4 {word()} {word()} 1 2\r\n{line}\r\n",
            f"GET http://{word()}:{word()}@{word()}/ HTTP/1.1\r\nHost: {word()}\r\nConnection: close\r\n\r\n",
            f"OPTIONS * HTTP/1.1\r\nHost: {word()}\r\nConnection: close\r\n\r\n",
            f"{line}Host: {word()}\r\nContent-Length: 2\r\n\r\n{{}}",
            f"{line}Content-Length: 5\r\n\r\n{body}{line}Content-Length: 5\r\n\r\n{body}",
        ]
        answers = []
        for text in wrong:
            answer = service.send(text.encode("latin-1"))
            answers.append(answer)
            assert b"<html" not in answer.lower()
            assert not (answer and b'"allowed":true' in answer)
        assert sum(answer.startswith(b"HTTP/1.1 4") for answer in answers) > len(wrong) // 2
        assert service.get("/healthz").status == 200
        assert_silent(canaries, service, answers)


@pytest.mark.service
def test_a_locked_database_is_silent(tmp_path: Path) -> None:
    canaries, answers = Canaries(), []
    with run_service(tmp_path, log_level="debug", record_deadline_seconds="0.3") as service:
        body = full_input("RegisterTaskDefinition", canaries.value, canaries.word)
        with _locked(service.database):
            for path, sent in (
                (OPERATION, orjson.dumps(body)),
                (REVIEWS, review(object=body)),
                (OPERATION, b"{" + canaries.word().encode()),
            ):
                status, answer = post(service, path, sent)
                answers.append(answer)
                assert [status, b'"reason":"RecordUnavailable"' in answer] == [503, True]
        assert_silent(canaries, service, answers)


@pytest.mark.service
@pytest.mark.opa
def test_an_engine_that_is_gone_is_silent(tmp_path: Path) -> None:
    canaries, answers = Canaries(), []
    with serve_bundle(BUNDLE, log=tmp_path / "opa.log") as opa:
        settings = {"engine": "opa", "opa_url": opa.url, "engine_deadline_seconds": "1", "log_level": "debug"}
        with run_service(tmp_path, **settings) as service:
            opa.process.kill()
            opa.process.wait()
            for text in (canaries.word, canaries.value):
                body = full_input("RegisterTaskDefinition", text, canaries.word)
                for path, sent in ((OPERATION, orjson.dumps(body)), (REVIEWS, review(object=body))):
                    status, answer = post(service, path, sent)
                    answers.append(answer)
                    assert [status, b'"reason":"EngineUnavailable"' in answer] == [503, True]
            assert_silent(canaries, service, answers)


@contextmanager
def _locked(database: Path) -> Iterator[None]:
    """Hold the database's write lock. With a write-ahead log EXCLUSIVE is IMMEDIATE: readers go on."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def test_a_word_is_found_however_it_is_written() -> None:
    canaries = Canaries()
    texts = [canaries.value() for _ in VARIANTS]
    for number, text in enumerate(texts):
        word = canaries.words[number]
        alone = Canaries(words=[word])
        raw = text.encode()
        forms = [raw, orjson.dumps(text), json.dumps(text).encode(), quote(text).encode(), base64.b64encode(raw)]
        forms += [base64.b64encode(b"x" + raw), base64.b64encode(b"xx" + raw), word[:12].encode(), word[-12:].encode()]
        assert [bool(alone.found_in(form)) for form in forms] == [True] * len(forms)
        assert alone.found_in("".join(texts).replace(word, "").encode()) == []


def test_a_word_in_a_patch_is_found() -> None:
    canaries = Canaries()
    operations = orjson.dumps([{"op": "add", "path": "/x", "value": f"rest {canaries.word()}"}])
    answer = b'{"response":{"patchType":"JSONPatch","patch":"' + base64.b64encode(operations) + b'"}}'
    assert patches(answer) == operations
    assert canaries.found_in(patches(answer)) != []


class TestInProcess:
    """The same without a server, fast enough to try positions one by one."""

    @pytest.fixture
    def lines(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
        """What the service logged since the last call, at level debug."""
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        telemetry.configure("debug")

        def read() -> str:
            text = stream.getvalue()
            stream.seek(0)
            stream.truncate()
            return text

        yield read
        structlog.reset_defaults()

    @pytest.fixture
    def client(self, tmp_path: Path, revision: Revision) -> Iterator[FlaskClient]:
        """A client of the application over the real pipeline and a real log."""
        log = DecisionLog.open(
            f"sqlite:///{tmp_path / 'decisions.sqlite3'}",
            writer=new_decision_id(),
            start=node_entry("node_start", "embedded", revision.id),
            log_key=make_signing_key(),
            timeout_seconds=10.0,
        )
        reviewer = Reviewer(
            revision,
            inventory=NoInventory(),
            recorder=lambda draft: log.append(draft, deadline_seconds=10.0),
            on_error=telemetry.log_error,
            clock=time.time,
        )
        yield create_flask(reviewer, log.reader).test_client()
        log.close()

    @pytest.mark.parametrize("make", [full_input, full_answer])
    def test_each_position_keeps_its_word(
        self, client: FlaskClient, lines: Callable[[], str], tmp_path: Path, make: Make
    ) -> None:
        shown: list[str] = []
        everything = Canaries()
        count = 0
        for name, document, canaries in positions(make, "RegisterTaskDefinition"):
            answer = client.post(OPERATION, data=orjson.dumps(document))
            assert answer.status_code in (200, 403)
            response = answer.get_json()
            decision_id = response.get("decisionId") or response["response"]["auditAnnotations"]["decision-id"]
            entry = client.get(f"/v1/decisions/{decision_id}").get_data()
            offered = patches(answer.get_data())
            if canaries.found_in(answer.get_data() + offered + entry + lines().encode()):
                shown.append(name)
            everything.words += canaries.words
            count += 1
        assert shown == []
        assert count > 150
        assert [everything.found_in(path.read_bytes()) for path in tmp_path.iterdir()] == [[]] * 3

    @pytest.mark.parametrize(
        ("owner", "name"),
        [
            (Reviewer, "_settle"),
            (Projector, "project"),
            (pipeline, "enrich"),
            (pipeline, "assemble"),
            (EmbeddedEngine, "evaluate"),
            (pipeline, "decide"),
        ],
    )
    @pytest.mark.parametrize("path", [OPERATION, REVIEWS])
    def test_the_text_of_an_unexpected_error_is_not_shown(
        self,
        client: FlaskClient,
        lines: Callable[[], str],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        *,
        owner: Any,
        name: str,
        path: str,
    ) -> None:
        canaries = Canaries()

        def fail(*_: Any, **__: Any) -> None:
            cause = KeyError(canaries.word())
            raise ValueError(f"{canaries.value()} {canaries.word()}", {"x": canaries.word()}) from cause

        monkeypatch.setattr(owner, name, fail)
        body = full_input("RegisterTaskDefinition", canaries.value, canaries.word)
        answer = client.post(path, data=review(object=body) if path == REVIEWS else orjson.dumps(body))
        document = answer.get_json()
        assert [answer.status_code, document["reason"], document["code"]] == [503, "CannotDecide", "internal"]
        logged = lines()
        assert '"ValueError"' in logged
        assert " fail" in logged
        entry = client.get(f"/v1/decisions/{document['decisionId']}").get_data()
        files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert canaries.found_in(answer.get_data() + entry + logged.encode() + files) == []

    def test_the_text_of_an_error_outside_the_pipeline_is_not_shown(
        self, client: FlaskClient, lines: Callable[[], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        canaries = Canaries()

        def fail(*_: Any, **__: Any) -> None:
            raise ValueError(canaries.word())

        monkeypatch.setattr(Reviewer, "review", fail)
        answer = client.post(OPERATION, data=orjson.dumps(COMPLIANT))
        assert [answer.status_code, answer.get_json()["reason"]] == [500, "CannotDecide"]
        assert canaries.found_in(answer.get_data() + lines().encode()) == []
