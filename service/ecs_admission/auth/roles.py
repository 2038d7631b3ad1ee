"""Four roles and what each may do. `docs/reference/roles.md` says the same in prose, and a test compares the two."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What somebody works as. Nobody is all of them by accident: a binding lists its roles."""

    SUBMITTER = "submitter"
    AUTHOR = "author"
    AUDITOR = "auditor"
    OPERATOR = "operator"


class Permission(StrEnum):
    """What an endpoint asks for."""

    SUBMIT = "submit"
    READ_DECISIONS = "read-decisions"
    """Of one's own scope: decisions alone, and no fingerprint."""
    READ_LOG = "read-log"
    """All kinds of entries, where the binding is not limited."""
    EXPORT = "export"
    LOOK_UP_FINGERPRINTS = "look-up-fingerprints"
    READ_POLICIES = "read-policies"
    """The rules and their data, exceptions included: what an OPA server judges by."""
    READ_HEALTH = "read-health"


PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.SUBMITTER: frozenset({Permission.SUBMIT}),
    Role.AUTHOR: frozenset({Permission.READ_DECISIONS, Permission.READ_POLICIES}),
    Role.AUDITOR: frozenset(
        {
            Permission.READ_DECISIONS,
            Permission.READ_LOG,
            Permission.EXPORT,
            Permission.LOOK_UP_FINGERPRINTS,
            Permission.READ_POLICIES,
        }
    ),
    Role.OPERATOR: frozenset({Permission.READ_POLICIES, Permission.READ_HEALTH}),
}
"""Tokens, retention and keys are an operator's work at a terminal beside the data, so no permission stands for them."""


def roles_with(permission: Permission) -> tuple[Role, ...]:
    """The roles that may do this."""
    return tuple(role for role in Role if permission in PERMISSIONS[role])
