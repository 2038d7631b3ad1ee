"""`ecs-admission check`: the same pipeline for files, and exit codes that a deploy pipeline can trust."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from ecs_admission.cli import main
from ecs_admission.model import JSONObject
from ecs_admission.respond.report import verdict
from tests.cli.answering import Service, serving
from tests.project.samples import container, environment, github_token, task

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
PROGRAM = Path(sys.executable).with_name("ecs-admission")
CLEAN = orjson.dumps(task(container()))
LEAKY = orjson.dumps(environment([("DB_PASSWORD", "Orange-7-Boat")]))
ALLOW: JSONObject = {"uid": "u", "allowed": True, "status": {"code": 200, "status": "Success"}}
ADVISORY = "advisory: judged in this process, recorded nowhere; the service's own answer is the one that counts\n"


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as running:
        yield running


def check(*arguments: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, ["check", *arguments], input=stdin)


def run(*arguments: str, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [PROGRAM, *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, **variables},
    )


@pytest.mark.parametrize(
    ("documents", "code"),
    [
        ([CLEAN], 0),
        ([CLEAN, CLEAN], 0),
        ([LEAKY], 1),
        ([LEAKY, CLEAN], 1),
        ([b"{"], 4),
        ([b""], 4),
        ([b"[" * 200_000], 4),
        ([b" " * (1024 * 1024 + 1)], 4),
        ([LEAKY, b"{", CLEAN], 4),
    ],
)
@pytest.mark.usefixtures("quick")
def test_the_exit_code_is_that_of_the_worst_file(
    write: Callable[[str, bytes], str], documents: list[bytes], code: int
) -> None:
    files = [write(f"{number}.json", content) for number, content in enumerate(documents)]
    result = check("--environment", "prod", *files)
    assert (result.exit_code, result.stderr) == (code, ADVISORY)


@pytest.mark.usefixtures("quick")
def test_the_json_report_has_the_shape_that_stays(write: Callable[[str, bytes], str]) -> None:
    clean, leaky = write("clean.json", CLEAN), write("leaky.json", LEAKY)
    result = check("--output", "json", "--environment", "prod", leaky, clean)
    assert (result.exit_code, result.stderr) == (1, ADVISORY)
    report = json.loads(result.stdout)
    assert report.keys() == {"results", "summary"}
    assert report["summary"] == {"allowed": 1, "failOpen": 0, "denied": 1, "undecided": 0, "invalid": 0}
    assert [item["source"] for item in report["results"]] == [
        {"file": leaky, "resource": None}, {"file": clean, "resource": None}
    ]  # fmt: skip
    denied, allowed = (item["response"] for item in report["results"])
    assert denied.keys() == {"uid", "allowed", "status", "auditAnnotations", "patchType", "patch"}
    assert allowed.keys() == {"uid", "allowed", "status", "auditAnnotations"}
    assert denied["auditAnnotations"].keys() == {"decision-id", "policy-revision"}
    assert (denied["allowed"], allowed["allowed"]) == (False, True)
    assert denied["status"].keys() == {"code", "status", "reason", "message", "details"}
    (cause,) = denied["status"]["details"]["causes"]
    assert cause.keys() == {
        "reason", "message", "field", "severity", "container", "name", "remediation", "link", "controls", "fix"
    }  # fmt: skip
    assert cause["fix"].keys() == {"patch", "statements", "commands", "left"}
    assert (cause["reason"], cause["field"], cause["container"], cause["name"]) == (
        "plaintext/environment", "/containerDefinitions/0/environment/0/value", "app", "DB_PASSWORD"
    )  # fmt: skip


@pytest.mark.usefixtures("quick")
def test_a_dash_is_standard_input() -> None:
    result = check("--output", "json", "-", stdin=LEAKY)
    assert result.exit_code == 1
    assert json.loads(result.stdout)["results"][0]["source"]["file"] == "-"


@pytest.mark.usefixtures("quick")
def test_the_table_says_how_to_mend_each_finding(write: Callable[[str, bytes], str]) -> None:
    result = check("--environment", "prod", write("leaky.json", LEAKY))
    assert "leaky.json: denied (1 finding)" in result.stdout
    assert "critical  plaintext/environment  /containerDefinitions/0/environment/0/value" in result.stdout
    assert "Fix: Store the value in AWS Secrets Manager" in result.stdout
    (command,) = (line for line in result.stdout.splitlines() if line.strip().startswith("Run: "))
    assert "aws ssm put-parameter --type SecureString --name /prod/web/DB_PASSWORD" in command


@pytest.mark.parametrize("output", ["table", "json"])
@pytest.mark.usefixtures("quick")
def test_nothing_of_the_file_is_printed(write: Callable[[str, bytes], str], output: str) -> None:
    token = github_token()
    document = task(
        container(
            command=[f"--password={token}", "Orange-7-Boat"],
            environment=[{"name": "DB_PASSWORD", "value": token}, {"name": token, "value": "x"}],
            dockerLabels={token: token},
            secrets=[{"name": "A", "valueFrom": f"{token} "}],
        ),
        family=token,
        **{f"{token}x": token},
    )
    files = [write("a.json", orjson.dumps(document)), write("b.json", f'{{"{token}": {token}'.encode())]
    result = check("--output", output, *files)
    assert result.exit_code == 4
    assert token not in result.output
    assert "Orange" not in result.output


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("option", "value"),
    [("--environment", "two words"), ("--account", "123"), ("--region", "Ireland"), ("--cluster", ""),
     ("--service", "a b"),
     ("--operation", "DeleteCluster")],
)  # fmt: skip
def test_context_that_cannot_be_is_not_valid_input(write: Callable[[str, bytes], str], option: str, value: str) -> None:
    result = check(option, value, write("clean.json", CLEAN))
    assert result.exit_code == 4


@pytest.mark.parametrize(
    "arguments",
    [[], ["--output", "xml", "x"], ["--no-such-option", "x"], ["/no/such/file.json"], ["."],
     ["--policies", "/none", "x"],
     ["--server", "localhost:1", "/dev/null"]],
)  # fmt: skip
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    result = check(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


def test_a_folder_without_policies_is_2(tmp_path: Path, write: Callable[[str, bytes], str]) -> None:
    """A folder that was not mounted, or the wrong one, must not pass for one that changes nothing."""
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "README.md").write_text("# Policies\n")
    result = check("--policies", str(empty), write("clean.json", CLEAN))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"ecs-admission: {empty}: holds no rule and no data\n"


def test_a_mistake_in_policies_is_2_and_told_with_file_and_line(
    tmp_path: Path, write: Callable[[str, bytes], str]
) -> None:
    data = tmp_path / "layer" / "config" / "profiles" / "data.yaml"
    data.parent.mkdir(parents=True)
    data.write_text("# Actions.\nbaseline:\n  plaintext/environment: ignore\n")
    result = check("--policies", str(tmp_path / "layer"), write("clean.json", CLEAN))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"ecs-admission: {data}:3: the action must be one of deny, warn, dryrun\n"


def test_policies_that_let_leaks_through_are_2(tmp_path: Path, write: Callable[[str, bytes], str]) -> None:
    data = tmp_path / "layer" / "config" / "profiles" / "data.yaml"
    data.parent.mkdir(parents=True)
    data.write_text("baseline:\n  plaintext/environment: dryrun\n")
    result = check("--policies", str(tmp_path / "layer"), write("leaky.json", LEAKY))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("ecs-admission: the policies are not fit to judge: ")


def test_layers_of_policies_judge(tmp_path: Path, write: Callable[[str, bytes], str]) -> None:
    """Two of them, in order, by the setting that the service has, too."""
    for name, action in (("a", "warn"), ("b", "deny")):
        data = tmp_path / name / "config" / "environments" / "data.yaml"
        data.parent.mkdir(parents=True)
        data.write_text(f"dev:\n  actions:\n    plaintext/environment: {action}\n")
    leaky, first, second = write("leaky.json", LEAKY), str(tmp_path / "a"), str(tmp_path / "b")
    asked = ("--environment", "dev", leaky)
    assert check("--policies", first, *asked).exit_code == 0
    assert check("--policies", f"{first},{second}", *asked).exit_code == 1
    assert check("--policies", f"{second},{first}", *asked).exit_code == 0
    assert check("--policies", first, "--environment", "prod", leaky).exit_code == 1
    named = CliRunner().invoke(main, ["check", *asked], env={"ECS_ADMISSION_POLICIES": first})
    assert named.exit_code == 0


def test_help_lists_the_commands_without_importing_them() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for name in ("check", "fix", "serve", "log", "bundle"):
        assert f"  {name}" in result.output
    assert CliRunner().invoke(main, ["no-such-command"]).exit_code == 2


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, {"response": ALLOW}, 0),
        (403, {"response": {"allowed": False, "status": {"code": 403, "reason": "NonCompliant"}}}, 1),
        (422, {"title": "m", "reason": "InvalidRequest"}, 4),
        (503, {"title": "m", "reason": "Timeout"}, 3),
        (200, b"<html>", 3),
        (403, {"response": ALLOW}, 3),
        (403, b"<html>Forbidden</html>", 3),
        (302, {"response": ALLOW}, 3),
        (200, {}, 3),
    ],
)
def test_a_service_is_asked_instead(
    service: Service, write: Callable[[str, bytes], str], status: int, body: Any, code: int
) -> None:
    service.says(status, body, Location=service.url)
    file = write("clean.json", CLEAN)
    result = check("--server", service.url, "--environment", "prod", "--output", "json", file)
    assert (result.exit_code, result.stderr) == (code, "")
    assert len(service.requests) == 1
    assert service.requests[0][1] == "/v1/operations/RegisterTaskDefinition?environment=prod"
    assert service.requests[0][3] == CLEAN
    (only,) = json.loads(result.stdout)["results"]
    assert (verdict(only["response"]) == "allowed") == (code == 0)


def test_of_several_answers_the_first_of_3_4_1_0_counts(service: Service, write: Callable[[str, bytes], str]) -> None:
    service.says(503, {"title": "m", "reason": "Timeout"})
    file = write("clean.json", CLEAN)
    assert check("--server", service.url, file, file).exit_code == 3
    assert len(service.requests) == 2


LOADED = """
import sys
from ecs_admission.cli import main
sys.argv = ["ecs-admission", "check", "--server", sys.argv[1], sys.argv[2]]
try:
    main()
