"""What a revision says, rule by rule. Pure: a revision in, a document out."""

from __future__ import annotations

from collections import Counter

from ecs_admission.catalogue import Rule
from ecs_admission.decide import UNEXCEPTABLE
from ecs_admission.governance import Governance
from ecs_admission.model import Action, JSONObject


def overview(governance: Governance, *, revision: str, weakened: tuple[str, ...], now: float) -> JSONObject:
    """The revision, its rules with their actions, and what it judges more mildly than the pack that ships.

    Of exceptions those are counted that are in force at `now`, in seconds since the epoch.
    """
    in_force = Counter(e.match["rule"] for e in governance.exceptions if now < e.expires)
    return {
        "revision": revision,
        "environments": {name: environment.profile for name, environment in sorted(governance.environments.items())},
        "failurePolicies": {
            name: environment.failure_policy.value for name, environment in sorted(governance.environments.items())
        },
        "rules": [_rule(rule, governance, in_force[rule.id]) for rule in governance.catalogue.values()],
        "exceptions": {"active": in_force.total(), "expired": len(governance.exceptions) - in_force.total()},
        "weakened": list(weakened),
    }


def _rule(rule: Rule, governance: Governance, exceptions: int) -> JSONObject:
    own = sorted(name for name, variant in rule.variants.items() if variant.action is not None)
    return {
        "id": rule.id,
        "title": rule.title,
        "severity": rule.severity,
        **_actions(rule, None, governance),
        "variants": {name: _actions(rule, name, governance) for name in own},
        "controls": list(rule.controls),
        "exceptions": exceptions,
    }


def _actions(rule: Rule, variant: str | None, governance: Governance) -> JSONObject:
    """The action in each environment, and in one that no data names."""
    actions = {name: _action(rule, variant, governance, name) for name in sorted(governance.environments)}
    return {"actions": actions, "elsewhere": _action(rule, variant, governance, None)}


def _action(rule: Rule, variant: str | None, governance: Governance, environment: str | None) -> str:
    # `decide` asks no data about these.
    return (Action.DENY if rule.id in UNEXCEPTABLE else governance.action(rule, variant, environment)).value
