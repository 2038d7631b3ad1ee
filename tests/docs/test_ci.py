"""The pipelines in examples/ci register what the service allows and nothing else: their commands, really run."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
import yaml

from tests.auth.issuers import AUDIENCE, ISSUER, claims, rsa_key, serving_keys, sign
from tests.docs.pages import ROOT
from tests.service.running_service import RunningService, run_command, run_service

CI = ROOT / "examples" / "ci"
ACCOUNT, REGION = "111122223333", "eu-central-1"
ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/web:8"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The scripts of a pipeline in their order, and the variables that its CI system gives them."""

    file: str
    scripts: tuple[str, ...]
    variables: dict[str, str]


def github() -> Pipeline:
    job = yaml.safe_load((CI / "github-actions.yml").read_text())["jobs"]["deploy"]
    own = {name: value for name, value in job["env"].items() if "${{" not in value}
    given = {
        "GITHUB_REPOSITORY": "example/web",
        "GITHUB_SHA": "3f2a9c1b" * 5,
        "GITHUB_ACTOR": "dependabot[bot]",
        "GITHUB_SERVER_URL": "https://git.example.com",
        "GITHUB_RUN_ID": "1234567890",
    }
    return Pipeline("github-actions.yml", tuple(s["run"] for s in job["steps"] if "run" in s), own | given)


def gitlab() -> Pipeline:
    job = yaml.safe_load((CI / "gitlab-ci.yml").read_text())["deploy"]
    given = {
        "CI_PROJECT_PATH": "example/web",
        "CI_COMMIT_SHA": "3f2a9c1b" * 5,
        "GITLAB_USER_LOGIN": "jane",
        "CI_JOB_URL": "https://git.example.com/example/web/-/jobs/12",
        "AWS_ID_TOKEN": "not-a-token",
        "AWS_ROLE": f"arn:aws:iam::{ACCOUNT}:role/deploy",
    }
    return Pipeline("gitlab-ci.yml", ("\n".join(job["script"]),), job["variables"] | given)


def jenkins() -> Pipeline:
    text = (CI / "Jenkinsfile").read_text()
    scripts = tuple(script.replace("\\\\", "\\") for script in re.findall(r"sh '''\n(.*?)'''", text, re.DOTALL))
    own = dict(re.findall(r"^\s+([A-Z_]+) = '([^']*)'$", text, re.MULTILINE))
    given = {"GIT_COMMIT": "3f2a9c1b" * 5, "BUILD_URL": "https://jenkins.example.com/job/web/12/"}
    return Pipeline("Jenkinsfile", scripts, own | given)


def codebuild() -> Pipeline:
    spec = yaml.safe_load((CI / "buildspec.yml").read_text())
    scripts = tuple(command for phase in spec["phases"].values() for command in phase["commands"])
    given = {
        "CODEBUILD_BUILD_ARN": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:build/web:1b2c",
        "CODEBUILD_RESOLVED_SOURCE_VERSION": "3f2a9c1b" * 5,
        "CODEBUILD_BUILD_ID": "web:1b2c",
    }
    return Pipeline("buildspec.yml", scripts, spec["env"]["variables"] | given)


PIPELINES = [github(), gitlab(), jenkins(), codebuild()]
each_pipeline = pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda pipeline: pipeline.file)


@dataclass(slots=True)
class Run:
    """What a pipeline did: how it ended, what its log shows, and what it asked of AWS."""

    status: int
    log: str
    aws: list[str]
    answer: Path


