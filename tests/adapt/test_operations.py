"""From a submitted document to what AWS would receive, step by step and with the place of everything known."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.adapt.envelope import read_envelope
from ecs_admission.adapt.operations import OPERATIONS, adapt_document, adapt_value
from ecs_admission.adapt.shapes import operation_input
from ecs_admission.adapt.wrappers import WRAPPERS
from ecs_admission.aws import ecs_model
from ecs_admission.errors import InputError
from ecs_admission.model import CanonicalObject

CANARY = "hunter2canary"
REGISTER = "RegisterTaskDefinition"
DAEMON = "RegisterDaemonTaskDefinition"
ECS = {"group": "ecs.amazonaws.com", "version": "2014-11-13"}
TEMPLATE = "{{ " + CANARY + " }}"
KUBERNETES_VERBS = {"CREATE", "UPDATE", "DELETE", "CONNECT"}
METADATA: dict[str, Any] = {"ResponseMetadata": {}}
INPUT = {"family": "web", "containerDefinitions": [{"name": "app", "image": "web:1", "cpu": 256}]}


def adapt(document: Any) -> CanonicalObject:
    return adapt_document(REGISTER, json.dumps(document).encode())


def refusal(data: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        adapt_document(REGISTER, data)
    assert caught.value.__context__ is None
    assert CANARY not in f"{caught.value} {caught.value.pointer}"
    return caught.value


def test_each_operation_is_one_of_ecs_with_kubernetes_words_for_it() -> None:
    for name, operation in OPERATIONS.items():
        assert operation.name == name
        assert operation_input(name).kind == "structure"
        assert operation.verbs <= KUBERNETES_VERBS
        is_subresource = operation.kind == "TaskExecOptions"
        assert is_subresource or operation.resource == operation.kind.lower() + "s"


def test_the_words_of_an_operation_are_shared_by_none_but_those_that_start_a_task() -> None:
    words = [(o.resource, verb) for o in OPERATIONS.values() for verb in sorted(o.verbs)]
    assert {word for word in words if words.count(word) > 1} == {("tasks", "CREATE")}


@pytest.mark.parametrize("operation", [CANARY, "", "DeleteService", "registertaskdefinition"])
def test_an_operation_that_is_not_judged_is_refused_with_those_that_are(operation: str) -> None:
    with pytest.raises(InputError, match=REGISTER) as caught:
        adapt_document(operation, b"{}")
    assert (caught.value.code, caught.value.status) == ("unknown-operation", 422)
    assert CANARY not in str(caught.value)
    with pytest.raises(InputError, match=REGISTER):
        adapt_value(operation, {})


def envelope(operation: str, **request: Any) -> str:
    """The operation that a review names."""
    document = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
    request |= {"uid": "u", "operation": operation, "object": {}}
    return read_envelope(document | {"request": request}).operation


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_review_names_an_operation_by_itself_or_by_kubernetes_words(name: str) -> None:
    operation = OPERATIONS[name]
    kind, resource = ECS | {"kind": operation.kind}, ECS | {"resource": operation.resource}
    assert envelope(name) == name
    assert envelope(name, kind=kind, resource=resource) == name
    assert envelope(name, kind=ECS | {"kind": name}) == name
    for verb in operation.verbs:
        assert envelope(verb, kind=ECS | {"kind": name}) == name
        if operation.kind != "Task":
            assert envelope(verb, kind=kind) == envelope(verb, resource=resource, kind=kind) == name


def test_a_review_that_creates_a_task_has_to_say_how() -> None:
    with pytest.raises(InputError, match="RunTask and StartTask both do this") as caught:
        envelope("CREATE", kind=ECS | {"kind": "Task"})
    assert (caught.value.code, caught.value.status) == ("invalid-review", 400)


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("UPDATE", "Task"),
        ("CREATE", "TaskExecOptions"),
        ("CREATE", "UpdateService"),
        ("DELETE", "Service"),
        ("RunTask", "StartTask"),
        ("RunTask", "Service"),
        ("CreateService", "UpdateService"),
    ],
)
def test_words_that_do_not_go_together_are_refused(operation: str, kind: str) -> None:
    with pytest.raises(InputError, match="do not name one operation"):
        envelope(operation, kind=ECS | {"kind": kind})


def test_the_verb_tells_one_operation_on_a_service_from_the_other() -> None:
    for kind in ("Service", "ExpressGatewayService"):
        assert envelope("CREATE", kind=ECS | {"kind": kind}) == f"Create{kind}"
        assert envelope("UPDATE", kind=ECS | {"kind": kind}) == f"Update{kind}"


SMALLEST: dict[str, dict[str, Any]] = {
    "RegisterTaskDefinition": INPUT,
    "RegisterDaemonTaskDefinition": INPUT,
    "RunTask": {"taskDefinition": "web:7"},
    "StartTask": {"taskDefinition": "web:7", "containerInstances": ["x"]},
    "ExecuteCommand": {"command": "sh", "interactive": True, "task": "x"},
    "CreateService": {"serviceName": "web"},
    "UpdateService": {"service": "web"},
    "CreateExpressGatewayService": {"infrastructureRoleArn": "x"},
    "UpdateExpressGatewayService": {"serviceArn": "x"},
    "TagResource": {"resourceArn": "x", "tags": []},
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_smallest_input_of_each_operation_is_read_as_it_is(operation: str) -> None:
    smallest = SMALLEST[operation]
    assert adapt_document(operation, json.dumps(smallest).encode()) == CanonicalObject(smallest)
    for name in smallest:
        rest = {member: value for member, value in smallest.items() if member != name}
        with pytest.raises(InputError, match=f"`{name}` is missing"):
            adapt_value(operation, rest)


def test_what_aws_answers_of_a_daemon_is_read_as_what_it_was_sent() -> None:
    answer = INPUT | {"status": "ACTIVE", "revision": 3, "registeredAt": 1.5, "daemonTaskDefinitionArn": "x"}
    for wrapped, beside in ((answer, {}), ({"daemonTaskDefinition": answer, "ResponseMetadata": {}}, METADATA)):
        read = adapt_value(DAEMON, wrapped)
        assert (read.value, read.notices) == (answer | beside, ())
    with pytest.raises(InputError, match="beside `daemonTaskDefinition`"):
        adapt_value(DAEMON, {"daemonTaskDefinition": answer, "tags": []})


def test_read_only_members_of_a_daemon_are_those_of_the_model() -> None:
    shapes = ecs_model()["shapes"]
    added = shapes["DaemonTaskDefinition"]["members"].keys()
    added -= shapes["RegisterDaemonTaskDefinitionRequest"]["members"].keys()
    assert added == WRAPPERS[DAEMON].read_only.keys()


def test_json_yaml_and_a_parsed_value_give_the_same_object() -> None:
    text = "family: web\ncontainerDefinitions:\n- {name: app, image: 'web:1', cpu: 256}\n"
    assert adapt(INPUT) == adapt_document(REGISTER, text.encode()) == adapt_value(REGISTER, INPUT)
    assert adapt(INPUT).value == INPUT


def test_what_aws_answers_is_read_as_what_it_was_sent() -> None:
    wrapped = adapt({"taskDefinition": INPUT | {"status": "ACTIVE"}, "tags": []} | METADATA)
    assert wrapped.value == INPUT | {"status": "ACTIVE", "tags": []} | METADATA
    assert wrapped.notices == ()
    assert wrapped.pointers["containerDefinitions"] == "/taskDefinition/containerDefinitions"


def test_what_aws_added_is_checked_like_all_that_nobody_describes() -> None:
    wrapped: dict[str, Any] = {"taskDefinition": INPUT | {"requiresAttributes": [{"name": {CANARY: 10**18}}]}}
    for place, document in {
        "/taskDefinition/requiresAttributes/0/<0>/<0>": wrapped,
        "/ResponseMetadata/<0>": {"taskDefinition": INPUT, "ResponseMetadata": {CANARY: 10**18}},
        "/failures/0": {"taskDefinition": INPUT, "failures": [10**18]},
    }.items():
        with pytest.raises(InputError) as caught:
            adapt_value(REGISTER, document)
        assert (caught.value.code, caught.value.pointer) == ("number-out-of-range", place)


@pytest.mark.parametrize("key", ["TaskDefinitionArn", "Revision", "registered_at", "STATUS", "requires-attributes"])
def test_another_spelling_of_what_aws_added_is_refused(key: str) -> None:
    for place, document in {
        "": INPUT | {key: CANARY},
        "/taskDefinition": {"taskDefinition": INPUT | {key: CANARY}},
    }.items():
        error = refusal(json.dumps(document).encode())
        assert (error.code, error.pointer) == ("misspelled-key", f"{place}/<2>")


def test_a_template_in_what_aws_added_is_refused() -> None:
    document = {"taskDefinition": INPUT | {"status": TEMPLATE}}
    error = refusal(json.dumps(document).encode())
    assert (error.code, error.pointer) == ("unrendered-template", "/taskDefinition/status")
    error = refusal(json.dumps(INPUT | {"cpu": None, "x": {TEMPLATE: None}}).encode())
    assert (error.code, error.pointer) == ("unrendered-template", "/<2>/<0>")


def test_notices_and_errors_point_into_the_submitted_document() -> None:
    container: dict[str, Any] = {"name": "app", "cpu": "256", CANARY: 1}
    document: dict[str, Any] = {
        "taskDefinition": {"revision": 1, CANARY: 2, "family": "web", "containerDefinitions": [container]}
    }
    assert [(notice.code, notice.pointer) for notice in adapt(document).notices] == [
        ("unknown-field", "/taskDefinition/<1>"),
        ("coerced-type", "/taskDefinition/containerDefinitions/0/cpu"),
        ("unknown-field", "/taskDefinition/containerDefinitions/0/<2>"),
    ]
    container["cpu"] = CANARY
    assert refusal(json.dumps(document).encode()).pointer == "/taskDefinition/containerDefinitions/0/cpu"
    document["taskDefinition"]["Family"] = CANARY
    container["cpu"] = 1
    assert refusal(json.dumps(document).encode()).pointer == "/taskDefinition/<4>"


def test_a_template_is_named_before_a_wrong_type_is() -> None:
    error = refusal(b'{"family": "web", "containerDefinitions": [{"cpu": "{{ %s }}"}]}' % CANARY.encode())
    assert (error.code, error.pointer) == ("unrendered-template", "/containerDefinitions/0/cpu")


@pytest.mark.parametrize("hidden", ["\\u007b\\u007b a }}", "\\u007b{ a }\\u007d", "{\\u0025 if a %}", "\\u003c+env.a>"])
def test_escapes_do_not_hide_a_template(hidden: str) -> None:
    assert refusal(b'{"family": "%s", "containerDefinitions": []}' % hidden.encode()).code == "unrendered-template"


def test_a_console_export_full_of_nulls_is_read() -> None:
    container: dict[str, Any] = {"name": "app", "memory": None, "environment": [], "secrets": None, "dnsServers": None}
    document = {"family": "web", "containerDefinitions": [container], "ipcMode": None, "tags": None}
    assert adapt(document).value == {"family": "web", "containerDefinitions": [{"name": "app", "environment": []}]}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_any_json_is_adapted_or_refused(value: Any) -> None:
    try:
        adapt(value)
    except InputError:
        return
    assert value.keys() >= {"family", "containerDefinitions"}
