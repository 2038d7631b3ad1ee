"""What an application resolves itself: values of the environment that are references, whole and alone."""

from __future__ import annotations

import orjson
import pytest

from ecs_admission.model import JSONObject
from ecs_admission.project.projection import Projection
from ecs_admission.project.references import ParsedReference, parse_application_reference, parse_value_from
from ecs_admission.revision import Revision
from tests.project.samples import container, environment, letters, project, task

SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf"
PARAMETER = "arn:aws:ssm:eu-west-1:111122223333:parameter/prod/db"
OBJECT = "arn:aws:s3:::bucket-1/prod/db.json"
AT = "/containerDefinitions/0/environment/0/value"


def references(projection: Projection) -> list[JSONObject]:
    return [reference for reference in projection.references if reference["field"] == "application"]


def application(revision: Revision, value: str, name: str = "APP_CONFIG") -> list[JSONObject]:
    return references(project(revision, environment([(name, value)])))


@pytest.mark.parametrize("name", ["APP_CONFIG", "X", "DB_SECRET_ARN", "DB_PASSWORD"])
@pytest.mark.parametrize(
    ("value", "service", "resource"),
    [
        (SECRET, "secretsmanager", "db-AbCdEf"),
        (f"{SECRET}:password::", "secretsmanager", "db-AbCdEf"),
        (f" {SECRET}\n", "secretsmanager", "db-AbCdEf"),
    ],
)
def test_an_arn_of_a_secret_is_one_under_any_name(
    revision: Revision, name: str, value: str, service: str, resource: str
) -> None:
    (found,) = application(revision, value, name)
    assert (found["pointer"], found["container"], found["name"]) == (AT, "app", name)
    assert (found["service"], found["resource"], found["problem"]) == (service, resource, None)


@pytest.mark.parametrize(("name", "is_one"), [("DB_PASSWORD_PARAMETER", True), ("APP_CONFIG", False), ("X", False)])
def test_a_parameter_is_one_under_the_word_of_a_secret(revision: Revision, name: str, *, is_one: bool) -> None:
    found = application(revision, PARAMETER, name)
    assert [(f["service"], f["resource"]) for f in found] == [("ssm", "prod/db")] * is_one


@pytest.mark.parametrize("value", [OBJECT, "s3://bucket-1/prod/db.json", "arn:aws-cn:s3:::bucket-1/prod/db.json"])
@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("DB_CREDENTIALS_S3_URI", True),
        ("DB_PASSWORD_FILE", True),
        ("SECRETS_TOKEN_URI", True),
        ("dbPasswordObject", True),
        ("ASSETS_URI", False),
        ("CONFIG", False),
        ("DATA_FILE", False),
    ],
)
def test_an_s3_object_is_one_under_the_word_of_a_secret(
    revision: Revision, name: str, value: str, *, is_one: bool
) -> None:
    """That the object holds secrets is told by nothing but its name."""
    found = application(revision, value, name)
    assert [(f["service"], f["resource"], f["region"], f["account"]) for f in found] == [
        ("s3", "bucket-1/prod/db.json", None, None)
    ] * is_one


@pytest.mark.parametrize(
    "value",
    [
        f"see {SECRET}",
        f"{SECRET} or else",
        f"[{SECRET}]",
        f" {SECRET}x y",
        "prod/db",
        "/prod/db",
        "arn:aws:kms:eu-west-1:111122223333:key/x",
        "arn:aws:iam::111122223333:role/x",
        "arn:aws:secretsmanager:eu-west-1:111122223333:db",
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db:key",
        "arn:aws:ssm:eu-west-1:111122223333:document/x",
        "arn:aws:s3:::bucket",
        "s3://bucket",
        "s3://",
        "s3://B/x",
        "s3:///x",
        "https://bucket.s3.amazonaws.com/x",
        "arn:aws",
        "",
    ],
)
def test_what_no_application_could_resolve_is_none(revision: Revision, value: str) -> None:
    assert application(revision, value, "DB_PASSWORD_URI") == []


