"""The lock: what no revision may do without, however it came to be. It ships with the service and not with policies.

Each rule that ships has to be there, and in the strictest environment with no lower an action than the lock allows. One
environment may still be softened, which is listed (`weakening`). Why: `docs/adr/0013-bundles.md`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from importlib import resources

import orjson

from ecs_admission.errors import PolicyError
from ecs_admission.governance import Governance, action_keys
from ecs_admission.model import STRICTNESS, Action

_ALWAYS_DENYING = "critical"
"""The severity of what leaks a secret outright."""


def make_lock(shipped: Governance, *, undecided: Collection[str]) -> dict[str, str]:
    """The lock of the pack that ships, by rule, and by variant where that has an action of its own.

    What denies a leak stays a denial, what denies for another reason at least warns, and anything else is there.
    `undecided` are the rules whose action no data decides: they always deny.
    """
    lock = {}
    for key, (rule, variant) in action_keys(shipped.catalogue).items():
        lowest = Action.DRYRUN
        if rule.id not in undecided and shipped.action(rule, variant, None) is Action.DENY:
            lowest = Action.DENY if rule.severity == _ALWAYS_DENYING else Action.WARN
        lock[key] = lowest.value
    return dict(sorted(lock.items()))


@cache
def read_lock() -> Mapping[str, Action]:
    """The lock that ships. Raises `PolicyError`: without it nothing can be proven fit."""
    try:
        content = (resources.files("ecs_admission") / "pack" / "lock.json").read_bytes()
        return {str(key): Action(action) for key, action in orjson.loads(content)["rules"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        problem = PolicyError("the lock of the rules that ship is missing or damaged: install ecs-admission again")
    raise problem


def check_lock(governance: Governance, lock: Mapping[str, Action]) -> None:
    """Raise `PolicyError` that names the first rule that is missing, or milder everywhere than the lock allows."""
    own = action_keys(governance.catalogue)
    for key, lowest in lock.items():
        if key not in own:
            raise PolicyError(f"rule {key} is missing, which no revision may leave out: build with the pack that ships")
        rule, variant = own[key]
        action = governance.action(rule, variant, None)
        if STRICTNESS[action] < STRICTNESS[lowest]:
            raise PolicyError(f"rule {key} is {action} at most, in any environment, and has to be {lowest} in one")
