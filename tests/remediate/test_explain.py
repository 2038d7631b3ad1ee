"""Findings in words: METADATA's text with the names that may be shown, and nothing else."""

from __future__ import annotations

import re

import pytest

from ecs_admission.catalogue import Rule, Variant
from ecs_admission.engines.pack import Pack
from ecs_admission.model import Action, Finding, Place
from ecs_admission.remediate.explain import Cause, explain

RULE = Rule(
    "a/one", "t", "d", "w", "high", Action.DENY, "{place} is wrong", "Mend {name} of {container} in the {field}.",
    "https://example.com",
    variants={
        "both": Variant("other {name}", "other fix"), "message": Variant("other", None), "none": Variant(None, None)
    },
)  # fmt: skip


def finding(place: Place, variant: str | None = None) -> Finding:
    return Finding("a/one", "/x/0", Action.DENY, "high", place, variant)


def test_a_cause_has_the_words_of_its_rule_and_the_names_of_its_place() -> None:
    assert explain(finding(Place("app", "environment", "DB_PASSWORD")), {"a/one": RULE}) == Cause(
        rule="a/one",
        message="environment variable DB_PASSWORD of container app is wrong",
        remediation="Mend DB_PASSWORD of app in the environment variable.",
        field="/x/0",
        severity="high",
        container="app",
        name="DB_PASSWORD",
        link="https://example.com",
        controls=(),
    )


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (Place(None, "request", None), "request is wrong"),
        (Place("app", "user", None), "user of container app is wrong"),
        (Place(None, "tag", "owner"), "tag owner is wrong"),
        (Place("app", "logOption", "splunk-token"), "log option splunk-token of container app is wrong"),
        (Place("<redacted-1>", "unknown", "<redacted-2>"),
         "unknown field <redacted-2> of container <redacted-1> is wrong"),
    ],
)  # fmt: skip
def test_a_place_without_names_is_still_a_sentence(place: Place, message: str) -> None:
    assert explain(finding(place), {"a/one": RULE}).message == message


@pytest.mark.parametrize(
    ("variant", "message", "remediation"),
    [
        ("both", "other X", "other fix"),
        ("message", "other", "Mend X of app in the environment variable."),
        ("none", "environment variable X of container app is wrong", "Mend X of app in the environment variable."),
        (None, "environment variable X of container app is wrong", "Mend X of app in the environment variable."),
    ],
)
def test_a_variant_has_its_own_words_or_those_of_the_rule(variant: str | None, message: str, remediation: str) -> None:
    cause = explain(finding(Place("app", "environment", "X"), variant), {"a/one": RULE})
    assert (cause.message, cause.remediation) == (message, remediation)


def test_every_rule_that_ships_says_everything_in_one_line_wherever_it_fires(pack: Pack) -> None:
    places = [Place("app", "environment", "X"), Place("app", "user", None), Place(None, "request", None)]
    for rule in pack.catalogue.values():
        for variant in (None, *rule.variants):
            for place in places:
                cause = explain(Finding(rule.id, "", Action.DENY, rule.severity, place, variant), pack.catalogue)
                for text in (cause.message, cause.remediation):
                    assert text
                    assert not re.search(r"[{}\n]|None|  ", text)
