"""Expressions that nobody rendered are refused, and what only looks like them is not."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_admission.adapt.shapes import operation_input
from ecs_admission.adapt.templates import refuse_templates
from ecs_admission.errors import InputError

REGISTER = operation_input("RegisterTaskDefinition")


def place(pointers: dict[str, str] | None = None, **members: Any) -> str | None:
    """Where a template was found, None where none was."""
    try:
        refuse_templates({"family": "web", "containerDefinitions": [members]}, REGISTER, pointers or {})
    except InputError as error:
        if (error.code, error.status) != ("unrendered-template", 422):
            raise
        return error.pointer
    return None


@pytest.mark.parametrize(
    "text",
    [
        '{{ must_env "TAG" }}',
        "web:{{tag}}",
        "{{{ tag }}}",
        "{{- .Values.tag }}",
        "a {{ .x",
        "{% if prod %}a{% endif %}",
        "{%- set a = 1 -%}",
        '<+secrets.getValue("db")>',
        "web:<+artifact.tag>",
        "{{resolve:ssm:a}} {{ tag }}",
        "\ud800{{ tag }}",
    ],
)
def test_an_expression_is_refused_where_it_stands(text: str) -> None:
    expected = None if "}}" not in text and "{{" in text else "/containerDefinitions/0/image"
    assert place(image=text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "${TAG}",
        "$TAG",
        "{{resolve:secretsmanager:db:SecretString:password}}",
        "a{{b",
        "}} {{",
        '{"a":{"b":{"c":1}}}',
        "100{%} of <+1>",
        "{%20a%20}",
        "{%d items}",
        "a <+ b",
        "<%= x %>",
    ],
)
def test_what_only_looks_like_an_expression_stands(text: str) -> None:
    assert place(image=text, command=[text], environment=[{"name": "A", "value": text}]) is None


@pytest.mark.parametrize(
    "tag",
    [
        "{{.Name}}",
        "{{ .ID }}",
        "{{- .ImageName}}/{{.FullID}}",
        "{{with .ExtraAttributes nil}}{{.}}{{end}}",
        '{{ index .ContainerLabels "a" }}',
        "{{if .ID}}a{{else}}b{{ end }}",
    ],
)
def test_docker_log_tags_stand_in_log_options_only(tag: str) -> None:
    assert place(logConfiguration={"logDriver": "gelf", "options": {"tag": tag}}) is None
    assert place(dockerLabels={"tag": tag}) == "/containerDefinitions/0/dockerLabels/<0>"
    assert place(logConfiguration={"logDriver": tag}) == "/containerDefinitions/0/logConfiguration/logDriver"


def test_log_options_are_rendered_like_the_rest() -> None:
    options = {"tag": "{{.Name}}", "token": "{{ splunk_token }}"}
    assert place(logConfiguration={"options": options}) == "/containerDefinitions/0/logConfiguration/options/<1>"


def test_keys_are_rendered_like_values() -> None:
    assert place(dockerLabels={"a": "b", "{{ team }}": "x"}) == "/containerDefinitions/0/dockerLabels/<1>"
    assert place(unknown={"b": ["c", {"{{ team }}": 1}]}) == "/containerDefinitions/0/<0>/<0>/1/<0>"


def test_positions_count_the_members_that_are_not_null() -> None:
    assert place(cpu=None, unknown="{{ a }}") == "/containerDefinitions/0/<0>"


def test_wrapped_members_are_located_in_the_submitted_document() -> None:
    pointers = {"containerDefinitions": "/taskDefinition/containerDefinitions"}
    assert place(pointers, image="{{ a }}") == "/taskDefinition/containerDefinitions/0/image"


def test_values_that_json_lacks_are_left_to_later_checks() -> None:
    assert place(cpu=10**30, image=b"{{ a }}") is None
