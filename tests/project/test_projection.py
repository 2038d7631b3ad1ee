"""The projection as a whole: it never raises, and nothing of a literal comes out of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.adapt.canonical import canonicalize
from ecs_admission.adapt.shapes import Shape
from ecs_admission.engines.pack import Pack
from ecs_admission.errors import InputError, PolicyError
from ecs_admission.model import REDACTED, AdmissionRequest, CanonicalObject, DeployContext, JSONObject, UserInfo
from ecs_admission.project.fingerprints import FingerprintKey
from ecs_admission.project.policy_input import assemble
from ecs_admission.project.projection import MAX_SIGNALLED_LITERALS, Projection, Projector
from ecs_admission.project.walk import MAX_REFERENCES
from ecs_admission.revision import Revision
from tests.project.samples import (
    REGISTER,
    aws_key_id,
    container,
    environment,
    github_token,
    letters,
    names,
    project,
    resolve,
    signals,
    task,
    texts,
    unhurried,
)

ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def serialised(projection: Projection) -> bytes:
    """The PolicyInput of a projection, as the engine gets it."""
    request = AdmissionRequest(
        decision_id=ID,
        uid="u",
        operation="RegisterTaskDefinition",
        canonical=CanonicalObject({}),
        context=DeployContext(),
        user=UserInfo("u"),
        enforcement_point="test",
        now=1,
    )
    return assemble(request, projection, ()).body


def canary(number: int) -> str:
    """A literal that no name can be: it looks random, and stands nowhere else."""
    return f"zQ{number:04d}xK7v!" + letters(18, seed=number)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)


def values_of(shape: Shape, strings: st.SearchStrategy[str], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that fit a shape of AWS's model, sparse where it is deep."""
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "string": strings,
        "boolean": st.booleans(),
        "integer": st.integers(0, 9),
        "long": st.integers(0, 9),
    }
    if shape.kind in kinds:
        return kinds[shape.kind]
    if shape.kind == "structure":
        members = {
            name: st.deferred(lambda m=member: values_of(m, strings, depth + 1))
            for name, member in shape.members.items()
        }
        required = {name: members.pop(name) for name in shape.required}
        return st.fixed_dictionaries(required, optional=members)
    assert shape.item is not None
    inner = st.deferred(lambda: values_of(shape.item, strings, depth + 1))  # type: ignore[arg-type]
    if shape.kind == "map":
        return st.dictionaries(strings, inner, max_size=2)
    return st.lists(inner, max_size=3 if depth < 3 else 2)


requests = values_of(REGISTER, texts)


def whole(shape: Shape) -> Any:
    """A value with every member of a shape."""
    if shape.kind == "structure":
        return {name: whole(member) for name, member in shape.members.items()}
    if shape.kind in ("list", "map"):
        assert shape.item is not None
        return [whole(shape.item)] * 2 if shape.kind == "list" else {"one": whole(shape.item), "two": whole(shape.item)}
    return {"string": "x", "boolean": True}.get(shape.kind, 7)


def salted(value: Any, numbers: Callable[[], int]) -> tuple[Any, list[str]]:
    """A copy in which every string, keys of maps and unknown members too, is a canary; and the canaries."""
    planted: list[str] = []

    def plant() -> str:
        planted.append(canary(numbers()))
        return planted[-1]

    def copy(item: Any, shape: Shape | None) -> Any:
        if isinstance(item, str):
            return plant()
        if isinstance(item, list):
            return [copy(inner, shape.item if shape else None) for inner in item]
        if isinstance(item, dict):
            is_structure = shape is not None and shape.kind == "structure"
            members = shape.members if shape is not None else {}
            changed = {}
            for key, inner in item.items():
                known = is_structure and key in members
                below = members[key] if known else None if is_structure or shape is None else shape.item
                changed[key if known else plant()] = copy(inner, below)
            return changed
        return item

    return copy(value, REGISTER), planted


def test_no_string_of_a_request_with_every_member_comes_out(revision: Revision) -> None:
    document, planted = salted(whole(REGISTER), count().__next__)
    body = serialised(project(revision, document))
    assert len(planted) > 150
    assert [text for text in planted if text.encode() in body] == []


