"""Facts about what a request refers to: roles, secrets, parameters, buckets, keys.

Facts are three-valued. A policy must decide what `unknown` means; it never silently means yes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ecs_admission.model import JSONObject

Status = Literal["known", "unknown", "unavailable"]


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of one subject. `unavailable` is a look-up that failed, `unknown` one that nobody made.

    Each attribute is True, False or None for not known; only those that are known are sent to a policy.
    """

    kind: str
    pointer: str
    status: Status
    exists: bool | None = None
    """There is such a secret, parameter, bucket or role."""
    deletion_scheduled: bool | None = None
    """The secret waits for its deletion."""
    rotates: bool | None = None
    """The secret has rotation turned on."""
    secure: bool | None = None
    """The parameter is a SecureString."""
    readable: bool | None = None
    """The role that reads it (the execution role, for an application's reference the task role) may."""
    decryptable: bool | None = None
    """That role may use the key that encrypts it."""
    encrypted: bool | None = None
    """The bucket or the volume is encrypted."""

    def document(self) -> JSONObject:
        """The fact as a policy sees it."""
        known = {name: getattr(self, attribute) for attribute, name in ATTRIBUTES.items()}
        return {"kind": self.kind, "pointer": self.pointer, "status": self.status} | {
            name: value for name, value in known.items() if value is not None
        }


ATTRIBUTES: Mapping[str, str] = {
    "exists": "exists",
    "deletion_scheduled": "deletionScheduled",
    "rotates": "rotates",
    "secure": "secure",
    "readable": "readable",
    "decryptable": "decryptable",
    "encrypted": "encrypted",
}
"""The attributes of a fact and what a policy calls them."""


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
    """The facts that the references, roles and volumes of a request need, in the order in which they stand there."""
    subjects = [("reference", str(reference["pointer"])) for reference in references]
    subjects += [("role", f"/{member}") for member in _ROLES if member in shown]
    # An override of a role stands one level down.
    overrides = shown.get("overrides")
    if isinstance(overrides, dict):
        subjects += [("role", f"/overrides/{member}") for member in _ROLES if member in overrides]
    subjects += [("volume", f"/volumes/{index}") for index in range(len(shown.get("volumes", ())))]
    return tuple(fact.document() for fact in inventory.facts(subjects))
