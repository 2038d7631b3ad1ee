"""The contract of the two routes that judge, over the real pipeline."""

from __future__ import annotations

import base64
import json
import secrets
import string
from dataclasses import replace
from typing import Any

import jsonpatch
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ecs_admission.adapt.bounds import MAX_BYTES
from ecs_admission.adapt.context import FREE, GRAMMARS
from ecs_admission.adapt.operations import OPERATIONS
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.engines.pack import Pack
from ecs_admission.errors import RecordUnavailableError
from ecs_admission.model import Action, Refusal, Standing
from ecs_admission.project.detectors.protocol import Detector
from ecs_admission.project.fingerprints import FingerprintKey
from ecs_admission.revision import Revision, prepare
from tests.http.conftest import COMPLIANT, NOW, Serve, leaky

OPERATION = "/v1/operations/RegisterTaskDefinition"
REVIEWS = "/v1/admission/reviews"
PROBLEM = "application/problem+json"
ECS = {"group": "ecs.amazonaws.com", "version": "2014-11-13"}
CAUSE_KEYS = {
    "reason", "message", "field", "severity", "container", "name", "remediation", "link", "controls", "fix"
}  # fmt: skip


def canary() -> str:
    """A word that stands nowhere else."""
    return "".join(secrets.choice(string.ascii_letters) for _ in range(24))


def github_token() -> str:
    """A value of a form that a detector knows, made here and valid nowhere."""
    return "ghp_" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(36))


def review(obj: Any, **request: Any) -> dict[str, Any]:
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {"uid": "build-4711", "operation": "RegisterTaskDefinition", "object": obj, **request},
    }


def problem(answer: TestResponse, status: int, code: str | None = None) -> dict[str, Any]:
    """The problem document of an answer, after what all of them have in common."""
    document: dict[str, Any] = answer.get_json()
    assert [answer.status_code, answer.content_type, document["status"]] == [status, PROBLEM, status]
    assert document["type"] == "about:blank"
    assert isinstance(document["title"], str)
    assert document.get("code") == code
    return document


