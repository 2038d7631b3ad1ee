"""What a revision judges more mildly than the one that ships is listed, and nothing else is."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.catalogue import Rule, read_catalogue
from ecs_admission.engines.pack import Pack
from ecs_admission.engines.packages import differing
from ecs_admission.governance import read_governance
from ecs_admission.model import STRICTNESS, Action, JSONObject
from ecs_admission.policies import build_policies, load_policies
from ecs_admission.weakening import weakenings
from tests.engines.layers import folder
from tests.engines.opa_server import opa_program
from tests.layered import NOW
from tests.policies.examples import POLICIES
from tests.project.samples import unhurried

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
RULES: JSONObject = {
    "a/one": FACTS,
    "a/two": {**FACTS, "action": "warn", "variants": {"unknown": {"action": "warn"}, "other": {"message": "m"}}},
}
SHIPPED: JSONObject = {
    "config": {
        "profiles": {"baseline": {"a/two": "deny"}, "restricted": {"a/two/unknown": "deny"}},
        "environments": {"dev": {"profile": "baseline", "actions": {"a/one": "warn"}}, "prod": {"profile": "baseline"}},
        "accounts": {},
        "words": {
            "secret": ["password", "token"],
            "harmless_endings": ["id"],
            "harmless_beginnings": ["no"],
            "placeholders": ["x+"],
            "settings": ["on"],
        },
        "kinds": {"harmless": ["empty"], "credential_like": ["random", "mixed"]},
        "tokens": {"jwt": ["a", "b"]},
        "disclosed": {"AWS_REGION": "[a-z]+"},
        "registries": {"public": ["docker.io"], "ecr": "^a$"},
    },
    "exceptions": {"items": []},
}


def changed(*path: str, to: Any) -> JSONObject:
    data = copy.deepcopy(SHIPPED)
    where = data["config"]
    for step in path[:-1]:
        where = where[step]
    where[path[-1]] = to
    return data


def milder(data: JSONObject, rules: JSONObject = RULES) -> tuple[str, ...]:
    shipped, catalogue = read_catalogue(RULES), read_catalogue(rules)
    return weakenings(
        read_governance(SHIPPED, shipped, now=NOW), SHIPPED, read_governance(data, catalogue, now=NOW), data
    )


def test_what_ships_is_not_milder_than_itself() -> None:
    assert milder(copy.deepcopy(SHIPPED)) == ()


@pytest.mark.parametrize(
    ("path", "to", "told"),
    [
        (("environments", "prod", "actions"), {"a/one": "warn"},
         ["environment prod: a/one is warn and no longer deny"]),
        (("environments", "prod", "actions"), {"a/one": "dryrun", "a/two": "warn"},
         ["environment prod: a/one is dryrun and no longer deny",
          "environment prod: a/two is warn and no longer deny"]),
        (("environments", "prod", "actions"), {"a/two/unknown": "dryrun"},
         ["environment prod: a/two/unknown is dryrun and no longer warn"]),
        (("environments", "dev", "actions"), {"a/one": "dryrun"},
         ["environment dev: a/one is dryrun and no longer warn"]),
        (("environments", "lab"), {"profile": "baseline", "actions": {"a/one": "dryrun"}},
         ["environment lab: a/one is dryrun and no longer deny"]),
        (("environments", "prod", "failurePolicy"), "Ignore",
         ["environment prod: failurePolicy is Ignore and no longer Fail"]),
        (("environments", "lab"), {"profile": "baseline", "failurePolicy": "Ignore"},
         ["environment lab: failurePolicy is Ignore and no longer Fail"]),
        (("profiles", "baseline"), {"a/two": "warn"},
         ["environment dev: a/two is warn and no longer deny", "environment prod: a/two is warn and no longer deny"]),
        (("profiles", "baseline"), {},
         ["environment dev: a/two is warn and no longer deny", "environment prod: a/two is warn and no longer deny"]),
        (("environments", "prod", "profile"), "restricted", ["environment prod: a/two is warn and no longer deny"]),
        (("words", "secret"), ["token"], ["config/words/secret lacks password"]),
        (("words", "secret"), [], ["config/words/secret lacks password", "config/words/secret lacks token"]),
        (("words", "secret"), None, ["config/words/secret lacks password", "config/words/secret lacks token"]),
        (("words", "harmless_endings"), ["id", "password"], ["config/words/harmless_endings excuses password"]),
        (("words", "harmless_beginnings"), ["db"], ["config/words/harmless_beginnings excuses db"]),
        (("words", "placeholders"), ["x+", ".*"], ["config/words/placeholders excuses .*"]),
        (("words", "settings"), ["on", ".*"], ["config/words/settings excuses .*"]),
        (("kinds", "harmless"), ["empty", "random"], ["config/kinds/harmless excuses random"]),
        (("kinds", "credential_like"), ["random"], ["config/kinds/credential_like lacks mixed"]),
        (("kinds", "credential_like"), "random", ["config/kinds/credential_like is another value"]),
        (("kinds",), None, ["config/kinds is gone"]),
        (("tokens", "jwt"), ["b"], ["config/tokens/jwt lacks a"]),
        (("tokens",), {"own": ["c"]}, ["config/tokens/jwt lacks a", "config/tokens/jwt lacks b"]),
        (("disclosed", "AWS_REGION"), ".*", ["config/disclosed/AWS_REGION is another value"]),
        (("disclosed", "APP_MODE"), "a|b", ["config/disclosed/APP_MODE is shown"]),
        (("registries", "public"), ["docker.io", "x.y"], ["config/registries/public excuses x.y"]),
        (("registries", "ecr"), "^.*$", ["config/registries/ecr is another value"]),
    ],
)  # fmt: skip
def test_what_is_milder_is_listed(path: tuple[str, ...], to: Any, told: list[str]) -> None:
    assert list(milder(changed(*path, to=to))) == told


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (("environments", "dev", "actions"), {}),
        (("environments", "dev", "actions"), {"a/one": "deny", "a/two/unknown": "deny"}),
        (("environments", "lab"), {"profile": "baseline"}),
        (("environments", "lab"), {"profile": "baseline", "failurePolicy": "Fail"}),
        (("profiles", "baseline"), {"a/two": "deny", "a/two/unknown": "deny"}),
        (("profiles", "own"), {"a/one": "dryrun"}),
        (("accounts",), {"111122223333": "prod"}),
        (("words", "secret"), ["token", "password", "sesame"]),
        (("words", "harmless_endings"), []),
        (("words", "placeholders"), []),
        (("words", "settings"), []),
        (("kinds", "harmless"), []),
        (("kinds", "credential_like"), ["word", "random", "mixed"]),
        (("tokens", "jwt"), ["c", "b", "a"]),
        (("tokens", "own"), ["d"]),
        (("disclosed",), {}),
        (("registries", "public"), []),
        (("own",), {"words": ["x"]}),
    ],
)
def test_what_is_stricter_or_only_new_is_not_listed(path: tuple[str, ...], to: Any) -> None:
    assert milder(changed(*path, to=to)) == ()


def test_a_rule_that_is_gone_is_listed_with_its_variants() -> None:
    data = changed("profiles", to={"baseline": {}, "restricted": {}})
    data["config"]["environments"] = {name: {"profile": "baseline"} for name in ("dev", "prod")}
    told = milder(data, {"a/one": FACTS})
    assert [text for text in told if text.startswith("rule ")] == ["rule a/two is gone", "rule a/two/unknown is gone"]


@pytest.mark.parametrize(
    ("rule_id", "change", "told"),
    [
        ("a/one", {"action": "warn"}, "rule a/one is warn and no longer deny in METADATA"),
        ("a/two", {"action": "dryrun"}, "rule a/two is dryrun and no longer warn in METADATA"),
        ("a/two", {"variants": {"unknown": {"action": "dryrun"}}},
         "rule a/two/unknown is dryrun and no longer warn in METADATA"),
    ],
)  # fmt: skip
def test_an_action_that_is_lower_in_metadata_is_listed(rule_id: str, change: JSONObject, told: str) -> None:
    assert told in milder(copy.deepcopy(SHIPPED), {**RULES, rule_id: {**RULES[rule_id], **change}})


def test_a_rule_of_its_own_weakens_nothing() -> None:
    assert milder(copy.deepcopy(SHIPPED), {**RULES, "own/rule": {**FACTS, "action": "dryrun"}}) == ()


def test_texts_of_a_rule_say_nothing_of_strictness() -> None:
    assert milder(copy.deepcopy(SHIPPED), {**RULES, "a/one": {**FACTS, "severity": "low", "message": "other"}}) == ()


actions = st.dictionaries(st.sampled_from(["a/one", "a/two", "a/two/unknown"]), st.sampled_from(list(Action)))


@unhurried
@given(profile=actions, own=actions)
def test_every_finding_that_an_environment_judges_more_mildly_is_listed(
    profile: dict[str, Action], own: dict[str, Action]
) -> None:
    data = changed("profiles", to={"baseline": profile, "restricted": {}})
    data["config"]["environments"]["prod"]["actions"] = own
    catalogue = read_catalogue(RULES)
    before, after = (read_governance(d, catalogue, now=NOW) for d in (SHIPPED, data))
    listed = milder(data)

    def lower(rule: Rule, variant: str | None, environment: str) -> bool:
        actions = [g.action(rule, variant, environment) for g in (before, after)]
        return STRICTNESS[actions[1]] < STRICTNESS[actions[0]]

    for key, (rule_id, variant) in {
        "a/one": ("a/one", None), "a/two": ("a/two", None), "a/two/unknown": ("a/two", "unknown")
    }.items():  # fmt: skip
        for environment in ("dev", "prod"):
            is_listed = any(text.startswith(f"environment {environment}: {key} is ") for text in listed)
            assert is_listed == lower(catalogue[rule_id], variant, environment)


def layer(tmp_path: Path, **files: str) -> Path:
    return folder(tmp_path, {f"{path.replace('__', '/')}/data.yaml": text for path, text in files.items()})


def test_nothing_is_listed_for_the_pack_that_ships_or_for_a_layer_that_only_strengthens(
    tmp_path: Path, pack: Pack
) -> None:
    assert load_policies([], now=NOW).weakened == ()
    assert weakenings(*(read_governance(pack.data, pack.catalogue, now=NOW), pack.data) * 2) == ()
    stricter = layer(
        tmp_path,
        config__environments="prod: {profile: restricted}\nlab: {profile: restricted}\n",
        config__words="secret: [sesame]\n",
        config__tokens="own: ['\\bown_[a-z]{20}']\n",
        removals="config: {words: {harmless_endings: [node pin]}, kinds: {harmless: [path]}}\n",
    )
    assert load_policies([stricter], now=NOW).weakened == ()


def test_what_a_layer_weakens_is_found_by_comparing_and_not_by_asking_it(tmp_path: Path) -> None:
    softer = layer(
        tmp_path,
        config__environments="dev: {actions: {plaintext/field: warn}}\nlab: {profile: mild}\n",
        config__profiles="mild: {plaintext/environment: dryrun}\n",
        config__words="harmless_endings: [dsn]\n",
        config__disclosed="APP_MODE: 'a|b'\n",
        removals="config: {words: {secret: [clave]}, tokens: {jwt: ['\\beyJ[A-Za-z0-9_-]{8,}\\.eyJ[A-Za-z0-9_-]{8,}\\."
        "[A-Za-z0-9_-]{8,}']}}\n",
    )
    told = load_policies([softer], now=NOW).weakened
    assert [text.partition(" lacks \\b")[0] for text in told] == [
        "config/disclosed/APP_MODE is shown",
        "config/tokens/jwt",
        "config/words/harmless_endings excuses dsn",
        "config/words/secret lacks clave",
        "environment dev: plaintext/field is warn and no longer deny",
        "environment lab: plaintext/environment is dryrun and no longer deny",
    ]


class TestSources:
    """A fork that says the same of itself and judges otherwise is told, module by module."""

    RULE, LIB = "admission/rules/plaintext/field/field.rego", "admission/lib/literals/literals.rego"

    def test_what_ships_does_not_differ_from_itself(self, pack: Pack) -> None:
        assert list(differing(pack.rego, pack.rego)) == []
        assert list(differing(pack.rego, {**pack.rego, "org/own.rego": b"package org.own\n"})) == []

    def test_each_module_that_differs_is_told(self, pack: Pack) -> None:
        own = {name: content for name, content in pack.rego.items() if name != "admission/lib/images/images.rego"}
        own |= {self.RULE: own[self.RULE] + b"# x\n", self.LIB: own[self.LIB] + b"# x\n"}
        own["admission/rules/plaintext/field/more.rego"] = b"package admission.rules.plaintext.field\n"
        assert list(differing(pack.rego, own)) == [
            "admission/lib/images/images.rego is gone",
            f"{self.LIB}: its source differs from the one that ships",
            "rule plaintext/field: its source differs from the one that ships",
            "admission/rules/plaintext/field/more.rego adds to rule plaintext/field",
        ]

    @pytest.mark.opa
    def test_a_fork_with_equal_metadata_is_listed(self, tmp_path: Path) -> None:
        fork = Path(shutil.copytree(POLICIES, tmp_path / "policies"))
        rule = fork / self.RULE
        rule.write_text(rule.read_text().replace("some literal in input.literals", "some literal in []"))
        assert rule.read_text() != (POLICIES / self.RULE).read_text()
        built = build_policies([fork], tmp_path / "built", opa=opa_program(), now=NOW)
        assert built.weakened == ("rule plaintext/field: its source differs from the one that ships",)
        assert load_policies([tmp_path / "built"], now=NOW).weakened == built.weakened
