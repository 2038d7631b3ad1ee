"""Which facts a request needs (one for each reference, role and volume), and how policies are told of them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import Literal

import orjson
import pytest

from ecs_admission.adapt.submission import read_operation
from ecs_admission.decision_log.entries import EntryDraft
from ecs_admission.enrich.inventory import ATTRIBUTES, Fact, NoInventory, enrich
from ecs_admission.model import UserInfo
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision
from tests.policies.examples import POLICIES


def subjects(shown: dict[str, object], *pointers: str) -> list[tuple[object, object]]:
    facts = enrich(NoInventory(), [{"pointer": pointer} for pointer in pointers], shown)
    assert {fact["status"] for fact in facts} <= {"unknown"}
    return [(fact["kind"], fact["pointer"]) for fact in facts]


def test_references_come_first_and_then_the_roles() -> None:
    shown = {"taskRoleArn": "a", "executionRoleArn": "b", "family": "web"}
    assert subjects(shown, "/x", "/y") == [
        ("reference", "/x"),
        ("reference", "/y"),
        ("role", "/executionRoleArn"),
        ("role", "/taskRoleArn"),
    ]


def test_an_override_of_a_role_is_a_role() -> None:
    shown = {"overrides": {"taskRoleArn": "a", "cpu": "256"}, "taskDefinition": "web:7"}
    assert subjects(shown) == [("role", "/overrides/taskRoleArn")]


def test_the_role_that_express_mode_builds_with_is_one() -> None:
    assert subjects({"infrastructureRoleArn": "a"}) == [("role", "/infrastructureRoleArn")]


def test_a_request_without_either_needs_no_fact() -> None:
    assert subjects({"overrides": "<redacted>", "cluster": "main"}) == []


def test_a_volume_is_a_subject() -> None:
    shown = {"volumes": [{"name": "a"}, {"name": "b"}], "executionRoleArn": "r"}
    assert subjects(shown, "/x") == [
        ("reference", "/x"),
        ("role", "/executionRoleArn"),
        ("volume", "/volumes/0"),
        ("volume", "/volumes/1"),
    ]


def test_a_fact_is_told_with_the_attributes_that_are_known() -> None:
    assert Fact("reference", "/x", "known", exists=True, deletion_scheduled=False, rotates=None).document() == {
        "kind": "reference",
        "pointer": "/x",
        "status": "known",
        "exists": True,
        "deletionScheduled": False,
    }


@pytest.mark.parametrize("status", ["unknown", "unavailable"])
def test_what_is_not_known_is_neither_true_nor_false(status: Literal["unknown", "unavailable"]) -> None:
    assert Fact("role", "/executionRoleArn", status).document() == {
        "kind": "role",
        "pointer": "/executionRoleArn",
        "status": status,
    }


def test_every_attribute_has_a_name_for_policies() -> None:
    attributes = {field.name for field in dataclasses.fields(Fact)} - {"kind", "pointer", "status"}
    assert ATTRIBUTES.keys() == attributes
    told = Fact("reference", "/x", "known", **dict.fromkeys(attributes, True)).document()
    assert told.keys() - {"kind", "pointer", "status"} == set(ATTRIBUTES.values())
    assert all(re.fullmatch(r"[a-z][a-zA-Z]+", name) for name in ATTRIBUTES.values())


def test_policies_know_the_attributes_by_the_same_names() -> None:
    schema = orjson.loads((POLICIES / "schemas" / "input.json").read_bytes())
    described = schema["properties"]["facts"]["items"]["properties"]
    assert described.keys() == {"kind", "pointer", "status", *ATTRIBUTES.values()}


class Remembering:
    """Knows of each subject that it exists, and what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def facts(self, subjects: Sequence[tuple[str, str]]) -> Iterable[Fact]:
        self.asked += subjects
        return [Fact(kind, pointer, "known", exists=kind == "role") for kind, pointer in subjects]


def test_facts_reach_the_policies_and_the_record(revision: Revision) -> None:
    drafts: list[EntryDraft] = []
    inventory = Remembering()
    reviewer = Reviewer(revision, inventory=inventory, recorder=drafts.append, on_error=_fail)
    arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf"
    document = {
        "family": "web",
        "executionRoleArn": "arn:aws:iam::111122223333:role/web",
        "containerDefinitions": [
            {"name": "app", "image": "x", "secrets": [{"name": "A", "valueFrom": arn}],
             "environment": [{"name": "B", "value": arn}]},
        ],
    }  # fmt: skip
    reviewer.review(
        lambda: read_operation("RegisterTaskDefinition", orjson.dumps(document), ()),
        operation="RegisterTaskDefinition",
        user=UserInfo("pipeline"),
        enforcement_point="test",
    )
    assert sorted(inventory.asked) == [
        ("reference", "/containerDefinitions/0/environment/0/value"),
        ("reference", "/containerDefinitions/0/secrets/0/valueFrom"),
        ("role", "/executionRoleArn"),
    ]
    (draft,) = drafts
    assert draft.body is not None
    facts = orjson.loads(draft.body)["facts"]
    assert [fact["exists"] for fact in facts] == [kind == "role" for kind, _ in inventory.asked]


def _fail(error: Exception) -> None:
    raise error
