"""The OpenAPI document says what the service does: no route, parameter, status or field more or less."""

from __future__ import annotations

import base64
import json
import re
import secrets
from typing import Any

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from werkzeug.test import TestResponse

from ecs_admission.adapt.context import GRAMMARS
from ecs_admission.adapt.envelope import UID
from ecs_admission.adapt.operations import OPERATIONS, VERBS
from ecs_admission.catalogue import SEVERITIES
from ecs_admission.decision_log.queries import MAX_LIMIT
from ecs_admission.http.openapi import description
from ecs_admission.model import Action, Outcome, Refusal, Standing
from ecs_admission.review import CannotDecideError, Reviewer
from ecs_admission.revision import Revision
from tests.http.conftest import COMPLIANT, Serve, leaky
from tests.policies.examples import load_examples

OPERATION = "/v1/operations/RegisterTaskDefinition"
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def resolve(value: dict[str, Any]) -> dict[str, Any]:
    """Follow a local reference."""
    if "$ref" not in value:
        return value
    found: Any = description()
    for token in value["$ref"].removeprefix("#/").split("/"):
        found = found[token]
    return dict(found)


def schema(name: str) -> dict[str, Any]:
    """A schema by name."""
    return dict(description()["components"]["schemas"][name])


def check(answer: TestResponse, path: str, method: str) -> None:
    """Fail unless an answer has a documented status, Content-Type and form."""
    responses = description()["paths"][path][method]["responses"]
    response = resolve(responses.get(str(answer.status_code)) or responses["default"])
    assert answer.content_type in response["content"]
    registry: Registry[Any] = Registry().with_resource(
        "urn:api", Resource.from_contents(description(), default_specification=DRAFT202012)
    )
    pointer = response["content"][answer.content_type]["schema"]
    absolute = json.loads(json.dumps(pointer).replace('"#/', '"urn:api#/'))
    Draft202012Validator(absolute, registry=registry).validate(answer.get_json())


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(description()).validate()


def test_the_service_serves_the_document(client: FlaskClient) -> None:
    assert client.get("/openapi.json").get_json() == description()


def test_every_route_is_in_the_document_and_the_reverse(client: FlaskClient) -> None:
    served = {
        (re.sub(r"<(?:[a-z]+:)?([a-z_]+)>", r"{\1}", rule.rule), method.lower())
        for rule in client.application.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }
    documented = {(path, method) for path, item in description()["paths"].items() for method in item.keys() & METHODS}
    assert served == documented


def test_the_parameters_of_a_path_are_documented() -> None:
    for path, item in description()["paths"].items():
        for method in item.keys() & METHODS:
            parameters = [resolve(parameter) for parameter in item[method].get("parameters", [])]
            in_path = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
            assert in_path == set(re.findall(r"{([a-z_]+)}", path))


def test_operation_ids_are_unique() -> None:
    ids = [item[method]["operationId"] for item in description()["paths"].values() for method in item.keys() & METHODS]
    assert sorted(set(ids)) == sorted(ids)


def test_context_parameters_have_the_grammars_of_the_service() -> None:
    parameters = map(resolve, description()["paths"]["/v1/operations/{operation}"]["post"]["parameters"])
    documented = {p["name"]: resolve(p["schema"])["pattern"] for p in parameters if p["in"] == "query"}
    assert documented == {name: f"^(?:{grammar.pattern})$" for name, grammar in GRAMMARS.items()}


def test_options_have_the_grammars_of_the_service() -> None:
    properties = schema("Options")["properties"]
    documented = {
        name: resolve(properties[name])["pattern"] for name in properties if name not in ("apiVersion", "kind")
    }
    assert documented == {name: f"^(?:{grammar.pattern})$" for name, grammar in GRAMMARS.items()}


def test_enumerations_are_those_of_the_service() -> None:
    entry = schema("Entry")["properties"]
    request = schema("AdmissionReviewRequest")["properties"]["request"]["properties"]
    assert sorted(OPERATIONS) == sorted(schema("Operation")["enum"])
    assert {*OPERATIONS, *VERBS} == set(request["operation"]["enum"])
    kinds = {operation.kind for operation in OPERATIONS.values()}
    assert {*OPERATIONS, *kinds} == set(request["kind"]["properties"]["kind"]["enum"])
    resources = {operation.resource for operation in OPERATIONS.values()}
    assert resources == set(request["resource"]["properties"]["resource"]["enum"])
    assert f"^{UID.pattern}$" == request["uid"]["pattern"]
    assert list(SEVERITIES) == schema("Severity")["enum"]
    assert {*Outcome, None} == set(entry["outcome"]["enum"])
    assert set(Action) == set(schema("Finding")["properties"]["action"]["enum"])


def test_the_limit_is_that_of_the_service() -> None:
    limit = description()["paths"]["/v1/decisions"]["get"]["parameters"][0]["schema"]
    assert limit["maximum"] == MAX_LIMIT == schema("DecisionList")["properties"]["items"]["maxItems"]


@pytest.mark.parametrize("name", ["compliant"])
def test_the_example_of_an_operation_is_allowed(client: FlaskClient, name: str) -> None:
    body = description()["paths"]["/v1/operations/{operation}"]["post"]["requestBody"]
    example = resolve(body["content"]["application/json"]["examples"][name])["value"]
    assert client.post(f"{OPERATION}?environment=prod", json=example).status_code == 200


def test_the_example_of_a_review_is_allowed(client: FlaskClient) -> None:
    example = description()["components"]["examples"]["Review"]["value"]
    assert client.post("/v1/admission/reviews", json=example).get_json()["response"]["allowed"] is True


