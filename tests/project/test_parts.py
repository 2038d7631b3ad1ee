"""Named literals inside longer strings, seen from outside: what the projection says of a value that holds one."""

from __future__ import annotations

import base64
from collections.abc import Callable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.adapt.submission import read_operation
from ecs_admission.engines.pack import Pack
from ecs_admission.model import JSONObject, UserInfo
from ecs_admission.project.fingerprints import FingerprintKey
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision
from tests.project.samples import container, denials, environment, project, task, unhurried

VALUE = "Orange-7-Boat"


def named(revision: Revision, *values: str) -> list[JSONObject]:
    """The literals of a command of these arguments that the name of something points at."""
    literals = project(revision, task(container(command=list(values)))).literals
    return [literal for literal in literals if any(signal["detector"] == "name" for signal in literal["signals"])]


@pytest.fixture(scope="module")
def phrases(pack: Pack) -> frozenset[str]:
    """All that may be shown of the name of a part."""
    words = pack.config["words"]
    return frozenset(text for key in ("secret", "weak", "faint", "glued", "always") for text in words[key])


def confidences(literal: JSONObject) -> set[str]:
    return {signal["confidence"] for signal in literal["signals"]}


@pytest.mark.parametrize(
    "text",
    [
        "--password=@",
        "--db-password=@",
        "-Dspring.datasource.password=@",
        "PASSWORD=@",
        "PGPASSWORD=@ psql -h db",
        "export API_KEY=@; run",
        "a=1 DB_PASSWORD=@ c=2",
        "API_KEY='@' run",
        'API_KEY="@" run',
        "token := @",
        "token => @",
        "jdbc:postgresql://db:5432/app?user=app&password=@&ssl=true",
        "jdbc:sqlserver://db;databaseName=x;user=sa;password=@;encrypt=true",
        "Server=db;Database=x;User Id=sa;Password=@;",
        "Server=db;Uid=sa;Pwd=@;",
        "Endpoint=sb://x/;SharedAccessKeyName=root;SharedAccessKey=@",
        "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=@;EndpointSuffix=y",
        "addr=nas,username=app,password=@,vers=3.0",
        '{"password":"@"}',
        '{"db": {"password" : "@", "port": 1}}',
        "{'api_key': '@'}",
        "https://example.com/?a=b&access_token=@",
        "postgres://app:@~db.internal:5432/app",
        "amqps://app:@~mq",
        "redis://:@~cache:6379/0",
        "mongodb+srv://app:@~cluster0.example.net/?retryWrites=true",
        "curl https://app:@~example.com/x",
        "https://oauth2:@~git.example.com/a/b.git",
    ],
)
def test_a_value_behind_a_secrets_name_is_a_literal_of_its_own(
    revision: Revision, key: FingerprintKey, phrases: frozenset[str], text: str
) -> None:
    whole = text.replace("@", VALUE).replace("~", "@")
    found = [literal for literal in named(revision, whole) if literal["fingerprint"] == key.fingerprint(VALUE)]
    assert found
    assert {literal["pointer"] for literal in found} == {"/containerDefinitions/0/command/0"}
    assert any("high" in confidences(literal) for literal in found)
    # What stands in the string as a name is text of a literal; what is shown is a phrase of ours.
    assert {literal["name"] for literal in found} <= phrases
    assert all(literal["words"] == [] for literal in found)


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
def test_other_text_has_no_part_that_weighs(reviewer: Reviewer, text: str) -> None:
    assert denials(reviewer, task(container(command=[text]))) == set()
    assert denials(reviewer, environment([("SETTING", text)])) == set()


@pytest.mark.parametrize("text", ["to change the password: reset it daily", "registry.example.com/secret:1.2"])
def test_prose_weighs_less_than_an_assignment(revision: Revision, text: str) -> None:
    assert all("high" not in confidences(literal) for literal in named(revision, text))


@pytest.mark.parametrize("service", ["secretsmanager", "ssm-secure", "ssm"])
@pytest.mark.parametrize("text", ["--db-password=@", "DB_PASSWORD=@ run", "user=app;pwd=@;x=1"])
def test_a_dynamic_reference_is_a_value_as_a_whole(
    revision: Revision, reviewer: Reviewer, text: str, service: str
) -> None:
    whole = text.replace("@", f"{{{{resolve:{service}:orders:SecretString:password}}}}")
    assert {literal["kind"] for literal in named(revision, whole)} == {"template"}
    found = denials(reviewer, task(container(command=[whole])))
    assert found == {("plaintext/resolved-at-deploy", "/containerDefinitions/0/command/0")}


