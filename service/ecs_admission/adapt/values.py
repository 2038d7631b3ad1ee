"""What must hold for any JSON value of a request, whether or not AWS's model knows the place it stands in.

Pointers give unknown keys by position (`<4>`). A container's depth is read off its pointer: one segment a level.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ecs_admission.adapt.bounds import MAX_DEPTH, MAX_DIGITS
from ecs_admission.errors import InputError

JSON_TYPES: Mapping[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}
_TOO_LARGE = 10**MAX_DIGITS


def json_type(value: Any) -> str:
    """The JSON type of `value` in words, for messages, which never show a value."""
    return JSON_TYPES.get(type(value), "something that JSON does not have")


def is_unicode(text: str) -> bool:
    """Whether `text` can be sent as UTF-8, which half a surrogate pair cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_text(text: str, pointer: str) -> None:
    """Refuse half a surrogate pair. Raises InputError `not-unicode`."""
    if not is_unicode(text):
        raise InputError("not-unicode", "A string holds half a surrogate pair, which UTF-8 cannot.", pointer=pointer)


def check_key(key: Any, pointer: str) -> None:
    """Refuse a key that JSON could not send. Raises InputError `wrong-type` or `not-unicode`."""
    if type(key) is not str:
        raise InputError("wrong-type", "The keys of an object must be strings.", pointer=pointer)
    check_text(key, pointer)


def check_number(value: int | float, pointer: str) -> None:
    """Refuse what readers round or cannot write. Raises InputError `number-out-of-range`."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InputError("number-out-of-range", "A number is not finite.", pointer=pointer)
    elif not -_TOO_LARGE < value < _TOO_LARGE:
        raise InputError("number-out-of-range", f"An integer has more than {MAX_DIGITS} digits.", pointer=pointer)


def check_depth(pointer: str) -> None:
    """Refuse an object or array at `pointer` that lies too deep. Raises InputError `too-deep`."""
    if pointer.count("/") >= MAX_DEPTH:
        raise InputError("too-deep", f"The document is nested more than {MAX_DEPTH} levels deep.")


def check_free(value: Any, pointer: str) -> None:
    """Check a value whose shape nobody knows, all the way down. Raises InputError as the checks above do."""
    kind = type(value)
    if kind is str:
        check_text(value, pointer)
    elif kind is int or kind is float:
        check_number(value, pointer)
    elif kind is dict:
        check_depth(pointer)
        for index, (key, item) in enumerate(value.items()):
            place = f"{pointer}/<{index}>"
            check_key(key, place)
            check_free(item, place)
    elif kind is list:
        check_depth(pointer)
        for index, item in enumerate(value):
            check_free(item, f"{pointer}/{index}")
    elif value is not None and kind is not bool:
        raise InputError("wrong-type", f"Expected JSON, found {json_type(value)}.", pointer=pointer)
