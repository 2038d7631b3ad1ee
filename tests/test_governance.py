"""What a revision's data makes of findings, and that wrong data is refused by name."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from ecs_admission.catalogue import FIXES, Rule, Variant, read_catalogue
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
NOW = int(datetime(2026, 1, 15, 12, 0, 0, tzinfo=UTC).timestamp())
NO_RULE = "is no rule of this revision, and no variant with an action of its own"
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
    return read_governance(DATA, CATALOGUE, now=NOW)


def test_the_data_that_ships_denies_leaks_in_every_environment(pack: Pack) -> None:
    governance = read_governance(pack.data, pack.catalogue, now=NOW)
    assert governance.environments.keys() == {"dev", "test", "staging", "prod"}
    for environment in (*governance.environments, None, "other"):
        softened = [
            rule.id
            for rule in pack.catalogue.values()
            if rule.action is Action.DENY and governance.action(rule, None, environment) is not Action.DENY
        ]
        assert softened == []
    for leak in ("plaintext/environment", "plaintext/field", "plaintext/unscanned", "bounds/exceeded"):
        assert pack.catalogue[leak].action is Action.DENY


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (changed("config", "profiles", to=None), "config/profiles: expected a mapping"),
        (changed("config", "profiles", "baseline", to=[]), "config/profiles/baseline: expected a mapping"),
        (changed("config", "profiles", "baseline", to={"a/none": "deny"}),
         f"config/profiles/baseline/a/none: {NO_RULE}"),
        (changed("config", "profiles", "baseline", to={"a/one": "block"}),
         "config/profiles/baseline/a/one: the action must be one of deny, warn, dryrun"),
        (changed("config", "profiles", "baseline", to={"a/one": None}),
         "config/profiles/baseline/a/one: the action must be one of deny, warn, dryrun"),
        (changed("config", "environments", to={}), "config/environments: at least one environment is needed"),
        (changed("config", "environments", to=[]), "config/environments: expected a mapping"),
        (changed("config", "environments", "prod", to="baseline"), "config/environments/prod: expected a mapping"),
        (changed("config", "environments", "prod", to={}),
         "config/environments/prod: needs a profile of baseline, mild, and may have actions and a failurePolicy"),
        (changed("config", "environments", "prod", "profile", to="strict"),
         "config/environments/prod: needs a profile of baseline, mild, and may have actions and a failurePolicy"),
        (changed("config", "environments", "prod", "action", to={}),
         "config/environments/prod: needs a profile of baseline, mild, and may have actions and a failurePolicy"),
        *(
            (changed("config", "environments", "prod", "failurePolicy", to=value),
             "config/environments/prod/failurePolicy: the failure policy must be one of Fail, Ignore")
            for value in ("ignore", "Open", "", None, True, ["Ignore"])
        ),
        (changed("config", "environments", "prod", "actions", to={"a/none": "deny"}),
         f"config/environments/prod/actions/a/none: {NO_RULE}"),
        (changed("config", "environments", "prod", "actions", to=["a/one"]),
         "config/environments/prod/actions: expected a mapping"),
        (changed("config", "accounts", to=["x"]), "config/accounts: expected a mapping"),
        (changed("config", "accounts", "111122223333", to="production"),
         "config/accounts/111122223333: is under an environment that config/environments does not name"),
        ({"config": DATA["config"]}, "exceptions/items: must be a list"),
        (changed("exceptions", to=["x"]), "exceptions: expected a mapping"),
        (changed("exceptions", "items", to={}), "exceptions/items: must be a list"),
        (changed("exceptions", "items", to=["x"]), "exceptions/items/0: expected a mapping"),
        *(
            (changed("exceptions", "items", 0, key, to=value), f"exceptions/items/0: {key} is missing")
            for key in ("id", "reason", "owner", "approver", "issue")
            for value in (None, " ", 7)
        ),
        (changed("exceptions", "items", 0, "match", to=None), "exceptions/items/0/match: expected a mapping"),
        (changed("exceptions", "items", 0, "match", to={"rule": "a/one"}),
         "exceptions/items/0/match: needs rule and family, and may have "
         "account, container, environment, family, name, rule"),
        (changed("exceptions", "items", 0, "match", "cluster", to="x"),
         "exceptions/items/0/match: needs rule and family, and may have "
         "account, container, environment, family, name, rule"),
        (changed("exceptions", "items", 0, "match", "account", to=111122223333),
         "exceptions/items/0/match: account is missing"),
        (changed("exceptions", "items", 0, "match", "rule", to="a/none"),
         "exceptions/items/0/match/rule: a/none is no rule of this revision"),
        *(
            (changed("exceptions", "items", 0, "expires", to=value),
             "exceptions/items/0/expires: must be a date, YYYY-MM-DD")
            for value in (None, "never", "2026-02-30", "31.03.2026", "2026-03-31T00:00:00Z", 20260331000)
        ),
        (changed("exceptions", "items", to=[EXCEPTION, EXCEPTION]), "exceptions/items/1: another item has the same id"),
        ({}, "config: expected a mapping"),
        ({"config": {}}, "config/profiles: expected a mapping"),
    ],
)  # fmt: skip
def test_wrong_data_is_refused_by_name(data: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_governance(data, CATALOGUE, now=NOW)
    assert str(caught.value) == message
    assert "/".join(str(key) for key in caught.value.at or ()) == message.partition(": ")[0]
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
            for key in ("title", "description", "why", "message", "remediation", "link")
            for value in (None, "  ", 7)
        ),
        *(
            ({"a/one": {**FACTS, key: 1}},
             "rule a/one: METADATA has other keys than action, controls, description, fix, link, message, remediation, "
             "severity, title, variants, why")
            for key in ("Action", "actions", "control", "remediations", "")
        ),
        *(
            ({"a/one": {**FACTS, "severity": value}}, "rule a/one: severity must be one of critical, high, medium, low")
            for value in ("bad", "High", None, ["high"])
        ),
        *(
            ({"a/one": {**FACTS, "action": value}}, "rule a/one: action must be one of deny, warn, dryrun")
            for value in ("block", "Deny", None, ["deny"])
        ),
        *(
            ({"a/one": {**FACTS, "fix": value}}, f"rule a/one: fix must be none or one of {', '.join(FIXES)}")
            for value in ("moveToSecrets", "", None, ["remove"])
        ),
        *(
            ({"a/one": {**FACTS, "controls": value}},
             "rule a/one: controls must be a list such as PCI-DSS-4.0.1:8.6.2")
            for value in ("AWS-FSBP:ECS.8", None, ["ECS.8"], ["aws:ECS.8"], ["AWS-FSBP:"], ["A:B C"], [8])
        ),
        ({"a/one": {**FACTS, "variants": ["x"]}}, "rule a/one: variants must map a name to what differs"),
        ({"a/one": {**FACTS, "variants": None}}, "rule a/one: variants must map a name to what differs"),
        *(
            ({"a/one": {**FACTS, "variants": {"x": value}}},
             "rule a/one, variant x: needs one of action, fix, message, remediation and nothing else")
            for value in (1, None, {}, [], {"message": "m", "severity": "low"}, {"controls": ["AWS-FSBP:ECS.8"]})
        ),
        *(
            ({"a/one": {**FACTS, "variants": {"x": {key: value}}}}, f"rule a/one, variant x: {key} must be text")
            for key in ("message", "remediation")
            for value in (None, " ", 7)
        ),
        ({"a/one": {**FACTS, "variants": {"x": {"action": None}}}},
         "rule a/one, variant x: action must be one of deny, warn, dryrun"),
        ({"a/one": {**FACTS, "variants": {"x": {"fix": "mend"}}}},
         f"rule a/one, variant x: fix must be none or one of {', '.join(FIXES)}"),
    ],
)  # fmt: skip
def test_a_wrong_catalogue_is_refused_by_name(document: Any, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_catalogue(document)
    assert str(caught.value) == message


def test_a_rule_is_read_as_its_metadata_says() -> None:
    facts = {
        **FACTS,
        "message": " m \n",
        "fix": "remove",
        "controls": ["AWS-FSBP:ECS.8", "NIST-800-53:IA-5(7)"],
        "variants": {"x": {"message": "mx"}, "unknown": {"action": "dryrun", "fix": "none"}},
    }
    assert read_catalogue({"a/one": facts})["a/one"] == Rule(
        id="a/one",
        title="t",
        description="d",
        why="w",
        severity="high",
        action=Action.DENY,
        message="m",
        remediation="r",
        link="https://example.com",
        fix="remove",
        controls=("AWS-FSBP:ECS.8", "NIST-800-53:IA-5(7)"),
        variants={"x": Variant(message="mx"), "unknown": Variant(action=Action.DRYRUN, fix="none")},
    )


def test_a_rule_says_nothing_of_fixes_controls_and_variants_unless_it_has_some() -> None:
    rule = CATALOGUE["a/one"]
    assert (rule.fix, rule.controls, rule.variants) == ("none", (), {})


def test_a_variant_is_mended_as_its_rule_unless_it_says_otherwise() -> None:
    facts = {**FACTS, "fix": "remove", "variants": {"same": {"message": "m"}, "other": {"fix": "none"}}}
    rule = read_catalogue({"a/one": facts})["a/one"]
    assert [rule.fix_of(variant) for variant in (None, "same", "other")] == ["remove", "remove", "none"]


WITH_UNKNOWN = read_catalogue(
    {
        "a/one": {**FACTS, "variants": {"unknown": {"action": "dryrun"}, "other": {"message": "m"}}},
        "a/two": {**FACTS, "action": "warn"},
    }
)


@pytest.mark.parametrize(
    ("actions", "variant", "action"),
    [
        ({}, None, Action.DENY),
        ({}, "other", Action.DENY),
        ({}, "unknown", Action.DRYRUN),
        ({"a/one": "warn"}, "other", Action.WARN),
        ({"a/one": "warn"}, "unknown", Action.DRYRUN),
        ({"a/one/unknown": "deny"}, "unknown", Action.DENY),
        ({"a/one/unknown": "warn"}, None, Action.DENY),
        ({"a/one/unknown": "warn"}, "other", Action.DENY),
    ],
)
@pytest.mark.parametrize("place", ["profile", "environment"])
def test_a_variant_with_an_action_of_its_own_has_its_own_key(
    place: str, actions: dict[str, str], variant: str | None, action: Action
) -> None:
    data = changed("config", "profiles", to={"baseline": actions if place == "profile" else {}})
    own = actions if place == "environment" else {}
    data["config"]["environments"] = {"prod": {"profile": "baseline", "actions": own}}
    data["config"]["accounts"] = {}
    governance = read_governance(data, WITH_UNKNOWN, now=NOW)
    rule = WITH_UNKNOWN["a/one"]
    assert governance.action(rule, variant, "prod") is action
    assert governance.action(rule, variant, None) is action


@pytest.mark.parametrize("key", ["a/one/other", "a/one/none", "a/two/unknown", "a/one/"])
def test_a_variant_without_an_action_of_its_own_has_no_key(key: str) -> None:
    with pytest.raises(PolicyError, match=NO_RULE):
        read_governance(changed("config", "profiles", "baseline", to={key: "deny"}), WITH_UNKNOWN, now=NOW)


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
    governance = read_governance(changed("config", "accounts", to={}), CATALOGUE, now=NOW)
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


DAY_SECONDS = 86_400


@pytest.mark.parametrize("ahead", [-400, 0, 1, 90])
def test_an_exception_may_end_up_to_90_days_ahead(ahead: int) -> None:
    day = datetime.fromtimestamp(NOW + ahead * DAY_SECONDS, tz=UTC).date()
    data = changed("exceptions", "items", 0, "expires", to=day.isoformat())
    for now in (NOW, NOW - NOW % DAY_SECONDS):
        assert len(read_governance(data, CATALOGUE, now=now).exceptions) == 1


@pytest.mark.parametrize("ahead", [91, 92, 3650])
def test_an_exception_that_ends_later_is_refused(ahead: int) -> None:
    day = datetime.fromtimestamp(NOW + ahead * DAY_SECONDS, tz=UTC).date()
    data = changed("exceptions", "items", 0, "expires", to=day.isoformat())
    # Through the whole day: what is refused in the morning must not slip in at night.
    for now in (NOW - NOW % DAY_SECONDS, NOW, NOW - NOW % DAY_SECONDS + DAY_SECONDS - 1):
        with pytest.raises(PolicyError) as caught:
            read_governance(data, CATALOGUE, now=now)
        assert str(caught.value) == "exceptions/items/0/expires: must be at most 90 days ahead"


def test_an_exception_has_no_other_part() -> None:
    with pytest.raises(PolicyError) as caught:
        read_governance(changed("exceptions", "items", 0, "expire", to="2026-03-31"), CATALOGUE, now=NOW)
    assert str(caught.value) == "exceptions/items/0/expire: is no part of an exception"


def covered(match: dict[str, str], *, now: int = LAST_SECOND, place: Place = PLACE, **context: str) -> str | None:
    governance = read_governance(changed("exceptions", "items", 0, "match", to=match), CATALOGUE, now=NOW)
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
    governance = read_governance(changed("exceptions", "items", to=items), CATALOGUE, now=NOW)
    context = DeployContext(environment="prod")
    assert governance.exception("a/one", PLACE, family="web", context=context, now=LAST_SECOND) == "e1"
