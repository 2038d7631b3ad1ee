"""A team's part of the log: what a binding covers, as the condition of a query and of one entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, and_, false, or_

from ecs_admission.auth.bindings import Scope
from ecs_admission.decision_log.schema import entries
from ecs_admission.model import DeployContext, JSONObject

_COLUMNS = {"accounts": "account", "environments": "environment", "regions": "region", "families": "family"}


Limit: TypeAlias = ColumnElement[bool]
"""What a query is limited to."""


def within(*granted: Sequence[Scope]) -> Limit | None:
    """What a query has to be limited to; None where it is not limited, since one of the scopes is everything.

    Of no scope at all nothing is covered. An entry that does not say its account, or whatever a scope is limited in, is
    outside of it. A query that takes several permissions is limited to what all of them cover.
    """
    found = [limit for scopes in granted if (limit := _within(scopes)) is not None]
    return and_(*found) if found else None


def _within(scopes: Sequence[Scope]) -> Limit | None:
    if any(scope.is_unlimited for scope in scopes):
        return None
    return or_(false(), *(and_(entries.c.kind == "decision", *_conditions(scope)) for scope in scopes))


def covers(scopes: Sequence[Scope], document: JSONObject) -> bool:
    """Whether an entry is within one of the scopes. The same as `within`, for an entry that was read by its id."""
    if any(scope.is_unlimited for scope in scopes):
        return True
    request = document.get("request")
    if document.get("kind") != "decision" or not isinstance(request, dict):
        return False
    context: dict[str, Any] = request.get("context") or {}
    claimed = DeployContext(**{name: context.get(name) for name in ("account", "environment", "region")})
    return any(not scope.outside(claimed, request.get("family")) for scope in scopes)


def without_fingerprints(policy_input: JSONObject) -> JSONObject:
    """A PolicyInput as everybody but an auditor sees it: who reads fingerprints can test guesses against them."""
    literals = policy_input.get("literals")
    if not isinstance(literals, list):
        return policy_input
    shown = [
        {name: value for name, value in literal.items() if name != "fingerprint"}
        if isinstance(literal, dict)
        else literal
        for literal in literals
    ]
    return policy_input | {"literals": shown}


def _conditions(scope: Scope) -> list[ColumnElement[bool]]:
    return [
        or_(*(_condition(entries.c[column], limit) for limit in limits))
        for part, column in _COLUMNS.items()
        if (limits := getattr(scope, part))
    ]


def _condition(column: Any, limit: str) -> ColumnElement[bool]:
    if not limit.endswith("*"):
        equal: ColumnElement[bool] = column == limit
        return equal
    # A range and not LIKE, which takes `_` for any character and, in SQLite, does not tell A from a. The columns are in
    # the order of their bytes.
    begin = limit[:-1]
    return and_(column >= begin, column < begin[:-1] + chr(ord(begin[-1]) + 1))
