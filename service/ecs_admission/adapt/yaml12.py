"""YAML by the core schema of YAML 1.2.2, built from a bounded stream of events.

PyYAML's own loaders read YAML 1.1 (`yes`, `012`, `12:30`), let a later duplicate win, and follow tags and aliases;
200 KB of `[` crash them or keep them busy for minutes. Here a document is refused before it costs that much, and
everything that other readers understand in another way is refused, too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from yaml import events

from ecs_admission.adapt.bounds import MAX_DEPTH, MAX_DIGITS, MAX_EVENTS
from ecs_admission.errors import InputError

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Line breaks in YAML 1.1, which libyaml reads, but plain characters in YAML 1.2.
_DISPUTED = re.compile("[\x85\u2028\u2029]")

# https://yaml.org/spec/1.2.2/#1032-tag-resolution
_CONSTANTS: Mapping[str, bool | None] = dict.fromkeys(("", "~", "null", "Null", "NULL")) | {
    text: text.lower() == "true" for text in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_INTEGERS = (
    (re.compile(r"[-+]?[0-9]+"), 10),
    (re.compile(r"0o[0-7]+"), 8),
    (re.compile(r"0x[0-9a-fA-F]+"), 16),
)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_NUMBER_STARTS = frozenset("+-.0123456789")


def read_yaml(text: str) -> Any:
    """The value of the one document in `text`.

    Raises InputError, status 400 unless said otherwise: `malformed-yaml`, `empty`, `duplicate-key`,
    `non-string-key`, `number-out-of-range`, `yaml-feature` for tags, anchors, aliases, merge keys, directives and
    further documents; `too-deep` (422); `too-large` (413) for more than 100,000 events.
    """
    disputed = _DISPUTED.search(text)
    if disputed:
        line = text.count("\n", 0, disputed.start()) + 1
        message = f"Line {line} holds a Unicode line separator, which YAML's versions read differently: escape it."
        raise InputError("yaml-feature", message, status=400)
    builder = _Builder()
    try:
        for count, event in enumerate(yaml.parse(text, Loader=_LOADER)):
            if count >= MAX_EVENTS:
                raise InputError("too-large", f"The YAML has more than {MAX_EVENTS} nodes.", status=413)
            builder.take(event)
    except yaml.YAMLError as error:
        # Raised below, out of reach of this one, whose text quotes the document.
        place = _place(getattr(error, "problem_mark", None))
    else:
        return builder.result()
    raise InputError("malformed-yaml", f"The document is not valid YAML{place}.", status=400)


def write_yaml(value: Any) -> str:
    """A document that `read_yaml` reads as `value`, and readers of YAML 1.1 too."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120))


