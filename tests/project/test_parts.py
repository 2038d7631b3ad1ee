"""Named literals inside longer strings, seen from outside: what the projection says of a value that holds one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.model import JSONObject
from ecs_admission.project.fingerprints import FingerprintKey
from ecs_admission.revision import Revision
from tests.project.samples import container, environment, project, task, unhurried

VALUE = "Orange-7-Boat"


def named(revision: Revision, *values: str) -> list[JSONObject]:
    """The literals of a command of these arguments that the name of something points at."""
    literals = project(revision, task(container(command=list(values)))).literals
    return [literal for literal in literals if any(signal["detector"] == "name" for signal in literal["signals"])]


def confidences(literal: JSONObject) -> set[str]:
    return {signal["confidence"] for signal in literal["signals"]}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("--password=@", "password"),
        ("--db-password=@", "db-password"),
        ("-Dspring.datasource.password=@", "spring.datasource.password"),
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
        ("postgres://app:@~db.internal:5432/app", "password"),
        ("amqps://app:@~mq", "password"),
        ("redis://:@~cache:6379/0", "password"),
        ("mongodb+srv://app:@~cluster0.example.net/?retryWrites=true", "password"),
        ("curl https://app:@~example.com/x", "password"),
        ("https://oauth2:@~git.example.com/a/b.git", "password"),
    ],
)
def test_a_value_behind_a_secrets_name_is_a_literal_of_its_own(
    revision: Revision, key: FingerprintKey, text: str, name: str
) -> None:
    whole = text.replace("@", VALUE).replace("~", "@")
    found = [literal for literal in named(revision, whole) if literal["fingerprint"] == key.fingerprint(VALUE)]
    assert found
    assert str(found[0]["name"]).endswith(name)
    assert found[0]["pointer"] == "/containerDefinitions/0/command/0"
    assert "high" in confidences(found[0])


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
        '{"passwordPolicy": "strict"}',
        '{"password":""}',
        "password=",
        'test -n "$DB_PASSWORD" && run',
    ],
)
def test_other_text_has_no_part_that_weighs(revision: Revision, text: str) -> None:
    assert [literal for literal in named(revision, text) if literal["kind"] != "empty"] == []


@pytest.mark.parametrize("text", ["password: reset it daily", "registry.example.com/secret:1.2"])
def test_prose_weighs_less_than_an_assignment(revision: Revision, text: str) -> None:
    assert all("high" not in confidences(literal) for literal in named(revision, text))


def test_each_part_has_the_place_of_its_own_string(revision: Revision, key: FingerprintKey) -> None:
    found = named(revision, "a=1", f"token={VALUE} secret={VALUE}2", "", f"pwd={VALUE}", "b=2")
    assert [(literal["pointer"][-1], literal["fingerprint"]) for literal in found] == [
        ("1", key.fingerprint(VALUE)),
        ("1", key.fingerprint(VALUE + "2")),
        ("3", key.fingerprint(VALUE)),
    ]


@unhurried
@given(
    values=st.lists(
        st.text(st.characters(codec="utf-8"), max_size=20)
        | st.sampled_from(["password=", "a=b", f"token={VALUE}", "x://u:p@h", '"secret": "', "PASS", "=x", "://a:"]),
        max_size=8,
    )
)
def test_what_is_found_in_a_string_does_not_depend_on_its_neighbours(revision: Revision, values: list[str]) -> None:
    def observed(*given_: str) -> list[list[JSONObject]]:
        literals = project(revision, environment(("V", value) for value in given_)).literals
        found: list[list[JSONObject]] = [[] for _ in given_]
        for literal in literals:
            place = int(literal["pointer"].split("/")[4])
            found[place].append({name: part for name, part in literal.items() if name != "pointer"})
        return found

    def without_aliases(parts: list[JSONObject]) -> list[JSONObject]:
        return [{**part, "name": None if "redacted" in str(part["name"]) else part["name"]} for part in parts]

    together = [without_aliases(parts) for parts in observed(*values)]
    assert together == [without_aliases(observed(value)[0]) for value in values]


@pytest.mark.parametrize("field", ["command", "entryPoint", "healthCheck"])
@pytest.mark.parametrize("flag", ["--token", "--db-password", "-token"])
def test_an_argument_goes_by_the_flag_in_front_of_it(revision: Revision, field: str, flag: str) -> None:
    arguments = ["run", flag, VALUE, "--port", "80"]
    members = {field: {"command": arguments} if field == "healthCheck" else arguments}
    literals = project(revision, task(container(**members))).literals
    assert [(literal["field"], literal["name"]) for literal in literals] == [(field, flag.lstrip("-"))]
    assert confidences(literals[0]) == {"high"}


@pytest.mark.parametrize("flag", ["--port", "--", "-", "", "token", "--" + "a" * 200, "--token-file", "--max-tokens"])
def test_an_argument_behind_anything_else_has_no_name_that_weighs(revision: Revision, flag: str) -> None:
    assert named(revision, "run", flag, "orange") == []
