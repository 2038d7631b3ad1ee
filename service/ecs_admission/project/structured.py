"""Names and values in JSON text and unknown structures: `{"password": "x"}`, `{"name": "PASSWORD", "value": "x"}`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_NAMING = ("name", "key", "Name", "Key", "var", "variable", "option", "OptionName")
_MAX_NAME_CHARS = 256
_MAX_PAIRS = 5000


def named_values(document: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Pairs of name and value for every string and number below a JSON document, at most 5,000 of them.

    `name` is that of the document. A value goes by the name beside it, and by its key behind those above it.
    """
    stack: list[tuple[str, Any]] = [(name, document)]
    count = 0
    while stack and count < _MAX_PAIRS:
        name, value = stack.pop()
        if isinstance(value, dict):
            stack.extend(_members(name, value))
        elif isinstance(value, list):
            stack.extend((name, item) for item in value)
        elif isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
            count += 1
            yield name, str(value)


def _members(name: str, value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    beside = name_beside(value)
    for key, inner in value.items():
        yield joined_name(name, key), inner
        if beside is not None and key not in _NAMING and isinstance(inner, str | int | float | list):
            yield beside, inner


def name_beside(value: dict[str, Any]) -> str | None:
    """The name that one member of an object gives the others, as in `{"name": "PASSWORD", "value": "x"}`."""
    return next((value[key] for key in _NAMING if isinstance(value.get(key), str)), None)


def joined_name(outer: str | None, key: str) -> str:
    """The name of a member, with that of what it is in: what is inside `password` is a password."""
    return f"{outer}.{key}"[-_MAX_NAME_CHARS:] if outer else key
