"""Facts about what a request refers to: roles, secrets, parameters, buckets, keys.

Facts are three-valued. A policy must decide what `unknown` means; it never silently means yes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ecs_admission.model import JSONObject

Status = Literal["known", "unknown", "unavailable"]


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of one subject. `unavailable` is a look-up that failed, `unknown` one that nobody made."""

    kind: str
    pointer: str
    status: Status


class Inventory(Protocol):
    """Looks subjects up. Never raises for a subject that it cannot look up: that is a status."""

    def facts(self, subjects: Sequence[tuple[str, str]]) -> Iterable[Fact]: ...


class NoInventory:
    """Looks nothing up, so every fact is unknown. What the service uses until it is given AWS credentials."""

    def facts(self, subjects: Sequence[tuple[str, str]]) -> Iterable[Fact]:
        """See `Inventory`."""
        return (Fact(kind, pointer, "unknown") for kind, pointer in subjects)


_ROLES = ("executionRoleArn", "taskRoleArn", "infrastructureRoleArn")


def enrich(inventory: Inventory, references: Sequence[JSONObject], shown: JSONObject) -> tuple[JSONObject, ...]:
    """The facts that the references and roles of a request need, in the order in which they stand there."""
    subjects = [("reference", str(reference["pointer"])) for reference in references]
    subjects += [("role", f"/{member}") for member in _ROLES if member in shown]
    # An override of a role stands one level down.
    overrides = shown.get("overrides")
    if isinstance(overrides, dict):
        subjects += [("role", f"/overrides/{member}") for member in _ROLES if member in overrides]
    return tuple(
        {"kind": fact.kind, "pointer": fact.pointer, "status": fact.status} for fact in inventory.facts(subjects)
    )