@unhurried
@given(document=requests)
def test_no_string_of_any_request_comes_out(revision: Revision, document: JSONObject) -> None:
    document, planted = salted(document, count().__next__)
    projection = project(revision, document)
    body = serialised(projection)
    assert [text for text in planted if text.encode() in body or orjson.dumps(text)[1:-1] in body] == []
    assert not any(text in repr(projection) for text in planted)


@unhurried
@given(
    family=json_values,
    container_extra=st.dictionaries(texts, json_values, max_size=3),
    extra=st.dictionaries(texts, json_values, max_size=3),
)
def test_nothing_of_members_that_aws_does_not_know_comes_out(
    revision: Revision, family: Any, container_extra: JSONObject, extra: JSONObject
) -> None:
    document = {**extra, "family": "web", "containerDefinitions": [{**container_extra, "name": "app", "x y": family}]}
    document, planted = salted(document, count().__next__)
    try:
        body = serialised(project(revision, document))
    except InputError:
        return
    assert [text for text in planted if text.encode() in body] == []


@unhurried
@given(document=requests | st.dictionaries(texts | st.sampled_from(sorted(REGISTER.members)), json_values, max_size=4))
def test_whatever_can_be_adapted_can_be_projected(revision: Revision, document: JSONObject) -> None:
    try:
        canonical = canonicalize(document, REGISTER).value
    except InputError:
        return
    projection = revision.projector.project(canonical, revision.locations["RegisterTaskDefinition"])
    assert orjson.loads(serialised(projection))["counts"] == projection.counts


@unhurried
@given(document=requests)
def test_every_pointer_points_into_the_canonical_object(revision: Revision, document: JSONObject) -> None:
    canonical = canonicalize(document, REGISTER).value
    projection = revision.projector.project(canonical, revision.locations["RegisterTaskDefinition"])
    for item in (*projection.literals, *projection.references):
        resolve(canonical, item["pointer"])
        assert item["pointer"] in projection.places


variables = st.lists(
    st.fixed_dictionaries({}, optional={"name": names, "value": texts, "valueFrom": texts, "x y": texts}), max_size=8
)


@unhurried
@given(items=variables)
def test_environment_names_stand_in_the_order_of_the_environment(
    revision: Revision, items: list[dict[str, str]]
) -> None:
    shown = project(revision, task(container(environment=items))).object["containerDefinitions"][0]
    assert "environment" not in shown
    assert len(shown["environmentNames"]) == len(items)
    for item, name in zip(items, shown["environmentNames"], strict=True):
        assert name == item.get("name") or re.fullmatch(r"<redacted-[0-9]+>", name)


@unhurried
@given(document=requests)
def test_equal_names_that_are_not_shown_have_equal_aliases(revision: Revision, document: JSONObject) -> None:
    name = canary(1)
    containers = [container(name=name, environment=[{"name": name}], secrets=[{"name": name, "valueFrom": "x"}])]
    shown = project(revision, {**document, "family": name, "containerDefinitions": containers * 2}).object
    aliases = {shown["family"]}
    for definition in shown["containerDefinitions"]:
        aliases |= {definition["name"], *definition["environmentNames"], definition["secrets"][0]["name"]}
    assert len(aliases) == 1
    assert re.fullmatch(r"<redacted-[0-9]+>", aliases.pop())


def test_different_names_that_are_not_shown_have_different_aliases(revision: Revision) -> None:
    shown = project(revision, environment([("a b", "1"), ("a c", "2"), ("a b", "3"), ("<redacted-1>", "4")])).object
    assert shown["containerDefinitions"][0]["environmentNames"] == [
        "<redacted-1>", "<redacted-2>", "<redacted-1>", "<redacted-3>"
    ]  # fmt: skip


def pairs(count_: int) -> st.SearchStrategy[list[tuple[str, str]]]:
    secrets = st.sampled_from(
        [github_token(), aws_key_id(), "--password=Orange-7", "x://u:Orange-7@h", "kingfisher:ignore"]
    )
    named = st.sampled_from(["DB_PASSWORD", "API_KEY", "PORT", "JWT_PUBLIC_KEY"]) | names
    return st.lists(st.tuples(named, texts | secrets), max_size=count_)


@unhurried
@given(pairs=pairs(6), harmless=st.sampled_from([("PORT", "80"), ("LOG_LEVEL", "info"), ("NOTE", "# kingfisher:ignore"),
                                                ("A", '"'), ("B", "<!--"), ("C", ""), ("D", "\\"), ("E", "\x00")]),
       place=st.integers(0, 6))  # fmt: skip
