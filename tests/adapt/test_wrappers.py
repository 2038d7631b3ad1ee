"""Answers of AWS as input: opened only where nothing else could be meant, with the way back to each place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.adapt.shapes import operation_input
from ecs_admission.adapt.wrappers import WRAPPERS, submitted_shape, unwrap
from ecs_admission.aws import ecs_model
from ecs_admission.errors import InputError

CANARY = "hunter2canary"
REGISTER = "RegisterTaskDefinition"
INPUT = {"family": "web", "containerDefinitions": [{"name": "app", "image": "web:1"}]}
READ_ONLY = {
    "taskDefinitionArn": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:7",
    "revision": 7,
    "status": "ACTIVE",
    "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.task-iam-role"}],
    "compatibilities": ["EC2", "FARGATE"],
    "registeredAt": "2024-05-01T12:00:00+02:00",
    "registeredBy": "arn:aws:iam::111122223333:user/deploy",
    "deregisteredAt": 1714557600.5,
    "deleteRequestedAt": 1714557600,
}
TAGS = [{"key": "team", "value": "web"}]


def refusal(document: Any, operation: str = REGISTER) -> tuple[str | None, str | None]:
    with pytest.raises(InputError) as caught:
        unwrap(operation, document)
    assert caught.value.status == 422
    assert CANARY not in f"{caught.value} {caught.value.pointer}"
    return caught.value.code, caught.value.pointer


def test_a_plain_request_stays_as_it_is() -> None:
    assert unwrap(REGISTER, INPUT | {"tags": TAGS}) == (INPUT | {"tags": TAGS}, {})


def test_the_answer_of_describe_is_opened_and_what_stands_beside_is_merged() -> None:
    beside: dict[str, Any] = {"tags": TAGS, "failures": [], "ResponseMetadata": {"RetryAttempts": 0}}
    value, pointers = unwrap(REGISTER, {"taskDefinition": READ_ONLY | INPUT} | beside)
    assert value == READ_ONLY | INPUT | beside
    inside = {name: f"/taskDefinition/{name}" for name in READ_ONLY | INPUT}
    assert pointers == inside | {name: f"/{name}" for name in beside}


def test_the_inner_object_alone_is_read_with_what_aws_added() -> None:
    value, pointers = unwrap(REGISTER, READ_ONLY | INPUT)
    assert value == READ_ONLY | INPUT
    assert pointers == {name: f"/{name}" for name in READ_ONLY | INPUT}


def test_what_aws_added_is_any_json_and_no_more_is_required_than_of_an_input() -> None:
    plain, submitted = operation_input(REGISTER), submitted_shape(REGISTER)
    added = submitted.members.keys() - plain.members.keys()
    assert added == READ_ONLY.keys() | {"failures", "ResponseMetadata"}
    assert {submitted.members[name].kind for name in added} == {"document"}
    assert (submitted.required, submitted_shape("RunTask")) == (plain.required, operation_input("RunTask"))


def test_read_only_members_are_those_of_the_model() -> None:
    shapes = ecs_model()["shapes"]
    added = shapes["TaskDefinition"]["members"].keys() - shapes["RegisterTaskDefinitionRequest"]["members"].keys()
    assert added == WRAPPERS[REGISTER].read_only.keys()


def test_nulls_count_as_absent_on_both_levels() -> None:
    document = {
        "taskDefinition": INPUT | {"cpu": None, "registeredBy": None},
        "tags": None,
        "family": None,
        "failures": None,
        "Response-metadata": None,
    }
    assert unwrap(REGISTER, document)[0] == INPUT
    assert unwrap(REGISTER, INPUT | {"taskDefinition": None, "registeredBy": None}) == (INPUT, {})


def test_a_null_member_that_aws_does_not_know_is_kept_for_its_name() -> None:
    document = {"cpu": None, CANARY: None, "taskDefinition": {"revision": 1, "family": None, f"{CANARY}2": None}}
    assert unwrap(REGISTER, document) == (
        {"revision": 1, f"{CANARY}2": None, CANARY: None},
        {"revision": "/taskDefinition/revision", f"{CANARY}2": "/taskDefinition/<1>", CANARY: "/<0>"},
    )
    assert unwrap(REGISTER, {CANARY: None, "family": "web"})[1] == {CANARY: "/<0>", "family": "/family"}
    assert unwrap("RunTask", {CANARY: None, "count": None}) == ({CANARY: None}, {})
    assert refusal({CANARY: None, "taskDefinition": {CANARY: None}}) == ("ambiguous-wrapper", "")


def test_an_unknown_member_is_located_by_its_position_in_the_submitted_object() -> None:
    _, pointers = unwrap(REGISTER, {"taskDefinition": {"revision": 1, CANARY: 1, "family": "web"}})
    assert pointers == {
        "revision": "/taskDefinition/revision",
        CANARY: "/taskDefinition/<1>",
        "family": "/taskDefinition/family",
    }
    _, pointers = unwrap(REGISTER, {"revision": 1, CANARY: 1, "family": "web"})
    assert pointers[CANARY] == "/<1>"


@pytest.mark.parametrize(
    "beside",
    [
        {"family": "web"},
        {"containerDefinitions": []},
        {"executionRoleArn": "arn"},
        {CANARY: 1},
        {"Tags": TAGS},
        {"taskDefinitionArn": "arn"},
        {"include": []},
    ],
)
def test_nothing_else_may_stand_beside_what_is_wrapped(beside: dict[str, Any]) -> None:
    assert refusal({"taskDefinition": INPUT} | beside) == ("ambiguous-wrapper", "")


def test_tags_may_stand_in_one_place_only() -> None:
    assert refusal({"taskDefinition": INPUT | {"tags": TAGS}, "tags": TAGS}) == ("ambiguous-wrapper", "")
    assert unwrap(REGISTER, {"taskDefinition": INPUT | {"tags": TAGS}})[0] == INPUT | {"tags": TAGS}
    assert unwrap(REGISTER, {"taskDefinition": INPUT | {"tags": None}, "tags": TAGS})[0] == INPUT | {"tags": TAGS}


@pytest.mark.parametrize("beside", [{"tags": {}}, {"tags": CANARY}, {"failures": CANARY}, {"ResponseMetadata": []}])
def test_members_beside_have_the_types_that_aws_answers(beside: dict[str, Any]) -> None:
    assert refusal({"taskDefinition": INPUT} | beside) == ("wrong-type", f"/{next(iter(beside))}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("taskDefinitionArn", {"value": CANARY}),
        ("revision", CANARY),
        ("revision", True),
        ("status", 1),
        ("requiresAttributes", CANARY),
        ("compatibilities", {CANARY: 1}),
        ("registeredAt", [CANARY]),
        ("registeredBy", {}),
    ],
)
def test_read_only_members_have_the_types_that_aws_answers(name: str, value: Any) -> None:
    assert refusal(INPUT | {name: value}) == ("wrong-type", f"/{name}")
    assert refusal({"taskDefinition": INPUT | {name: value}}) == ("wrong-type", f"/taskDefinition/{name}")


@pytest.mark.parametrize("key", ["TaskDefinition", "task_definition", "TASKDEFINITION"])
def test_another_spelling_of_the_wrapper_is_refused(key: str) -> None:
    assert refusal({key: INPUT}) == ("misspelled-key", "/<0>")


@pytest.mark.parametrize("wrapped", [CANARY, [INPUT], 1, False])
def test_only_an_object_can_be_wrapped(wrapped: Any) -> None:
    assert refusal({"taskDefinition": wrapped}) == ("not-an-object", "/taskDefinition")


@pytest.mark.parametrize("document", [None, CANARY, 1, 1.5, True])
def test_other_values_are_refused(document: Any) -> None:
    assert refusal(document) == ("not-an-object", "")


def test_an_array_is_refused_with_its_likely_origin() -> None:
    with pytest.raises(InputError, match="Terraform") as caught:
        unwrap(REGISTER, [{"name": CANARY}])
    assert caught.value.code == "not-an-object"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"AWSTemplateFormatVersion": "2010-09-09", "Resources": {}}, "CloudFormation"),
        ({"Resources": {}}, "CloudFormation"),
        ({"format_version": "1.2", "planned_values": {}}, "Terraform"),
        ({"resource_changes": []}, "Terraform"),
        ({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {}}, "/v1/admission/reviews"),
    ],
)
def test_documents_of_other_tools_are_named(document: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        unwrap(REGISTER, document)
    assert caught.value.code == "unsupported-shape"


def test_operations_without_a_wrapper_take_the_object_itself() -> None:
    document = {"taskDefinition": "web:7", "cluster": "main", "count": None}
    assert unwrap("RunTask", document) == ({"taskDefinition": "web:7", "cluster": "main"}, {})


@given(
    st.dictionaries(
        st.sampled_from(["taskDefinition", "tags", "failures", "family", "status", "revision", CANARY]),
        st.none()
        | st.integers()
        | st.lists(st.integers())
        | st.dictionaries(st.sampled_from(["tags", "family"]), st.integers()),
    )
)
def test_any_object_is_opened_or_refused(document: dict[str, Any]) -> None:
    try:
        value, pointers = unwrap(REGISTER, document)
    except InputError:
        return
    assert {name for name, item in value.items() if item is None} <= {CANARY}
    assert not pointers or value.keys() <= pointers.keys()