def test_the_example_of_a_denial_is_one() -> None:
    registry: Registry[Any] = Registry().with_resource(
        "urn:api", Resource.from_contents(description(), default_specification=DRAFT202012)
    )
    validator = Draft202012Validator({"$ref": "urn:api#/components/schemas/DeniedReview"}, registry=registry)
    validator.validate(description()["components"]["examples"]["Denied"]["value"])


def test_the_fix_of_the_example_is_the_one_that_the_service_offers(client: FlaskClient) -> None:
    """And so are its controls: whoever codes against the example gets what it shows."""
    response = description()["components"]["examples"]["Denied"]["value"]["response"]
    (example,) = response["status"]["details"]["causes"]
    assert json.loads(base64.b64decode(response["patch"])) == example["fix"]["patch"]
    context = {"environment": "prod", "account": "111122223333", "region": "eu-central-1"}
    body = leaky("hunter2-hunter2") | {"executionRoleArn": "arn:aws:iam::111122223333:role/web-execution"}
    answer = client.post(OPERATION, json=body, query_string=context).get_json()
    (cause,) = answer["response"]["status"]["details"]["causes"]
    assert set(example["controls"]) <= set(cause["controls"])
    for part in ("patch", "commands", "left"):
        assert example["fix"][part] == cause["fix"][part]
    assert [s for s in cause["fix"]["statements"] if "Sid" not in s] == example["fix"]["statements"]


def review(obj: Any, **request: Any) -> dict[str, Any]:
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {"uid": "u", "operation": "RegisterTaskDefinition", "object": obj, **request},
    }


@pytest.mark.parametrize(
    ("body", "query", "status"),
    [
        (COMPLIANT, "", 200),
        (COMPLIANT | {"famly": "x"}, "", 200),
        (leaky("hunter2-hunter2"), "", 403),
        (COMPLIANT, "?environment=", 400),
        ({"Family": "web"}, "", 422),
        (COMPLIANT | {"family": "x" * 1_048_576}, "", 413),
    ],
)
def test_answers_of_an_operation_have_the_documented_form(
    client: FlaskClient, body: Any, query: str, status: int
) -> None:  # fmt: skip
    answer = client.post(OPERATION + query, json=body)
    assert answer.status_code == status
    check(answer, "/v1/operations/{operation}", "post")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (review(COMPLIANT), 200),
        (review(leaky("hunter2-hunter2"), options={"environment": "prod"}, dryRun=True), 200),
        (review(COMPLIANT, uid=""), 400),
        (review([]), 422),
        (review(COMPLIANT | {"family": "x" * 1_048_576}), 413),
    ],
)
def test_answers_of_a_review_have_the_documented_form(client: FlaskClient, body: Any, status: int) -> None:
    answer = client.post("/v1/admission/reviews", json=body)
    assert answer.status_code == status
    check(answer, "/v1/admission/reviews", "post")


@pytest.mark.parametrize("path", ["/v1/operations/RegisterTaskDefinition", "/v1/admission/reviews"])
def test_an_undecided_answer_has_the_documented_form(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def judge(*_: Any, **__: Any) -> None:
        raise CannotDecideError("proves nothing")

    monkeypatch.setattr(Reviewer, "_judge", judge)
    answer = client.post(path, json=COMPLIANT)
    assert answer.status_code == 503
    check(answer, path.replace("RegisterTaskDefinition", "{operation}"), "post")


def test_answers_of_the_decision_log_have_the_documented_form(client: FlaskClient) -> None:
    bodies = [json.dumps(leaky(secrets.token_hex(16))), json.dumps(COMPLIANT | {"famly": "x"}), "{", '{"Family": ""}']
    for body in bodies:
        client.post(OPERATION, data=body)
    listed = client.get("/v1/decisions?limit=3")
    assert [len(listed.get_json()["items"]), listed.get_json()["next"] is None] == [3, False]
    check(listed, "/v1/decisions", "get")
    check(client.get("/v1/decisions?limit=0"), "/v1/decisions", "get")
    for item in client.get("/v1/decisions").get_json()["items"]:
        check(client.get(f"/v1/decisions/{item['id']}"), "/v1/decisions/{decision_id}", "get")
    check(client.get("/v1/decisions/none"), "/v1/decisions/{decision_id}", "get")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_answers_of_the_service_itself_have_the_documented_form(client: FlaskClient, path: str) -> None:
    check(client.get(path), path, "get")


def test_refused_policies_are_told_in_the_documented_form(serve: Serve, revision: Revision) -> None:
    check(
        serve(revision, standing=lambda: Standing(refused=Refusal("no", 1), incoming="sha256:x")).get("/readyz"),
        "/readyz",
        "get",
    )


def test_every_operation_of_a_patch_is_in_the_document(client: FlaskClient) -> None:
    """Each example of a rule that is denied, so that each way to mend is among them."""
    documented = schema("PatchOperation")
    validator = Draft202012Validator(documented)
    seen = set()
    for example in load_examples():
        if example.causes:
            body, _ = example.body()
            path = f"/v1/operations/{example.operation}"
            answer = client.post(path, data=body, query_string=example.context)
            if answer.status_code == 403:
                check(answer, "/v1/operations/{operation}", "post")
                for operation in json.loads(base64.b64decode(answer.get_json()["response"].get("patch", "W10="))):
                    validator.validate(operation)
                    seen.add(operation["op"])
    assert seen >= {"add", "remove"}


def test_a_wrong_method_is_answered_in_the_documented_form(client: FlaskClient) -> None:
    for path, item in description()["paths"].items():
        answer = client.delete(re.sub(r"{.*?}", "x", path))
        assert answer.status_code == 405
        check(answer, path, next(iter(item.keys() & METHODS)))
