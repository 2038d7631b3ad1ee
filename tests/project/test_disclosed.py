"""Values that may be shown: of a name that data lists, of its grammar, and of no interest to any detector."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.adapt.canonical import canonicalize
from ecs_admission.adapt.shapes import operation_input
from ecs_admission.engines.pack import Pack
from ecs_admission.errors import PolicyError
from ecs_admission.model import JSONObject
from ecs_admission.project.detectors.protocol import Detector
from ecs_admission.project.fingerprints import FingerprintKey
from ecs_admission.project.projection import Projection, Projector
from ecs_admission.revision import Revision
from tests.project.samples import aws_key_id, container, environment, github_token, jwt, project, task, unhurried

Project = Callable[..., Projection]


@pytest.fixture
def shows(
    pack: Pack, revision: Revision, detectors: tuple[Detector, ...], key: FingerprintKey
) -> Project:  # fmt: skip
    """Projects with names of an organisation beside those that ship."""

    def project_(document: JSONObject, **names: str) -> Projection:
        config = {**pack.config, "disclosed": {**pack.config["disclosed"], **names}}
        projector = Projector(config, detectors, key)
        location = revision.locations["RegisterTaskDefinition"]
        return projector.project(canonicalize(document, operation_input("RegisterTaskDefinition")).value, location)

    return project_


def values(projection: Projection, number: int = 0) -> dict[str, str]:
    """The values that are shown of a container's environment."""
    container: JSONObject = projection.object["containerDefinitions"][number]
    return dict(container.get("environmentValues", {}))


def whole(projection: Projection) -> str:
    return orjson.dumps([projection.object, projection.literals, projection.references]).decode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_DEFAULT_REGION", "us-gov-west-1"),
        ("LOG_LEVEL", "DEBUG"),
        ("LOG_LEVEL", "off"),
        ("NODE_ENV", "production"),
        ("ENVIRONMENT", "staging"),
    ],
)
def test_a_value_that_fits_is_shown(revision: Revision, name: str, value: str) -> None:
    assert values(project(revision, environment([(name, value), ("PORT", "8080")]))) == {name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_REGION", "eu-central-1 "),
        ("AWS_REGION", "eu-central-1\n"),
        ("AWS_REGION", "\neu-central-1"),
        ("AWS_REGION", "eu-central-1,us-east-1"),
        ("AWS_REGION", "Orange-7-Boat"),
        ("AWS_REGION", ""),
        ("AWS_REGION", "${REGION}"),
        ("LOG_LEVEL", "debugger"),
        ("LOG_LEVEL", "xdebug"),
        ("NODE_ENV", "production2"),
        ("aws_region", "eu-central-1"),
        ("AWS_REGION2", "eu-central-1"),
        ("PORT", "8080"),
    ],
)
def test_any_other_is_not(revision: Revision, name: str, value: str) -> None:
    projection = project(revision, environment([(name, value)]))
    assert values(projection) == {}
    assert projection.object["containerDefinitions"][0]["environmentNames"] == [name]
    assert not value or value.strip() not in whole(projection)


@pytest.mark.parametrize("make", [github_token, aws_key_id, jwt])
def test_a_secret_under_such_a_name_stays_hidden(revision: Revision, make: Callable[[], str]) -> None:
    for name in ("AWS_REGION", "LOG_LEVEL", "ENVIRONMENT"):
        projection = project(revision, environment([(name, make())]))
        assert values(projection) == {}
        assert make() not in whole(projection)
        assert [literal["name"] for literal in projection.literals] == [name]


@pytest.mark.parametrize("grammar", [".*", "(?s).*", "[^ ]+", ".*|x"])
@pytest.mark.parametrize(
    "value",
    [github_token(), aws_key_id(), f"mode-{github_token()}", "--password=Orange-7-Boat", "password=Orange-7-Boat",
     "postgres://app:Orange-7-Boat@db/x", '{"password": "Orange-7-Boat"}'],
)  # fmt: skip
def test_a_signal_hides_what_a_generous_grammar_would_show(shows: Project, grammar: str, value: str) -> None:
    """Nor is it enough that a grammar takes it: a part of the value may be the secret."""
    projection = shows(
        environment([("APP_MODE", value), ("OTHER_MODE", "plain")]), APP_MODE=grammar, OTHER_MODE="plain"
    )
    assert values(projection) == {"OTHER_MODE": "plain"}
    assert "Orange-7-Boat" not in whole(projection)
    assert value not in whole(projection)


def test_a_value_that_an_organisation_lists_is_shown(shows: Project) -> None:
    document = environment([("APP_MODE", "worker"), ("APP_SIDE", "blue")])
    assert values(shows(document, APP_MODE="web|worker")) == {"APP_MODE": "worker"}


