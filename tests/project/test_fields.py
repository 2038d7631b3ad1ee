"""Every string of every operation has a row, and every row has a string: an update of the SDK opens no hole unseen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from ecs_admission.adapt.operations import OPERATIONS
from ecs_admission.adapt.shapes import Shape, operation_input
from ecs_admission.aws import ecs_model
from ecs_admission.project.fields import (
    CONTAINERS,
    ENUMERATION,
    ROWS,
    Node,
    Row,
    Treatment,
    compile_node,
    expand,
    find_row,
)

STRINGS = frozenset({"string", "document", "blob", "timestamp", "character"})
NUMBERS = frozenset({"integer", "long", "double", "float", "boolean"})
"""Kinds whose values cannot hold a secret that anyone could use, and are shown as they are."""


def strings_below(shape: Shape, location: str, inside: tuple[str, ...] = ()) -> Iterator[tuple[str, Shape]]:
    """Every location at which AWS's model has something else than a number, and its shape."""
    assert shape.name not in inside, f"{location} contains itself, which the table cannot describe"
    if shape.kind == "structure":
        for name, member in shape.members.items():
            yield from strings_below(member, f"{location}.{name}" if location else name, (*inside, shape.name))
    elif shape.item is not None:
        yield from strings_below(shape.item, f"{location}{'{}' if shape.kind == 'map' else '[]'}", inside)
    elif shape.kind not in NUMBERS:
        assert shape.kind in STRINGS, f"{location} is of a kind that nobody has thought of"
        yield location, shape


def modelled() -> dict[str, Shape]:
    """The same of all operations."""
    return {
        location: shape for operation in OPERATIONS for location, shape in strings_below(operation_input(operation), "")
    }


def nodes_below(node: Node) -> Iterator[Node]:
    yield node
    for member in node.members.values():
        yield from nodes_below(member)
    if node.item is not None:
        yield from nodes_below(node.item)


@pytest.fixture(scope="module")
def nodes() -> list[Node]:
    return [node for operation in OPERATIONS for node in nodes_below(compile_node(operation_input(operation)))]


def test_every_string_of_the_model_has_a_row() -> None:
    assert [location for location in modelled() if find_row(location) is None] == []


def test_a_string_that_aws_might_add_has_none() -> None:
    for location in ("apiKey", "tags[].note", "containerDefinitions[].secrets[].version", "serviceConnect.value"):
        assert find_row(location) is None
    for location in ("overrides.family", "image", "deployment.command[]", "containerDefinitions[].tls.kmsKey"):
        assert find_row(location) is None, "a name that is harmless in one place may not be so in another"


def test_every_row_has_a_location(nodes: list[Node]) -> None:
    used = {row.at for node in nodes if (row := find_row(node.location)) is not None}
    assert {row.at for row in ROWS} - used == set()


def test_every_container_has_a_location(nodes: list[Node]) -> None:
    assert set(CONTAINERS) <= {node.location for node in nodes if node.is_container}


def test_no_location_has_two_rows() -> None:
    assert [at for at, count in Counter(at for row in ROWS for at in expand(row)).items() if count > 1] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.at)
def test_a_row_says_what_its_treatment_needs_and_nothing_else(row: Row) -> None:
    assert (row.grammar is not None) == (row.reason is not None) == (row.treatment is Treatment.IDENTIFIER)
    assert (row.parse is not None) == (row.treatment is Treatment.REFERENCE)
    assert not (row.is_argument or row.out_of_place) or row.treatment in (Treatment.LITERAL, Treatment.REFERENCE)


def test_what_counts_as_an_enumeration_is_one_in_the_model() -> None:
    shapes: dict[str, Any] = ecs_model()["shapes"]
    for location, shape in modelled().items():
        row = find_row(location)
        if row is not None and row.reason == ENUMERATION:
            assert "enum" in shapes[shape.name], location


def test_what_aws_calls_sensitive_is_not_shown() -> None:
    for operation in OPERATIONS:
        for location, _ in _sensitive(operation_input(operation), "", within=False):
            row = find_row(location)
            assert row is not None
            names = location.endswith((".name", ".key"))
            assert row.treatment in (Treatment.LITERAL, Treatment.REFERENCE) or names, location


def _sensitive(shape: Shape, location: str, *, within: bool) -> Iterator[tuple[str, Shape]]:
    within = within or shape.sensitive
    if shape.kind == "structure":
        for name, member in shape.members.items():
            yield from _sensitive(member, f"{location}.{name}" if location else name, within=within)
    elif shape.item is not None:
        yield from _sensitive(shape.item, f"{location}{'{}' if shape.kind == 'map' else '[]'}", within=within)
    elif within and shape.kind == "string":
        yield location, shape


@pytest.mark.parametrize(
    ("location", "at"),
    [
        ("tags[].value", "...tags[].value"),
        ("volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags[].value", "...tags[].value"),
        ("overrides.containerOverrides[].command[]", "<container>.command[]"),
        ("containerDefinitions[].healthCheck.command[]", "<container>.healthCheck.command[]"),
        ("command", "command"),
        ("primaryContainer.environment[].value", "...environment[].value"),
        ("serviceConnectConfiguration.logConfiguration.options{}", "...logConfiguration.options{}"),
    ],
)
def test_a_location_is_judged_by_its_own_row_or_its_longest_ending(location: str, at: str) -> None:
    row = find_row(location)
    assert row is not None
    assert row.at == at


def find_node(operation: str, location: str) -> Node:
    nodes = nodes_below(compile_node(operation_input(operation)))
    return next(node for node in nodes if node.location == location)


def test_the_name_of_a_literal_stands_beside_it_or_beside_the_object_around_it() -> None:
    assert find_node("RunTask", "tags[]").named_by == "key"
    assert find_node("RunTask", "overrides.containerOverrides[].environment[]").named_by == "name"
    header = "serviceConnectConfiguration.services[].clientAliases[].testTrafficRules.header"
    assert find_node("CreateService", header).named_by == "name"
    assert find_node("CreateService", f"{header}.value").named_by is None
    assert find_node("RegisterTaskDefinition", "containerDefinitions[]").named_by is None


def test_lists_of_arguments_are_those_of_every_container() -> None:
    assert find_node("RunTask", "overrides.containerOverrides[].command").arguments
    assert find_node("CreateExpressGatewayService", "primaryContainer.command").arguments
    assert not find_node("RunTask", "tags").arguments


def test_members_out_of_place_and_keys_with_a_row_are_in_the_tree() -> None:
    entry = find_node("RegisterTaskDefinition", "containerDefinitions[].environment[]")
    assert entry.members["valueFrom"].reference is not None
    options = find_node("RegisterDaemonTaskDefinition", "containerDefinitions[].firelensConfiguration.options")
    assert options.members.keys() == {"config-file-value"}
    assert find_node("RegisterTaskDefinition", "containerDefinitions[].dockerLabels").members == {}
