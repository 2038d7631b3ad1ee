"""Task definitions as tools hand them on: inside the answer of an API call, with what AWS added to them.

A wrapper is opened only when nothing beside it could be meant as the request itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecs_admission.adapt.canonical import NO_POINTERS
from ecs_admission.adapt.shapes import Shape, fold, folded, operation_input
from ecs_admission.adapt.values import json_type
from ecs_admission.errors import InputError
from ecs_admission.model import JSONObject

_TIME = (str, int, float)


@dataclass(frozen=True, slots=True)
class Wrapper:
    """How the answer of a describe or register call holds the input of an operation.

    `member` holds the object, `merged` the members beside it that belong into the input, `ignored` those that do not.
    `read_only` are the members of the object that AWS added and no input has, with their JSON types.
    """

    member: str
    merged: Mapping[str, tuple[type, ...]]
    ignored: Mapping[str, tuple[type, ...]]
    read_only: Mapping[str, tuple[type, ...]]


WRAPPERS: Mapping[str, Wrapper] = {
    # botocore's shapes TaskDefinition and DescribeTaskDefinitionResponse.
    "RegisterTaskDefinition": Wrapper(
        member="taskDefinition",
        merged={"tags": (list,)},
        ignored={"failures": (list,), "ResponseMetadata": (dict,)},
        read_only={
            "taskDefinitionArn": (str,),
            "revision": (int,),
            "status": (str,),
            "requiresAttributes": (list,),
            "compatibilities": (list,),
            "registeredAt": _TIME,
            "registeredBy": (str,),
            "deregisteredAt": _TIME,
            "deleteRequestedAt": _TIME,
        },
    ),
    # botocore's shapes DaemonTaskDefinition and DescribeDaemonTaskDefinitionResponse.
    "RegisterDaemonTaskDefinition": Wrapper(
        member="daemonTaskDefinition",
        merged={},
        ignored={"ResponseMetadata": (dict,)},
        read_only={
            "daemonTaskDefinitionArn": (str,),
            "revision": (int,),
            "status": (str,),
            "registeredAt": _TIME,
            "registeredBy": (str,),
            "deleteRequestedAt": _TIME,
        },
    ),
}

_SEND = "send the parameters of the ECS API call themselves"
_FOREIGN: Mapping[str, str] = {
    "Resources": f"This is a CloudFormation template: {_SEND}, with names spelled as the API spells them (`family`).",
    "planned_values": f"This is a Terraform plan: {_SEND}, of one task definition.",
    "resource_changes": f"This is a Terraform plan: {_SEND}, of one task definition.",
    "request": f"This looks like an AdmissionReview: send it to /v1/admission/reviews, or {_SEND}.",
}


def unwrap(operation: str, document: Any) -> tuple[JSONObject, Mapping[str, str]]:
    """The input inside `document`, and where its top-level members stood there, where that is not `/member`.

    Members that are null count as absent. An unknown member is a key of the mapping like any other, and stands under
    its position (`/taskDefinition/<4>`) because the key may itself be a secret: the mapping must not be shown.

    Raises InputError: `not-an-object`, `unsupported-shape`, `ambiguous-wrapper`, `misspelled-key`, `wrong-type`.
    """
    outer = _present(document, "")
    shape = operation_input(operation)
    _refuse_foreign(outer, shape)
    wrapper = WRAPPERS.get(operation)
    if wrapper is None:
        return outer, NO_POINTERS
    if wrapper.member not in outer:
        _refuse_misspelled(outer, (wrapper.member,), "")
        kept = _without_read_only(outer, wrapper, "")
        return kept, _positions(outer, shape, "") if len(kept) < len(outer) else NO_POINTERS
    prefix = f"/{wrapper.member}"
    beside = _beside(outer, wrapper, shape)
    inner = _present(outer[wrapper.member], prefix)
    kept = _without_read_only(inner, wrapper, prefix)
    if not beside.keys().isdisjoint(kept):
        raise _ambiguous("One member stands both beside and inside the wrapper: leave one of the two.")
    pointers = _positions(inner, shape, prefix) | {name: f"/{name}" for name in beside}
    return kept | beside, pointers


def _present(value: Any, pointer: str) -> JSONObject:
    if isinstance(value, dict):
        return {key: item for key, item in value.items() if item is not None}
    message = f"Expected an object with the parameters of the ECS API call, found {json_type(value)}."
    if isinstance(value, list):
        message += (
            " A bare array is often Terraform's `container_definitions`:"
            " send the whole rendered task definition, with `family` and `containerDefinitions`."
        )
    raise InputError("not-an-object", message, pointer=pointer)


def _refuse_foreign(document: JSONObject, shape: Shape) -> None:
    if not shape.members.keys().isdisjoint(document):
        return
    for name, message in _FOREIGN.items():
        if name in document:
            raise InputError("unsupported-shape", message, pointer="")


def _beside(outer: JSONObject, wrapper: Wrapper, shape: Shape) -> JSONObject:
    """The members beside the wrapped object that belong into the input, after all others proved harmless."""
    expected = dict(wrapper.merged) | dict(wrapper.ignored)
    for name, item in outer.items():
        if name == wrapper.member:
            continue
        if name not in expected:
            what = f"`{name}` stands" if name in shape.members else "A member that no answer of AWS has stands"
            raise _ambiguous(f"{what} beside `{wrapper.member}`: send either the request itself or what AWS answered.")
        _check_type(name, item, expected[name], "")
    return {name: outer[name] for name in wrapper.merged if name in outer}


def _without_read_only(inner: JSONObject, wrapper: Wrapper, prefix: str) -> JSONObject:
    _refuse_misspelled(inner, wrapper.read_only, prefix)
    for name in wrapper.read_only.keys() & inner.keys():
        _check_type(name, inner[name], wrapper.read_only[name], prefix)
    return {name: item for name, item in inner.items() if name not in wrapper.read_only}


def _refuse_misspelled(document: JSONObject, names: Mapping[str, Any] | tuple[str, ...], prefix: str) -> None:
    exact = folded(names)
    for index, name in enumerate(document):
        known = None if name in names else exact.get(fold(name))
        if known is not None:
            message = f"A member is spelled in another way than AWS spells it: write `{known}`."
            raise InputError("misspelled-key", message, pointer=f"{prefix}/<{index}>")


def _check_type(name: str, item: Any, expected: tuple[type, ...], prefix: str) -> None:
    if type(item) not in expected:
        message = f"`{name}` is {json_type(item)}, which AWS never answers here."
        raise InputError("wrong-type", message, pointer=f"{prefix}/{name}")


def _positions(inner: JSONObject, shape: Shape, prefix: str) -> dict[str, str]:
    return {name: f"{prefix}/{name if name in shape.members else f'<{index}>'}" for index, name in enumerate(inner)}


def _ambiguous(message: str) -> InputError:
    return InputError("ambiguous-wrapper", message, pointer="")
