"""Task definitions as tools hand them on: inside the answer of an API call, with what AWS added to them.

A wrapper is opened only when nothing beside it could be meant as the request itself. What AWS added is no part of the
input, but it is kept: whoever can write a document can write a secret there, and nothing of it goes unscanned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from ecs_admission.adapt.canonical import NO_POINTERS
from ecs_admission.adapt.shapes import FREE, Shape, fold, folded, operation_input
from ecs_admission.adapt.values import json_type
from ecs_admission.errors import InputError
from ecs_admission.model import JSONObject

_TIME = (str, int, float)


@dataclass(frozen=True, slots=True)
class Wrapper:
    """How the answer of a describe or register call holds the input of an operation.

    `member` holds the object, `merged` the members beside it that belong into the input, `metadata` those that do not.
    `read_only` are the members of the object that AWS added and no input has. All with their JSON types.
    """

    member: str
    merged: Mapping[str, tuple[type, ...]]
    metadata: Mapping[str, tuple[type, ...]]
    read_only: Mapping[str, tuple[type, ...]]


WRAPPERS: Mapping[str, Wrapper] = {
    # botocore's shapes TaskDefinition and DescribeTaskDefinitionResponse.
    "RegisterTaskDefinition": Wrapper(
        member="taskDefinition",
        merged={"tags": (list,)},
        metadata={"failures": (list,), "ResponseMetadata": (dict,)},
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
        metadata={"ResponseMetadata": (dict,)},
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


@lru_cache(maxsize=128)
def submitted_shape(operation: str) -> Shape:
    """The input of an operation with what AWS adds to it in answers, which may be any JSON.

    Raises InputError, see `operation_input`.
    """
    shape, wrapper = operation_input(operation), WRAPPERS.get(operation)
    if wrapper is None:
        return shape
    members = {**shape.members, **dict.fromkeys((*wrapper.read_only, *wrapper.metadata), FREE)}
    return replace(shape, members=MappingProxyType(members), folded=MappingProxyType(folded(members)))


def unwrap(operation: str, document: Any) -> tuple[JSONObject, Mapping[str, str]]:
    """The input inside `document`, and where its top-level members stood there, where that is not `/member`.

    Beside the input's own members stands what AWS added in its answer, to be read as `submitted_shape`. Null members
    that AWS knows count as absent. An unknown member is a key of the mapping like any other, and stands under its
    position (`/taskDefinition/<4>`) because the key may itself be a secret: the mapping must not be shown.

    Raises InputError: `not-an-object`, `unsupported-shape`, `ambiguous-wrapper`, `misspelled-key`, `wrong-type`.
    """
    shape = submitted_shape(operation)
    outer = _present(document, shape, "")
    _refuse_foreign(outer, shape)
    wrapper = WRAPPERS.get(operation)
    if wrapper is None:
        return outer, NO_POINTERS
    if outer.get(wrapper.member) is None:
        bare = {name: item for name, item in outer.items() if name != wrapper.member}
        _refuse_misspelled(bare, wrapper.member)
        _check_types(bare, wrapper.read_only, "")
        is_input = bare.keys() <= operation_input(operation).members.keys()
        return bare, NO_POINTERS if is_input else _positions(bare, shape, "")
    prefix = f"/{wrapper.member}"
    beside = _beside(outer, wrapper, shape)
    inner = _present(outer[wrapper.member], shape, prefix)
    _check_types(inner, wrapper.read_only, prefix)
    if not beside.keys().isdisjoint(inner):
        raise _ambiguous("One member stands both beside and inside the wrapper: leave one of the two.")
    places = _positions(outer, shape, "")
    return inner | beside, _positions(inner, shape, prefix) | {name: places[name] for name in beside}


def _present(value: Any, shape: Shape, pointer: str) -> JSONObject:
    if isinstance(value, dict):
        return shape.present(value)
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
        if document.get(name) is not None:
            raise InputError("unsupported-shape", message, pointer="")


def _beside(outer: JSONObject, wrapper: Wrapper, shape: Shape) -> JSONObject:
    """What stands beside the wrapped object, once it proved to be no request of its own."""
    beside = {name: item for name, item in outer.items() if name != wrapper.member}
    expected = {**wrapper.merged, **wrapper.metadata}
    for name, item in beside.items():
        if name not in expected and item is not None:
            what = f"`{name}` stands" if name in shape.members else "A member that no answer of AWS has stands"
            raise _ambiguous(f"{what} beside `{wrapper.member}`: send either the request itself or what AWS answered.")
    _check_types(beside, expected, "")
    return beside


def _refuse_misspelled(document: JSONObject, member: str) -> None:
    for index, (name, item) in enumerate(document.items()):
        if item is not None and fold(name) == fold(member):
            message = f"A member is spelled in another way than AWS spells it: write `{member}`."
            raise InputError("misspelled-key", message, pointer=f"/<{index}>")


def _check_types(document: JSONObject, types: Mapping[str, tuple[type, ...]], prefix: str) -> None:
    for name, item in document.items():
        if name in types and type(item) not in types[name]:
            message = f"`{name}` is {json_type(item)}, which AWS never answers here."
            raise InputError("wrong-type", message, pointer=f"{prefix}/{name}")


def _positions(document: JSONObject, shape: Shape, prefix: str) -> dict[str, str]:
    return {name: f"{prefix}/{name if name in shape.members else f'<{index}>'}" for index, name in enumerate(document)}


def _ambiguous(message: str) -> InputError:
    return InputError("ambiguous-wrapper", message, pointer="")
