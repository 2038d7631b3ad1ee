"""Named literals inside longer strings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.project.detectors.protocol import Batch, Leaf
from ecs_admission.project.parts import PartFinder, flag_name
from ecs_admission.revision import Revision
from tests.project.samples import container, project, task, unhurried

VALUE = "Orange-7-Boat"


@pytest.fixture(scope="module")
def finder(revision: Revision) -> PartFinder:
    return revision.projector._parts


def find(finder: PartFinder, *values: str) -> list[tuple[int, str | None, str, int | None, str | None]]:
    leaves = [Leaf(f"/{index}", None, "command", value, "outer") for index, value in enumerate(values)]
    found = finder.find(Batch(leaves))
    return [(int(part.pointer[1:]), part.name, part.value, part.offset, part.hint) for part in found]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("--password=@", "password"),
        ("--db-password=@", "db-password"),
        ("-Dspring.datasource.password=@", "Dspring.datasource.password"),
        ("PASSWORD=@", "PASSWORD"),
        ("PGPASSWORD=@ psql -h db", "PGPASSWORD"),
        ("export API_KEY=@; run", "API_KEY"),
        ("a=1 DB_PASSWORD=@ c=2", "DB_PASSWORD"),
        ("API_KEY='@' run", "API_KEY"),
        ('API_KEY="@" run', "API_KEY"),
        ("token := @", "token"),
        ("token => @", "token"),
        ("jdbc:postgresql://db:5432/app?user=app&password=@&ssl=true", "password"),
        ("jdbc:sqlserver://db;databaseName=x;user=sa;password=@;encrypt=true", "password"),
        ("Server=db;Database=x;User Id=sa;Password=@;", "Password"),
        ("Server=db;Uid=sa;Pwd=@;", "Pwd"),
        ("Endpoint=sb://x/;SharedAccessKeyName=root;SharedAccessKey=@", "SharedAccessKey"),
        ("DefaultEndpointsProtocol=https;AccountName=x;AccountKey=@;EndpointSuffix=y", "AccountKey"),
        ("addr=nas,username=app,password=@,vers=3.0", "password"),
        ('{"password":"@"}', "password"),
        ('{"db": {"password" : "@", "port": 1}}', "password"),
        ("{'api_key': '@'}", "api_key"),
        ("https://example.com/?a=b&access_token=@", "access_token"),
    ],
)
def test_an_assignment_to_a_secrets_name_is_a_literal_of_its_own(finder: PartFinder, text: str, name: str) -> None:
    found = find(finder, text.replace("@", VALUE))
    assert [(part[1], part[2], part[4]) for part in found] == [(name, VALUE, "assignment")]
    offset = found[0][3]
    assert offset is not None
    assert text.replace("@", VALUE)[offset:].lstrip("\\").lstrip("\"'").startswith(VALUE)


@pytest.mark.parametrize(
    "text",
    [
        "postgres://app:@@db.internal:5432/app",
        "amqps://app:@@mq",
        "redis://:@@cache:6379/0",
        "mongodb+srv://app:@@cluster0.example.net/?retryWrites=true",
        "curl https://app:@@example.com/x",
        "https://git:@@git.example.com/a/b.git",
    ],
)
def test_the_password_of_a_url_is_a_literal_of_its_own(finder: PartFinder, text: str) -> None:
    found = find(finder, text.replace("@", VALUE, 1))
    assert [part[1:] for part in found] == [("password", VALUE, text.index("@"), "userinfo")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nginx -g 'daemon off;'",
        "--port=80 --host=db",
        "--password-file=/run/secrets/db",
        "--token-ttl=300",
        "--max-tokens=4096",
        "TOKEN_URL=https://example.com",
        "DB_PASSWORD_ARN=arn:aws:ssm:eu-west-1:111122223333:parameter/x",
        "--author=me",
        "path=/usr/bin",
        "pattern=*.log",
        "monkey=1",
        "postgres://app@db:5432/app",
        "https://example.com:8080/a@b",
        "echo password",
        "read -s password; echo done",
        '{"password": null}',
        '{"passwordPolicy": "strict"}',
        '{"password":""}',
        "password=",
        'test -n "$DB_PASSWORD" && run',
    ],
)
def test_other_text_has_no_part_that_weighs(finder: PartFinder, text: str) -> None:
    assert [part for part in find(finder, text) if part[2] != "null"] == []


@pytest.mark.parametrize("text", ["password: reset it daily", "registry.example.com/secret:1.2"])
def test_prose_is_told_from_an_assignment(finder: PartFinder, text: str) -> None:
    assert [part[4] for part in find(finder, text)] == ["prose"]


def test_every_part_of_every_leaf_is_found_in_its_own_leaf(finder: PartFinder) -> None:
    found = find(finder, "a=1", f"token={VALUE} secret={VALUE}2", "", f"pwd={VALUE}", "b=2")
    assert [part[:3] for part in found] == [(1, "token", VALUE), (1, "secret", VALUE + "2"), (3, "pwd", VALUE)]


@unhurried
@given(
    values=st.lists(
        st.text(max_size=20)
        | st.sampled_from(["password=", "a=b", f"token={VALUE}", "x://u:p@h", '"secret": "', "PASS", "=x", "://a:"]),
        max_size=8,
    )
)
def test_what_is_found_in_a_leaf_does_not_depend_on_its_neighbours(finder: PartFinder, values: list[str]) -> None:
    alone = [(index, *part[1:]) for index, value in enumerate(values) for part in find(finder, value)]
    assert sorted(find(finder, *values), key=str) == sorted(alone, key=str)


@pytest.mark.parametrize(
    ("argument", "name"),
    [
        ("--password", "password"),
        ("--db-password", "db-password"),
        ("-token", "token"),
        ("--" + "a" * 80, "a" * 80),
        ("--" + "a" * 81, None),
        ("-p", None),
        ("--", None),
        ("-", None),
        ("", None),
        ("password", None),
        ("--password=x", None),
    ],
)
def test_a_flag_names_what_follows(argument: str, name: str | None) -> None:
    assert flag_name(argument) == name


@pytest.mark.parametrize(
    ("field", "shown"), [("command", "command"), ("entryPoint", "entryPoint"), ("healthCheck", "healthCheck")]
)
def test_an_argument_goes_by_the_flag_in_front_of_it(revision: Revision, field: str, shown: str) -> None:
    arguments = ["run", "--token", VALUE, "--port", "80"]
    members = {field: {"command": arguments} if field == "healthCheck" else arguments}
    literals = project(revision, task(container(**members))).literals
    assert [(literal["field"], literal["name"], literal["signals"]) for literal in literals] == [
        (shown, "token", [{"detector": "name", "rule": "token", "confidence": "high"}])
    ]