@dataclass(slots=True)
class Runner:
    """Runs pipelines as their CI system would, with an `aws` that only writes down what it is asked."""

    folder: Path
    environment: dict[str, str]

    def run(self, pipeline: Pipeline, document: Path, **changes: str) -> Run:
        self.folder.mkdir(exist_ok=True)
        programs, calls = self.folder / "bin", self.folder / "calls"
        programs.mkdir()
        (programs / "aws").write_text(
            f'#!/bin/sh\necho "$*" >> {calls}\n[ "$2" != register-task-definition ] || echo {ARN}\n'
        )
        (programs / "aws").chmod(0o755)
        shutil.copyfile(document, self.folder / "task-definition.json")
        environment = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", **pipeline.variables}
        environment |= self.environment | changes
        status, log = 0, ""
        for script in pipeline.scripts:
            done = subprocess.run(
                ["bash", "-eo", "pipefail", "-c", script],
                cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            status, log = done.returncode, log + done.stdout + done.stderr
            if status != 0:
                break
        asked = calls.read_text().splitlines() if calls.exists() else []
        return Run(status, log, asked, self.folder / "admission.json")


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that asks callers who they are."""
    folder = tmp_path_factory.mktemp("closed")
    with serving_keys(rsa_key("one")) as keys:
        (folder / "auth.toml").write_text(
            f'[[issuer]]\nissuer = "{ISSUER}"\naudience = "{AUDIENCE}"\njwks_uri = "{keys.url}"\n'
            f'[[binding]]\nissuer = "{ISSUER}"\nclaims = {{ repository_id = "4711" }}\nroles = ["submitter"]\n'
            f'environments = ["prod"]\naccounts = ["{ACCOUNT}"]\n'
        )
        settings = {"authentication": "required", "auth_file": str(folder / "auth.toml"), "workers": "1"}
        with run_service(folder, **settings) as running:
            yield running


@pytest.fixture(scope="module")
def credentials(closed: RunningService) -> Iterator[dict[str, str]]:
    """What the pipelines show: an API token, an OIDC token, and the place where GitHub gives one out."""
    made = run_command("tokens", "create", "ci", "--role", "submitter", environment=closed.environment)
    token = sign(claims(), rsa_key("one"))
    with serving_keys() as github:
        github.body = orjson.dumps({"value": token})
        yield {
            "ECS_ADMISSION_TOKEN": made.stdout.strip(),
            "ECS_ADMISSION_ID_TOKEN": token,
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{github.url}?api-version=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x",
        }


@pytest.fixture
def runner(tmp_path: Path, closed: RunningService, credentials: dict[str, str]) -> Runner:
    place = {"ADMISSION_URL": closed.url, "AWS_ACCOUNT": ACCOUNT, "AWS_REGION": REGION}
    return Runner(tmp_path / "job", place | credentials)


@pytest.mark.service
@each_pipeline
def test_what_is_allowed_is_registered_and_deployed(pipeline: Pipeline, runner: Runner, closed: RunningService) -> None:
    document = orjson.loads((ROOT / "examples/clean-task-definition.json").read_bytes())
    (runner.folder.parent / "new.json").write_bytes(orjson.dumps(document | {"somethingNew": 1}))  # worth a warning
    done = runner.run(pipeline, runner.folder.parent / "new.json")
    assert done.status == 0, done.log
    assert [call.split()[1] for call in done.aws] == ["register-task-definition", "update-service", "wait"]
    assert done.aws[0].startswith("ecs register-task-definition --cli-input-json file://task-definition.json")
    assert ARN in done.aws[1]
    assert "warning" in done.log
    annotations = orjson.loads(done.answer.read_bytes())["response"]["auditAnnotations"]
    (entry,) = closed.rows(f"SELECT bytes FROM entries WHERE id = '{annotations['decision-id']}'")  # noqa: S608
    request = orjson.loads(entry[0])["request"]["context"]
    assert [request["environment"], request["account"], request["commit"]] == ["prod", ACCOUNT, "3f2a9c1b" * 5]
    assert annotations["receipt"]


@pytest.mark.service
@each_pipeline
def test_what_is_denied_is_not_and_the_log_says_how_to_mend_it(pipeline: Pipeline, runner: Runner) -> None:
    done = runner.run(pipeline, ROOT / "examples/leaky-task-definition.json")
    assert done.status != 0
    assert done.aws == []
    assert "denied: 6 findings\nplaintext/field at /containerDefinitions/0/command/2: " in done.log
    assert runner.environment["ECS_ADMISSION_TOKEN"] not in done.log


@pytest.mark.service
@each_pipeline
def test_without_an_answer_nothing_is_registered(pipeline: Pipeline, runner: Runner) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        done = runner.run(pipeline, ROOT / "examples/clean-task-definition.json", ADMISSION_URL=url)
    assert [done.status != 0, done.aws] == [True, []]


@pytest.mark.service
@each_pipeline
def test_without_a_credential_nothing_is_registered(pipeline: Pipeline, runner: Runner) -> None:
    nothing = {"ECS_ADMISSION_TOKEN": "x", "ECS_ADMISSION_ID_TOKEN": "x", "ACTIONS_ID_TOKEN_REQUEST_URL": "file:///x?"}
    done = runner.run(pipeline, ROOT / "examples/clean-task-definition.json", **nothing)
    assert [done.status != 0, done.aws] == [True, []]


@each_pipeline
def test_no_text_of_a_caller_is_put_into_a_script(pipeline: Pipeline) -> None:
    """A branch or an actor named `$(...)` is text in a variable, and code in a template."""
    assert pipeline.scripts
    assert [script for script in pipeline.scripts if "${{" in script or "${env." in script] == []


def test_the_page_of_each_shows_it() -> None:
    for name, page in {
        "github-actions.yml": "github-actions",
        "gitlab-ci.yml": "gitlab",
        "Jenkinsfile": "jenkins",
        "buildspec.yml": "codebuild",
    }.items():
        assert f"examples/ci/{name})" in (ROOT / f"docs/how-to/call-from-{page}.md").read_text()
