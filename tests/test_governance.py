"""What a revision's data makes of findings, and that wrong data is refused by name."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from ecs_admission.catalogue import Rule, Variant, read_catalogue
from ecs_admission.engines.pack import Pack
from ecs_admission.errors import InputError, PolicyError
from ecs_admission.governance import Governance, read_governance
from ecs_admission.model import Action, DeployContext, Place

FACTS = {
    "title": "t",
    "description": "d",
    "why": "w",
    "severity": "high",
    "action": "deny",
    "message": "m",
    "remediation": "r",
    "link": "https://example.com",
}
CATALOGUE = read_catalogue({"a/one": FACTS, "a/two": {**FACTS, "action": "warn"}})
EXCEPTION = {
    "id": "e1",
    "match": {"rule": "a/one", "family": "web"},
    "reason": "r",
    "owner": "o",
    "approver": "p",
    "issue": "i",
    "expires": "2026-03-31",
}
DATA: dict[str, Any] = {
    "config": {
        "profiles": {"baseline": {"a/two": "deny"}, "mild": {}},
        "environments": {
            "prod": {"profile": "baseline", "actions": {}},
            "dev": {"profile": "mild", "actions": {"a/one": "dryrun"}},
        },
        "accounts": {"111122223333": "prod", "444455556666": "dev"},
    },
    "exceptions": {"items": [EXCEPTION]},
}
LAST_SECOND = int(datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC).timestamp())
PLACE = Place("app", "environment", "DB_PASSWORD")


def changed(*path: str | int, to: Any) -> dict[str, Any]:
    data = copy.deepcopy(DATA)
    where: Any = data
    for step in path[:-1]:
        where = where[step]
    where[path[-1]] = to
    return data


@pytest.fixture
def governance() -> Governance:
    return read_governance(DATA, CATALOGUE)


def test_the_data_that_ships_denies_leaks_in_every_environment(pack: Pack) -> None:
    governance = read_governance(pack.data, pack.catalogue)
    assert governance.environments.keys() == {"dev", "test", "staging", "prod"}
    for environment in (*governance.environments, None, "other"):
        actions = {governance.action(rule, None, environment) for rule in pack.catalogue.values()}
        assert actions == {Action.DENY}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (changed("config", "profiles", to=None), "config/profiles: expected a mapping"),
        (changed("config", "profiles", "baseline", to=[]), "config/profiles: baseline: expected a mapping"),
        (changed("config", "profiles", "baseline", to={"a/none": "deny"}),
         "config/profiles: baseline: a/none is not a rule of this revision, or a variant with an action of its own"),
        (changed("config", "profiles", "baseline", to={"a/one": "block"}),
         "config/profiles: baseline: the action of a/one must be one of deny, warn, dryrun"),
        (changed("config", "profiles", "baseline", to={"a/one": None}),
         "config/profiles: baseline: the action of a/one must be one of deny, warn, dryrun"),
        (changed("config", "environments", to={}), "config/environments: at least one environment is needed"),
        (changed("config", "environments", to=[]), "config/environments: expected a mapping"),
        (changed("config", "environments", "prod", to="baseline"), "config/environments: prod: expected a mapping"),
        (changed("config", "environments", "prod", to={}),
         "config/environments: prod: needs a profile of baseline, mild, and may have actions"),
        (changed("config", "environments", "prod", "profile", to="strict"),
         "config/environments: prod: needs a profile of baseline, mild, and may have actions"),
        (changed("config", "environments", "prod", "action", to={}),
         "config/environments: prod: needs a profile of baseline, mild, and may have actions"),
        (changed("config", "environments", "prod", "actions", to={"a/none": "deny"}),
         "config/environments: prod: a/none is not a rule of this revision, or a variant with an action of its own"),
        (changed("config", "environments", "prod", "actions", to=["a/one"]),
         "config/environments: prod: expected a mapping"),
        (changed("config", "accounts", to=["x"]), "config/accounts: expected a mapping"),
        (changed("config", "accounts", "111122223333", to="production"),
         "config/accounts: 111122223333 names an environment that config/environments does not"),
        ({"config": DATA["config"]}, "exceptions: items must be a list"),
        (changed("exceptions", to=["x"]), "exceptions: expected a mapping"),
        (changed("exceptions", "items", to={}), "exceptions: items must be a list"),
        (changed("exceptions", "items", to=["x"]), "exceptions: item 0: expected a mapping"),
        *(
            (changed("exceptions", "items", 0, key, to=value), f"exceptions: item 0: {key} is missing")
            for key in ("id", "reason", "owner", "approver", "issue")
            for value in (None, " ", 7)
        ),
        (changed("exceptions", "items", 0, "match", to=None), "exceptions: item 0: expected a mapping"),
        (changed("exceptions", "items", 0, "match", to={"rule": "a/one"}),
         "exceptions: item 0: match needs rule and family, and may have "
         "account, container, environment, family, name, rule"),
        (changed("exceptions", "items", 0, "match", "cluster", to="x"),
         "exceptions: item 0: match needs rule and family, and may have "
         "account, container, environment, family, name, rule"),
        (changed("exceptions", "items", 0, "match", "account", to=111122223333),
         "exceptions: item 0: account is missing"),
        (changed("exceptions", "items", 0, "match", "rule", to="a/none"),
         "exceptions: item 0: a/none is not a rule of this revision, or a variant with an action of its own"),
        *(
            (changed("exceptions", "items", 0, "expires", to=value),
             "exceptions: item 0: expires must be a date, YYYY-MM-DD")
            for value in (None, "never", "2026-02-30", "31.03.2026", "2026-03-31T00:00:00Z", 20260331000)
        ),
        (changed("exceptions", "items", to=[EXCEPTION, EXCEPTION]), "exceptions: two items have the same id"),
        ({}, "config: expected a mapping"),
        ({"config": {}}, "config/profiles: expected a mapping"),
    ],
)  # fmt: skip
def test_wrong_data_is_refused_by_name(data: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_governance(data, CATALOGUE)
    assert str(caught.value) == message
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "the catalogue names no rule: a pack without rules would allow everything"),
        ({}, "the catalogue names no rule: a pack without rules would allow everything"),
        ([], "the catalogue names no rule: a pack without rules would allow everything"),
        ({"a/one": None}, "rule a/one: METADATA is missing"),
        *(
            ({"a/one": {**FACTS, key: value}}, f"rule a/one: METADATA lacks {key}")
            for key in ("title", "description", "message", "remediation", "link")
            for value in (None, "  ", 7)
        ),
        ({"a/one": {**FACTS, "severity": "bad"}}, "rule a/one: severity must be one of critical, high, medium, low"),
        ({"a/one": {**FACTS, "action": "block"}}, "rule a/one: action must be one of deny, warn, dryrun"),
        ({"a/one": {**FACTS, "variants": ["x"]}}, "X"),
        ({"a/one": {**FACTS, "variants": {"x": 1}}}, "X"),
    ],
)
def test_a_wrong_catalogue_is_refused_by_name(document: Any, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_catalogue(document)
    assert str(caught.value) == message


def test_a_rule_is_read_as_its_metadata_says() -> None:
    facts = {**FACTS, "message": " m \n", "controls": ["ECS.8"], "variants": {"x": {"message": "mx"}}}
    assert read_catalogue({"a/one": facts})["a/one"] == Rule(
        "a/one", "t", "d", "high", Action.DENY, "m", "r", "https://example.com", ("ECS.8",), {"x": Variant("mx", None)}
    )


@pytest.mark.parametrize(
    ("rule", "environment", "action"),
    [
        ("a/one", "prod", Action.DENY),
        ("a/one", "dev", Action.DRYRUN),
        ("a/two", "prod", Action.DENY),
        ("a/two", "dev", Action.WARN),
        ("a/one", None, Action.DENY),
        ("a/two", None, Action.DENY),
        ("a/two", "PROD", Action.DENY),
    ],
)
def test_actions_are_the_environments_then_the_profiles_then_the_rules(
    governance: Governance, rule: str, environment: str | None, action: Action
) -> None:
    assert governance.action(CATALOGUE[rule], None, environment) is action


@pytest.mark.parametrize(
    ("account", "claimed", "settled"),
    [
        ("111122223333", None, "prod"),
        ("111122223333", "prod", "prod"),
        ("999999999999", "dev", None),
        ("999999999999", None, None),
        (None, "dev", None),
        (None, None, None),
    ],
)
def test_once_accounts_are_listed_only_they_settle_the_environment(
    governance: Governance, account: str | None, claimed: str | None, settled: str | None
) -> None:
    assert governance.settle_environment(account, claimed) == settled


@pytest.mark.parametrize("account", ["111122223333", None])
@pytest.mark.parametrize("claimed", ["dev", "other", None])
def test_a_claim_settles_the_environment_while_no_account_is_listed(account: str | None, claimed: str | None) -> None:
    governance = read_governance(changed("config", "accounts", to={}), CATALOGUE)
    assert governance.settle_environment(account, claimed) == claimed


@pytest.mark.parametrize("account", ["999999999999", None])
def test_an_account_that_is_not_listed_is_judged_by_the_strictest(governance: Governance, account: str | None) -> None:
    rule = CATALOGUE["a/one"]
    assert governance.action(rule, None, "dev") is Action.DRYRUN
    assert governance.action(rule, None, governance.settle_environment(account, "dev")) is Action.DENY


@pytest.mark.parametrize("claimed", ["dev", "other", "PROD"])
def test_a_claim_that_contradicts_the_account_is_refused(governance: Governance, claimed: str) -> None:
    with pytest.raises(InputError) as caught:
        governance.settle_environment("111122223333", claimed)
    assert caught.value.code == "environment-contradicted"
    assert claimed not in str(caught.value).split()


def covered(match: dict[str, str], *, now: int = LAST_SECOND, place: Place = PLACE, **context: str) -> str | None:
    governance = read_governance(changed("exceptions", "items", 0, "match", to=match), CATALOGUE)
    settled = {"environment": "prod", "account": "111122223333", **context}
    return governance.exception("a/one", place, family="web", context=DeployContext(**settled), now=now)


WHOLE = {
    "rule": "a/one",
    "family": "web",
    "container": "app",
    "name": "DB_PASSWORD",
    "account": "111122223333",
    "environment": "prod",
}


def test_an_exception_holds_through_its_last_day() -> None:
    assert covered(WHOLE) == "e1"
    assert covered(WHOLE, now=LAST_SECOND + 1) is None


@pytest.mark.parametrize("key", [key for key in WHOLE if key != "rule"])
@pytest.mark.parametrize("change", [str.upper, lambda text: text + "x", lambda text: text[:-1], lambda text: text + " ",
                                    lambda _: "*", lambda _: ".*"])  # fmt: skip
def test_every_part_of_a_match_is_exact(key: str, change: Any) -> None:
    value = change(WHOLE[key])
    if value != WHOLE[key]:
        assert covered({**WHOLE, key: value}) is None


def test_an_exception_for_another_rule_covers_nothing() -> None:
    assert covered({**WHOLE, "rule": "a/two"}) is None


def test_what_a_match_leaves_out_matches_anything() -> None:
    assert covered({"rule": "a/one", "family": "web"}, place=Place(None, "request", None), environment="dev") == "e1"


def test_a_match_on_what_is_absent_covers_nothing() -> None:
    assert covered(WHOLE, place=Place(None, "environment", "DB_PASSWORD")) is None
    assert covered(WHOLE, place=Place("app", "environment", None)) is None


def test_the_first_exception_that_covers_is_named() -> None:
    items = [{**EXCEPTION, "id": "e0", "expires": "2020-01-01"}, EXCEPTION, {**EXCEPTION, "id": "e2"}]
    governance = read_governance(changed("exceptions", "items", to=items), CATALOGUE)
    context = DeployContext(environment="prod")
    assert governance.exception("a/one", PLACE, family="web", context=context, now=LAST_SECOND) == "e1"