def test_a_dynamic_reference_of_no_service_is_text_like_any_other(reviewer: Reviewer) -> None:
    found = denials(reviewer, task(container(command=[f"--db-password={{{{resolve:x:y}}}}{VALUE}"])))
    assert found == {("plaintext/field", "/containerDefinitions/0/command/0")}


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
def test_an_argument_goes_by_the_flag_in_front_of_it(
    revision: Revision, phrases: frozenset[str], field: str, flag: str
) -> None:
    arguments = ["run", flag, VALUE, "--port", "80"]
    members = {field: {"command": arguments} if field == "healthCheck" else arguments}
    literals = project(revision, task(container(**members))).literals
    assert {literal["field"] for literal in literals} == {field}
    assert {literal["pointer"].rpartition("/")[2] for literal in literals} == {"2"}
    assert any(confidences(literal) == {"high"} for literal in literals)
    assert all(literal["name"] in phrases for literal in literals)


@pytest.mark.parametrize("flag", ["--port", "--", "-", "", "token", "--" + "a" * 200, "--token-file", "--max-tokens"])
def test_an_argument_behind_anything_else_has_no_name_that_weighs(revision: Revision, flag: str) -> None:
    assert named(revision, "run", flag, "orange") == []


# Text that stands where a name could, and is the secret or a part of it.
NO_NAMES = {
    "DB_URL=postgres://app:s3cretAuth=1x@db/x": ["s3cretAuth", "1x@db"],
    "curl https://api/x/Hunter2Token=abc9zz": ["Hunter2Token", "abc9zz"],
    "Zq7orangePassword=Zq8boat": ["Zq7orange", "Zq8boat"],
    "--Zq7orange-token Zq8boat9": ["Zq7orange", "Zq8boat"],
    '{"Zq7orange_password": {"Zq6token": "Zq8boat9"}}': ["Zq7orange", "Zq6", "Zq8boat"],
    "${Zq7orange_SECRET:-Zq8boat9}": ["Zq7orange", "Zq8boat"],
    "Zq7orangePwd: Zq8boat9": ["Zq7orange", "Zq8boat"],
    "sh -c 'export Zq7orange_KEY=Zq8boat9'": ["Zq7orange", "Zq8boat"],
    "curl -H 'X-Zq7orange-Token: Zq8boat9' x": ["Zq7orange", "Zq8boat"],
    '<add key="Zq7orangePassword" value="Zq8boat9"/>': ["Zq7orange", "Zq8boat"],
}
AROUND: dict[str, Callable[[str], JSONObject]] = {
    "environment": lambda text: container(environment=[{"name": "SETTING", "value": text}]),
    "command": lambda text: container(command=["run", text]),
    "words": lambda text: container(command=text.split(" ")),
    "healthCheck": lambda text: container(healthCheck={"command": ["CMD-SHELL", text]}),
    "label": lambda text: container(dockerLabels={"note": text}),
    "key": lambda text: container(dockerLabels={text: "note"}),
    "option": lambda text: container(logConfiguration={"logDriver": "fluentd", "options": {"tag": text}}),
    "valueFrom": lambda text: container(secrets=[{"name": "A", "valueFrom": text}]),
    "unknown": lambda text: container(more={"deep": [text]}),
    "unknown key": lambda text: container(more={text: "deep"}),
    "JSON": lambda text: container(command=[orjson.dumps({"run": text}).decode()]),
    "base64": lambda text: container(command=[base64.b64encode(text.encode()).decode()]),
}


@pytest.mark.parametrize("text", NO_NAMES)
@pytest.mark.parametrize("place", AROUND)
def test_the_name_of_a_part_is_never_text_of_a_literal(
    revision: Revision, reviewer: Reviewer, text: str, place: str
) -> None:
    document = task(AROUND[place](text))
    projection = project(revision, document)
    told = repr(projection) + repr(projection.places) + repr(denials(reviewer, document))
    assert [word for word in NO_NAMES[text] if word in told] == []


@pytest.mark.parametrize("text", NO_NAMES)
@pytest.mark.parametrize("place", ["environment", "command", "label", "unknown"])
def test_nor_does_an_answer_hold_it(reviewer: Reviewer, text: str, place: str) -> None:
    body = orjson.dumps(task(AROUND[place](text)))
    answer = reviewer.review(
        lambda: read_operation("RegisterTaskDefinition", body, ()),
        operation=None,
        user=UserInfo("pipeline"),
        enforcement_point="test",
    )
    told = orjson.dumps(answer.response).decode() + repr(answer)
    assert [word for word in NO_NAMES[text] if word in told] == []


LINES = [
    "abcdefghijklmnop\n\u00e4",
    "\u00e4\nYWJjZGVmZ2hpamtsbW5vcA==",
    "A" * 17,
    "=" * 20,
    "QQ==\n" * 50,
    "A" * 16 + "=",
]


@pytest.mark.parametrize("text", LINES, ids=ascii)
def test_what_only_looks_like_base64_is_no_error(reviewer: Reviewer, text: str) -> None:
    assert denials(reviewer, task(container(command=[text], dockerLabels={"note": text}))) == set()
