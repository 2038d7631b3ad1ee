"""The examples beside each rule, read and checked for shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import orjson
import yaml

from tests.secret_values import fill

POLICIES = Path(__file__).parents[2] / "policies"
RULES = POLICIES / "admission" / "rules"
_KEYS = {"name", "operation", "context", "object", "causes"}


@dataclass(frozen=True, slots=True)
class Example:
    """One request and what the whole pack says of it: pairs of rule and field, sorted; none for an allow."""

    rule: str
    name: str
    operation: str
    context: Mapping[str, str]
    document: Mapping[str, Any] = field(repr=False)
    causes: tuple[tuple[str, str], ...]

    @property
    def id(self) -> str:
        """What pytest calls it."""
        return f"{self.rule}: {self.name}"

    def body(self) -> tuple[bytes, list[str]]:
        """The request's JSON with its secrets made, the same in each run, and those secrets."""
        filled, secrets = fill(self.document, Random(self.id))
        return orjson.dumps(filled), secrets


def load_examples() -> tuple[Example, ...]:
    """Every example of every rule."""
    return tuple(
        _example(path.parent.relative_to(RULES).as_posix(), item)
        for path in sorted(RULES.glob("*/*/examples.yaml"))
        for item in yaml.safe_load(path.read_bytes())
    )


def _example(rule: str, item: Mapping[str, Any]) -> Example:
    if item.keys() != _KEYS:
        raise ValueError(f"{rule}: an example has other keys than {', '.join(sorted(_KEYS))}")
    causes = tuple((cause["reason"], cause["field"]) for cause in item["causes"])
    return Example(rule, item["name"], item["operation"], item["context"], item["object"], causes)
