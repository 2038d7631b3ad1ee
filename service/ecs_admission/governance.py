"""What a revision's data makes of findings: actions per environment, accounts, exceptions. Values in, value out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from ecs_admission.catalogue import Rule
from ecs_admission.errors import InputError, PolicyError
from ecs_admission.model import STRICTNESS, Action, DeployContext, FailurePolicy, Place

_ENVIRONMENT_KEYS = frozenset({"profile", "actions", "failurePolicy"})
_MATCH_KEYS = frozenset({"rule", "family", "container", "name", "account", "environment"})
MAX_EXCEPTION_DAYS = 90
"""An exception is a debt with a date: what is needed for longer is asked for again."""

_DAY_SECONDS = 86_400
_LAST_YEAR = 9999
DataPath: TypeAlias = tuple[str | int, ...]

_REQUIRED_TEXTS = ("id", "reason", "owner", "approver", "issue")


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment: its actions per rule id, the profile's and its own together, and what a failure does there."""

    profile: str
    actions: Mapping[str, Action]
    failure_policy: FailurePolicy = FailurePolicy.FAIL


@dataclass(frozen=True, slots=True)
class PolicyException:
    """What the organisation accepts until `expires` (seconds since the epoch, exclusive)."""

    id: str
    match: Mapping[str, str]
    expires: int
    reason: str = ""
    owner: str = ""
    approver: str = ""
    issue: str = ""

    def covers(self, rule: str, place: Place, *, family: str | None, context: DeployContext, now: int) -> bool:
        """True where every part of the match equals what was found, and the exception has not expired."""
        found = {
            "rule": rule,
            "family": family,
            "container": place.container,
            "name": place.name,
            "account": context.account,
            "environment": context.environment,
        }
        return now < self.expires and all(found[key] == wanted for key, wanted in self.match.items())


@dataclass(frozen=True, slots=True)
class Governance:
    """Actions and exceptions of one revision."""

    catalogue: Mapping[str, Rule] = field(repr=False)
    profiles: Mapping[str, Mapping[str, Action]]
    environments: Mapping[str, Environment]
    accounts: Mapping[str, str]
    exceptions: tuple[PolicyException, ...]

    def action(self, rule: Rule, variant: str | None, environment: str | None) -> Action:
        """The action of a finding. An environment that no data names gets the strictest of all environments."""
        known = self.environments.get(environment) if environment is not None else None
        environments = self.environments.values() if known is None else (known,)
        return max((_action(rule, variant, e) for e in environments), key=STRICTNESS.__getitem__)

    def failure_policy(self, environment: str | None) -> FailurePolicy:
        """What a failure does in an environment as `settle_environment` has it; in one that no data names, `Fail`."""
        known = self.environments.get(environment) if environment is not None else None
        return FailurePolicy.FAIL if known is None else known.failure_policy

    def settle_environment(self, account: str | None, claimed: str | None) -> str | None:
        """The environment to judge by: that of the account where it is listed; where no account is, the one claimed.

        Raises `InputError` where the two contradict each other.
        """
        listed = self.accounts.get(account) if account is not None else None
        if listed is None:
            # Once accounts are listed, a caller cannot choose a milder judge by leaving the account out.
            return None if self.accounts else claimed
        if claimed is not None and claimed != listed:
            raise InputError("environment-contradicted", "environment is not the one that the account is listed under")
        return listed

    def exception(self, rule: str, place: Place, *, family: str | None, context: DeployContext, now: int) -> str | None:
        """The id of an exception that covers a finding, or None."""
        covering = (e.id for e in self.exceptions if e.covers(rule, place, family=family, context=context, now=now))
        return next(covering, None)


def read_governance(data: Mapping[str, Any], catalogue: Mapping[str, Rule], *, now: float) -> Governance:
    """Read the data of a revision at `now`, in seconds since the epoch. Raises `PolicyError` that says where and why.

    An exception that has expired is read and does not apply; one that would last longer than 90 days is an error.
    """
    config = _mapping(data.get("config"), ("config",))
    profiles = {
        name: _actions(actions, catalogue, ("config", "profiles", name))
        for name, actions in _mapping(config.get("profiles"), ("config", "profiles")).items()
    }
    environments = {
        name: _environment(facts, profiles, catalogue, ("config", "environments", name))
        for name, facts in _mapping(config.get("environments"), ("config", "environments")).items()
    }
    if not environments:
        raise _error(("config", "environments"), "at least one environment is needed")
    accounts = _mapping(_or_empty(config.get("accounts")), ("config", "accounts"))
    for account, environment in accounts.items():
        if str(environment) not in environments:
            raise _error(
                ("config", "accounts", account), "is under an environment that config/environments does not name"
            )
    items = _mapping(_or_empty(data.get("exceptions")), ("exceptions",)).get("items")
    if not isinstance(items, list):
        raise _error(("exceptions", "items"), "must be a list")
    exceptions = tuple(
        _exception(item, catalogue, ("exceptions", "items", number), now) for number, item in enumerate(items)
    )
    ids = [exception.id for exception in exceptions]
    for number, exception in enumerate(ids):
        if exception in ids[:number]:
            raise _error(("exceptions", "items", number), "another item has the same id")
    return Governance(catalogue, profiles, environments, accounts, exceptions)


