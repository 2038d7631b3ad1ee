"""Which packages a layer of policies may add Rego to: those of rules of its own, and what no rule that ships knows of.

Rego adds up. A second file of a package that is there already gives its functions and sets more bodies, and so could
excuse a secret without a word of data that a comparison would find.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from ecs_admission.errors import PolicyError

_ROOT, _RULES = "admission", ("admission", "rules")
_RULE_DEPTH = 4
_OWN_RULE = "admission.rules.CATEGORY.RULE"
_PACKAGE = re.compile(
    r"(?:[ \t\r]*(?:#[^\n]*)?\n)*"
    r"[ \t]*package[ \t]+(?P<path>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*|\[\"[A-Za-z0-9_-]*\"\])*)"
    r"[ \t\r]*(?:#[^\n]*)?(?:\n|\Z)"
)
"""The package comes first in a module, after nothing but comments: https://www.openpolicyagent.org/docs/policy-reference"""
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")


def check_packages(below: Mapping[str, bytes], above: Mapping[str, bytes], *, data: Collection[str]) -> None:
    """Raise `PolicyError` where a module of `above` adds to a package of `below`, or stands in the place of `data`."""
    taken = set(_rules(path for content in below.values() if (path := package(content)) is not None))
    for name, content in sorted(above.items()):
        path = package(content)
        if path is None:
            raise PolicyError(f"{name}: its package cannot be read: it begins with a line such as package org.tags")
        if path[0] == _ROOT and (path[:2] != _RULES or len(path) < _RULE_DEPTH):
            raise PolicyError(f"{name}: package {'.'.join(path)} is not for a layer: rules are {_OWN_RULE}")
        if path[:_RULE_DEPTH] in taken:
            raise PolicyError(f"{name}: rule {'/'.join(path[2:4])} is there already: give yours an id of its own")
        if path[0] in data:
            raise PolicyError(f"{name}: package {'.'.join(path)} stands in the place of data")


def package(content: bytes) -> tuple[str, ...] | None:
    """The path of a module's package, None where it is not written plainly."""
    match = _PACKAGE.match(content.decode("utf-8", "replace"))
    return tuple(_SEGMENT.findall(match["path"])) if match else None


def _rules(paths: Iterable[tuple[str, ...]]) -> Iterable[tuple[str, ...]]:
    return (path[:_RULE_DEPTH] for path in paths if path[:2] == _RULES)


def differing(shipped: Mapping[str, bytes], own: Mapping[str, bytes]) -> Iterator[str]:
    """What Rego of `own` says otherwise than `shipped` does, module by module: METADATA may still be the same.

    A file more in a package that ships counts, since its bodies add to those that are there.
    """
    packages = {path: name for name, content in shipped.items() if (path := package(content)) is not None}
    for name, content in sorted(shipped.items()):
        if name not in own:
            if not _is_rule(package(content)):  # a rule that is gone is told by its id
                yield f"{name} is gone"
        elif own[name] != content:
            yield f"{_called(name, content)}: its source differs from the one that ships"
    for name, content in sorted(own.items()):
        if name not in shipped and package(content) in packages:
            yield f"{name} adds to {_called(packages[package(content) or ()], content)}"


def _is_rule(path: tuple[str, ...] | None) -> bool:
    return path is not None and path[:2] == _RULES and len(path) == _RULE_DEPTH


def _called(name: str, content: bytes) -> str:
    path = package(content)
    return f"rule {'/'.join(path[2:])}" if path is not None and _is_rule(path) else name
