"""The examples beside each rule, read and checked for shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import orjson
import yaml

from ecs_admission.enrich.inventory import ATTRIBUTES, Fact
from tests.secret_values import fill

POLICIES = Path(__file__).parents[2] / "policies"
RULES = POLICIES / "admission" / "rules"
_KEYS = {"name", "operation", "context", "object", "causes"}
_MORE_KEYS = {"warnings", "dryruns", "profile", "facts"}

Found = tuple[tuple[str, str], ...]
"""Pairs of rule and field, sorted."""


@dataclass(frozen=True, slots=True)
class Example:
    """One request and what the whole pack says of it.

    `causes` are the denials and `warnings` the warnings, all of them; `dryruns` are some of what is only recorded.
    Every environment has the profile `profile`. `facts` are what AWS would know; the others are unknown.
    """

    rule: str
    name: str
    operation: str
    context: Mapping[str, str]
    document: Mapping[str, Any] = field(repr=False)
    causes: Found
    warnings: Found = ()
    dryruns: Found = ()
    profile: str = "baseline"
    facts: tuple[Fact, ...] = ()

    @property
    def found(self) -> Found:
        """Everything that the example names."""
        return (*self.causes, *self.warnings, *self.dryruns)

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


class GivenFacts:
    """An `Inventory` that knows what an example says."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._facts = {(fact.kind, fact.pointer): fact for fact in facts}
        self.asked: list[tuple[str, str]] = []

    def facts(self, subjects: Sequence[tuple[str, str]]) -> Iterable[Fact]:
        """See `Inventory`."""
        self.asked += subjects
        return [self._facts.get(subject, Fact(*subject, "unknown")) for subject in subjects]


def _example(rule: str, item: Mapping[str, Any]) -> Example:
    if not _KEYS <= item.keys() <= _KEYS | _MORE_KEYS:
        raise ValueError(f"{rule}: an example needs {_KEYS} and may have {_MORE_KEYS}")
    return Example(
        rule,
        item["name"],
        item["operation"],
        item["context"],
        item["object"],
        _found(item["causes"]),
        _found(item.get("warnings", ())),
        _found(item.get("dryruns", ())),
        item.get("profile", "baseline"),
        tuple(_fact(fact) for fact in item.get("facts", ())),
    )


def _found(items: Sequence[Mapping[str, str]]) -> Found:
    return tuple((item["reason"], item["field"]) for item in items)


def _fact(item: Mapping[str, Any]) -> Fact:
    known = {attribute: item[name] for attribute, name in ATTRIBUTES.items() if name in item}
    if not item.keys() <= {"kind", "pointer", *ATTRIBUTES.values()}:
        raise ValueError("a fact has an unknown attribute")
    return Fact(item["kind"], item["pointer"], "known", **known)