def action_keys(catalogue: Mapping[str, Rule]) -> dict[str, tuple[Rule, str | None]]:
    """What an action can be given to: each rule, and each variant that has an action of its own."""
    keys: dict[str, tuple[Rule, str | None]] = {rule.id: (rule, None) for rule in catalogue.values()}
    for rule in catalogue.values():
        own = (name for name, variant in rule.variants.items() if variant.action is not None)
        keys |= {f"{rule.id}/{name}": (rule, name) for name in own}
    return keys


def _action(rule: Rule, variant: str | None, environment: Environment) -> Action:
    own = rule.variant(variant).action
    if own is not None:
        return environment.actions.get(f"{rule.id}/{variant}", own)
    return environment.actions.get(rule.id, rule.action)


def _environment(
    facts: Any, profiles: Mapping[str, Mapping[str, Action]], catalogue: Mapping[str, Rule], at: DataPath
) -> Environment:
    facts = _mapping(facts, at)
    if not facts.keys() <= _ENVIRONMENT_KEYS or str(facts.get("profile")) not in profiles:
        raise _error(at, f"needs a profile of {', '.join(profiles)}, and may have actions and a failurePolicy")
    actions = _actions(facts.get("actions") or {}, catalogue, (*at, "actions"))
    failure_policy = facts.get("failurePolicy", FailurePolicy.FAIL)
    if failure_policy not in tuple(FailurePolicy):
        raise _error((*at, "failurePolicy"), f"the failure policy must be one of {', '.join(FailurePolicy)}")
    return Environment(facts["profile"], {**profiles[facts["profile"]], **actions}, FailurePolicy(failure_policy))


def _actions(actions: Any, catalogue: Mapping[str, Rule], at: DataPath) -> dict[str, Action]:
    read: dict[str, Action] = {}
    keys = action_keys(catalogue)
    for rule, action in _mapping(actions, at).items():
        if rule not in keys:
            raise _error((*at, rule), "is no rule of this revision, and no variant with an action of its own")
        if action not in tuple(Action):
            raise _error((*at, rule), f"the action must be one of {', '.join(Action)}")
        read[rule] = Action(action)
    return read


def _exception(item: Any, catalogue: Mapping[str, Rule], at: DataPath, now: float) -> PolicyException:
    item = _mapping(item, at)
    _texts(item, _REQUIRED_TEXTS, at)
    unknown = item.keys() - {*_REQUIRED_TEXTS, "match", "expires"}
    if unknown:
        raise _error((*at, min(unknown)), "is no part of an exception")
    match = _mapping(item.get("match"), (*at, "match"))
    if not {"rule", "family"} <= match.keys() <= _MATCH_KEYS:
        raise _error((*at, "match"), f"needs rule and family, and may have {', '.join(sorted(_MATCH_KEYS))}")
    _texts(match, match.keys(), (*at, "match"))
    if match["rule"] not in catalogue:
        raise _error((*at, "match", "rule"), f"{match['rule']} is no rule of this revision")
    expires = _end_of_day(item.get("expires"), (*at, "expires"))
    if expires - now > (MAX_EXCEPTION_DAYS + 1) * _DAY_SECONDS:
        raise _error((*at, "expires"), f"must be at most {MAX_EXCEPTION_DAYS} days ahead")
    return PolicyException(
        item["id"], match, expires, reason=item["reason"], owner=item["owner"], approver=item["approver"],
        issue=item["issue"],
    )  # fmt: skip


def _end_of_day(text: Any, at: DataPath) -> int:
    """The first second after a day in UTC, as seconds since the epoch."""
    try:
        day = datetime.strptime(str(text), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        day = None
    if day is None or str(text) != day.date().isoformat() or day.year >= _LAST_YEAR:
        raise _error(at, "must be a date, YYYY-MM-DD")
    return int((day + timedelta(days=1)).timestamp())


def _texts(item: Mapping[str, Any], keys: Iterable[str], at: DataPath) -> None:
    for key in keys:
        if not isinstance(item.get(key), str) or not item[key].strip():
            raise _error(at, f"{key} is missing")


def _or_empty(value: Any) -> Any:
    """An empty YAML file is no data; anything else that is no mapping is a mistake."""
    return {} if value is None else value


def _mapping(value: Any, at: DataPath) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _error(at, "expected a mapping")
    return value


def _error(at: DataPath, reason: str) -> PolicyError:
    """`config/environments/prod: reason`."""
    return PolicyError(reason, at=at)
