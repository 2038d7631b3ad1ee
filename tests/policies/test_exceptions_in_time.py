"""An exception one second before and after it ends: the same verdict of the service and of the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from ecs_admission import review
from ecs_admission.cli import main
from ecs_admission.decision_log.entries import EntryDraft
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.http import create_flask
from ecs_admission.model import JSONObject
from ecs_admission.policies import load_policies
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision
from tests.engines.layers import folder
from tests.layered import made
from tests.project.samples import environment

TODAY = datetime.now(UTC).date()
"""The command line has no clock but the machine's while it reads policies."""
LAST_DAY = TODAY + timedelta(days=30)
LAST_SECOND = int(datetime.combine(LAST_DAY, datetime.max.time(), tzinfo=UTC).timestamp())

OVERRIDE = {"name": "app", "environment": [{"name": "DB_PASSWORD", "value": "Orange-7-Boat"}]}
REQUESTS: dict[str, JSONObject] = {
    "RegisterTaskDefinition": environment([("DB_PASSWORD", "Orange-7-Boat")]),
    "RunTask": {"taskDefinition": "web:7", "overrides": {"containerOverrides": [OVERRIDE]}},
}


def item(last: date, **match: str) -> JSONObject:
    return {
        "id": "legacy-1",
        "match": {"rule": "plaintext/environment", "family": "web", **match},
        "reason": "The installer reads nothing else.",
        "owner": "team-web",
        "approver": "security",
        "issue": "https://example.com/1",
        "expires": last.isoformat(),
    }


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Policies with an exception that ends in 30 days."""
    items = json.dumps({"items": [item(LAST_DAY, container="app", name="DB_PASSWORD", environment="prod")]})
    return folder(tmp_path_factory.mktemp("policies"), {"exceptions/data.json": items})


@pytest.fixture(scope="module")
def layered(layer: Path) -> Iterator[Revision]:
    """Their revision."""
    now = datetime.now(UTC).timestamp()
    with made(load_policies([layer], now=now).pack, now=now) as revision:
        yield revision


class Clock:
    """A clock that stands where it is put."""

    now = float(LAST_SECOND)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of every reviewer that is made from now on."""
    clock = Clock()
    assert Reviewer.__init__.__kwdefaults__ is not None
    monkeypatch.setitem(Reviewer.__init__.__kwdefaults__, "clock", clock)
    assert review.Reviewer is Reviewer
    return clock


@pytest.fixture
def drafts() -> list[EntryDraft]:
    """What the service recorded."""
    return []


@pytest.fixture
def client(layered: Revision, clock: Clock, drafts: list[EntryDraft]) -> FlaskClient:
    """A client of the service over these policies."""
    reviewer = Reviewer(layered, inventory=NoInventory(), recorder=drafts.append, on_error=_fail, clock=clock)
    return create_flask(reviewer, _NoLog()).test_client()  # type: ignore[arg-type]


class _NoLog:
    """Nothing is read here."""


def _fail(error: Exception) -> None:
    raise error


def by_api(client: FlaskClient, operation: str, document: JSONObject, environment: str) -> JSONObject:
    answer = client.post(f"/v1/operations/{operation}?environment={environment}", data=orjson.dumps(document))
    return dict(answer.get_json()["response"])


def by_command(layer: Path, file: Path, operation: str, document: JSONObject, environment: str) -> JSONObject:
    file.write_bytes(orjson.dumps(document))
    arguments = ["check", "--output", "json", "--operation", operation, "--environment", environment]
    result = CliRunner().invoke(main, [*arguments, "--policies", str(layer), str(file)])
    (only,) = json.loads(result.stdout)["results"]
    return dict(only["response"])


def told(response: JSONObject) -> tuple[Any, ...]:
    causes = response["status"].get("details", {}).get("causes", [])
    return response["allowed"], [(c["reason"], c["field"]) for c in causes], response.get("warnings", [])


