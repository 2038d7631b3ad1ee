"""The real service: for its own machine without authentication, and for everybody who can show who they are with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.auth.issuers import AUDIENCE, ISSUER, claims, rsa_key, serving_keys, sign, unsigned
from tests.service.conftest import COMPLIANT
from tests.service.running_service import OPERATION, RunningService, clean_environment, run_command, run_service

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that asks for credentials, of tokens and of an issuer."""
    folder = tmp_path_factory.mktemp("closed")
    with serving_keys(rsa_key("one")) as keys:
        (folder / "auth.toml").write_text(
            f'[[issuer]]\nissuer = "{ISSUER}"\naudience = "{AUDIENCE}"\njwks_uri = "{keys.url}"\n'
            f'[[binding]]\nissuer = "{ISSUER}"\nclaims = {{ repository_id = "4711" }}\nroles = ["submitter"]\n'
            'environments = ["dev"]\n'
        )
        settings = {"authentication": "required", "auth_file": str(folder / "auth.toml"), "workers": "1"}
        with run_service(folder, **settings) as running:
            yield running


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


def make_token(service: RunningService, *arguments: str) -> tuple[str, str]:
    """A new token and its id."""
    done = run_command("tokens", "create", "ci", *arguments, environment=service.environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr.split()[1].rstrip(",")


def submit(service: RunningService, credential: str | None, query: str = "?environment=prod") -> int:
    headers = {} if credential is None else bearer(credential)
    return service.call("POST", OPERATION + query, orjson.dumps(COMPLIANT), headers).status


def test_a_token_opens_a_running_service_until_it_is_revoked(closed: RunningService) -> None:
    assert submit(closed, None) == 401
    token, token_id = make_token(closed, "--role", "submitter")
    assert submit(closed, token) == 200
    assert closed.call("GET", "/v1/decisions", headers=bearer(token)).status == 403
    done = run_command("tokens", "revoke", token_id, environment=closed.environment)
    assert done.returncode == 0
    assert submit(closed, token) == 401


def test_a_pipeline_shows_its_own_token(closed: RunningService) -> None:
    assert submit(closed, sign(claims(), rsa_key("one")), "?environment=dev") == 200
    assert submit(closed, sign(claims(), rsa_key("one")), "?environment=prod") == 403
    assert submit(closed, sign(claims(aud="other"), rsa_key("one")), "?environment=dev") == 401
    assert submit(closed, unsigned(claims()), "?environment=dev") == 401


def test_the_command_line_takes_the_token_from_its_environment(closed: RunningService, tmp_path: Path) -> None:
    token, _ = make_token(closed, "--role", "submitter")
    file = tmp_path / "taskdef.json"
    file.write_bytes(orjson.dumps(COMPLIANT))
    arguments = ("check", "--server", closed.url, "--environment", "prod", file)
    assert run_command(*arguments, environment=clean_environment(token=token)).returncode == 0
    assert run_command(*arguments, environment=clean_environment()).returncode == 3


def test_nothing_that_was_shown_is_in_a_log_line_or_the_database(closed: RunningService) -> None:
    token, _ = make_token(closed, "--role", "submitter")
    forged = unsigned(claims(sub="forged"))
    assert [submit(closed, token), submit(closed, token + "x"), submit(closed, forged)] == [200, 401, 401]
    kept = closed.stdout.read_bytes() + closed.stderr.read_bytes()
    for path in closed.data_dir.rglob("*"):
        kept += path.read_bytes() if path.is_file() else b""
    assert token.encode() not in kept
    assert forged.split(".")[1].encode() not in kept


def test_failures_and_refusals_are_entries(tmp_path: Path) -> None:
    with run_service(tmp_path, authentication="required", workers="1") as service:
        assert [submit(service, None) for _ in range(3)] == [401] * 3
        token, _ = make_token(service, "--role", "auditor")
        assert submit(service, token) == 403
        assert service.call("GET", "/v1/decisions", headers=bearer(token)).status == 200
        assert service.stop() == 0
        entries = [orjson.loads(row[0]) for row in service.rows("SELECT bytes FROM entries")]
    counts = [entry["details"]["count"] for entry in entries if entry["kind"] == "authentication_failures"]
    assert sum(counts) == 3
    assert {"access_refuse", "log_read", "token_create"} <= {entry["kind"] for entry in entries}
    starts = [entry["details"] for entry in entries if entry["kind"] == "node_start"]
    assert [start["authentication"] for start in starts if start["authentication"]] == ["required"]


class TestWithout:
    def test_it_says_so_and_answers_this_machine_alone(self, tmp_path: Path) -> None:
        with run_service(tmp_path, workers="1") as service:
            assert "callers are not authenticated" in service.stderr.read_text()
            assert submit(service, None) == 200
            for headers, status in (
                ({"Host": "attacker.example"}, 421),
                ({"Origin": "https://attacker.example"}, 403),
                ({"X-Forwarded-For": "192.0.2.1"}, 403),
                ({"Forwarded": "for=192.0.2.1"}, 403),
            ):
                assert service.call("GET", "/v1/decisions", headers=headers).status == status
            raw = service.send(b"GET /v1/decisions HTTP/1.0\r\n\r\n")
            assert raw.startswith(b"HTTP/1.0 200 ")  # without a Host, which a browser always sends


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"auth_file": "/nowhere/auth.toml", "authentication": "required"}, "auth.toml cannot be read"),
        ({"auth_file": "/nowhere/auth.toml"}, "need authentication: required"),
        ({"authentication": "maybe"}, "ECS_ADMISSION_AUTHENTICATION"),
        ({"authentication": "required", "proxy_identity_header": "X-Subject"}, "needs trusted_proxies"),
        ({"authentication": "required", "trusted_proxies": "everybody"}, "trusted_proxies: must be addresses"),
        ({"authentication": "required", "token_key_file": "/nowhere/tokens.key"}, "cannot be read or made"),
    ],
)
def test_settings_that_would_leave_it_open_are_refused(tmp_path: Path, settings: dict[str, str], told: str) -> None:
    environment = clean_environment(data_dir=str(tmp_path / "data"), **settings)
    done = run_command("serve", environment=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
