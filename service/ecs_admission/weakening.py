"""What a revision judges more mildly than the one that ships. Pure: two revisions in, sentences out.

An organisation may soften what ships; it may not do so unseen. What is found here is listed when a revision is built
and when it becomes active, and is in the record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ecs_admission.catalogue import Rule
from ecs_admission.governance import Environment, Governance, action_keys
from ecs_admission.model import STRICTNESS, Action, FailurePolicy

_EXCUSING = frozenset(
    {
        ("words", "harmless_endings"),
        ("words", "harmless_beginnings"),
        ("words", "placeholders"),
        ("words", "settings"),
        ("kinds", "harmless"),
        ("registries", "public"),
    }
)
"""Lists under `config` whose items excuse something, so that more of them is milder. Of all others fewer is."""

_OWN = ("environments", "profiles", "accounts")
"""Parts of `config` that are compared by what they do to each rule, or say nothing of strictness."""

_DISCLOSED = "disclosed"
"""The part of `config` whose names show values."""

DEFAULT_PROFILE = "baseline"


def weakenings(
    shipped: Governance, shipped_data: Mapping[str, Any], active: Governance, active_data: Mapping[str, Any]
) -> tuple[str, ...]:
    """Everything that `active` judges more mildly than `shipped`, sorted."""
    return tuple(
        sorted(
            {
                *_rules(shipped.catalogue, active.catalogue),
                *_environments(shipped, active),
                *_failure_policies(shipped, active),
                *_lists(shipped_data.get("config") or {}, active_data.get("config") or {}),
            }
        )
    )


def _rules(shipped: Mapping[str, Rule], active: Mapping[str, Rule]) -> Iterator[str]:
    own = action_keys(active)
    for key, (rule, variant) in action_keys(shipped).items():
        if key not in own:
            yield f"rule {key} is gone"
            continue
        before, after = _default(rule, variant), _default(*own[key])
        if STRICTNESS[after] < STRICTNESS[before]:
            yield f"rule {key} is {after} and no longer {before} in METADATA"


def _default(rule: Rule, variant: str | None) -> Action:
    return rule.variant(variant).action or rule.action


def _environments(shipped: Governance, active: Governance) -> Iterator[str]:
    """An environment of their own is compared with the default profile of what ships."""
    usual = Environment(DEFAULT_PROFILE, shipped.profiles.get(DEFAULT_PROFILE, {}))
    for key, (rule, variant) in action_keys(shipped.catalogue).items():
        for name, environment in active.environments.items():
            known = shipped.environments.get(name, usual)
            before = known.actions.get(key, _default(rule, variant))
            after = environment.actions.get(key, _default(rule, variant))
            if STRICTNESS[after] < STRICTNESS[before]:
                yield f"environment {name}: {key} is {after} and no longer {before}"


def _failure_policies(shipped: Governance, active: Governance) -> Iterator[str]:
    for name, environment in active.environments.items():
        before = shipped.failure_policy(name)
        if environment.failure_policy is not before and before is FailurePolicy.FAIL:
            yield f"environment {name}: failurePolicy is {environment.failure_policy} and no longer {before}"


def _lists(shipped: Mapping[str, Any], active: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted((shipped.keys() | active.keys()) - set(_OWN)):
        yield from _compared(shipped.get(name), active.get(name), (name,))


def _compared(before: Any, after: Any, path: tuple[str, ...]) -> Iterator[str]:
    where = "config/" + "/".join(path)
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from _compared(before.get(key), after.get(key), (*path, key))
    elif isinstance(before, list) and (isinstance(after, list) or after is None):
        milder = _items(after or [], before) if path[:2] in _EXCUSING else _items(before, after or [])
        verb = "excuses" if path[:2] in _EXCUSING else "lacks"
        yield from (f"{where} {verb} {item}" for item in milder)
    elif path[0] == _DISCLOSED and (before is None or after is None):
        # What is no longer shown is no milder.
        yield from [f"{where} is shown"] if before is None else []
    elif before is not None:
        yield f"{where} is another value" if after is not None else f"{where} is gone"


def _items(these: list[Any], others: list[Any]) -> list[Any]:
    return [item for item in these if item not in others]
