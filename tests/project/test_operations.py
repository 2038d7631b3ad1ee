"""What becomes of the strings that only some operations have."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_admission.adapt.operations import adapt_value
from ecs_admission.model import REDACTED, JSONObject
from ecs_admission.project.projection import Projection
from ecs_admission.revision import Revision

S3 = "arn:aws:s3:::specs/web.json"
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf"


def project(revision: Revision, operation: str, document: JSONObject) -> Projection:
    canonical = adapt_value(operation, document)
    return revision.projector.project(canonical.value, revision.locations[operation])


def literal(projection: Projection) -> tuple[Any, ...]:
    """Pointer, container, field and name of the one literal with a sign."""
    (found,) = projection.literals
    return found["pointer"], found["container"], found["field"], found["name"]


def test_an_override_is_a_container_with_an_environment(revision: Revision) -> None:
    variables = [{"name": "LOG_FORMAT", "value": "json"}, {"name": "DB_PASSWORD", "value": "hunter2x"}]
    override = {"name": "app", "environment": variables}
    document = {"taskDefinition": "web:7", "overrides": {"containerOverrides": [override]}}
    projection = project(revision, "RunTask", document)
    pointer = "/overrides/containerOverrides/0/environment/1/value"
    assert literal(projection) == (pointer, "app", "environment", "DB_PASSWORD")
    assert projection.counts["containers"] == 1
    assert projection.object == {
        "taskDefinition": "web:7",
        "overrides": {"containerOverrides": [{"name": "app", "environmentNames": ["LOG_FORMAT", "DB_PASSWORD"]}]},
    }


def test_the_container_of_express_mode_is_named_by_its_member(revision: Revision) -> None:
    container = {"image": "web:1", "command": ["--db-password", "hunter2x"]}
    document = {"serviceArn": "web", "primaryContainer": container}
    projection = project(revision, "UpdateExpressGatewayService", document)
    pointer = "/primaryContainer/command/1"
    assert literal(projection)[:3] == (pointer, "primaryContainer", "command")
    assert projection.object["primaryContainer"] == {"image": "web:1", "command": [REDACTED, REDACTED]}


def test_the_proxy_of_service_connect_is_a_container(revision: Revision) -> None:
    log = {"logDriver": "splunk", "options": {"splunk-token": "hunter2x"}}
    document = {"service": "web", "serviceConnectConfiguration": {"enabled": True, "logConfiguration": log}}
    projection = project(revision, "UpdateService", document)
    pointer = "/serviceConnectConfiguration/logConfiguration/options/splunk-token"
    assert literal(projection) == (pointer, "serviceConnectConfiguration", "logOption", "splunk-token")


@pytest.mark.parametrize(
    ("details", "below"),
    [
        ({"password": "hunter2x"}, "/<0>"),
        ({"a": [{"name": "password", "value": "hunter2x"}]}, "/<0>/0/<1>"),
        ('{"password": "hunter2x"}', ""),
        ([{"db": {"password": "hunter2x"}}], "/0/<0>/<0>"),
        ({"password": 48215907362}, "/<0>"),
    ],
)
def test_the_free_json_of_a_hook_is_searched_and_not_shown(revision: Revision, details: Any, below: str) -> None:
    hook = {"hookDetails": details, "targetType": "AWS_LAMBDA"}
    document = {"serviceName": "web", "deploymentConfiguration": {"lifecycleHooks": [hook]}}
    projection = project(revision, "CreateService", document)
    pointers = {found["pointer"] for found in projection.literals}
    assert pointers == {f"/deploymentConfiguration/lifecycleHooks/0/hookDetails{below}"}
    (shown,) = projection.object["deploymentConfiguration"]["lifecycleHooks"]
    assert shown == {"hookDetails": REDACTED, "targetType": "AWS_LAMBDA"}


def test_a_header_of_test_traffic_is_called_by_its_name(revision: Revision) -> None:
    rules = {"header": {"name": "x-auth-token", "value": {"exact": "hunter2x"}}}
    service = {"portName": "http", "clientAliases": [{"port": 80, "testTrafficRules": rules}]}
    document = {"service": "web", "serviceConnectConfiguration": {"enabled": True, "services": [service]}}
    pointer, _, field, name = literal(project(revision, "UpdateService", document))
    place = "/serviceConnectConfiguration/services/0/clientAliases/0/testTrafficRules/header/value/exact"
    assert (pointer, field, name) == (place, "testTrafficHeader", "x-auth-token")


def test_a_tag_is_called_by_its_key_wherever_it_stands(revision: Revision) -> None:
    tags = [{"key": "db-password", "value": "hunter2x"}]
    volume = {"roleArn": "r", "tagSpecifications": [{"resourceType": "volume", "tags": tags}]}
    configurations = [{"name": "data", "managedEBSVolume": volume}]
    document = {"taskDefinition": "web", "volumeConfigurations": configurations, "containerInstances": []}
    pointer = "/volumeConfigurations/0/managedEBSVolume/tagSpecifications/0/tags/0/value"
    assert literal(project(revision, "StartTask", document)) == (pointer, None, "tag", "db-password")


def test_a_command_of_a_session_is_read_as_a_shell_does(revision: Revision) -> None:
    document = {"task": "t", "interactive": False, "command": "mysql -uapp -phunter2x db"}
    assert literal(project(revision, "ExecuteCommand", document))[:3] == ("/command", None, "sessionCommand")


def references(projection: Projection) -> list[tuple[Any, ...]]:
    return [(r["pointer"], r["field"], r["service"], r["problem"]) for r in projection.references]


def test_credential_specs_and_configuration_files_are_references(revision: Revision) -> None:
    container = {
        "name": "app",
        "credentialSpecs": [f"credentialspec:{S3}"],
        "dockerSecurityOptions": ["no-new-privileges", f"credentialspec:{S3}"],
        "firelensConfiguration": {"type": "fluentbit", "options": {"config-file-value": S3, "other": "x"}},
    }
    fsx = {"authorizationConfig": {"credentialsParameter": SECRET, "domain": "corp.example.com"}}
    volume = {
        "name": "share",
        "fsxWindowsFileServerVolumeConfiguration": fsx | {"fileSystemId": "fs-0a1b2c3d", "rootDirectory": "x"},
    }
    document = {"family": "web", "containerDefinitions": [container], "volumes": [volume]}
    projection = project(revision, "RegisterTaskDefinition", document)
    at, share = "/containerDefinitions/0", "/volumes/0/fsxWindowsFileServerVolumeConfiguration"
    assert references(projection) == [
        (f"{at}/credentialSpecs/0", "credentialSpecs", "s3", None),
        (f"{at}/dockerSecurityOptions/1", "dockerSecurityOptions", "s3", None),
        (f"{at}/firelensConfiguration/options/config-file-value", "firelensOption", "s3", None),
        (f"{share}/authorizationConfig/credentialsParameter", "fsxCredentials", "secretsmanager", None),
    ]
    assert projection.literals == ()


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        ({"subnets": ["subnet-0a1b2c3d4e5f6a7b8"]}, {"subnets": ["subnet-0a1b2c3d4e5f6a7b8"]}),
        ({"subnets": ["subnet-0a1b2c3d4e5f6a7b8c"]}, {"subnets": ["<redacted-1>"]}),
        ({"securityGroups": ["hunter2"]}, {"securityGroups": ["<redacted-1>"]}),
        ({"assignPublicIp": "ENABLED"}, {"assignPublicIp": "ENABLED"}),
    ],
)
def test_ids_of_aws_are_shown_where_they_have_the_form_of_one(
    revision: Revision, document: JSONObject, shown: JSONObject
) -> None:
    network = {"subnets": []} | document
    request = {"serviceName": "web", "networkConfiguration": {"awsvpcConfiguration": network}}
    projection = project(revision, "CreateService", request)
    assert projection.object["networkConfiguration"]["awsvpcConfiguration"] == {"subnets": []} | shown
