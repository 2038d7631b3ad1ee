"""What AWS would get: every member checked against AWS's own model, nothing guessed, no key shown that it lacks."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.adapt.bounds import MAX_DEPTH, MAX_NOTICES
from ecs_admission.adapt.canonical import canonicalize
from ecs_admission.adapt.shapes import Shape, fold, operation_input
from ecs_admission.aws import ecs_model
from ecs_admission.errors import InputError
from ecs_admission.model import CanonicalObject

CANARY = "hunter2canary"
REGISTER = operation_input("RegisterTaskDefinition")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)


def containers(*definitions: Any, **members: Any) -> dict[str, Any]:
    return {"family": "web", "containerDefinitions": list(definitions), **members}


def read(document: Any) -> CanonicalObject:
    """The canonical object, after a look that what was submitted stayed as it was."""
    before = copy.deepcopy(document)
    result = canonicalize(document, REGISTER)
    assert document == before
    return result


def read_container(**members: Any) -> tuple[Any, list[tuple[str, str]]]:
    result = read(containers(members))
    return result.value["containerDefinitions"][0], [(notice.code, notice.pointer) for notice in result.notices]


def refusal(document: Any) -> tuple[str | None, str | None]:
    with pytest.raises(InputError) as caught:
        read(document)
    assert caught.value.status == 422
    assert caught.value.__context__ is None
    assert CANARY not in f"{caught.value} {caught.value.pointer}"
    return caught.value.code, caught.value.pointer


def container_refusal(**members: Any) -> tuple[str | None, str | None]:
    return refusal(containers(members))


def shapes_below(shape: Shape, seen: dict[int, Shape]) -> dict[int, Shape]:
    if id(shape) not in seen:
        seen[id(shape)] = shape
        for inner in (*shape.members.values(), *([shape.item] if shape.item else [])):
            shapes_below(inner, seen)
    return seen


class TestShapes:
    def test_the_model_is_the_one_botocore_ships(self) -> None:
        assert ecs_model()["metadata"]["apiVersion"] == "2014-11-13"
        assert ecs_model() is ecs_model()

    def test_a_request_has_its_members_and_requirements(self) -> None:
        assert REGISTER.required == {"family", "containerDefinitions"}
        container = REGISTER.members["containerDefinitions"].item
        assert container is not None
        assert container.members["environment"].sensitive
        assert not container.members["command"].sensitive
        assert container.members["dockerLabels"].kind == "map"
        assert container.folded["readonlyrootfilesystem"] == "readonlyRootFilesystem"

    def test_every_operation_can_be_read(self) -> None:
        for operation in ecs_model()["operations"]:
            for shape in shapes_below(operation_input(operation), {}).values():
                assert set(shape.folded.values()) == set(shape.members)
                assert len(shape.folded) == len(shape.members)
                assert (shape.item is not None) == (shape.kind in {"list", "map"})

    def test_free_documents_are_told_from_structures(self) -> None:
        kinds = {shape.name: shape.kind for shape in shapes_below(operation_input("CreateService"), {}).values()}
        assert kinds["HookDetails"] == "document"

    @pytest.mark.parametrize("operation", [CANARY, "", "registerTaskDefinition"])
    def test_an_operation_that_ecs_lacks_is_refused(self, operation: str) -> None:
        with pytest.raises(InputError) as caught:
            operation_input(operation)
        assert caught.value.code == "unknown-operation"
        assert CANARY not in str(caught.value)

    @pytest.mark.parametrize(
        "key",
        ["executionRoleArn", "ExecutionRoleArn", "execution_role_arn", "Execution Role-ARN", "execution.role.arn"],
    )
    def test_case_and_separators_fold_away(self, key: str) -> None:
        assert fold(key) == "executionrolearn"


class TestMembers:
    def test_what_needs_no_change_is_returned_as_it_is(self) -> None:
        document = containers(
            {"name": "a", "cpu": 1, "environment": [{"name": "A", "value": "é"}], "dockerLabels": {"x": "y"}},
            tags=[{"key": "a", "value": "b"}],
        )
        result = read(document)
        assert result.value is document
        assert result.notices == ()
        assert result.pointers == {}

    def test_null_members_count_as_absent(self) -> None:
        container, notices = read_container(
            name="a", memory=None, secrets=None, Memory=None, logConfiguration={"logDriver": "awslogs", "options": None}
        )
        assert container == {"name": "a", "logConfiguration": {"logDriver": "awslogs"}}
        assert notices == []
        assert read_container(environment=[{"name": "A", "value": None}])[0] == {"environment": [{"name": "A"}]}

    def test_a_null_member_that_aws_does_not_know_is_kept_for_its_name(self) -> None:
        container, notices = read_container(cpu=None, **{CANARY: None}, environment=[{"name": "A", CANARY: None}])
        assert container == {CANARY: None, "environment": [{"name": "A", CANARY: None}]}
        assert notices == [
            ("unknown-field", "/containerDefinitions/0/<0>"),
            ("unknown-field", "/containerDefinitions/0/environment/0/<1>"),
        ]
        assert container_refusal(**{"\ud800": None}) == ("not-unicode", "/containerDefinitions/0/<0>")

    def test_null_has_no_place_in_arrays_and_maps(self) -> None:
        assert container_refusal(command=["a", None]) == ("null-value", "/containerDefinitions/0/command/1")
        assert container_refusal(environment=[None]) == ("null-value", "/containerDefinitions/0/environment/0")
        labels = {"a": "b", CANARY: None}
        assert container_refusal(dockerLabels=labels) == ("null-value", "/containerDefinitions/0/dockerLabels/<1>")

    @pytest.mark.parametrize(
        ("key", "known"),
        [
            ("Environment", "environment"),
            ("ENVIRONMENT", "environment"),
            ("docker_labels", "dockerLabels"),
            ("DockerLabels", "dockerLabels"),
            ("log-configuration", "logConfiguration"),
            ("entrypoint", "entryPoint"),
            ("entry point", "entryPoint"),
            ("environment ", "environment"),
        ],
    )
    def test_another_spelling_of_a_member_is_refused(self, key: str, known: str) -> None:
        with pytest.raises(InputError) as caught:
            read(containers({"name": "a", key: CANARY}))
        assert caught.value.code == "misspelled-key"
        assert caught.value.pointer == "/containerDefinitions/0/<1>"
        assert f"`{known}`" in str(caught.value)

    def test_another_spelling_beside_the_right_one_is_refused(self) -> None:
        assert refusal(containers(Family="web")) == ("misspelled-key", "/<2>")

    def test_an_unknown_member_is_kept_with_the_nearest_name(self) -> None:
        result = read(containers({"name": "a", "enviroment": [{CANARY: CANARY}]}))
        assert result.value["containerDefinitions"][0]["enviroment"] == [{CANARY: CANARY}]
        notice = result.notices[0]
        assert (notice.code, notice.pointer) == ("unknown-field", "/containerDefinitions/0/<1>")
        assert "`environment`" in notice.message
        assert "enviroment`" not in notice.message.replace("`environment`", "")

    def test_an_unknown_member_like_no_other_is_kept_without_a_hint(self) -> None:
        result = read(containers(**{CANARY: {"a": None, "b": [None, 1.5, True]}}))
        assert result.value[CANARY] == {"a": None, "b": [None, 1.5, True]}
        assert CANARY not in result.notices[0].message + result.notices[0].pointer

    def test_value_from_in_the_environment_stays_for_the_projection(self) -> None:
        entry = {"name": "A", "valueFrom": "arn:aws:ssm:eu-west-1:111122223333:parameter/a"}
        container, notices = read_container(environment=[entry])
        assert container == {"environment": [entry]}
        assert notices == [("unknown-field", "/containerDefinitions/0/environment/0/<1>")]

    def test_positions_count_the_members_that_are_not_absent(self) -> None:
        result = read(containers(cpu=None, x=None, other=1))
        assert [notice.pointer for notice in result.notices] == ["/<2>", "/<3>"]
        assert list(result.value).index("other") == 3

    @pytest.mark.parametrize(
        ("document", "place"),
        [
            ({"family": "web"}, ""),
            ({"containerDefinitions": []}, ""),
            ({"family": None, "containerDefinitions": []}, ""),
            (containers({"secrets": [{"name": "A"}]}), "/containerDefinitions/0/secrets/0"),
            (
                containers({"secrets": [{"name": "A", "valueFrom": "b"}, {"valueFrom": "b"}]}),
                "/containerDefinitions/0/secrets/1",
            ),
        ],
    )
    def test_what_aws_requires_must_be_there(self, document: Any, place: str) -> None:
        assert refusal(document) == ("missing-field", place)

    def test_notices_are_bounded_and_the_rest_is_counted(self) -> None:
        document = containers({"environment": [{"name": index} for index in range(MAX_NOTICES + 7)]})
        notices = read(document).notices
        assert len(notices) == MAX_NOTICES + 1
        assert (notices[-1].code, notices[-1].message.split()[0]) == ("more-notices", "7")


class TestTypes:
    @pytest.mark.parametrize(("given_", "value"), [("256", 256), ("-1", -1), ("007", 7), ("9" * 18, 10**18 - 1)])
    def test_a_string_of_digits_is_an_integer_where_one_belongs(self, given_: str, value: int) -> None:
        container, notices = read_container(cpu=given_)
        assert container == {"cpu": value}
        assert notices == [("coerced-type", "/containerDefinitions/0/cpu")]

    @pytest.mark.parametrize(
        "value",
        ["", " 1", "1 ", "1.0", "+1", "1_0", "٣", "0x1", "1" * 19, "--1", "1\n", CANARY, 1.0, 1.5, True, [1], {"a": 1}],
    )
    def test_anything_else_is_no_integer(self, value: Any) -> None:
        assert container_refusal(cpu=value) == ("wrong-type", "/containerDefinitions/0/cpu")

    @pytest.mark.parametrize(
        ("value", "text"), [(80, "80"), (-1, "-1"), (True, "true"), (False, "false"), (1.5, "1.5"), (1e300, "1e+300")]
    )
    def test_a_number_or_boolean_is_its_json_text_where_a_string_belongs(self, value: Any, text: str) -> None:
        container, notices = read_container(
            environment=[{"name": "A", "value": value}], command=["a", value], dockerLabels={"a": "b", CANARY: value}
        )
        expected = {
            "environment": [{"name": "A", "value": text}],
            "command": ["a", text],
            "dockerLabels": {"a": "b", CANARY: text},
        }
        assert container == expected
        assert notices == [
            ("coerced-type", "/containerDefinitions/0/environment/0/value"),
            ("coerced-type", "/containerDefinitions/0/command/1"),
            ("coerced-type", "/containerDefinitions/0/dockerLabels/<1>"),
        ]

    @pytest.mark.parametrize("value", ["true", "false", "", 1, 0, [], CANARY])
    def test_only_a_boolean_is_a_boolean(self, value: Any) -> None:
        assert container_refusal(essential=value) == ("wrong-type", "/containerDefinitions/0/essential")

    @pytest.mark.parametrize(
        ("members", "place", "words"),
        [
            ({"environment": {CANARY: CANARY}}, "environment", "Expected an array, found an object."),
            ({"environment": [CANARY]}, "environment/0", "Expected an object, found a string."),
            ({"environment": [["a"]]}, "environment/0", "Expected an object, found an array."),
            ({"command": CANARY}, "command", "Expected an array, found a string."),
            ({"command": [["a"]]}, "command/0", "Expected a string, found an array."),
            ({"name": {"a": CANARY}}, "name", "Expected a string, found an object."),
            ({"dockerLabels": [CANARY]}, "dockerLabels", "Expected an object, found an array."),
            ({"dockerLabels": {CANARY: []}}, "dockerLabels/<0>", "Expected a string, found an array."),
            ({"cpu": CANARY}, "cpu", "Expected an integer, found a string that is none."),
            ({"essential": 1}, "essential", "Expected true or false, found a number."),
        ],
    )
    def test_a_wrong_type_is_named_and_not_shown(self, members: dict[str, Any], place: str, words: str) -> None:
        with pytest.raises(InputError, match=f"^{words}$") as caught:
            read(containers(members))
        assert (caught.value.code, caught.value.pointer) == ("wrong-type", f"/containerDefinitions/0/{place}")

    @pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**18, -(10**18)])
    def test_numbers_nobody_can_send_are_refused(self, value: float) -> None:
        code = "number-out-of-range"
        assert container_refusal(name=value) == (code, "/containerDefinitions/0/name")
        assert container_refusal(x=[value]) == (code, "/containerDefinitions/0/<0>/0")

    @pytest.mark.parametrize("document", [None, [], "a", 1])
    def test_a_document_is_an_object(self, document: Any) -> None:
        assert refusal(document) == ("wrong-type", "")

    def test_other_operations_read_numbers_and_free_documents(self) -> None:
        shape = operation_input("CreateService")
        document: dict[str, Any] = {
            "serviceName": "web",
            "deploymentConfiguration": {"lifecycleHooks": [{"hookDetails": {"any": [None, {"thing": 1}]}}]},
        }
        assert canonicalize(document, shape).value is document
        document["deploymentConfiguration"]["lifecycleHooks"][0]["hookDetails"]["any"] = "\udc00"
        with pytest.raises(InputError) as caught:
            canonicalize(document, shape)
        assert caught.value.pointer == "/deploymentConfiguration/lifecycleHooks/0/hookDetails/<0>"


class TestText:
    @pytest.mark.parametrize(
        ("members", "place"),
        [
            ({"name": "\ud800"}, "name"),
            ({"command": ["a", "\udfff"]}, "command/1"),
            ({"command": ["\ud83d", "\ude00"]}, "command/0"),
            ({"environment": [{"name": "A", "value": "a\ud800"}]}, "environment/0/value"),
            ({"dockerLabels": {"a": "b", "\ud800": "c"}}, "dockerLabels/<1>"),
            ({"dockerLabels": {"a": "\ud800"}}, "dockerLabels/<0>"),
            ({"\ud800": 1}, "<0>"),
            ({"x": {"\ud800": 1}}, "<0>/<0>"),
            ({"x": [["\ud800"]]}, "<0>/0/0"),
        ],
    )
    def test_half_a_surrogate_pair_is_refused(self, members: dict[str, Any], place: str) -> None:
        assert container_refusal(**members) == ("not-unicode", f"/containerDefinitions/0/{place}")

    def test_keys_are_strings(self) -> None:
        assert refusal(containers() | {1: 2}) == ("wrong-type", "/<2>")

    def test_values_json_lacks_are_refused(self) -> None:
        assert container_refusal(x=b"a") == ("wrong-type", "/containerDefinitions/0/<0>")


class TestDepth:
    def nested(self, depth: int) -> Any:
        value: Any = []
        for level in range(depth - 1):
            value = {"a": value} if level % 2 else [value]
        return value

    def test_unknown_members_may_nest_to_the_bound(self) -> None:
        assert read(containers(x=self.nested(MAX_DEPTH - 1))).notices

    @pytest.mark.parametrize("depth", [MAX_DEPTH, 500, 5_000])
    def test_deeper_nesting_is_refused(self, depth: int) -> None:
        # Not through `refusal`: copying this deep a value is what Python's recursion limit ends.
        with pytest.raises(InputError) as caught:
            canonicalize(containers(x=self.nested(depth)), REGISTER)
        assert (caught.value.code, caught.value.status) == ("too-deep", 422)


def outcome(document: dict[str, Any]) -> CanonicalObject | str | None:
    """The canonical object, or the code of the refusal."""
    try:
        return canonicalize(document, REGISTER)
    except InputError as error:
        return error.code


@given(st.dictionaries(st.sampled_from(sorted(REGISTER.members)) | st.text(), json_values))
def test_any_object_is_refused_or_read_into_what_needs_no_change(members: dict[str, Any]) -> None:
    result = outcome(containers() | members)
    if isinstance(result, CanonicalObject):
        again = canonicalize(result.value, REGISTER)
        assert again.value is result.value
        assert "coerced-type" not in [notice.code for notice in again.notices]


def environment_outcome(entries: list[dict[str, Any]]) -> Any:
    result = outcome(containers({"environment": entries}))
    return result.value["containerDefinitions"][0]["environment"] if isinstance(result, CanonicalObject) else result


@given(
    st.lists(st.dictionaries(st.sampled_from(["name", "value", "Value", "other"]), json_values, max_size=3), max_size=4)
)
def test_lists_in_bulk_are_read_like_items_one_by_one(items: list[dict[str, Any]]) -> None:
    alone = [environment_outcome([item]) for item in items]
    refused = [result for result in alone if isinstance(result, str)]
    assert environment_outcome(items) == (refused[0] if refused else [entry for result in alone for entry in result])
