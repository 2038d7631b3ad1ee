"""Each operation by its path and in a review: allowed and denied as a task definition is."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from ecs_admission.adapt.operations import OPERATIONS

VARIABLE = {"name": "DB_PASSWORD", "value": "hunter2-hunter2"}
CONTAINER = {"name": "app", "image": "nginx:1.27"}
OVERRIDES = {"containerOverrides": [{"name": "app", "environment": [VARIABLE]}]}
TAGS = [{"key": "password", "value": VARIABLE["value"]}]

# For each operation a request that is allowed, what makes it one that is denied, and where.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "RegisterTaskDefinition": (
        {"family": "web", "containerDefinitions": [CONTAINER]},
        {"containerDefinitions": [CONTAINER | {"environment": [VARIABLE]}]},
        "/containerDefinitions/0/environment/0/value",
    ),
    "RegisterDaemonTaskDefinition": (
        {"family": "web", "containerDefinitions": [CONTAINER]},
        {"containerDefinitions": [CONTAINER | {"environment": [VARIABLE]}]},
        "/containerDefinitions/0/environment/0/value",
    ),
    "RunTask": (
        {"taskDefinition": "web:7"},
        {"overrides": OVERRIDES},
        "/overrides/containerOverrides/0/environment/0/value",
    ),
    "StartTask": (
        {"taskDefinition": "web:7", "containerInstances": ["7c1f2a"]},
        {"overrides": OVERRIDES},
        "/overrides/containerOverrides/0/environment/0/value",
    ),
    "ExecuteCommand": (
        {"task": "7c1f2a", "interactive": True, "command": "sh"},
        {"command": f"migrate --password={VARIABLE['value']}"},
        "/command",
    ),
    "CreateService": ({"serviceName": "web", "taskDefinition": "web:7"}, {"tags": TAGS}, "/tags/0/value"),
    "UpdateService": (
        {"service": "web", "forceNewDeployment": True},
        {"deploymentConfiguration": {"lifecycleHooks": [{"hookDetails": {"password": VARIABLE["value"]}}]}},
        "/deploymentConfiguration/lifecycleHooks/0/hookDetails/<0>",
    ),
    "CreateExpressGatewayService": (
        {"infrastructureRoleArn": "express", "primaryContainer": {"image": "web:1"}},
        {"primaryContainer": {"image": "web:1", "environment": [VARIABLE]}},
        "/primaryContainer/environment/0/value",
    ),
    "UpdateExpressGatewayService": (
        {"serviceArn": "web"},
        {"primaryContainer": {"image": "web:1", "environment": [VARIABLE]}},
        "/primaryContainer/environment/0/value",
    ),
    "TagResource": ({"resourceArn": "web", "tags": []}, {"tags": TAGS}, "/tags/0/value"),
}


def test_every_operation_is_tried() -> None:
    assert CASES.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_is_judged_by_its_path(client: FlaskClient, operation: str) -> None:
    compliant, leak, pointer = CASES[operation]
    path = f"/v1/operations/{operation}?environment=prod"
    assert client.post(path, json=compliant).status_code == 200
    answer = client.post(path, json=compliant | leak)
    assert answer.status_code == 403
    (cause,) = answer.get_json()["response"]["status"]["details"]["causes"]
    assert cause["field"] == pointer
    assert VARIABLE["value"] not in answer.get_data(as_text=True)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_is_judged_in_a_review(client: FlaskClient, operation: str) -> None:
    compliant, leak, _ = CASES[operation]
    for document, allowed in ((compliant, True), (compliant | leak, False)):
        request = {"uid": "u", "operation": operation, "object": document}
        body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
        answer = client.post("/v1/admission/reviews", json=body)
        assert [answer.status_code, answer.get_json()["response"]["allowed"]] == [200, allowed]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_record_names_the_operation(client: FlaskClient, operation: str) -> None:
    client.post(f"/v1/operations/{operation}", json=CASES[operation][0])
    items = client.get("/v1/decisions").get_json()["items"]
    assert operation in [item["request"]["operation"] for item in items]


def test_an_override_is_mended_in_the_task_definition(client: FlaskClient) -> None:
    compliant, leak, _ = CASES["RunTask"]
    answer = client.post("/v1/operations/RunTask", json=compliant | leak).get_json()
    (cause,) = answer["response"]["status"]["details"]["causes"]
    assert "An override takes no secrets" in cause["remediation"]
    assert "register a new revision of the task definition" in cause["remediation"]


def test_the_command_of_a_session_is_said_to_be_kept(client: FlaskClient) -> None:
    compliant, leak, _ = CASES["ExecuteCommand"]
    answer = client.post("/v1/operations/ExecuteCommand", json=compliant | leak).get_json()
    (cause,) = answer["response"]["status"]["details"]["causes"]
    assert cause["message"] == "the command of the session holds a plaintext secret"
    assert "CloudTrail keeps the command" in cause["remediation"]