def test_a_harmless_variable_changes_nothing_for_the_others(
    revision: Revision, pairs: list[tuple[str, str]], harmless: tuple[str, str], place: int
) -> None:
    def observed(items: list[tuple[str, str]], skip: int | None) -> list[Any]:
        found = signals(project(revision, environment(items)))
        of = [
            [found.get(f"/containerDefinitions/0/environment/{index}/{member}", []) for member in ("name", "value")]
            for index in range(len(items))
        ]
        return of if skip is None else of[:skip] + of[skip + 1 :]

    place = min(place, len(pairs))
    assert observed([*pairs[:place], harmless, *pairs[place:]], place) == observed(pairs, None)


def test_a_clean_request_has_no_literals_however_large(revision: Revision) -> None:
    projection = project(revision, environment((f"SETTING_{i}", f"value {i}") for i in range(3000)))
    assert projection.literals == ()
    assert (projection.counts["literals"] >= 3000, projection.counts["signalled"], projection.counts["left_out"]) == (
        True, 0, 0
    )  # fmt: skip


@pytest.mark.parametrize(("number", "left_out"), [(200, 0), (201, 1), (450, 250)])
def test_more_signalled_literals_than_can_be_judged_are_counted(revision: Revision, number: int, left_out: int) -> None:
    projection = project(revision, environment((f"A{'B' * i}_PASSWORD", "Orange-7") for i in range(number)))
    assert len(projection.literals) == min(number, MAX_SIGNALLED_LITERALS)
    assert (projection.counts["signalled"], projection.counts["left_out"]) == (number, left_out)
    assert orjson.loads(serialised(projection))["counts"]["left_out"] == left_out


def test_more_references_than_can_be_judged_are_counted(revision: Revision) -> None:
    secrets = [{"name": f"S{i}", "valueFrom": "/x"} for i in range(MAX_REFERENCES + 3)]
    projection = project(revision, task(container(secrets=secrets)))
    assert len(projection.references) == MAX_REFERENCES
    assert (projection.counts["references"], projection.counts["left_out"]) == (MAX_REFERENCES, 3)


def test_free_text_is_redacted_and_identifiers_are_shown(revision: Revision) -> None:
    shown = project(
        revision,
        task(
            container(
                command=["run", "it"], user="me", dockerLabels={"team": "blue", "a b": "c"}, essential=True, cpu=10
            ),
            cpu="256",
            executionRoleArn="arn:aws:iam::111122223333:role/app",
            tags=[{"key": "team", "value": "blue"}],
        ),
    ).object
    assert shown == {
        "family": "web",
        "cpu": "256",
        "executionRoleArn": "arn:aws:iam::111122223333:role/app",
        "tags": [{"key": "team", "value": REDACTED}],
        "containerDefinitions": [
            {
                "name": "app",
                "image": "nginx",
                "command": [REDACTED, REDACTED],
                "user": REDACTED,
                "dockerLabels": {"team": REDACTED, "<redacted-1>": REDACTED},
                "essential": True,
                "cpu": 10,
            }
        ],
    }


def test_an_empty_identifier_is_shown_as_what_it_is(revision: Revision) -> None:
    document = task(container(), taskRoleArn="", volumes=[{"name": "a b", "host": {"sourcePath": ""}}])
    shown = project(revision, document).object
    assert (shown["taskRoleArn"], shown["volumes"]) == ("", [{"name": "<redacted-1>", "host": {"sourcePath": ""}}])


def test_a_literal_is_described_without_being_shown(revision: Revision, key: FingerprintKey) -> None:
    (literal,) = project(revision, environment([("PORT", "80"), ("DB_PASSWORD", "")])).literals
    assert literal == {
        "pointer": "/containerDefinitions/0/environment/1/value",
        "offset": None,
        "container": "app",
        "field": "environment",
        "name": "DB_PASSWORD",
        "words": ["db", "password"],
        "kind": "empty",
        "service": None,
        "length": "0",
        "fingerprint": key.fingerprint(""),
        "signals": [{"detector": "name", "rule": "password", "confidence": "high"}],
    }


def test_the_words_of_a_name_that_is_not_shown_are_not_either(revision: Revision) -> None:
    (literal,) = project(revision, environment([("ORANGE BOAT PASSWORD", "x7y")])).literals
    assert (literal["name"], literal["words"]) == ("<redacted-1>", [])


