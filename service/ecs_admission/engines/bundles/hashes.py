"""What a signature says of a file: OPA's hash of it.

Of a file of data the hash is that of its value, members in order and without spaces, and of any other file that of its
bytes. Numbers count as they are written. From OPA's source, v1/bundle/hash.go and verify.go (1.22.2).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final

from ecs_admission.errors import PolicyError

ALGORITHM: Final = "SHA-256"
_STRUCTURED: Final = frozenset({"data.json", ".manifest"})
_YAML: Final = frozenset({"data.yaml", "data.yml"})
# Go's encoder writes these two as escapes, whatever else it is told.
_LINES: Final = str.maketrans({"\u2028": "\\u2028", "\u2029": "\\u2029"})


class _Number(str):
    """A number as it is written: 1.0 and 1 are two."""

    __slots__ = ()


def file_hash(name: str, content: bytes) -> str:
    """The hash of a bundle's file in hex. Raises `PolicyError` where the file has none that is the same everywhere."""
    base = name.rpartition("/")[2]
    if base in _YAML:
        raise PolicyError(f"{name}: data that is signed is JSON; opa build and bundle build write it so")
    if base in _STRUCTURED:
        content = "".join(_pieces(_value(name, content))).encode()
    return hashlib.sha256(content).hexdigest()


def _value(name: str, content: bytes) -> Any:
    try:
        text = content.decode()
        value = json.loads(
            text, parse_int=_Number, parse_float=_Number, parse_constant=_refuse, object_pairs_hook=_members
        )
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate has no bytes
    except (ValueError, RecursionError):
        problem = PolicyError(f"{name}: is not JSON that can be read in one way only")
    else:
        return value
    raise problem


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _refuse(_: str) -> Any:
    raise ValueError  # NaN and Infinity are no JSON


def _pieces(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield "{"
        for number, key in enumerate(sorted(value)):
            yield ("," if number else "") + _text(key) + ":"
            yield from _pieces(value[key])
        yield "}"
    elif isinstance(value, list):
        yield "["
        for number, item in enumerate(value):
            if number:
                yield ","
            yield from _pieces(item)
        yield "]"
    elif isinstance(value, _Number):
        yield str(value)
    elif isinstance(value, str):
        yield _text(value)
    else:
        yield json.dumps(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).translate(_LINES)
