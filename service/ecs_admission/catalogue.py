"""The rules of a revision as its METADATA describes them: the one source of titles, actions, messages and remedies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ecs_admission.errors import PolicyError
from ecs_admission.model import Action

FIXES = (
    "move-to-secrets",
    "move-to-secret-options",
    "move-reference-to-secrets",
    "remove",
    "remove-host-path",
    "remove-item",
    "remove-from-environment",
    "replace-by-placeholder",
    "use-task-role",
    "add-execution-role",
    "add-task-role",
    "add-splunk-token",
    "wait-for-sidecar",
    "set-not-essential",
    "set-read-only",
    "set-task-scope",
    "encrypt-efs",
    "protect-efs",
)
"""How a finding can be mended by a patch; `remediate.mend` has a function for each."""

_CONTROL = re.compile(r"[A-Z][A-Za-z0-9.-]{1,30}:[A-Za-z0-9().-]{1,20}")

SEVERITIES = ("critical", "high", "medium", "low")


NO_FIX = "none"
"""The `fix` of what only a person can mend."""

_TEXTS = ("title", "description", "why", "message", "remediation", "link")
_KEYS = frozenset({*_TEXTS, "severity", "action", "fix", "controls", "variants"})
_VARIANT_KEYS = frozenset({"message", "remediation", "action", "fix"})


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the ways in which a rule finds fault. What is None is the rule's own.

    A variant with an action of its own, such as the one for facts that are not known, is not moved by what an
    environment says of the rule: it has a key of its own there, `category/rule/variant`.
    """

    message: str | None = None
    remediation: str | None = None
    action: Action | None = None
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, as its METADATA describes it. `docs/reference/metadata.md` says what each part is.

    `message` and `remediation` may hold {place}, {container}, {field} and {name}. `fix` names one of `mend`'s ways.
    """

    id: str
    title: str
    description: str
    why: str
    severity: str
    action: Action
    message: str
    remediation: str
    link: str
    fix: str = NO_FIX
    controls: tuple[str, ...] = ()
    variants: Mapping[str, Variant] = field(default_factory=dict)

    def variant(self, name: str | None) -> Variant:
        """The variant of that name, or one that says nothing."""
        return self.variants.get(name, _SAME) if name is not None else _SAME

    def fix_of(self, variant: str | None) -> str:
        """How a finding is mended."""
        return self.variant(variant).fix or self.fix


_SAME = Variant()


def read_catalogue(document: Any) -> Mapping[str, Rule]:
    """Read `data.catalogue.rules` of a revision. Raises `PolicyError` that names the rule and what it lacks."""
    if not isinstance(document, dict) or not document:
        raise PolicyError("the catalogue names no rule: a pack without rules would allow everything")
    return {rule_id: _rule(rule_id, facts) for rule_id, facts in sorted(document.items())}


def _rule(rule_id: str, facts: Any) -> Rule:
    where = f"rule {rule_id}"
    if not isinstance(facts, dict):
        raise PolicyError(f"{where}: METADATA is missing")
    if not facts.keys() <= _KEYS:
        raise PolicyError(f"{where}: METADATA has other keys than {', '.join(sorted(_KEYS))}")
    texts = {key: facts.get(key) for key in _TEXTS}
    for key, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise PolicyError(f"{where}: METADATA lacks {key}")
    severity = facts.get("severity")
    if severity not in SEVERITIES:
        raise PolicyError(f"{where}: severity must be one of {', '.join(SEVERITIES)}")
    variants = facts.get("variants", {})
    if not isinstance(variants, dict):
        raise PolicyError(f"{where}: variants must map a name to what differs")
    return Rule(
        id=rule_id,
        severity=severity,
        action=_action(facts.get("action"), where),
        fix=_fix(facts.get("fix", NO_FIX), where),
        controls=_controls(facts.get("controls", []), where),
        variants={str(name): _variant(variant, f"{where}, variant {name}") for name, variant in variants.items()},
        **{key: str(text).strip() for key, text in texts.items()},
    )


def _variant(facts: Any, where: str) -> Variant:
    if not isinstance(facts, dict) or not facts or not facts.keys() <= _VARIANT_KEYS:
        raise PolicyError(f"{where}: needs one of {', '.join(sorted(_VARIANT_KEYS))} and nothing else")
    for key in ("message", "remediation"):
        if key in facts and not (isinstance(facts[key], str) and facts[key].strip()):
            raise PolicyError(f"{where}: {key} must be text")
    return Variant(
        message=facts.get("message"),
        remediation=facts.get("remediation"),
        action=_action(facts["action"], where) if "action" in facts else None,
        fix=_fix(facts["fix"], where) if "fix" in facts else None,
    )


def _action(action: Any, where: str) -> Action:
    if action not in tuple(Action):
        raise PolicyError(f"{where}: action must be one of {', '.join(Action)}")
    return Action(action)


def _fix(fix: Any, where: str) -> str:
    if fix != NO_FIX and fix not in FIXES:
        raise PolicyError(f"{where}: fix must be {NO_FIX} or one of {', '.join(FIXES)}")
    return str(fix)


def _controls(controls: Any, where: str) -> tuple[str, ...]:
    if not isinstance(controls, list) or not all(isinstance(c, str) and _CONTROL.fullmatch(c) for c in controls):
        raise PolicyError(f"{where}: controls must be a list such as PCI-DSS-4.0.1:8.6.2")
    return tuple(controls)