@pytest.mark.parametrize("operation", REQUESTS)
@pytest.mark.parametrize(("seconds", "allowed"), [(0, True), (1, False)])
def test_the_same_verdict_in_the_service_and_on_the_command_line(
    client: FlaskClient, layer: Path, clock: Clock, tmp_path: Path, *, operation: str, seconds: float, allowed: bool
) -> None:
    clock.now = LAST_SECOND + seconds
    document = REQUESTS[operation]
    api = by_api(client, operation, document, "prod")
    assert told(api) == told(by_command(layer, tmp_path / "x.json", operation, document, "prod"))
    assert api["allowed"] is allowed
    exempted = [warning for warning in api.get("warnings", []) if warning.endswith("(exempted by legacy-1)")]
    assert len(exempted) == allowed


@pytest.mark.parametrize(
    ("seconds", "allowed"), [(-86_400, True), (-0.001, True), (0.999, True), (1.001, False), (86_400, False)]
)
def test_it_ends_with_its_last_day(client: FlaskClient, clock: Clock, *, seconds: float, allowed: bool) -> None:
    clock.now = LAST_SECOND + seconds
    for operation, document in REQUESTS.items():
        assert by_api(client, operation, document, "prod")["allowed"] is allowed


def test_an_exempted_finding_is_recorded_with_its_exception(
    client: FlaskClient, clock: Clock, drafts: list[EntryDraft]
) -> None:
    by_api(client, "RegisterTaskDefinition", REQUESTS["RegisterTaskDefinition"], "prod")
    clock.now += 1
    by_api(client, "RegisterTaskDefinition", REQUESTS["RegisterTaskDefinition"], "prod")
    found = [
        [(f["rule"], f["action"], f["exception"]) for f in draft.document["findings"] if f["action"] == "deny"]
        for draft in drafts
    ]
    assert found == [
        [("plaintext/environment", "deny", "legacy-1")],
        [("plaintext/environment", "deny", None)],
    ]
    assert [draft.document["outcome"] for draft in drafts] == ["allowed", "denied"]


@pytest.mark.parametrize(
    "document",
    [
        REQUESTS["RegisterTaskDefinition"] | {"family": "Web"},
        REQUESTS["RegisterTaskDefinition"] | {"family": "web2"},
        REQUESTS["RegisterTaskDefinition"] | {"family": ".*"},
        environment([("DB_PASSWORD2", "Orange-7-Boat")]),
        environment([("DB_PASSWORD", "Orange-7-Boat"), ("API_PASSWORD", "Orange-7-Boat")]),
    ],
)
def test_it_covers_what_it_names_and_nothing_beside_it(client: FlaskClient, document: JSONObject) -> None:
    assert by_api(client, "RegisterTaskDefinition", document, "prod")["allowed"] is False


@pytest.mark.parametrize("environment", ["dev", "elsewhere"])
def test_it_holds_in_its_environment_alone(client: FlaskClient, environment: str) -> None:
    document = REQUESTS["RegisterTaskDefinition"]
    assert by_api(client, "RegisterTaskDefinition", document, environment)["allowed"] is False


def test_one_for_a_service_holds_for_its_update(tmp_path: Path, clock: Clock) -> None:
    """UpdateService names a service where it names no task definition."""
    now = datetime.now(UTC).timestamp()
    one = {**item(LAST_DAY), "match": {"rule": "logging/secret-option", "family": "shop"}}
    layer = folder(tmp_path / "layer", {"exceptions/data.json": json.dumps({"items": [one]})})
    options = {"logDriver": "awslogs", "options": {"note": "--password=Orange-7-Boat"}}
    document = {"service": "shop", "serviceConnectConfiguration": {"enabled": True, "logConfiguration": options}}
    with made(load_policies([layer], now=now).pack, now=now) as revision:
        reviewer = Reviewer(revision, inventory=NoInventory(), recorder=lambda _: None, on_error=_fail)
        client = create_flask(reviewer, _NoLog()).test_client()  # type: ignore[arg-type]
        assert by_api(client, "UpdateService", document, "prod")["allowed"] is True
        other = by_api(client, "UpdateService", document | {"service": "other"}, "prod")
        assert [cause["reason"] for cause in other["status"]["details"]["causes"]] == ["logging/secret-option"]
        clock.now += 1
        assert by_api(client, "UpdateService", document, "prod")["allowed"] is False
