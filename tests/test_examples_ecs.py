"""`examples/ecs`: the service judges its own deployment, and what its parts say of each other is so."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import orjson
import pytest
from botocore.validate import ParamValidator
from click.testing import CliRunner, Result

from ecs_admission.cli import main
from ecs_admission.settings import read_settings

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples/ecs"
LAYER = EXAMPLES / "layer"
TASKS = ("service", "sealer", "migrate")
INPUTS = {
    **{f"{task}-task-definition.json": "RegisterTaskDefinition" for task in TASKS},
    "service.json": "CreateService",
    "sealer.json": "CreateService",
    "migrate.json": "RunTask",
}


def read(name: str) -> Any:
    return orjson.loads((EXAMPLES / name).read_bytes())


def containers(task: str) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in read(f"{task}-task-definition.json")["containerDefinitions"]}


def fetched(task: str) -> dict[str, str]:
    """The files that the first container of a task writes, and where from."""
    command, _, *sources = containers(task)["fetch-secrets"]["command"]
    assert "fetch" == command
    return dict(source.split("=", 1) for source in sources)


def check(document: Path, operation: str) -> Result:
    given = ["--policies", str(LAYER), "--environment", "prod", "--operation", operation, "--output", "json"]
    return CliRunner().invoke(main, ["check", *given, str(document)])


@pytest.mark.parametrize("name", INPUTS)
def test_the_service_allows_its_own_deployment_by_its_restricted_profile(name: str) -> None:
    done = check(EXAMPLES / name, INPUTS[name])
    assert 0 == done.exit_code, done.output
    response = orjson.loads(done.stdout)["results"][0]["response"]
    assert [True, []] == [response["allowed"], response.get("warnings", [])]


def test_it_is_that_profile_which_judges(tmp_path: Path) -> None:
    # What only `restricted` denies: the service could write to the volume with its keys.
    document = copy.deepcopy(read("service-task-definition.json"))
    del document["containerDefinitions"][1]["mountPoints"][0]["readOnly"]
    path = tmp_path / "task.json"
    path.write_bytes(orjson.dumps(document))
    done = check(path, "RegisterTaskDefinition")
    causes = orjson.loads(done.stdout)["results"][0]["response"]["status"]["details"]["causes"]
    assert [1, {"sidecar/writable-mount"}] == [done.exit_code, {cause["reason"] for cause in causes}]
    assert "profile: restricted" in (LAYER / "config/environments/data.yaml").read_text()


@pytest.mark.parametrize("name", INPUTS)
def test_the_sdk_accepts_it(name: str) -> None:
    model = botocore.session.get_session().get_service_model("ecs").operation_model(INPUTS[name])
    assert "" == ParamValidator().validate(read(name), model.input_shape).generate_report()


@pytest.mark.parametrize("task", TASKS)
def test_no_secret_is_in_an_environment_variable(task: str) -> None:
    for container in containers(task).values():
        assert "secrets" not in container
        assert {True} == {container["readonlyRootFilesystem"]}
        assert ["65532:65532", ["ALL"]] == [container["user"], container["linuxParameters"]["capabilities"]["drop"]]


@pytest.mark.parametrize("task", TASKS)
def test_its_settings_are_ones_that_the_service_accepts(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    config = tmp_path / "config.toml"
    config.touch(mode=0o600)
    config.write_text('database_url = "postgresql://db.internal/decisions?sslmode=verify-full"\n')
    given = {each["name"]: each["value"] for each in containers(task)[task].get("environment", [])}
    for name, value in (image_settings() | given | {"ECS_ADMISSION_CONFIG": str(config)}).items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    assert ["required", False] == [settings.authentication, settings.is_embedded]
    written = {f"/run/ecs-admission/{name}" for name in fetched(task)}
    assert written >= {value for value in given.values() if value.startswith("/")}


@pytest.mark.parametrize("task", TASKS)
def test_its_commands_are_ones_that_the_image_has(task: str) -> None:
    mounted = {"/run/ecs-admission", "/var/lib/ecs-admission"}
    (volumes,) = re.findall(r"^VOLUME (.*)$", dockerfile(), re.MULTILINE)
    assert mounted == set(orjson.loads(volumes))
    for container in containers(task).values():
        assert 0 == CliRunner().invoke(main, [*container["command"], "--help"]).exit_code
        assert mounted >= {mount["containerPath"] for mount in container["mountPoints"]}
        for variant, command in health_checks(container):
            assert ["CMD", "/opt/ecs-admission/bin/ecs-admission"] == [variant, command[0]]
            assert 0 == CliRunner().invoke(main, [*command[1:], "--help"]).exit_code


@pytest.mark.parametrize("task", TASKS)
def test_a_role_may_read_exactly_what_its_task_fetches(task: str) -> None:
    document = read(f"{task}-task-definition.json")
    assert document["taskRoleArn"].endswith(f":role/ecs-admission-{task}")
    allowed = [
        resource
        for statement in read(f"iam/{task}.json")["Statement"]
        if set(statement["Action"]) <= {"secretsmanager:GetSecretValue", "ssm:GetParameter"}
        for resource in listed(statement["Resource"])
    ]
    assert sorted(fetched(task).values()) == sorted(allowed)


def test_no_task_reads_the_keys_of_another() -> None:
    keys = {task: {name for name in fetched(task) if name.endswith(".key")} for task in TASKS}
    assert [{"sealer.key"}, set()] == [keys["sealer"], keys["migrate"]]
    assert "sealer.key" not in keys["service"]
    configured = [fetched(task)["config.toml"] for task in TASKS]
    assert len(set(configured)) == len(TASKS)


def test_no_role_is_wider_than_it_has_to_be() -> None:
    for path in sorted((EXAMPLES / "iam").glob("*.json")):
        for statement in orjson.loads(path.read_bytes())["Statement"]:
            assert "Allow" == statement["Effect"]
            if path.stem == "key-policy" or statement["Sid"] == "LogInToTheRegistry":
                continue  # a key's policy is about that key; that action knows no resource
            assert [] == [text for text in listed(statement["Action"]) if "*" in text]
            assert "*" not in listed(statement.get("Resource", ""))
            if "kms:Decrypt" in listed(statement["Action"]):
                assert "kms:ViaService" in statement["Condition"]["StringEquals"]


def test_the_execution_role_reads_no_secret() -> None:
    text = (EXAMPLES / "iam/execution.json").read_text()
    assert [] == [word for word in ("secretsmanager", "ssm:", "kms:") if word in text]


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text()


def image_settings() -> Mapping[str, str]:
    """What the image sets itself."""
    return dict(re.findall(r"(ECS_ADMISSION_\w+)=(\S+)", dockerfile()))


def health_checks(container: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    if "healthCheck" in container:
        variant, *command = container["healthCheck"]["command"]
        yield variant, command


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
