"""What a credential is good for: roles, and the part of the organisation that it covers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

from ecs_admission.auth.roles import PERMISSIONS, Permission, Role
from ecs_admission.errors import ForbiddenError, SettingsError
from ecs_admission.model import DeployContext, JSONObject, UserInfo

AUTHENTICATED: Final = "system:authenticated"
"""The group of everybody who showed a credential, named as in Kubernetes."""

_SINGULAR: Final = {
    "accounts": "account", "environments": "environment", "regions": "region", "families": "family"
}  # fmt: skip
_MAX_ITEMS: Final = 200
_PLAIN: Final = re.compile(r"[!-~]{1,255}")


@dataclass(frozen=True, slots=True)
class Scope:
    """The accounts, environments, regions and families of a team. An empty part is not limited.

    Values are compared exactly; a family may end in `*`, which stands for any rest.
    """

    accounts: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    families: tuple[str, ...] = ()

    @property
    def is_unlimited(self) -> bool:
        """True where it covers everything, also what names no account or family."""
        return self == _EVERYTHING

    def outside(self, context: DeployContext, family: str | None) -> tuple[str, ...]:
        """The parts of a request that are not covered, or that it does not say: by their names, never their values."""
        given = {
            "accounts": context.account,
            "environments": context.environment,
            "regions": context.region,
            "families": family,
        }
        return tuple(
            _SINGULAR[part]
            for part, value in given.items()
            if (limits := getattr(self, part)) and not any(_matches(limit, value) for limit in limits)
        )

    def document(self) -> JSONObject:
        """As data: the limited parts alone."""
        return {part.name: list(limits) for part in fields(self) if (limits := getattr(self, part.name))}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """From data. Raises `SettingsError` for a part that is unknown, empty or no list of texts.

        An empty list is refused, since it could mean nothing as well as everything.
        """
        unknown = document.keys() - _SINGULAR.keys()
        if unknown:
            raise SettingsError(f"a binding can be limited to {', '.join(_SINGULAR)}, not to {min(unknown)}")
        return cls(**{part: _texts(part, limits) for part, limits in document.items()})


_EVERYTHING: Final = Scope()


@dataclass(frozen=True, slots=True)
class Grant:
    """Roles within a scope."""

    roles: frozenset[Role]
    scope: Scope = _EVERYTHING

    def allows(self, permission: Permission) -> bool:
        """Whether one of its roles may do this."""
        return any(permission in PERMISSIONS[role] for role in self.roles)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, as a credential shows, and all that was granted."""

    user: UserInfo
    grants: tuple[Grant, ...] = field(repr=False)

    @classmethod
    def known(cls, username: str, grants: Iterable[Grant]) -> Self:
        """Somebody who showed a credential. The groups are the roles, so that a policy and the record see them."""
        granted = tuple(grants)
        roles = sorted({role.value for grant in granted for role in grant.roles})
        return cls(UserInfo(username, (AUTHENTICATED, *roles)), granted)

    def may(self, permission: Permission) -> bool:
        """Whether this is granted anywhere."""
        return any(grant.allows(permission) for grant in self.grants)

    def scopes(self, permission: Permission) -> tuple[Scope, ...]:
        """Where this is granted: for a query of the log, `scopes.within`. None at all where it is not."""
        return tuple(grant.scope for grant in self.grants if grant.allows(permission))

    def permit(self, context: DeployContext, family: str | None) -> None:
        """Raise `ForbiddenError` unless a request for this place may be submitted by this credential."""
        missed = [scope.outside(context, family) for scope in self.scopes(Permission.SUBMIT)]
        if not missed or all(missed):
            parts = min(missed, key=len, default=())
            raise ForbiddenError(
                "outside-binding",
                f"the credential does not cover the {' and '.join(parts) or 'operation'} of this request, or the "
                "request does not say it",
            )


ANONYMOUS: Final = Principal(UserInfo("system:anonymous", ("system:unauthenticated",)), (Grant(frozenset(Role)),))
"""Everybody, where nobody is asked who they are. The service then listens on this machine only."""


def _matches(limit: str, value: str | None) -> bool:
    if value is None:
        return False
    return value.startswith(limit[:-1]) if limit.endswith("*") else value == limit


def _texts(part: str, limits: Any) -> tuple[str, ...]:
    is_list = isinstance(limits, list) and 0 < len(limits) <= _MAX_ITEMS
    if not is_list or not all(isinstance(item, str) and _PLAIN.fullmatch(item) for item in limits):
        raise SettingsError(f"{part} of a binding must be a list of 1 to {_MAX_ITEMS} texts")
    if any("*" in item and (part != "families" or item.index("*") < len(item) - 1 or item == "*") for item in limits):
        raise SettingsError(f"{part} of a binding: `*` can only end the name of a family, and not be all of it")
    return tuple(limits)
