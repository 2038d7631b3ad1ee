"""`ecs-admission fix`: the file is written as its findings ask for, in its own form, and what is left is said."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from click.testing import CliRunner, Result

from ecs_admission.adapt.yaml12 import read_yaml
from ecs_admission.cli import main
from ecs_admission.model import JSONObject
from tests.cli.test_check import ADVISORY, EXAMPLES, PROGRAM
from tests.project.samples import container, environment, github_token, letters, task
from tests.secret_values import traces

PASSWORD = "Orange-7-Boat"
WHERE = ("--environment", "prod", "--account", "111122223333", "--region", "eu-central-1")
ARN = "arn:aws:ssm:eu-central-1:111122223333:parameter/prod/web/DB_PASSWORD"
LEAKY = environment([("LOG_LEVEL", "info"), ("DB_PASSWORD", PASSWORD)])
MENDED = task(
    container(
        environment=[{"name": "LOG_LEVEL", "value": "info"}], secrets=[{"name": "DB_PASSWORD", "valueFrom": ARN}]
    ),
    executionRoleArn="arn:aws:iam::111122223333:role/web-execution",
)
UNMENDABLE = task(
    container(secrets=[{"name": "DB", "valueFrom": "my secret"}]),
    executionRoleArn="arn:aws:iam::111122223333:role/web-execution",
)

pytestmark = pytest.mark.usefixtures("quick")


def fix(*arguments: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, ["fix", *WHERE, *arguments], input=stdin)


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """A file that holds a password."""
    path = tmp_path / "task.json"
    path.write_bytes(orjson.dumps(LEAKY, option=orjson.OPT_INDENT_2))
    return path


def test_the_file_itself_is_mended(leaky: Path) -> None:
    result = fix(str(leaky))
    assert (result.exit_code, result.stdout) == (0, "")
    assert json.loads(leaky.read_text()) == MENDED
    assert list(leaky.parent.iterdir()) == [leaky]


def test_what_is_left_to_do_is_said(leaky: Path) -> None:
    lines = fix(str(leaky)).stderr.splitlines()
    assert lines[0] == f"{leaky}: 1 of 1 findings mended, now allowed"
    assert lines[1] == "left to do:"
    told = "store the value, a new one, as /prod/web/DB_PASSWORD: the one that was sent has been in a pipeline in clear"
    assert lines[2] == f"  - {told}"
    command = "aws ssm put-parameter --region eu-central-1 --type SecureString --name /prod/web/DB_PASSWORD"
    assert [f"{command} --value file:///dev/stdin" in line for line in lines if "put-parameter" in line] == [True]
    begin = lines.index("permit the role:") + 1
    policy = json.loads("\n".join(lines[begin : lines.index("}", begin) + 1]))
    assert policy["Version"] == "2012-10-17"
    assert policy["Statement"][0] == {"Effect": "Allow", "Action": ["ssm:GetParameters"], "Resource": [ARN]}
    assert lines[-1] == ADVISORY.strip()


@pytest.mark.parametrize("indent", [2, 4, 1, "\t", "   "])
@pytest.mark.parametrize("end", ["\n", ""])
def test_json_keeps_its_indent(leaky: Path, indent: int | str, end: str) -> None:
    leaky.write_text(json.dumps(LEAKY, indent=indent) + end)
    assert fix(str(leaky)).exit_code == 0
    assert leaky.read_text() == json.dumps(MENDED, indent=indent) + end


def test_json_of_one_line_stays_one_line(leaky: Path) -> None:
    leaky.write_text(json.dumps(LEAKY) + "\n")
    fix(str(leaky))
    assert leaky.read_text() == json.dumps(MENDED) + "\n"


def test_letters_of_any_script_stay_as_they_are(leaky: Path) -> None:
    document = LEAKY | {"tags": [{"key": "owner", "value": "\u00c4pfel \u4e2d"}]}
    leaky.write_text(json.dumps(document, ensure_ascii=False, indent=2))
    fix(str(leaky))
    assert "\u00c4pfel \u4e2d" in leaky.read_text()


def test_yaml_stays_yaml_and_texts_stay_texts(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(
        "family: web\n"
        "executionRoleArn: arn:aws:iam::111122223333:role/web\n"
        "containerDefinitions:\n"
        "  - name: app\n"
        "    image: nginx\n"
        "    memory: 64\n"
        "    essential: true\n"
        "    environment:\n"
        f"      - {{name: DB_PASSWORD, value: {PASSWORD}}}\n"
        "      - {name: BUILD, value: '1e3'}\n"
        "      - {name: MODE, value: '0o17'}\n"
        "      - {name: SWITCH, value: 'yes'}\n"
        "      - {name: AT, value: '12:30'}\n"
    )
    before = read_yaml(path.read_text())
    assert fix(str(path)).exit_code == 0
    after = read_yaml(path.read_text())
    (app,) = before["containerDefinitions"]
    app["environment"] = app["environment"][1:]
    app["secrets"] = [{"name": "DB_PASSWORD", "valueFrom": ARN}]
    assert after == before
    assert list(after) == list(before)
    assert path.read_text().startswith("family: web\n")


def test_a_document_in_an_answer_of_aws_stays_in_it(tmp_path: Path) -> None:
    path = tmp_path / "described.json"
    path.write_bytes(orjson.dumps({"taskDefinition": LEAKY | {"revision": 7, "status": "ACTIVE"}, "tags": []}))
    result = fix(str(path))
    assert result.exit_code == 0
    expected = {"taskDefinition": MENDED | {"revision": 7, "status": "ACTIVE"}, "tags": []}
    assert json.loads(path.read_text()) == expected


def test_a_dash_reads_and_writes_the_standard_streams() -> None:
    result = fix("-", stdin=orjson.dumps(LEAKY))
    assert result.exit_code == 0
    assert json.loads(result.stdout) == MENDED
    assert "1 of 1 findings mended" in result.stderr


def test_output_goes_where_it_is_told(leaky: Path, tmp_path: Path) -> None:
    before, target = leaky.read_bytes(), tmp_path / "mended.json"
    assert fix("--output", str(target), str(leaky)).exit_code == 0
    assert (leaky.read_bytes(), json.loads(target.read_text())) == (before, MENDED)
    result = fix("--output", "-", str(leaky))
    assert (leaky.read_bytes(), json.loads(result.stdout)) == (before, MENDED)


@pytest.mark.parametrize("document", [MENDED, UNMENDABLE])
def test_where_nothing_is_mended_the_output_is_the_input(tmp_path: Path, document: JSONObject) -> None:
    """`fix - <a >b` must not leave `b` empty."""
    content = json.dumps(document, indent=3).encode() + b"\n\n"
    piped = fix("-", stdin=content)
    assert piped.stdout_bytes == content
    assert piped.exit_code == (document is UNMENDABLE)
    path, target = tmp_path / "a.json", tmp_path / "b.json"
    path.write_bytes(content)
    fix("--output", str(target), str(path))
    assert target.read_bytes() == content


def test_a_file_in_which_nothing_is_mended_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(orjson.dumps(MENDED))
    os.utime(path, ns=(1, 1))
    assert fix(str(path)).exit_code == 0
    assert path.stat().st_mtime_ns == 1


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o755])
def test_the_mode_of_the_file_is_kept(leaky: Path, mode: int) -> None:
    leaky.chmod(mode)
    fix(str(leaky))
    assert stat.S_IMODE(leaky.stat().st_mode) == mode
    assert PASSWORD not in leaky.read_text()


def test_a_new_file_has_the_mode_that_new_files_have(leaky: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    fix("--output", str(tmp_path / "new.json"), str(leaky))
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "new.json")}
    assert len(modes) == 1


def test_a_link_stays_a_link(leaky: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(leaky.name)
    fix(str(link))
    assert link.is_symlink()
    assert json.loads(leaky.read_text()) == MENDED


@pytest.mark.parametrize(
    ("document", "code", "now"),
    [
        (LEAKY, 0, "allowed"),
        (MENDED, 0, "allowed"),
        (UNMENDABLE, 1, "denied"),
    ],
)
def test_the_exit_code_is_that_of_what_was_written(tmp_path: Path, document: JSONObject, code: int, now: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(orjson.dumps(document))
    result = fix(str(path))
    assert result.exit_code == code
    assert f", now {now}" in result.stderr.splitlines()[0]
    assert CliRunner().invoke(main, ["check", *WHERE, str(path)]).exit_code == code


def test_what_stays_denied_is_said_with_its_remedy(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(orjson.dumps(UNMENDABLE))
    lines = fix(str(path)).stderr.splitlines()
    assert lines[0] == f"{path}: 0 of 1 findings mended, now denied"
    assert any("references/" in line and "/containerDefinitions/0/secrets/0/valueFrom" in line for line in lines)
    assert any(line.strip().startswith("Fix: ") for line in lines)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"family": "a", "family": "b"}', b'{"Family": "a"}'])
def test_what_is_not_valid_is_4_and_nothing_is_written(tmp_path: Path, content: bytes) -> None:
    path, target = tmp_path / "a.json", tmp_path / "b.json"
    path.write_bytes(content)
    result = fix("--output", str(target), str(path))
    assert (result.exit_code, result.stdout) == (4, "")
    assert (path.read_bytes(), target.exists()) == (content, False)
    assert "InvalidRequest" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [[], ["a.json", "b.json"], ["/no/such/file.json"], ["--output"], ["--server", "http://127.0.0.1:1", "-"],
     ["--policies"]],
)  # fmt: skip
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    result = fix(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


def test_a_place_that_cannot_be_written_is_2_and_the_file_stays(leaky: Path, tmp_path: Path) -> None:
    before = leaky.read_bytes()
    result = fix("--output", str(tmp_path / "none" / "b.json"), str(leaky))
    assert result.exit_code == 2
    assert "cannot write" in result.stderr
    assert leaky.read_bytes() == before


def test_a_write_that_fails_leaves_the_file_and_nothing_beside_it(leaky: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    before = leaky.read_bytes()
    monkeypatch.setattr("ecs_admission.cli.fix.os.replace", fail)
    result = fix(str(leaky))
    assert (result.exit_code, leaky.read_bytes()) == (2, before)
    assert list(leaky.parent.iterdir()) == [leaky]


def test_a_call_that_makes_no_task_definition_is_mended_as_far_as_it_can_be(tmp_path: Path) -> None:
    """An override takes no secrets, so there is nothing to move the value to."""
    path = tmp_path / "run.json"
    variables = [{"name": "DB_PASSWORD", "value": PASSWORD}]
    document = {
        "taskDefinition": "web:7",
        "overrides": {"containerOverrides": [{"name": "a", "environment": variables}]},
    }
    path.write_bytes(orjson.dumps(document))
    result = fix("--operation", "RunTask", str(path))
    assert "executionRoleArn" not in path.read_text()
    checked = CliRunner().invoke(main, ["check", *WHERE, "--operation", "RunTask", str(path)])
    assert result.exit_code == checked.exit_code


@pytest.mark.parametrize("fmt", ["json", "yaml"])
def test_nothing_of_a_secret_is_printed_or_left_in_the_file(
    tmp_path: Path,
    write: Callable[[str, bytes], str],
    fmt: str,
) -> None:
    token, word = github_token(), f"Zq7{letters(20)}"
    document = task(
        container(
            command=["serve", f"--password={word}"],
            environment=[{"name": "DB_PASSWORD", "value": word}, {"name": "URL", "value": f"https://u:{word}@h/x"}],
            dockerLabels={"token": token},
            secrets=[{"name": "API_TOKEN", "valueFrom": token}],
            logConfiguration={"logDriver": "splunk", "options": {"splunk-token": token, "splunk-url": "https://s"}},
        ),
        tags=[{"key": "password", "value": word}],
    )
    content = orjson.dumps(document) if fmt == "json" else yaml.safe_dump(document).encode()
    path = Path(write(f"a.{fmt}", content))
    result = fix(str(path))
    for secret in (token, word):
        for mark in traces(secret):
            assert mark not in result.output
            assert mark not in path.read_text()


def test_the_program_mends_the_example_that_ships(tmp_path: Path) -> None:
    content = (EXAMPLES / "leaky-task-definition.json").read_bytes()
    done = subprocess.run([PROGRAM, "fix", *WHERE, "-"], input=content, capture_output=True, check=False, timeout=60)
    assert done.returncode in (0, 1)
    path = tmp_path / "a.json"
    path.write_bytes(done.stdout)
    again = subprocess.run([PROGRAM, "check", *WHERE, path], capture_output=True, check=False, timeout=60)
    assert again.returncode == done.returncode
    assert done.stdout.startswith(b'{\n  "family"')
