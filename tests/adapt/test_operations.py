"""From a submitted document to what AWS would receive, step by step and with the place of everything known."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.adapt.operations import OPERATIONS, adapt_document, adapt_value
from ecs_admission.adapt.shapes import operation_input
from ecs_admission.errors import InputError
from ecs_admission.model import CanonicalObject

CANARY = "hunter2canary"
REGISTER = "RegisterTaskDefinition"
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
        assert operation.resource == operation.kind.lower() + "s"


@pytest.mark.parametrize("operation", [CANARY, "", "CreateService", "registertaskdefinition"])
def test_an_operation_that_is_not_judged_is_refused_with_those_that_are(operation: str) -> None:
    with pytest.raises(InputError, match=REGISTER) as caught:
        adapt_document(operation, b"{}")
    assert (caught.value.code, caught.value.status) == ("unknown-operation", 422)
    assert CANARY not in str(caught.value)
    with pytest.raises(InputError, match=REGISTER):
        adapt_value(operation, {})


def test_json_yaml_and_a_parsed_value_give_the_same_object() -> None:
    text = "family: web\ncontainerDefinitions:\n- {name: app, image: 'web:1', cpu: 256}\n"
    assert adapt(INPUT) == adapt_document(REGISTER, text.encode()) == adapt_value(REGISTER, INPUT)
    assert adapt(INPUT).value == INPUT


def test_what_aws_answers_is_read_as_what_it_was_sent() -> None:
    wrapped = adapt({"taskDefinition": INPUT | {"status": "ACTIVE"}, "tags": []})
    assert wrapped.value == INPUT | {"tags": []}
    assert wrapped.pointers["containerDefinitions"] == "/taskDefinition/containerDefinitions"


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
