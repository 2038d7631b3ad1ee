"""Secrets of AWS become files that nobody else can read: all of them, or none."""

from __future__ import annotations

import secrets
import stat
from pathlib import Path
from typing import Any

import boto3
import orjson
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from click.testing import CliRunner

from ecs_admission.cli import main
from ecs_admission.errors import SettingsError
from ecs_admission.secret_files import write_secrets

BASE = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:ecs-admission"
KEY = f"{BASE}/signing-AbCdEf"
PARAMETER = "arn:aws:ssm:eu-central-1:111122223333:parameter/ecs-admission/auth"


class Aws:
    """Clients that answer what they are told, and refuse what the real ones would."""

    def __init__(self) -> None:
        self._stubs: dict[tuple[str, str], tuple[Any, Stubber]] = {}

    def __call__(self, service: str, region: str) -> Any:
        return self._stub(service, region)[0]

    def _stub(self, service: str, region: str) -> tuple[Any, Stubber]:
        if (service, region) not in self._stubs:
            client = boto3.client(
                service, region_name=region, aws_access_key_id="none", aws_secret_access_key="none"
            )  # fmt: skip
            stub = Stubber(client)
            stub.activate()
            self._stubs[service, region] = client, stub
        return self._stubs[service, region]

    def holds(self, answer: dict[str, Any], **expected: str) -> None:
        self._stub("secretsmanager", "eu-central-1")[1].add_response("get_secret_value", answer, expected)

    def refuses(self, code: str) -> None:
        self._stub("secretsmanager", "eu-central-1")[1].add_client_error("get_secret_value", code, "the value", 400)

    def has_parameter(self, value: str) -> None:
        self._stub("ssm", "eu-central-1")[1].add_response(
            "get_parameter", {"Parameter": {"Value": value}}, {"Name": PARAMETER, "WithDecryption": True}
        )


@pytest.fixture
def aws() -> Aws:
    return Aws()


def test_each_secret_is_a_file_of_its_owners_alone(aws: Aws, tmp_path: Path) -> None:
    word, binary = secrets.token_urlsafe(24), secrets.token_bytes(32)
    aws.holds({"SecretString": word}, SecretId=KEY)
    aws.holds({"SecretBinary": binary}, SecretId=f"{BASE}/binary-AbCdEf")
    aws.has_parameter("[[issuer]]")
    write_secrets(
        {"signing.key": KEY, "binary": f"{BASE}/binary-AbCdEf", "auth.toml": PARAMETER}, tmp_path, client=aws
    )  # fmt: skip
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {"signing.key": word.encode(), "binary": binary, "auth.toml": b"[[issuer]]"} == files
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}


def test_a_member_of_a_json_secret_and_a_stage_are_named_as_in_value_from(aws: Aws, tmp_path: Path) -> None:
    word = secrets.token_urlsafe(24)
    answer = {"SecretString": orjson.dumps({"password": word, "port": 5432}).decode()}
    aws.holds(answer, SecretId=KEY, VersionStage="AWSPENDING")
    write_secrets({"password": f"{KEY}:password:AWSPENDING:"}, tmp_path, client=aws)
    assert word == (tmp_path / "password").read_text()
    for member in ("port", "user"):
        aws.holds(answer, SecretId=KEY)
        with pytest.raises(SettingsError) as caught:
            write_secrets({"x": f"{KEY}:{member}::"}, tmp_path, client=aws)
        assert word not in str(caught.value)


def test_a_file_of_before_is_replaced_whole(aws: Aws, tmp_path: Path) -> None:
    (tmp_path / "signing.key").write_text("before")
    aws.holds({"SecretString": "after"}, SecretId=KEY)
    write_secrets({"signing.key": KEY}, tmp_path, client=aws)
    assert ["after", [tmp_path / "signing.key"]] == [(tmp_path / "signing.key").read_text(), list(tmp_path.iterdir())]


def test_where_one_is_refused_none_is_written(aws: Aws, tmp_path: Path) -> None:
    aws.holds({"SecretString": "x"}, SecretId=KEY)
    aws.refuses("AccessDeniedException")
    with pytest.raises(SettingsError, match=r"^second: AWS answers AccessDeniedException$"):
        write_secrets({"first": KEY, "second": KEY}, tmp_path, client=aws)
    assert [] == list(tmp_path.iterdir())


def test_aws_that_cannot_be_reached_is_said(tmp_path: Path) -> None:
    class Away:
        def get_secret_value(self, **_: str) -> None:
            raise EndpointConnectionError(endpoint_url="x")

    with pytest.raises(SettingsError, match=r"^a: AWS cannot be asked: EndpointConnectionError$"):
        write_secrets({"a": KEY}, tmp_path, client=lambda *_: Away())


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("../x", KEY),
        ("", KEY),
        (".x", KEY),
        ("x", "ecs-admission/signing"),
        ("x", f"{KEY}:password"),
        ("x", "arn:aws:s3:::bucket/key"),
        ("x", KEY.replace("eu-central-1", "eu/central")),
    ],
)
def test_a_path_or_what_is_no_arn_is_refused(tmp_path: Path, name: str, source: str) -> None:
    with pytest.raises(SettingsError):
        write_secrets({name: source}, tmp_path, client=lambda *_: pytest.fail("AWS was asked"))


@pytest.mark.parametrize("sources", [["x"], [f"x={KEY}", f"x={KEY}"], [f"../x={KEY}"], []])
def test_the_command_ends_with_a_usage_error(tmp_path: Path, sources: list[str]) -> None:
    assert 2 == CliRunner().invoke(main, ["fetch", str(tmp_path), *sources]).exit_code