class _Dumper(yaml.SafeDumper):
    """Writes by YAML 1.1, and quotes what version 1.2 alone takes for something else than text: `1e3`, `0o17`."""

    def ignore_aliases(self, _: Any) -> bool:
        """See `yaml.SafeDumper`. A part that is there twice is written twice, since no alias is read."""
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = '"' if _DISPUTED.search(text) else "'" if _is_number(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


@dataclass(slots=True)
class _Frame:
    """An open collection; `key` is the one that waits for its value in a mapping."""

    container: dict[str, Any] | list[Any]
    key: str | None = None


class _Builder:
    """The document so far: one frame for each collection that is still open, so that nothing recurses."""

    def __init__(self) -> None:
        self._frames: list[_Frame] = []
        self._roots: list[Any] = []

    def take(self, event: events.Event) -> None:
        """Add what `event` says. Raises InputError for what is refused."""
        handler = _HANDLERS.get(type(event))
        if handler:
            handler(self, event)

    def result(self) -> Any:
        """The finished value. Raises InputError `empty` when there was no document."""
        if not self._roots:
            raise InputError("empty", "The document is empty.", status=400)
        return self._roots[0]

    def start_document(self, event: Any) -> None:
        if event.version or event.tags:
            raise _refused("a directive", event)
        if self._roots:
            raise _refused("a second document", event)

    def refuse_alias(self, event: Any) -> None:
        raise _refused("an alias", event)

    def open_mapping(self, event: Any) -> None:
        self._open({}, event)

    def open_sequence(self, event: Any) -> None:
        self._open([], event)

    def close(self, _: Any) -> None:
        self._frames.pop()

    def add_scalar(self, event: Any) -> None:
        _refuse_properties(event)
        value = event.value if event.style else _resolve(event)
        frame = self._frames[-1] if self._frames else None
        if frame and frame.key is None and isinstance(frame.container, dict):
            frame.key = _checked_key(value, frame.container, event)
        else:
            self._add(value)

    def _open(self, container: dict[str, Any] | list[Any], event: Any) -> None:
        _refuse_properties(event)
        if len(self._frames) >= MAX_DEPTH:
            raise InputError("too-deep", f"The document is nested more than {MAX_DEPTH} levels deep.")
        frame = self._frames[-1] if self._frames else None
        if frame and frame.key is None and isinstance(frame.container, dict):
            raise _no_string(event)
        self._add(container)
        self._frames.append(_Frame(container))

    def _add(self, value: Any) -> None:
        if not self._frames:
            self._roots.append(value)
            return
        frame = self._frames[-1]
        if isinstance(frame.container, list):
            frame.container.append(value)
        elif frame.key is not None:
            frame.container[frame.key] = value
            frame.key = None


_HANDLERS: Mapping[type, Callable[[_Builder, Any], None]] = {
    events.DocumentStartEvent: _Builder.start_document,
    events.AliasEvent: _Builder.refuse_alias,
    events.ScalarEvent: _Builder.add_scalar,
    events.MappingStartEvent: _Builder.open_mapping,
    events.SequenceStartEvent: _Builder.open_sequence,
    events.MappingEndEvent: _Builder.close,
    events.SequenceEndEvent: _Builder.close,
}


def _checked_key(key: Any, mapping: Mapping[str, Any], event: Any) -> str:
    if not isinstance(key, str):
        raise _no_string(event)
    if key == "<<":
        raise _refused("a merge key", event)
    if key in mapping:
        place = _place(event.start_mark)
        raise InputError("duplicate-key", f"A mapping holds one key twice{place}: remove one of them.", status=400)
    return key


def _resolve(event: Any) -> Any:
    """The value of a plain scalar by the core schema; whatever is not listed there is a string."""
    text: str = event.value
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    number = _number(text)
    if number is None:
        return text
    if not math.isfinite(number):
        place = _place(event.start_mark)
        message = f"A number is not finite or has more than {MAX_DIGITS} digits{place}: quote it."
        raise InputError("number-out-of-range", message, status=400)
    return number


def _number(text: str) -> int | float | None:
    """The number that `text` writes, infinite when it is too large, None when it writes none."""
    for pattern, base in _INTEGERS:
        if pattern.fullmatch(text):
            # Python is slow with thousands of digits, and refuses them where they are decimal.
            number = int(text, base) if len(text) <= MAX_DIGITS + len("0x") else math.inf
            return number if abs(number) < 10**MAX_DIGITS else math.inf
    if _FLOAT.fullmatch(text):
        return float(text)
    return math.inf if _NOT_FINITE.fullmatch(text) else None


def _is_number(text: str) -> bool:
    return text[:1] in _NUMBER_STARTS and _number(text) is not None


def _refuse_properties(event: Any) -> None:
    if event.anchor is not None:
        raise _refused("an anchor", event)
    if event.tag is not None:
        raise _refused("a tag", event)


def _refused(feature: str, event: Any) -> InputError:
    message = (
        f"The YAML has {feature}{_place(event.start_mark)}, which is not read: write plain values, in one document."
    )
    return InputError("yaml-feature", message, status=400)


def _no_string(event: Any) -> InputError:
    return InputError("non-string-key", f"A key is no string{_place(event.start_mark)}: quote it.", status=400)


def _place(mark: Any) -> str:
    return "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