def test_of_a_name_that_is_there_twice_only_what_fits_is_shown(revision: Revision) -> None:
    pairs = [("LOG_LEVEL", "debug"), ("LOG_LEVEL", "Orange-7-Boat")]
    for order in (pairs, pairs[::-1]):
        projection = project(revision, environment(order))
        assert values(projection) == {"LOG_LEVEL": "debug"}
        assert "Orange" not in whole(projection)


def test_each_container_has_its_own(revision: Revision) -> None:
    first, second = ({"name": name, "image": "x", "environment": [{"name": "LOG_LEVEL", "value": level}]}
                     for name, level in (("a", "info"), ("b", "debug")))  # fmt: skip
    projection = project(revision, task(first, second))
    assert [values(projection, number) for number in (0, 1)] == [{"LOG_LEVEL": "info"}, {"LOG_LEVEL": "debug"}]


def test_options_of_a_log_driver_are_shown_in_their_place(revision: Revision) -> None:
    options = {"awslogs-region": "eu-west-1", "mode": "non-blocking", "awslogs-group": "web", "AWS_REGION": "x"}
    document = task(container(logConfiguration={"logDriver": "awslogs", "options": options}))
    shown = project(revision, document).object["containerDefinitions"][0]["logConfiguration"]["options"]
    hidden = "<redacted>"
    assert shown == {
        "awslogs-region": "eu-west-1", "mode": "non-blocking", "awslogs-group": hidden, "AWS_REGION": hidden
    }  # fmt: skip


def test_a_secret_in_an_option_of_such_a_name_stays_hidden(shows: Project) -> None:
    document = task(container(logConfiguration={"logDriver": "awslogs", "options": {"mode": github_token()}}))
    assert github_token() not in whole(shows(document, mode=".*"))


def test_a_variable_of_an_override_is_shown(revision: Revision) -> None:
    override = {"name": "app", "environment": [{"name": "LOG_LEVEL", "value": "info"}]}
    document = {"taskDefinition": "web", "overrides": {"containerOverrides": [override]}}
    location = revision.locations["RunTask"]
    canonical = canonicalize(document, operation_input("RunTask")).value
    shown = revision.projector.project(canonical, location).object["overrides"]["containerOverrides"]
    assert shown[0]["environmentValues"] == {"LOG_LEVEL": "info"}


def test_what_is_denied_for_its_size_is_not_shown(revision: Revision) -> None:
    pairs = [(f"PASSWORD_{number}", f"Orange-{number}-Boat") for number in range(250)]
    projection = project(revision, environment([("LOG_LEVEL", "info"), *pairs]))
    assert projection.object == {"family": "web"}


@pytest.mark.parametrize(
    "name",
    ["DB_PASSWORD", "db-password", "password", "API_TOKEN", "DB_CREDENTIALS_S3_URI", "dbPassword", "P4SSWORD",
     "PASSWORD_FILE_NAME", "SECRET_MODE", "AWS_SECRET_ACCESS_KEY", "\u0440assword"],
)  # fmt: skip
def test_a_name_that_speaks_of_a_secret_is_never_listed(pack: Pack, key: FingerprintKey, name: str) -> None:
    config = copy.deepcopy(dict(pack.config))
    config["disclosed"][name] = "a|b"
    with pytest.raises(PolicyError) as caught:
        Projector(config, (), key)
    assert caught.value.at == ("config", "disclosed", name)


@pytest.mark.parametrize("disclosed", [None, [], "x", ["AWS_REGION"]])
def test_disclosed_names_are_a_mapping(pack: Pack, key: FingerprintKey, disclosed: Any) -> None:
    with pytest.raises(PolicyError) as caught:
        Projector({**pack.config, "disclosed": disclosed}, (), key)
    assert str(caught.value) == "config/disclosed: expected a grammar by name"


@unhurried
@given(value=st.text(max_size=40))
def test_whatever_is_shown_fits_the_grammar(revision: Revision, value: str) -> None:
    shown = values(project(revision, environment([("LOG_LEVEL", value)])))
    if shown:
        assert shown == {"LOG_LEVEL": value}
        assert value.lower() in (
            "trace",
            "debug",
            "info",
            "notice",
            "warn",
            "warning",
            "error",
            "fatal",
            "critical",
            "off",
        )


def test_a_shown_value_is_no_literal_of_its_own(revision: Revision) -> None:
    projection = project(revision, environment([("LOG_LEVEL", "info")]))
    assert projection.literals == ()
    assert projection.counts["signalled"] == 0