def test_it_is_looked_at_like_any_other_value(revision: Revision) -> None:
    """A reference out of place stays a finding of its own."""
    projection = project(revision, environment([("DB_PASSWORD", SECRET)]))
    assert [(literal["pointer"], literal["kind"], literal["service"]) for literal in projection.literals] == [
        (AT, "arn", "secretsmanager")
    ]


def test_what_stands_elsewhere_is_resolved_by_ecs_or_nobody(revision: Revision) -> None:
    document = task(
        container(
            command=[SECRET], dockerLabels={"x": SECRET}, environment=[{"name": "A"}, {"value": SECRET}],
            secrets=[{"name": "A", "valueFrom": SECRET}],
        )
    )  # fmt: skip
    projection = project(revision, document)
    assert [(r["pointer"], r["field"], r["name"]) for r in projection.references] == [
        ("/containerDefinitions/0/environment/1/value", "application", None),
        ("/containerDefinitions/0/secrets/0/valueFrom", "secrets", "A"),
    ]


def test_a_variable_of_an_override_is_one(revision: Revision) -> None:
    override = {"name": "app", "environment": [{"name": "APP", "value": SECRET}]}
    document = {"taskDefinition": "web", "overrides": {"containerOverrides": [override]}}
    projection = revision.projector.project(document, revision.locations["RunTask"])
    assert [found["pointer"] for found in references(projection)] == [
        "/overrides/containerOverrides/0/environment/0/value"
    ]


def test_a_secret_that_was_pasted_into_one_is_not_shown(revision: Revision) -> None:
    word = letters(24)
    texts = [f"{SECRET[:-9]}{word}", f"{SECRET}:{word}::", f"{PARAMETER}/{word}", f"s3://bucket-1/{word}"]
    pairs = [(f"DB_SECRET_{number}", text) for number, text in enumerate(texts)]
    projection = project(revision, environment(pairs))
    assert len(references(projection)) == len(texts)
    assert word not in orjson.dumps([projection.object, projection.literals, projection.references]).decode()


def test_more_than_500_references_are_left_out_and_counted(revision: Revision) -> None:
    pairs = [(f"A_{number}", SECRET) for number in range(503)]
    projection = project(revision, environment(pairs))
    assert (len(projection.references), projection.counts["left_out"]) == (500, 3)


def test_of_a_reference_nothing_is_told_that_it_does_not_say() -> None:
    assert parse_application_reference("s3://bucket-1/a/b") == ParsedReference(service="s3", resource="bucket-1/a/b")
    assert parse_application_reference(OBJECT) == ParsedReference(
        service="s3", partition="aws", resource="bucket-1/prod/db.json"
    )


@pytest.mark.parametrize(
    ("resource", "complete"),
    [
        ("db-AbCdEf", True),
        ("db-abc123", True),
        ("db-ABCDE1", True),
        ("prod/db-aBcdef", True),
        ("db", False),
        ("prod/db/main", False),
        ("db-AbCdE", False),
        ("db-AbCdEfG", False),
        ("dbAbCdEf", False),
        ("db_AbCdEf", False),
        ("db-AbC.Ef", False),
        ("db-secret", None),
        ("db-SECRET", None),
        ("db-202401", None),
        ("db-AbCdEf-secret", None),
    ],
)
def test_whether_an_arn_ends_in_the_characters_that_aws_adds(
    revision: Revision, resource: str, *, complete: bool | None
) -> None:
    """AWS reads a hyphen and six characters as such an end, so that of a word or a number nobody can tell."""
    arn = f"arn:aws:secretsmanager:eu-west-1:111122223333:secret:{resource}"
    for text in (arn, f"{arn}:key::"):
        assert parse_value_from(text).complete is complete
    document = task(container(secrets=[{"name": "A", "valueFrom": arn}]))
    assert [reference["complete"] for reference in project(revision, document).references] == [complete]


@pytest.mark.parametrize("value_from", ["/prod/db-AbCdEf", f"{PARAMETER}-AbCdEf", "", "arn:aws:x", f"{SECRET}:a"])
def test_of_anything_else_that_is_not_asked(revision: Revision, value_from: str) -> None:
    document = task(container(secrets=[{"name": "A", "valueFrom": value_from}]))
    assert [reference["complete"] for reference in project(revision, document).references] == [None]
