"""Changes to a request, and the JSON Patch (RFC 6902) that makes several of them at once.

An edit names places of the canonical object as it was. A patch is applied step by step and removals move what stands
behind them, so it first sets, then appends, and removes last and from the back: each place means what it meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from ecs_admission.model import JSONObject

_INDEX = re.compile(r"[0-9]{1,6}")
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Put:
    """Give the member or the item at `pointer` a value of ours, with the objects around it where they are missing."""

    pointer: str
    value: Any


@dataclass(frozen=True, slots=True)
class Append:
    """Put a value of ours at the end of the list at `pointer`, which may be missing.

    `copied` maps members of the new item to places of the request that give them their value: a patch never repeats
    what was submitted.
    """

    pointer: str
    value: JSONObject
    copied: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Remove:
    """Take away the member or the item at `pointer`."""

    pointer: str


Edit: TypeAlias = Put | Append | Remove
Resolve: TypeAlias = Callable[[str], str]
"""A place of the canonical object as one of the document that was submitted."""


def patch(edits: Iterable[Edit], value: JSONObject, resolve: Resolve) -> tuple[JSONObject, ...]:
    """The operations that make all of `edits` to the request whose canonical object is `value`."""
    kept = _distinct(edits)
    made: dict[str, int] = {}
    steps: list[JSONObject] = []
    for edit in kept:
        if isinstance(edit, Put):
            steps += _put(edit, value, made)
    for edit in kept:
        if isinstance(edit, Append):
            steps += _append(edit, value, made)
    removals = [edit.pointer for edit in kept if isinstance(edit, Remove)]
    outermost = [p for p in removals if not any(p.startswith(f"{other}/") for other in removals)]
    steps += [{"op": "remove", "path": pointer} for pointer in sorted(outermost, key=_order, reverse=True)]
    return tuple(_resolved(step, resolve) for step in steps)


def at(value: Any, pointer: str) -> Any:
    """What stands at a place of the canonical object, or None."""
    found = _find(value, pointer)
    return None if found is _MISSING else found


def _distinct(edits: Iterable[Edit]) -> list[Edit]:
    """Without repetitions. One place is put to one value: the first finding that asks for it has its way."""
    kept: dict[str, Edit] = {}
    for edit in edits:
        kept.setdefault(f"Put {edit.pointer}" if isinstance(edit, Put) else repr(edit), edit)
    return list(kept.values())


def _put(edit: Put, value: JSONObject, made: dict[str, int]) -> list[JSONObject]:
    parent, _, last = edit.pointer.rpartition("/")
    if _INDEX.fullmatch(last) and isinstance(at(value, parent), list):
        return [{"op": "replace", "path": edit.pointer, "value": edit.value}]
    return [*_ensured(parent, value, made), {"op": "add", "path": edit.pointer, "value": edit.value}]


def _ensured(pointer: str, value: JSONObject, made: dict[str, int]) -> list[JSONObject]:
    """The steps that make the objects on the way to `pointer` that are missing."""
    if not pointer or pointer in made or _find(value, pointer) is not _MISSING:
        return []
    before = _ensured(pointer.rpartition("/")[0], value, made)
    made[pointer] = 0
    return [*before, {"op": "add", "path": pointer, "value": {}}]


def _append(edit: Append, value: JSONObject, made: dict[str, int]) -> list[JSONObject]:
    existing = at(value, edit.pointer)
    steps: list[JSONObject] = []
    if not isinstance(existing, list) and edit.pointer not in made:
        steps = [
            *_ensured(edit.pointer.rpartition("/")[0], value, made),
            {"op": "add", "path": edit.pointer, "value": []},
        ]
    index = made.get(edit.pointer, len(existing) if isinstance(existing, list) else 0)
    made[edit.pointer] = index + 1
    steps.append({"op": "add", "path": f"{edit.pointer}/-", "value": edit.value})
    copies = [
        {"op": "copy", "from": source, "path": f"{edit.pointer}/{index}/{member}"} for member, source in edit.copied
    ]
    return steps + copies


def _find(value: Any, pointer: str) -> Any:
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and _INDEX.fullmatch(key) and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            return _MISSING
    return value


def _order(pointer: str) -> list[tuple[int, str]]:
    """Places in the order in which they stand, list items by number."""
    return [(int(token), "") if _INDEX.fullmatch(token) else (0, token) for token in pointer.split("/")]


def _resolved(step: JSONObject, resolve: Resolve) -> JSONObject:
    return {key: resolve(text) if key in ("path", "from") else text for key, text in step.items()}