FIELDS: list[tuple[str, dict[str, Any], str]] = [
    ("environment", {"environment": [{"name": "TOKEN", "value": "@"}]}, "environment/0/value"),
    ("command", {"command": ["--token=@"]}, "command/0"),
    ("entryPoint", {"entryPoint": ["sh", "-c", "TOKEN=@ run"]}, "entryPoint/2"),
    ("healthCheck", {"healthCheck": {"command": ["CMD", "x", "--token", "@"]}}, "healthCheck/command/3"),
    ("dockerLabel", {"dockerLabels": {"com.example/api-token": "@"}}, "dockerLabels/com.example~1api-token"),
    ("logOption", {"logConfiguration": {"logDriver": "splunk", "options": {"splunk-token": "@"}}},
     "logConfiguration/options/splunk-token"),
    ("firelensOption", {"firelensConfiguration": {"type": "fluentbit", "options": {"token": "@"}}},
     "firelensConfiguration/options/token"),
    ("systemControl", {"systemControls": [{"namespace": "net.token", "value": "@"}]}, "systemControls/0/value"),
    ("unknown", {"x y": {"token": "@"}}, "<2>/<0>"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "members", "pointer"), FIELDS, ids=[row[0] for row in FIELDS])
def test_each_field_has_literals_with_a_name(
    revision: Revision, field: str, members: dict[str, Any], pointer: str
) -> None:
    filled = orjson.loads(orjson.dumps(members).replace(b"@", b"Orange-7-Boat"))
    found = [
        (literal["field"], literal["pointer"])
        for literal in project(revision, task(container(**filled))).literals
        if any(signal["detector"] == "name" for signal in literal["signals"])
    ]
    assert (field, f"/containerDefinitions/0/{pointer}") in found


def test_a_secret_where_a_name_belongs_is_a_literal_too(revision: Revision) -> None:
    token = github_token()
    document = task(
        container(name=token, image=f"x/{token}", environment=[{"name": token}], dockerLabels={token: "x"}),
        family=token,
        tags=[{"key": token, "value": "x"}],
    )
    projection = project(revision, document)
    assert sorted(signals(projection)) == [
        "/containerDefinitions/0/dockerLabels/<0>",
        "/containerDefinitions/0/environment/0/name",
        "/containerDefinitions/0/image",
        "/containerDefinitions/0/name",
        "/family",
        "/tags/0/key",
    ]
    assert token.encode() not in serialised(projection)


def test_a_secret_where_a_reference_belongs_is_a_literal_too(revision: Revision) -> None:
    token = github_token()
    projection = project(revision, task(container(secrets=[{"name": "TOKEN", "valueFrom": token}])))
    assert list(signals(projection)) == ["/containerDefinitions/0/secrets/0/valueFrom"]
    assert token.encode() not in serialised(projection)
    assert projection.references[0]["resource"] == "<redacted-1>"


def test_a_value_from_in_environment_is_a_reference_out_of_place(revision: Revision) -> None:
    items = [{"name": "A", "value": "b"}, {"name": "DB_PASSWORD", "valueFrom": "/prod/db"}]
    (reference,) = project(revision, task(container(environment=items))).references
    assert (reference["field"], reference["name"], reference["pointer"]) == (
        "environment", "DB_PASSWORD", "/containerDefinitions/0/environment/1/valueFrom"
    )  # fmt: skip


def test_equal_literals_have_equal_fingerprints(revision: Revision) -> None:
    literals = project(revision, environment([("A_TOKEN", "same"), ("B_TOKEN", "same"), ("C_TOKEN", "other")])).literals
    first, second, third = (literal["fingerprint"] for literal in literals)
    assert first == second != third


def test_a_detector_is_believed(pack: Pack, revision: Revision, key: FingerprintKey) -> None:
    projector = Projector(pack.config, (), key)
    location = revision.locations["RegisterTaskDefinition"]
    assert projector.project(environment([("FOO", github_token())]), location).literals == ()
    assert not projector.suspects(github_token(), is_name=False)
    assert revision.projector.suspects(github_token(), is_name=False)


def test_config_without_words_is_refused(key: FingerprintKey) -> None:
    with pytest.raises(PolicyError, match="config/words: expected a mapping"):
        Projector({}, (), key)
