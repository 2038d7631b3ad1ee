"""Bytes to a JSON-like value, by parsers that leave no room for a second reading.

An error says what is wrong and on which line, never what stands there: it is shown to callers and logged. The
exceptions of the parsers carry the document, so ours are raised after theirs are gone instead of being chained to them.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from itertools import chain, filterfalse
from typing import Any, Never

import orjson

from ecs_admission.adapt.bounds import MAX_BYTES, MAX_DEPTH, MAX_DIGITS
from ecs_admission.adapt.templates import RENDER_FIRST, shows_template
from ecs_admission.errors import InputError

_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
_WHITE_SPACE = " \t\r\n"
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_SPACE_BEFORE_COLON = re.compile(r'"[ \t\r\n]+:')
_EXACT = 10**MAX_DIGITS
_CONTAINERS = frozenset({dict, list})
_UNPARSED = frozenset({"malformed-json", "malformed-yaml", "non-string-key", "yaml-feature"})


def read_document(data: bytes) -> Any:
    """The value of a JSON or YAML document: dict, list, str, int, float, bool and None, at most 64 levels deep.

    A document whose first character is `{` or `[` is JSON (RFC 8259), any other is YAML, see `yaml12`. The choice is
    final: a second parser that accepts what the first refused would judge something else than AWS gets.

    Raises InputError: status 413 `too-large`; 400 `empty`, `not-utf-8`, `malformed-json`, `malformed-yaml`,
    `duplicate-key`, `number-out-of-range`, `non-string-key`, `yaml-feature`; 422 `too-deep`, `unrendered-template`.
    """
    text = _decode(data)
    try:
        value = _read_text(text)
    except InputError as error:
        if error.code not in _UNPARSED or not shows_template(text):
            raise
        reason = str(error)
    else:
        if isinstance(value, dict | list) or not shows_template(text):
            return value
        reason = "The document is no object."
    raise InputError("unrendered-template", f"{reason} It looks like a template: {RENDER_FIRST}", status=422)


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise InputError("too-large", f"The document is larger than {MAX_BYTES} bytes.", status=413)
    if data.startswith(_WIDE_MARKS):
        raise InputError("not-utf-8", "The document is UTF-16 or UTF-32: save it as UTF-8.", status=400)
    if b"\0" in data:
        raise InputError("not-utf-8", "The document holds a NUL byte: save it as UTF-8 text.", status=400)
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError:
        text = None
    if text is not None and not text.startswith(_BOM):
        return text
    if text is not None:
        raise InputError("not-utf-8", "The document begins with two byte order marks.", status=400)
    raise InputError("not-utf-8", "The document is not UTF-8.", status=400)


def _read_text(text: str) -> Any:
    start = text.lstrip(_WHITE_SPACE)[:1]
    if not start:
        raise InputError("empty", "The document is empty.", status=400)
    if start in "{[":
        return _read_json(text)
    # PyYAML takes longer to import than a command line takes to judge a JSON document.
    from ecs_admission.adapt.yaml12 import read_yaml

    return read_yaml(text)


def _read_json(text: str) -> Any:
    value = _read_plain_json(text)
    if value is not None:
        return value
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        problem = InputError("malformed-json", f"The document is not valid JSON ({place}).", status=400)
    except RecursionError:
        problem = _too_deep()
    else:
        _check_depth(value)
        return value
    raise problem


def _read_plain_json(text: str) -> Any:
    """The value of a document without duplicate keys or fractions, by a reader that is twice as fast; else None.

    Each key is followed by a colon, so a document with no more `":` than keys in its value has no key twice. What is
    not plain, or not JSON, is left to the exact reader, which has the last word.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    keys = 0
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for container in level:
            if type(container) is dict:
                keys += len(container)
            for item in container.values() if type(container) is dict else container:
                kind = type(item)
                if kind is dict or kind is list:
                    inner.append(item)
                elif kind is float or (kind is int and abs(item) >= _EXACT):
                    return None
        if not inner:
            return value if text.count('":') == keys and not _SPACE_BEFORE_COLON.search(text) else None
        level = inner
    return None


def _check_depth(value: Any) -> None:
    """Refuse what is nested too deep, level by level: Python's own recursion could not be trusted to get there."""
    level = [value]
    for _ in range(MAX_DEPTH):
        objects = map(dict.values, filter(_is_object, level))
        arrays = filterfalse(_is_object, level)
        level = [item for item in chain.from_iterable(chain(objects, arrays)) if type(item) in _CONTAINERS]
        if not level:
            return
    raise _too_deep()


def _is_object(container: Any) -> bool:
    return type(container) is dict


def _too_deep() -> InputError:
    return InputError("too-deep", f"The document is nested more than {MAX_DEPTH} levels deep.")


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise InputError("duplicate-key", "An object holds one key twice: which counts is left open.", status=400)
    return result


def _read_int(text: str) -> int:
    if len(text.removeprefix("-")) > MAX_DIGITS:
        message = f"An integer has more than {MAX_DIGITS} digits: write it as a string."
        raise InputError("number-out-of-range", message, status=400)
    return int(text)


def _read_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InputError("number-out-of-range", "A number is too large.", status=400)
    return number


def _refuse_constant(_: str) -> Never:
    raise InputError("malformed-json", "NaN and Infinity are not JSON.", status=400)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_read_object,
    parse_int=_read_int,
    parse_float=_read_float,
    parse_constant=_refuse_constant,
)