def invalid(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    document = problem(answer, status, code)
    assert document["reason"] == "InvalidRequest"
    return document


def newest(client: FlaskClient) -> dict[str, Any]:
    """The newest entry of the decision log."""
    item: dict[str, Any] = client.get("/v1/decisions?limit=1").get_json()["items"][0]
    return item


class TestDecisions:
    def test_an_allow_is_200(self, client: FlaskClient) -> None:
        answer = client.post(f"{OPERATION}?environment=prod", json=COMPLIANT)
        document = answer.get_json()
        assert [answer.status_code, answer.content_type] == [200, "application/json"]
        assert document.keys() == {"apiVersion", "kind", "response"}
        assert [document["apiVersion"], document["kind"]] == ["admission.k8s.io/v1", "AdmissionReview"]
        assert document["response"].keys() == {"uid", "allowed", "status", "auditAnnotations"}
        assert document["response"]["allowed"] is True
        assert document["response"]["status"] == {"code": 200, "status": "Success"}

    def test_a_deny_of_an_operation_is_403(self, client: FlaskClient) -> None:
        answer = client.post(f"{OPERATION}?environment=prod", json=leaky(canary()))
        response = answer.get_json()["response"]
        assert [answer.status_code, answer.content_type] == [403, "application/json"]
        assert response["allowed"] is False
        status = response["status"]
        assert status.keys() == {"code", "status", "reason", "message", "details"}
        assert [status["code"], status["status"], status["reason"]] == [403, "Failure", "NonCompliant"]

    def test_a_deny_of_a_review_is_200(self, client: FlaskClient) -> None:
        answer = client.post(REVIEWS, json=review(leaky(canary()), options={"environment": "prod"}))
        response = answer.get_json()["response"]
        assert answer.status_code == 200
        assert [response["allowed"], response["status"]["code"], response["uid"]] == [False, 403, "build-4711"]

    def test_an_allow_of_a_review_is_200(self, client: FlaskClient) -> None:
        answer = client.post(REVIEWS, json=review(COMPLIANT, options={"environment": "prod"}))
        response = answer.get_json()["response"]
        assert answer.status_code == 200
        assert [response["allowed"], response["status"]["code"], response["uid"]] == [True, 200, "build-4711"]

    def test_a_cause_says_where_what_and_how(self, client: FlaskClient) -> None:
        response = client.post(OPERATION, json=leaky(canary())).get_json()["response"]
        (cause,) = response["status"]["details"]["causes"]
        assert cause.keys() == CAUSE_KEYS
        assert cause["reason"] == "plaintext/environment"
        assert cause["field"] == "/containerDefinitions/0/environment/0/value"
        assert [cause["container"], cause["name"], cause["severity"]] == ["app", "DB_PASSWORD", "critical"]
        assert "DB_PASSWORD" in cause["remediation"]
        assert cause["link"].startswith("https://")

    def test_a_cause_that_can_be_mended_says_how(self, client: FlaskClient) -> None:
        word = canary()
        answer = client.post(f"{OPERATION}?environment=prod&account=111122223333&region=eu-central-1", json=leaky(word))
        (cause,) = answer.get_json()["response"]["status"]["details"]["causes"]
        arn = "arn:aws:ssm:eu-central-1:111122223333:parameter/prod/web/DB_PASSWORD"
        patched = jsonpatch.apply_patch(leaky(word), cause["fix"]["patch"])
        (container,) = patched["containerDefinitions"]
        assert container["environment"] == []
        assert container["secrets"] == [{"name": "DB_PASSWORD", "valueFrom": arn}]
        assert cause["fix"]["statements"][0]["Resource"] == [arn]
        (command,) = cause["fix"]["commands"]
        assert "aws ssm put-parameter --region eu-central-1 --type SecureString --name /prod/web/DB_PASSWORD" in command
        assert cause["fix"]["left"]

    @pytest.mark.parametrize("path", [OPERATION, REVIEWS])
    def test_the_patch_of_an_answer_leads_to_allow(self, client: FlaskClient, path: str) -> None:
        document = leaky(canary())
        body = document if path == OPERATION else review(document)
        response = client.post(path, json=body).get_json()["response"]
        assert response["patchType"] == "JSONPatch"
        patched = jsonpatch.apply_patch(document, json.loads(base64.b64decode(response["patch"])))
        again = client.post(path, json=patched if path == OPERATION else review(patched)).get_json()["response"]
        assert again["allowed"] is True
        assert again.keys().isdisjoint({"patch", "patchType"})

    def test_a_patch_means_places_of_the_document_that_was_sent(self, client: FlaskClient) -> None:
        described = {"taskDefinition": leaky(canary())}
        response = client.post(OPERATION, json=described).get_json()["response"]
        patched = jsonpatch.apply_patch(described, json.loads(base64.b64decode(response["patch"])))
        assert client.post(OPERATION, json=patched).status_code == 200

    def test_the_message_alone_is_enough_for_a_build_log(self, client: FlaskClient) -> None:
        status = client.post(OPERATION, json=leaky(canary())).get_json()["response"]["status"]
        (cause,) = status["details"]["causes"]
        for part in ("reason", "field", "message", "remediation"):
            assert cause[part] in status["message"]

    def test_the_annotations_name_the_record_and_the_revision(self, client: FlaskClient, revision: Revision) -> None:
        response = client.post(OPERATION, json=COMPLIANT).get_json()["response"]
        annotations = response["auditAnnotations"]
        entry = newest(client)
        receipt = f"{entry['id']}:{entry['writer']}:{entry['sequence']}:{entry['hash']}"
        assert annotations == {"decision-id": entry["id"], "policy-revision": revision.id, "receipt": receipt}
        assert response["uid"] == annotations["decision-id"]

    def test_warnings_are_short_and_do_not_deny(self, client: FlaskClient) -> None:
        body = COMPLIANT | {f"unknown{number}{'x' * 300}": "x" for number in range(3)}
        answer = client.post(f"{OPERATION}?environment=prod", json=body)
        warnings = answer.get_json()["response"]["warnings"]
        assert [answer.status_code, len(warnings)] == [200, 3]
        assert max(map(len, warnings)) <= 256

    def test_an_answer_is_not_cached(self, client: FlaskClient) -> None:
        assert client.post(OPERATION, json=COMPLIANT).headers["Cache-Control"] == "no-store"

    def test_what_was_submitted_is_not_in_the_answer(self, client: FlaskClient) -> None:
        value = canary()
        assert value not in client.post(OPERATION, json=leaky(value)).get_data(as_text=True)

    def test_following_the_hint_leads_to_an_allow(self, client: FlaskClient) -> None:
        body = leaky(canary())
        container = body["containerDefinitions"][0]
        del container["environment"]
        container["secrets"] = [
            {"name": "DB_PASSWORD", "valueFrom": "arn:aws:secretsmanager:eu-central-1:111122223333:secret:db-AbCdEf"}
        ]
        body["executionRoleArn"] = "arn:aws:iam::111122223333:role/execution"
        assert client.post(f"{OPERATION}?environment=prod", json=body).status_code == 200


class TestBodies:
    @pytest.mark.parametrize(
        "content_type",
        [
            None,
            "application/json",
            "application/json; charset=utf-8",
            "application/json; charset=utf-16",
            "application/x-www-form-urlencoded",
            "application/x-www-form-urlencoded; charset=iso-8859-1",
            "multipart/form-data",
            "multipart/form-data; boundary=x",
            "text/plain",
            "application/x-amz-json-1.1",
            "nonsense",
        ],
    )
    @pytest.mark.parametrize("path", [OPERATION, REVIEWS])
    def test_every_content_type_is_read(self, client: FlaskClient, path: str, content_type: str | None) -> None:
        body = leaky(canary()) if path == OPERATION else review(leaky(canary()))
        answer = client.post(path, data=json.dumps(body), content_type=content_type)
        assert answer.status_code == (403 if path == OPERATION else 200)
        assert answer.get_json()["response"]["allowed"] is False

    def test_yaml_is_read(self, client: FlaskClient) -> None:
        text = (
            "family: web\ncontainerDefinitions:\n- name: app\n  image: nginx:1.27\n  environment:\n"
            f"  - {{name: DB_PASSWORD, value: {canary()}}}\n"
        )
        answer = client.post(OPERATION, data=text, content_type="application/yaml")
        assert answer.status_code == 403

    def test_a_yaml_review_is_read(self, client: FlaskClient) -> None:
        text = (
            "apiVersion: admission.k8s.io/v1\nkind: AdmissionReview\nrequest:\n  uid: u\n"
            "  operation: RegisterTaskDefinition\n  object:\n    family: web\n"
            "    containerDefinitions: [{name: app, image: nginx}]\n"
        )
        assert client.post(REVIEWS, data=text).get_json()["response"]["allowed"] is True

    def test_a_byte_order_mark_is_skipped(self, client: FlaskClient) -> None:
        body = b"\xef\xbb\xbf" + json.dumps(COMPLIANT).encode()
        assert client.post(OPERATION, data=body).status_code == 200

    def test_pointers_are_those_of_the_wrapped_document(self, client: FlaskClient) -> None:
        body = {"taskDefinition": leaky(canary()) | {"revision": 7, "status": "ACTIVE"}, "tags": []}
        causes = client.post(OPERATION, json=body).get_json()["response"]["status"]["details"]["causes"]
        assert [cause["field"] for cause in causes] == ["/taskDefinition/containerDefinitions/0/environment/0/value"]

    @pytest.mark.parametrize(
        ("text", "status", "code"),
        [
            ("", 400, "empty"),
            ("{", 400, "malformed-json"),
            ('{"family": "WORD"', 400, "malformed-json"),
            ('{"family": "WORD", "family": "WORD"}', 400, "duplicate-key"),
            ('{"WORD": 1, "WORD": 2}', 400, "duplicate-key"),
            ("family: WORD\nfamily: WORD\n", 400, "duplicate-key"),
            ("family: &WORD x\n", 400, "yaml-feature"),
            ("family: !WORD x\n", 400, "yaml-feature"),
            ("family: [WORD", 400, "malformed-yaml"),
            ('{"family": NaN, "x": "WORD"}', 400, "malformed-json"),
            ('{"cpu": 99999999999999999999, "family": "WORD"}', 400, "number-out-of-range"),
            ("\udcff", 400, "not-utf-8"),
            ("[" * 65 + "]" * 65, 422, "too-deep"),
            ("[" * 100_000, 400, None),
            ('"WORD"', 422, "not-an-object"),
            ('["WORD"]', 422, "not-an-object"),
            ('{"family": "{{ WORD }}", "containerDefinitions": []}', 422, "unrendered-template"),
            ('{"family": {{ WORD }}}', 422, "unrendered-template"),
            ('{"Family": "WORD", "containerDefinitions": []}', 422, "misspelled-key"),
            ('{"family": "WORD", "container_definitions": []}', 422, "misspelled-key"),
            ('{"containerDefinitions": [{"name": "WORD"}]}', 422, "missing-field"),
            ('{"family": ["WORD"], "containerDefinitions": []}', 422, "wrong-type"),
            ('{"family": "WORD", "containerDefinitions": "WORD"}', 422, "wrong-type"),
            ('{"family": "WORD", "containerDefinitions": [null]}', 422, "null-value"),
            ('{"taskDefinition": {"family": "WORD"}, "family": "WORD"}', 422, "ambiguous-wrapper"),
            ('{"Resources": {"WORD": {}}}', 422, "unsupported-shape"),
        ],
    )
    def test_a_body_that_cannot_be_judged_is_refused_without_repeating_it(
        self, client: FlaskClient, text: str, status: int, code: str | None
    ) -> None:
        word = canary()
        answer = client.post(OPERATION, data=text.replace("WORD", word).encode("utf-8", "surrogateescape"))
        if code is None:
            assert answer.status_code in (400, 422)
        else:
            document = invalid(answer, status, code)
            entry = newest(client)
            assert [entry["outcome"], entry["error"]["code"], entry["id"]] == ["invalid", code, document["decisionId"]]
            assert entry["request"]["operation"] == "RegisterTaskDefinition"
        assert word not in answer.get_data(as_text=True)

    @pytest.mark.parametrize("path", [OPERATION, REVIEWS])
    def test_more_than_a_mebibyte_is_refused(self, client: FlaskClient, path: str) -> None:
        document = invalid(client.post(path, data=b"x" * (MAX_BYTES + 1)), 413, "too-large")
        assert [newest(client)["id"], newest(client)["outcome"]] == [document["decisionId"], "invalid"]

    def test_a_mebibyte_is_read(self, client: FlaskClient) -> None:
        body = json.dumps(COMPLIANT)
        assert client.post(OPERATION, data=body + " " * (MAX_BYTES - len(body))).status_code == 200

    def test_a_place_is_given_where_there_is_one(self, client: FlaskClient) -> None:
        answer = client.post(
            OPERATION, data='{"family": "web", "containerDefinitions": [{"name": "app", "Image": "x"}]}'
        )
        document = invalid(answer, 422, "misspelled-key")
        assert document["field"] == "/containerDefinitions/0/<1>"
        assert "`image`" in document["title"]

    def test_an_unknown_operation_is_told_the_known_ones(self, client: FlaskClient) -> None:
        word = canary()
        document = invalid(client.post(f"/v1/operations/{word}", json=COMPLIANT), 422, "unknown-operation")
        assert all(name in document["title"] for name in OPERATIONS)
        assert word not in json.dumps([document, newest(client)])
        assert newest(client)["request"]["operation"] is None


class TestContext:
    def test_every_parameter_is_recorded(self, client: FlaskClient) -> None:
        context = {
            "environment": "prod",
            "account": "111122223333",
            "region": "eu-central-1",
            "cluster": "main",
            "service": "arn:aws:ecs:eu-central-1:111122223333:service/main/web",
            "actor": "jane@example.com",
            "repository": "example/web",
            "commit": "0123abc",
            "run": "https://ci.example.com/runs/17?attempt=2",
            "ticket": "OPS-12",
        }
        assert context.keys() == GRAMMARS.keys()
        client.post(OPERATION, json=COMPLIANT, query_string=context)
        assert newest(client)["request"]["context"] == context | {"now": int(NOW)}
        client.post(REVIEWS, json=review(COMPLIANT, options=context | {"apiVersion": "v1", "kind": "CreateOptions"}))
        assert newest(client)["request"]["context"] == context | {"now": int(NOW)}

    @pytest.mark.parametrize("name", GRAMMARS)
    def test_a_parameter_given_twice_is_refused(self, client: FlaskClient, name: str) -> None:
        value = {"account": "111122223333", "region": "eu-central-1"}.get(name, "x")
        answer = client.post(f"{OPERATION}?{name}={value}&{name}={value}", json=COMPLIANT)
        assert name in invalid(answer, 400, "repeated-parameter")["title"]

    @pytest.mark.parametrize("name", GRAMMARS)
    @pytest.mark.parametrize("value", ["", " ", "x\n", "{{ x }}", "\u00e9", "x" * 513])
    def test_a_value_off_its_grammar_is_refused(self, client: FlaskClient, name: str, value: str) -> None:
        answer = client.post(OPERATION, json=COMPLIANT, query_string={name: value})
        assert name in invalid(answer, 400, "invalid-parameter")["title"]
        answer = client.post(REVIEWS, json=review(COMPLIANT, options={name: value}))
        assert name in invalid(answer, 400, "invalid-parameter")["title"]

    @pytest.mark.parametrize("name", GRAMMARS)
    @pytest.mark.parametrize("value", [None, 1, True, ["x"], {"x": "y"}])
    def test_an_option_that_is_no_string_is_refused(self, client: FlaskClient, name: str, value: Any) -> None:
        answer = client.post(REVIEWS, json=review(COMPLIANT, options={name: value}))
        assert name in invalid(answer, 400, "invalid-parameter")["title"]

    def test_an_unknown_parameter_is_refused_without_repeating_it(self, client: FlaskClient) -> None:
        word = canary()
        answers = [
            client.post(f"{OPERATION}?{word}=prod", json=COMPLIANT),
            client.post(f"{OPERATION}?Environment={word}", json=COMPLIANT),
            client.post(f"{OPERATION}?uid={word}", json=COMPLIANT),
            client.post(REVIEWS, json=review(COMPLIANT, options={word: "prod"})),
        ]
        for answer in answers:
            document = invalid(answer, 400, "unknown-parameter")
            assert all(name in document["title"] for name in GRAMMARS)
            assert word not in answer.get_data(as_text=True)

    @pytest.mark.parametrize("query", ["environment", "&", "environment=prod&", "environment=%ff", "=x", "a=1&" * 60])
    def test_a_query_that_can_be_read_in_two_ways_is_refused(self, client: FlaskClient, query: str) -> None:
        answer = client.post(f"{OPERATION}?{query}", json=COMPLIANT)
        assert [answer.status_code, answer.content_type] == [400, PROBLEM]

    def test_a_review_takes_no_query(self, client: FlaskClient) -> None:
        answer = client.post(f"{REVIEWS}?environment=prod", json=review(COMPLIANT))
        invalid(answer, 400, "unexpected-parameter")

    @pytest.mark.parametrize("name", ["environment", *FREE])
    def test_a_parameter_that_is_a_secret_is_refused_and_kept_nowhere(self, client: FlaskClient, name: str) -> None:
        token = github_token()
        answer = client.post(OPERATION, json=COMPLIANT, query_string={name: token})
        assert name in invalid(answer, 400, "suspicious-parameter")["title"]
        assert token not in answer.get_data(as_text=True) + json.dumps(newest(client))

    def test_an_environment_that_looks_random_is_refused_and_kept_nowhere(self, client: FlaskClient) -> None:
        word = "aB3dE6fG9hJ2kL5mN8pQ"
        answer = client.post(OPERATION, json=COMPLIANT, query_string={"environment": word})
        assert "environment" in invalid(answer, 400, "suspicious-parameter")["title"]
        assert word not in answer.get_data(as_text=True) + json.dumps(newest(client))

    @pytest.mark.parametrize("query", ["", "?environment=nowhere"])
    def test_a_missing_or_unknown_environment_is_judged_by_the_strictest(
        self, serve: Serve, revision: Revision, query: str
    ) -> None:
        client = serve(_lenient(revision, "dev", "test", "staging"))
        assert client.post(f"{OPERATION}?environment=dev", json=leaky(canary())).status_code == 200
        assert client.post(OPERATION + query, json=leaky(canary())).status_code == 403

    def test_an_unknown_environment_is_warned_of(self, client: FlaskClient) -> None:
        answer = client.post(f"{OPERATION}?environment=production", json=COMPLIANT)
        (warning,) = answer.get_json()["response"]["warnings"]
        assert "unknown-environment" in warning
        assert all(name in warning for name in ("dev", "test", "staging", "prod"))

    def test_a_known_environment_is_not_warned_of(self, client: FlaskClient) -> None:
        answer = client.post(f"{OPERATION}?environment=prod", json=COMPLIANT)
        assert "warnings" not in answer.get_json()["response"]


def _lenient(revision: Revision, *names: str) -> Revision:
    """A revision in which the environments named deny nothing."""
    governance = revision.governance
    actions = dict.fromkeys(governance.catalogue, Action.WARN)
    changed = {name: replace(governance.environments[name], actions=actions) for name in names}
    return replace(revision, governance=replace(governance, environments={**governance.environments, **changed}))


class TestAccounts:
    @pytest.fixture
    def client(
        self,
        serve: Serve,
        pack: Pack,
        embedded: EmbeddedEngine,
        detectors: tuple[Detector, ...],
        key: FingerprintKey,
    ) -> FlaskClient:
        """A client of an application whose policies list an account as `prod`."""
        config = {**pack.config, "accounts": {"111122223333": "prod"}}
        listed = replace(pack, data={**pack.data, "config": config})
        return serve(prepare(listed, engine=embedded, detectors=detectors, key=key, now=0))

    def test_the_environment_of_a_listed_account_is_the_listed_one(self, client: FlaskClient) -> None:
        client.post(f"{OPERATION}?account=111122223333", json=COMPLIANT)
        assert newest(client)["request"]["context"]["environment"] == "prod"

    @pytest.mark.parametrize("claim", ["dev", "nowhere"])
    def test_a_contradicting_claim_is_refused(self, client: FlaskClient, claim: str) -> None:
        context = {"account": "111122223333", "environment": claim}
        invalid(client.post(OPERATION, json=COMPLIANT, query_string=context), 422, "environment-contradicted")
        invalid(client.post(REVIEWS, json=review(COMPLIANT, options=context)), 422, "environment-contradicted")

    def test_an_agreeing_claim_is_taken(self, client: FlaskClient) -> None:
        assert client.post(f"{OPERATION}?account=111122223333&environment=prod", json=COMPLIANT).status_code == 200

    @pytest.mark.parametrize("account", ["account=444455556666&", ""])
    def test_an_account_that_is_not_listed_may_claim_nothing(self, client: FlaskClient, account: str) -> None:
        answer = client.post(f"{OPERATION}?{account}environment=dev", json=COMPLIANT)
        assert newest(client)["request"]["context"]["environment"] is None
        (warning,) = answer.get_json()["response"]["warnings"]
        assert "judged by the strictest environment" in warning

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("account=111122223333&environment=dev", 200),
            ("account=444455556666&environment=dev", 403),
            ("environment=dev", 403),
        ],
    )
    def test_a_milder_judge_is_only_that_of_its_own_accounts(
        self, serve: Serve, revision: Revision, query: str, status: int
    ) -> None:
        lenient = _lenient(revision, "dev")
        governance = replace(lenient.governance, accounts={"111122223333": "dev"})
        client = serve(replace(lenient, governance=governance))
        assert client.post(f"{OPERATION}?{query}", json=leaky(canary())).status_code == status


