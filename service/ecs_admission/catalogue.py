"""The rules of a revision as its METADATA describes them: the one source of titles, actions, messages and remedies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ecs_admission.errors import PolicyError
from ecs_admission.model import Action

SEVERITIES = ("critical", "high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Variant:
    """Words for one of the ways in which a rule finds fault; None falls back to the rule's own."""

    message: str | None
    remediation: str | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `message` and `remediation` may hold {container}, {field} and {name}."""

    id: str
    title: str
    description: str
    severity: str
    action: Action
    message: str
    remediation: str
    link: str
    controls: tuple[str, ...] = ()
    variants: Mapping[str, Variant] = field(default_factory=dict)


def read_catalogue(document: Any) -> Mapping[str, Rule]:
    """Read `data.catalogue.rules` of a revision. Raises `PolicyError` that names the rule and what it lacks."""
    if not isinstance(document, dict) or not document:
        raise PolicyError("the catalogue names no rule: a pack without rules would allow everything")
    return {rule_id: _rule(rule_id, facts) for rule_id, facts in sorted(document.items())}


def _rule(rule_id: str, facts: Any) -> Rule:
    if not isinstance(facts, dict):
        raise PolicyError(f"rule {rule_id}: METADATA is missing")
    texts = {key: facts.get(key) for key in ("title", "description", "message", "remediation", "link")}
    for key, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise PolicyError(f"rule {rule_id}: METADATA lacks {key}")
    severity, action = facts.get("severity"), facts.get("action")
    if severity not in SEVERITIES:
        raise PolicyError(f"rule {rule_id}: severity must be one of {', '.join(SEVERITIES)}")
    if action not in tuple(Action):
        raise PolicyError(f"rule {rule_id}: action must be one of {', '.join(Action)}")
    variants = facts.get("variants") or {}
    if not isinstance(variants, dict) or not all(isinstance(v, dict) for v in variants.values()):
        raise PolicyError(f"rule {rule_id}: variants must map a name to message and remediation")
    if not all(isinstance(text, str) for v in variants.values() for text in v.values()):
        raise PolicyError(f"rule {rule_id}: message and remediation of a variant must be text")
    return Rule(
        id=rule_id,
        severity=severity,
        action=Action(action),
        controls=tuple(facts.get("controls") or ()),
        variants={name: Variant(v.get("message"), v.get("remediation")) for name, v in variants.items()},
        **{key: str(text).strip() for key, text in texts.items()},
    )
