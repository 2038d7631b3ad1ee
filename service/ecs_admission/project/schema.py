"""The PolicyInput as a JSON Schema, made of the tables that a request is projected with.

For authors: `opa check --schema` holds every rule to it, so that a misspelled member is an error and not a finding that
never comes. OPA reads the types of members only, and takes a member that may be null for anything at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from types import NoneType
from typing import Any, get_args, get_type_hints

from ecs_admission.model import REDACTED, DeployContext, JSONObject
from ecs_admission.project.detectors.protocol import Signal
from ecs_admission.project.fields import Node
from ecs_admission.project.references import ParsedReference

_STRING: JSONObject = {"type": "string"}
_BOOLEAN: JSONObject = {"type": "boolean"}
_INTEGER: JSONObject = {"type": "integer"}
_REDACTED: JSONObject = {"type": "string", "const": REDACTED}
# What AWS calls its numbers, and JSON does. All other kinds are strings.
_KINDS = {"boolean": _BOOLEAN, "integer": _INTEGER, "long": _INTEGER, "double": {"type": "number"}}
_TYPES = {str: _STRING, bool: _BOOLEAN, int: _INTEGER}


def input_schema(locations: Mapping[str, Node], fact_attributes: Iterable[str]) -> JSONObject:
    """The schema of what the engine sees, in draft 7.

    `locations` are the nodes of each operation and `fact_attributes` what a policy may be told of a subject.
    """
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "PolicyInput",
        "description": "What a rule may read. Made by tools/schema.py.",
        **_closed(
            {
                "request": _request(sorted(locations)),
                "object": _object(locations.values()),
                "literals": _list(_literal()),
                "references": _list(_reference()),
                "facts": _list(_fact(fact_attributes)),
                "counts": _closed(
                    dict.fromkeys(("containers", "literals", "signalled", "references", "left_out"), _INTEGER)
                ),
            }
        ),
    }


def _request(operations: list[str]) -> JSONObject:
    return _closed(
        {
            "uid": _STRING,
            "operation": {"type": "string", "enum": operations},
            "enforcementPoint": _STRING,
            "dryRun": _BOOLEAN,
            "userInfo": _closed({"username": _STRING, "groups": _list(_STRING)}),
            "context": _closed(_members(DeployContext) | {"now": _INTEGER}),
        }
    )


def _literal() -> JSONObject:
    return _closed(
        {
            "pointer": _STRING,
            "offset": _nullable(_INTEGER),
            "container": _nullable(_STRING),
            "field": _STRING,
            "name": _nullable(_STRING),
            "words": _list(_STRING),
            "kind": _STRING,
            "service": _nullable(_STRING),
            "length": _STRING,
            "fingerprint": _STRING,
            "signals": _list(_closed(_members(Signal))),
        }
    )


def _reference() -> JSONObject:
    where = {"pointer": _STRING, "container": _nullable(_STRING), "field": _STRING, "name": _nullable(_STRING)}
    return _closed(where | _members(ParsedReference))


def _fact(attributes: Iterable[str]) -> JSONObject:
    known = {"kind": _STRING, "pointer": _STRING, "status": _STRING}
    # An attribute that is not known is not there, so that no rule takes "unknown" for "no".
    return _closed(known | dict.fromkeys(attributes, _BOOLEAN), required=known)


def _object(nodes: Iterable[Node]) -> JSONObject:
    """The requests of all operations in one: no member means one thing in one operation and another in the next."""
    members: JSONObject = {}
    for node in nodes:
        for name, schema in _shown(node)["properties"].items():
            members[name] = _merged(members[name], schema) if name in members else schema
    return _closed(members, required=())


def _shown(node: Node) -> JSONObject:
    """What `Walk` shows of what stands at a node."""
    if node.kind == "structure":
        members: JSONObject = {}
        for name, member in node.members.items():
            if member.is_environment:
                members["environmentNames"] = _list(_nullable(_STRING))
                members["environmentValues"] = _map(_STRING)
            else:
                members[name] = _shown(member)
        return _closed(members, required=())
    if node.kind == "list":
        return _list(_REDACTED if node.arguments or node.item is None else _shown(node.item))
    if node.kind == "map":
        # The values of some names may be shown, see config/disclosed.
        return _map(_STRING)
    if node.kind in _KINDS:
        return _KINDS[node.kind]
    return _STRING if node.identifier is not None else _REDACTED


def _merged(one: JSONObject, other: JSONObject) -> JSONObject:
    if one == other:
        return one
    if one["type"] == other["type"] == "object":
        members = dict(one["properties"])
        for name, schema in other["properties"].items():
            members[name] = _merged(members[name], schema) if name in members else schema
        return _closed(members, required=())
    if one["type"] == other["type"] == "array":
        return _list(_merged(one["items"], other["items"]))
    raise ValueError("a member is of two kinds in two operations, which no rule could tell apart")


def _members(values: type[Any]) -> JSONObject:
    """The attributes of a dataclass, spelled as JSON does."""
    hints = get_type_hints(values)
    return {_camel(field.name): _typed(hints[field.name]) for field in fields(values)}


def _typed(hint: Any) -> JSONObject:
    (inner,) = (set(get_args(hint)) or {hint}) - {NoneType}
    return _nullable(_TYPES[inner]) if NoneType in get_args(hint) else _TYPES[inner]


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _closed(members: JSONObject, *, required: Iterable[str] | None = None) -> JSONObject:
    """An object with these members and no others. All have to be there unless `required` names those that do."""
    closed = {"type": "object", "properties": members, "additionalProperties": False}
    needed = sorted(members if required is None else required)
    return closed | {"required": needed} if needed else closed


def _list(item: JSONObject) -> JSONObject:
    return {"type": "array", "items": item}


def _map(value: JSONObject) -> JSONObject:
    return {"type": "object", "additionalProperties": value}


def _nullable(schema: JSONObject) -> JSONObject:
    return {"anyOf": [schema, {"type": "null"}]}