class TestReviews:
    @pytest.mark.parametrize(
        "naming",
        [
            {"operation": "RegisterTaskDefinition"},
            {
                "operation": "CREATE",
                "kind": ECS | {"kind": "TaskDefinition"},
                "resource": ECS | {"resource": "taskdefinitions"},
            },
        ],
    )
    def test_the_operation_is_named_by_itself_or_by_kind(self, client: FlaskClient, naming: dict[str, Any]) -> None:
        assert client.post(REVIEWS, json=review(COMPLIANT, **naming)).get_json()["response"]["allowed"] is True
        assert newest(client)["request"]["operation"] == "RegisterTaskDefinition"

    @pytest.mark.parametrize(
        "document",
        [
            {},
            [],
            {"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview", "request": {}},
            {"apiVersion": "admission.k8s.io/v1", "kind": "WORD", "request": {}},
            {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"},
            review(COMPLIANT, uid="WORD WORD"),
            review(COMPLIANT, uid=None),
            review(COMPLIANT, uid="x" * 65),
            review(COMPLIANT, operation="WORD"),
            review(COMPLIANT, operation=None),
            review(COMPLIANT, operation="CREATE"),
            review(COMPLIANT, operation="DELETE", kind=ECS | {"kind": "TaskDefinition"}),
            review(COMPLIANT, kind=ECS | {"group": "WORD", "kind": "TaskDefinition"}),
            review(COMPLIANT, kind=ECS | {"version": "WORD", "kind": "TaskDefinition"}),
            review(COMPLIANT, kind=ECS | {"kind": "WORD"}),
            review(COMPLIANT, resource=ECS | {"resource": "WORD"}),
            review(COMPLIANT, resource="WORD"),
            review(COMPLIANT, dryRun="WORD"),
        ],
    )
    def test_an_envelope_that_is_wrong_is_refused_without_repeating_it(
        self, client: FlaskClient, document: Any
    ) -> None:
        word = canary()
        answer = client.post(REVIEWS, data=json.dumps(document).replace("WORD", word))
        invalid(answer, 400, "invalid-review")
        assert word not in answer.get_data(as_text=True)

    def test_options_that_are_no_object_are_refused(self, client: FlaskClient) -> None:
        invalid(client.post(REVIEWS, json=review(COMPLIANT, options=[])), 400, "invalid-options")

    def test_an_object_that_is_missing_is_refused(self, client: FlaskClient) -> None:
        document = review(COMPLIANT)
        del document["request"]["object"]
        invalid(client.post(REVIEWS, json=document), 400, "invalid-review")

    def test_an_object_that_aws_would_not_take_is_refused(self, client: FlaskClient) -> None:
        invalid(client.post(REVIEWS, json=review({"Family": "web"})), 422, "misspelled-key")

    def test_a_dry_run_is_judged_and_recorded_as_one(self, client: FlaskClient) -> None:
        answer = client.post(REVIEWS, json=review(leaky(canary()), dryRun=True))
        assert answer.get_json()["response"]["allowed"] is False
        assert newest(client)["request"]["dryRun"] is True
        client.post(REVIEWS, json=review(COMPLIANT))
        assert newest(client)["request"]["dryRun"] is False

    def test_what_a_body_says_of_user_time_and_place_is_ignored(self, client: FlaskClient) -> None:
        claims = {
            "userInfo": {"username": "system:masters", "groups": ["admins"]},
            "now": 1,
            "enforcementPoint": "operations",
            "context": {"now": 1, "environment": "dev"},
        }
        assert client.post(REVIEWS, json=review(COMPLIANT, **claims) | claims).status_code == 200
        entry = newest(client)
        found = client.get(f"/v1/decisions/{entry['id']}").get_json()["policyInput"]["request"]
        assert entry["caller"] == {"username": "system:anonymous", "groups": ["system:unauthenticated"]}
        assert found["userInfo"] == entry["caller"]
        assert [entry["request"]["enforcementPoint"], found["enforcementPoint"]] == ["reviews", "reviews"]
        assert [entry["time"], found["context"]["now"]] == [int(NOW * 1_000_000), int(NOW)]
        assert found["context"]["environment"] is None

    @pytest.mark.parametrize("name", ["now", "userInfo", "enforcementPoint", "dryRun"])
    def test_what_the_service_knows_itself_is_no_option(self, client: FlaskClient, name: str) -> None:
        answer = client.post(REVIEWS, json=review(COMPLIANT, options={name: "1"}))
        invalid(answer, 400, "unknown-parameter")
        invalid(client.post(f"{OPERATION}?{name}=1", json=COMPLIANT), 400, "unknown-parameter")

    def test_a_uid_that_is_a_secret_is_refused_and_kept_nowhere(self, client: FlaskClient) -> None:
        token = github_token()
        answer = client.post(REVIEWS, json=review(COMPLIANT, uid=token))
        invalid(answer, 400, "suspicious-parameter")
        assert token not in answer.get_data(as_text=True) + json.dumps(newest(client))


class TestHttp:
    @pytest.mark.parametrize("path", [OPERATION, REVIEWS])
    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
    def test_other_methods_than_post_are_refused(self, client: FlaskClient, path: str, method: str) -> None:
        answer = client.open(path, method=method, data=b"{}")
        assert [answer.status_code, answer.content_type] == [405, PROBLEM]
        assert {name.strip() for name in answer.headers["Allow"].split(",")} == {"POST", "OPTIONS"}
        if method != "HEAD":
            assert problem(answer, 405)["reason"] == "MethodNotAllowed"

    @pytest.mark.parametrize("path", ["/v1/decisions", "/v1/decisions/x", "/healthz", "/readyz", "/openapi.json"])
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    def test_other_methods_than_get_are_refused(self, client: FlaskClient, path: str, method: str) -> None:
        answer = client.open(path, method=method)
        assert problem(answer, 405)["reason"] == "MethodNotAllowed"
        assert {name.strip() for name in answer.headers["Allow"].split(",")} == {"GET", "HEAD", "OPTIONS"}

    @pytest.mark.parametrize("path", ["/v1/decisions", "/healthz", "/readyz", "/openapi.json"])
    def test_head_is_get_without_a_body(self, client: FlaskClient, path: str) -> None:
        head, get = client.head(path), client.get(path)
        assert [head.status_code, head.content_type, head.data] == [200, get.content_type, b""]

    @pytest.mark.parametrize("path", [OPERATION, REVIEWS, "/v1/decisions"])
    def test_options_say_what_a_path_takes(self, client: FlaskClient, path: str) -> None:
        answer = client.options(path)
        assert [answer.status_code, answer.data] == [200, b""]
        assert "OPTIONS" in answer.headers["Allow"]

    @pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
    @pytest.mark.parametrize(
        "path",
        ["//WORD", "/v1//WORD", "/v1//operations/WORD", "/v1/operations//WORD", "//v1/decisions?cursor=WORD",
         "/v1//decisions/WORD", "/v1/decisions/WORD/", "/healthz//?WORD=WORD", "/v1/./WORD", "/v1/decisions/?WORD"],
    )  # fmt: skip
    def test_no_url_is_mended_by_a_redirect_that_repeats_it(self, client: FlaskClient, path: str, method: str) -> None:
        word = canary()
        answer = client.open(path.replace("WORD", word), method=method)
        assert answer.status_code in (404, 405, 421)  # the client takes what follows // for a host
        assert "Location" not in answer.headers
        assert word not in answer.get_data(as_text=True) + str(answer.headers)

    @pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
    @pytest.mark.parametrize(
        "path", ["/WORD", "/v1/WORD", "/v1/operations/WORD/WORD", "/v1/operations/", "/WORD%00%0a"]
    )
    def test_an_unknown_path_is_not_repeated(self, client: FlaskClient, path: str, method: str) -> None:
        word = canary()
        answer = client.open(path.replace("WORD", word), method=method)
        assert problem(answer, 404)["reason"] == "NotFound"
        assert word not in answer.get_data(as_text=True) + str(answer.headers)

    def test_liveness_needs_nothing(self, client: FlaskClient) -> None:
        assert client.get("/healthz").get_json() == {"status": "ok"}

    def test_readiness_names_what_was_checked(self, client: FlaskClient, revision: Revision) -> None:
        expected = {
            "status": "ok",
            "checks": {"engine": "ok", "policies": "ok", "decision_log": "ok"},
            "revision": revision.id,
        }
        assert client.get("/readyz").get_json() == expected

    def test_readiness_tells_of_policies_that_were_refused_and_stays_ready(
        self, serve: Serve, revision: Revision
    ) -> None:
        state: list[Refusal | None] = [Refusal("words/data.yaml:3: expected a list", 1_790_000_000)]
        client = serve(revision, standing=lambda: Standing(refused=state[0]))
        answer = client.get("/readyz")
        assert answer.status_code == 200
        assert answer.get_json() == {
            "status": "ok",
            "checks": {"engine": "ok", "policies": "ok", "decision_log": "ok"},
            "revision": revision.id,
            "refused": {"reason": "words/data.yaml:3: expected a list", "since": 1_790_000_000},
        }
        state[0] = None
        assert "refused" not in client.get("/readyz").get_json()

    def test_policies_that_are_not_fit_to_judge_are_not_ready(self, serve: Serve, revision: Revision) -> None:
        client = serve(revision, standing=lambda: Standing(unfit=Refusal("a password is allowed", 7), incoming="r2"))
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.get_json() == {
            "status": "not ready",
            "checks": {"engine": "ok", "policies": "Unfit", "decision_log": "ok"},
            "revision": revision.id,
            "incoming": "r2",
            "unfit": {"reason": "a password is allowed", "since": 7},
        }

    def test_a_closed_log_is_neither_ready_nor_readable(
        self, client: FlaskClient, log: DecisionLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: Any, **__: Any) -> None:
            raise RecordUnavailableError("the decision log cannot be read: SQLITE_IOERR")

        monkeypatch.setattr(log.reader, "list_entries", broken)
        answer = client.get("/readyz")
        assert [answer.status_code, answer.get_json()["status"]] == [503, "not ready"]
        assert answer.get_json()["checks"] == {"engine": "ok", "policies": "ok", "decision_log": "RecordUnavailable"}
        assert problem(client.get("/v1/decisions"), 503)["reason"] == "RecordUnavailable"
        assert client.get("/healthz").status_code == 200
