"""The shapes of ECS's API inputs, taken from the model that the AWS SDKs validate requests with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from ecs_admission.aws import ecs_model
from ecs_admission.errors import InputError
from ecs_admission.model import JSONObject

_FOLDED_AWAY = str.maketrans("", "", "_-. ")
_NO_MEMBERS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What AWS expects at one place of an input.

    `kind` is botocore's type (`structure`, `list`, `map`, `string`, `integer`, `long`, `double`, `boolean`,
    `timestamp`, ...) or `document` for free JSON. `members` and `required` are a structure's, `item` a list's member
    or a map's value. `folded` maps a member's name without case and separators to the name as AWS spells it.
    `sensitive` repeats the model's own trait. Compared by identity: one shape of the model is one object.
    """

    kind: str
    name: str
    members: Mapping[str, Shape]
    required: frozenset[str]
    item: Shape | None
    sensitive: bool
    folded: Mapping[str, str]

    def present(self, value: JSONObject) -> JSONObject:
        """An object without its null members, which count as absent.

        One that AWS does not know in any spelling stays: its key is text of the caller's, and may be a secret.
        """
        if None not in value.values():
            return value
        present = {key: item for key, item in value.items() if item is not None or not self._knows(key)}
        return present if len(present) < len(value) else value

    def _knows(self, key: Any) -> bool:
        return type(key) is str and fold(key) in self.folded

    def misspelled(self, key: str) -> str | None:
        """The member that `key` writes in another case or with other separators, None where there is none."""
        return None if key in self.members else self.folded.get(fold(key))


FREE = Shape(
    kind="document",
    name="",
    members=_NO_MEMBERS,
    required=frozenset(),
    item=None,
    sensitive=False,
    folded=_NO_MEMBERS,
)
"""Any JSON value."""


def fold(key: str) -> str:
    """`key` without case and the separators `_ - . space`: `Execution_role-arn` and `executionRoleArn` are equal."""
    return key.translate(_FOLDED_AWAY).lower()


def folded(names: Iterable[str]) -> dict[str, str]:
    """A look-up of the exact spelling by the folded one."""
    return {fold(name): name for name in names}


@lru_cache(maxsize=128)
def operation_input(operation: str) -> Shape:
    """The input shape of an ECS API operation. Raises InputError `unknown-operation`, which does not repeat it."""
    description = ecs_model()["operations"].get(operation)
    if description is None or "input" not in description:
        raise InputError("unknown-operation", "Amazon ECS has no API operation of this name.")
    return _build(description["input"]["shape"], {})


def _build(name: str, built: dict[str, Shape]) -> Shape:
    """The shape `name`; `built` holds those begun, so that a shape that contains itself ends in itself."""
    if name in built:
        return built[name]
    trait = ecs_model()["shapes"][name]
    if trait["type"] == "structure" and not trait.get("document"):
        return _build_structure(name, trait, built)
    item = trait.get("member") or trait.get("value")
    shape = Shape(
        kind="document" if trait.get("document") else trait["type"],
        name=name,
        members=_NO_MEMBERS,
        required=frozenset(),
        item=_build(item["shape"], built) if item else None,
        sensitive=bool(trait.get("sensitive")),
        folded=_NO_MEMBERS,
    )
    built[name] = shape
    return shape


def _build_structure(name: str, trait: Mapping[str, Any], built: dict[str, Shape]) -> Shape:
    # Recursion in a model always passes through a structure, so a structure is known before its members are built.
    members: dict[str, Shape] = {}
    shape = Shape(
        kind="structure",
        name=name,
        members=MappingProxyType(members),
        required=frozenset(trait.get("required", ())),
        item=None,
        sensitive=bool(trait.get("sensitive")),
        folded=MappingProxyType(folded(trait["members"])),
    )
    built[name] = shape
    for member, target in trait["members"].items():
        members[member] = _build(target["shape"], built)
    return shape