except SystemExit as end:
    unwanted = "opapywasm wasmtime kingfisher_sdk re2 flask sqlalchemy opa_client requests botocore yaml".split()
    loaded = {name.partition(".")[0] for name in sys.modules}
    print(end.code, sorted(loaded.intersection(unwanted)), file=sys.stderr)
"""


def test_a_client_imports_neither_an_engine_nor_a_detector(
    service: Service, write: Callable[[str, bytes], str]
) -> None:
    service.says(200, {"response": ALLOW})
    done = subprocess.run(
        [sys.executable, "-c", LOADED, service.url, write("clean.json", CLEAN)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stderr == "0 []\n"


def test_the_program_judges_the_examples_that_ship() -> None:
    done = run("check", "--environment", "prod", str(EXAMPLES / "clean-task-definition.json"))
    assert (done.returncode, done.stderr.decode()) == (0, ADVISORY)
    done = run("check", "--output", "json", "-", stdin=(EXAMPLES / "leaky-task-definition.json").read_bytes())
    assert (done.returncode, done.stderr.decode()) == (1, ADVISORY)
    assert json.loads(done.stdout)["summary"] == {
        "allowed": 0,
        "failOpen": 0,
        "denied": 1,
        "undecided": 0,
        "invalid": 0,
    }


def test_the_program_records_nothing(tmp_path: Path) -> None:
    done = run("check", "-", stdin=CLEAN, ECS_ADMISSION_DATA_DIR=str(tmp_path / "data"))
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []
