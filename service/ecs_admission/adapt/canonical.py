"""A parsed document to the input that AWS would receive, checked member by member against AWS's own model.

What is read here is what the policies judge, so nothing is guessed: a value is taken as AWS takes it, or refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import chain
from operator import is_not
from types import MappingProxyType
from typing import Any

from ecs_admission.adapt.bounds import MAX_DIGITS, MAX_NOTICES
from ecs_admission.adapt.shapes import Shape
from ecs_admission.adapt.values import (
    check_depth,
    check_free,
    check_key,
    check_number,
    check_text,
    is_unicode,
    json_type,
)
from ecs_admission.errors import InputError
from ecs_admission.model import CanonicalObject, JSONObject, Notice

NO_POINTERS: Mapping[str, str] = MappingProxyType({})

_INTEGER = re.compile(rf"-?[0-9]{{1,{MAX_DIGITS}}}")
_LONGEST_COMPARED = 48
_EXPECTED: Mapping[str, str] = {
    "structure": "an object",
    "map": "an object",
    "list": "an array",
    "string": "a string",
    "integer": "an integer",
    "long": "an integer",
    "double": "a number",
    "float": "a number",
    "boolean": "true or false",
    "timestamp": "a string or a number",
}


def canonicalize(value: Any, shape: Shape, pointers: Mapping[str, str] = NO_POINTERS) -> CanonicalObject:
    """Read `value` as `shape`; `pointers` says where top-level members stood in the submitted document, see `unwrap`.

    Null members that AWS knows count as absent. Numbers, booleans and strings are turned into the type that AWS
    expects where that is plain, with a notice. Members that AWS does not know are kept untouched, null or not, with a
    notice. In pointers and messages such members, and the keys of maps, are given by their position among their
    object's members that are not absent (`<4>`), since a key may itself be a secret.

    Raises InputError: `misspelled-key`, `missing-field`, `wrong-type`, `null-value`, `number-out-of-range`,
    `not-unicode`, `too-deep`.
    """
    reading = _Reading(pointers)
    result: JSONObject = _read_structure(value, shape, "", reading)
    return CanonicalObject(result, reading.all_notices(), pointers)


@dataclass(slots=True)
class _Reading:
    """What one document collects on the way: its notices, bounded because each costs time and room in the answer."""

    pointers: Mapping[str, str]
    notices: list[Notice] = field(default_factory=list)
    left_out: int = 0

    def notice(self, code: str, pointer: str, message: Callable[[], str]) -> None:
        if len(self.notices) < MAX_NOTICES:
            self.notices.append(Notice(code, message(), pointer))
        else:
            self.left_out += 1

    def all_notices(self) -> tuple[Notice, ...]:
        if not self.left_out:
            return tuple(self.notices)
        more = Notice("more-notices", f"{self.left_out} more notices were left out.", "")
        return (*self.notices, more)

    def pointer(self, parent: str, key: str, segment: str) -> str:
        """The pointer of a member: at the top, wrappers may have moved it."""
        default = f"{parent}/{segment}"
        return default if parent else self.pointers.get(key, default)


def _read(value: Any, shape: Shape, pointer: str, reading: _Reading) -> Any:
    reader = _READERS.get(shape.kind)
    if reader is None:
        raise _wrong_type(value, shape, pointer)
    return reader(value, shape, pointer, reading)


def _read_structure(value: Any, shape: Shape, pointer: str, reading: _Reading) -> JSONObject:
    if type(value) is not dict:
        raise _wrong_type(value, shape, pointer)
    check_depth(pointer)
    present = shape.present(value)
    changed: JSONObject = {}
    for index, (key, item) in enumerate(present.items()):
        member = shape.members.get(key)
        if member is None:
            _check_unknown_member(key, item, shape, reading.pointer(pointer, key, f"<{index}>"), reading)
        elif not (member.kind == "string" and type(item) is str and item.isascii()):
            read = _read(item, member, reading.pointer(pointer, key, key), reading)
            if read is not item:
                changed[key] = read
    for name in sorted(shape.required - present.keys()):
        raise InputError("missing-field", f"`{name}` is missing, and AWS requires it here.", pointer=pointer)
    return {**present, **changed} if changed else present


def _read_list(value: Any, shape: Shape, pointer: str, reading: _Reading) -> list[Any]:
    if type(value) is not list:
        raise _wrong_type(value, shape, pointer)
    check_depth(pointer)
    assert shape.item is not None  # noqa: S101 - what makes a shape a list
    if _are_plain(value, shape.item):
        return value
    result = [_read_item(item, shape.item, f"{pointer}/{index}", reading) for index, item in enumerate(value)]
    return result if any(map(is_not, result, value)) else value


def _read_map(value: Any, shape: Shape, pointer: str, reading: _Reading) -> JSONObject:
    if type(value) is not dict:
        raise _wrong_type(value, shape, pointer)
    check_depth(pointer)
    assert shape.item is not None  # noqa: S101 - what makes a shape a map
    result: JSONObject = {}
    for index, (key, item) in enumerate(value.items()):
        place = f"{pointer}/<{index}>"
        check_key(key, place)
        result[key] = _read_item(item, shape.item, place, reading)
    return result if any(map(is_not, result.values(), value.values())) else value


def _are_plain(items: Sequence[Any], shape: Shape) -> bool:
    """Whether all items are strings, or objects of strings under known names: nothing to change, refuse or notice.

    Almost all of a large task definition is such lists, so this is done in bulk, by built-ins that loop in C.
    """
    strings = items
    if shape.kind == "structure":
        if set(map(type, items)) != {dict}:
            return False
        names = set[Any]().union(*items)
        if not all(name in shape.members and shape.members[name].kind == "string" for name in names):
            return False
        if shape.required and not all(map(shape.required.issubset, items)):
            return False
        strings = list(chain.from_iterable(map(dict.values, items)))
    elif shape.kind != "string":
        return False
    return set(map(type, strings)) <= {str} and is_unicode("".join(strings))


def _read_item(item: Any, shape: Shape, pointer: str, reading: _Reading) -> Any:
    if item is None:
        raise InputError("null-value", "AWS takes no null inside an array or a map: remove it.", pointer=pointer)
    return _read(item, shape, pointer, reading)


def _read_string(value: Any, shape: Shape, pointer: str, reading: _Reading) -> str:
    kind = type(value)
    if kind is str:
        text: str = value
        check_text(text, pointer)
        return text
    if kind not in (bool, int, float):
        raise _wrong_type(value, shape, pointer)
    check_number(value, pointer)
    reading.notice(
        "coerced-type",
        pointer,
        lambda: f"AWS expects a string, {json_type(value)} was read as its JSON text: quote it.",
    )
    return json.dumps(value)


def _read_integer(value: Any, shape: Shape, pointer: str, reading: _Reading) -> int:
    if type(value) is int:
        check_number(value, pointer)
        return value
    if type(value) is not str or not _INTEGER.fullmatch(value):
        raise _wrong_type(value, shape, pointer)
    reading.notice("coerced-type", pointer, lambda: "AWS expects an integer, a string was read as one: unquote it.")
    return int(value)


def _read_number(value: Any, shape: Shape, pointer: str, _: _Reading) -> int | float:
    if type(value) is not int and type(value) is not float:
        raise _wrong_type(value, shape, pointer)
    check_number(value, pointer)
    return value


def _read_boolean(value: Any, shape: Shape, pointer: str, _: _Reading) -> bool:
    if type(value) is not bool:
        raise _wrong_type(value, shape, pointer)
    return value


def _read_timestamp(value: Any, shape: Shape, pointer: str, reading: _Reading) -> Any:
    if type(value) is str:
        return _read_string(value, shape, pointer, reading)
    return _read_number(value, shape, pointer, reading)


def _read_document(value: Any, _: Shape, pointer: str, __: _Reading) -> Any:
    check_free(value, pointer)
    return value


_READERS: Mapping[str, Callable[[Any, Shape, str, _Reading], Any]] = {
    "structure": _read_structure,
    "list": _read_list,
    "map": _read_map,
    "string": _read_string,
    "integer": _read_integer,
    "long": _read_integer,
    "double": _read_number,
    "float": _read_number,
    "boolean": _read_boolean,
    "timestamp": _read_timestamp,
    "document": _read_document,
}


def _wrong_type(value: Any, shape: Shape, pointer: str) -> InputError:
    expected = _EXPECTED.get(shape.kind, "something else")
    found = "a string that is none" if shape.kind in ("integer", "long") and type(value) is str else json_type(value)
    return InputError("wrong-type", f"Expected {expected}, found {found}.", pointer=pointer)


def _check_unknown_member(key: Any, item: Any, shape: Shape, pointer: str, reading: _Reading) -> None:
    check_key(key, pointer)
    known = shape.misspelled(key)
    if known is not None:
        message = f"A member is spelled in another way than AWS spells it: write `{known}`."
        raise InputError("misspelled-key", message, pointer=pointer)
    check_free(item, pointer)
    reading.notice("unknown-field", pointer, lambda: _unknown_message(key, shape))


def _unknown_message(key: str, shape: Shape) -> str:
    # Comparing takes time quadratic in the key's length, and AWS's own names are short.
    near = get_close_matches(key, shape.members, n=1, cutoff=0.7) if len(key) <= _LONGEST_COMPARED else []
    hint = f" The nearest name that it knows is `{near[0]}`." if near else ""
    return f"AWS does not know this member and its SDKs refuse it.{hint}"
