"""Templates that nobody rendered: what AWS would get cannot be known from them, so they are refused in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from ecs_admission.adapt.shapes import Shape
from ecs_admission.errors import InputError

RENDER_FIRST = (
    "render it first (`ecspresso render`, `jsonnet`, `jq`, `helm template`, `envsubst`, or the step of your pipeline "
    "that does) and send the result."
)

_TOKENS = ("{{", "{%", "<%", "<+", "std.extVar", "std.native", "$ENV.")
# Every repetition is bounded or meets each character once, as the text may be a megabyte that was made to hurt.
_CODE = re.compile(
    r"^[ \t]*local[ \t]{1,8}\w{1,64}[ \t]{0,8}="  # Jsonnet
    r"|\bimport(?:str)?[ \t]{1,8}['\"]"
    r"|\"[ \t]{0,8}:[ \t]{0,8}\$[{A-Za-z_]|^[ \t]*\$\{"  # Terraform's templatefile and envsubst, in place of a value
    r"|[{,][ \t]{0,8}\w{1,64}:[ \t]{0,8}\$[A-Za-z_]"  # jq
    r"|^[ \t]*\.[A-Za-z_\[]",
    re.MULTILINE,
)

_BRACES = re.compile(r"\{\{")
_STATEMENT = re.compile(r"\{%[-+]?[ \t]{0,8}[A-Za-z]")
_HARNESS = re.compile(r"<\+[A-Za-z_]\w{0,64}[.>]")
# CloudFormation resolves these itself, and a policy judges where they stand.
_DYNAMIC_REFERENCE = re.compile(r"\{\{resolve:")
# https://docs.docker.com/engine/logging/log_tags/
_LOG_TAG = re.compile(r"\{\{-?[ \t]{0,8}(?:\.|(?:end|else)\b|(?:if|index|range|with)[ \t]{1,8}\.)")
_LOG_OPTIONS = "LogConfigurationOptionsMap"


def shows_template(text: str) -> bool:
    """Whether a document that could not be parsed looks like the source of a template rather than like a slip."""
    return any(token in text for token in _TOKENS) or _CODE.search(text) is not None


def refuse_templates(value: Any, shape: Shape, pointers: Mapping[str, str]) -> None:
    """Raise InputError `unrendered-template` where a string or key of `value` holds a template expression.

    `${NAME}` stands: shells and applications expand it at run time, so it is what AWS would get. So do
    CloudFormation's `{{resolve:...}}` and, in the options of a log driver, Docker's own log tags (`{{.Name}}`).
    """
    if not _may_hold_template(value):
        return
    for text, pointer, place in _strings(value, shape, pointers):
        if _is_template(text, docker=place is not None and place.name == _LOG_OPTIONS):
            message = f"A string holds a template expression that was not rendered: {RENDER_FIRST}"
            raise InputError("unrendered-template", message, pointer=pointer)


def _may_hold_template(value: Any) -> bool:
    """A look at all strings at once, decoded, which outruns a walk by far: JSON itself never writes these openings."""
    try:
        text = orjson.dumps(value)
    except TypeError:  # Half a surrogate pair, which is refused later.
        return True
    # A single byte is found ten times as fast as two, and `%` and `<` are rare.
    return b"{{" in text or (b"%" in text and b"{%" in text) or (b"<" in text and b"<+" in text)


def _strings(value: Any, shape: Shape, pointers: Mapping[str, str]) -> Iterator[tuple[str, str, Shape | None]]:
    """Every string and key with its pointer and the shape of the object or array around it."""
    pending: list[tuple[Any, str, Shape | None]] = [(value, "", shape)]
    while pending:
        container, pointer, place = pending.pop()
        for key, segment, item in _children(container, place):
            default = f"{pointer}/{segment}"
            child = default if pointer else pointers.get(key, default)
            yield key, child, place
            if isinstance(item, str):
                yield item, child, place
            elif isinstance(item, dict | list):
                pending.append((item, child, _inner(place, key)))


def _children(container: Any, place: Shape | None) -> Iterator[tuple[str, str, Any]]:
    if isinstance(container, list):
        for index, item in enumerate(container):
            yield "", str(index), item
        return
    members = place.members if place else {}
    present = place.present(container) if place else container
    for index, (key, item) in enumerate(present.items()):
        yield key, key if key in members else f"<{index}>", item


def _inner(place: Shape | None, key: str) -> Shape | None:
    return place and (place.members.get(key) or place.item)


def _is_template(text: str, *, docker: bool) -> bool:
    for braces in _BRACES.finditer(text, 0, text.rfind("}}") + 1):
        start = braces.start()
        if not _DYNAMIC_REFERENCE.match(text, start) and not (docker and _LOG_TAG.match(text, start)):
            return True
    statement = _STATEMENT.search(text)
    return _HARNESS.search(text) is not None or (statement is not None and text.find("%}", statement.end()) >= 0)
