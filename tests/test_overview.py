"""What a revision says of itself is what it does."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_admission.catalogue import read_catalogue
from ecs_admission.governance import Governance, read_governance
from ecs_admission.overview import overview

NOW = 1_800_000_000.0
WORDS = dict.fromkeys(("title", "description", "why", "message", "remediation", "link"), "x")
CATALOGUE = read_catalogue(
    {
        "a/one": {
            **WORDS,
            "severity": "high",
            "action": "deny",
            "controls": ["AWS-FSBP:ECS.8"],
            "variants": {"unknown": {"action": "dryrun"}, "other": {"message": "y"}},
        },
        "plaintext/unscanned": {**WORDS, "severity": "low", "action": "deny"},
    }
)
DATA: dict[str, Any] = {
    "config": {
        "profiles": {"baseline": {}, "restricted": {"a/one/unknown": "warn"}},
        "environments": {
            "dev": {"profile": "baseline", "actions": {"a/one": "warn", "plaintext/unscanned": "dryrun"}},
            "prod": {"profile": "restricted"},
        },
    },
    "exceptions": {
        "items": [
            {
                "id": name,
                "match": {"rule": "a/one", "family": name},
                "expires": expires,
                **dict.fromkeys(("reason", "owner", "approver", "issue"), "x"),
            }
            for name, expires in (("e1", "2027-01-15"), ("e2", "2027-02-01"), ("e3", "2027-01-14"))
        ]
    },
}


@pytest.fixture
def governance() -> Governance:
    return read_governance(DATA, CATALOGUE, now=NOW)


def test_each_rule_has_its_action_in_each_environment_and_elsewhere(governance: Governance) -> None:
    document = overview(governance, revision="sha256:r", weakened=("w",), now=NOW)
    one, unscanned = document["rules"]
    assert {
        "id": "a/one",
        "title": "x",
        "severity": "high",
        "actions": {"dev": "warn", "prod": "deny"},
        "elsewhere": "deny",
        "variants": {"unknown": {"actions": {"dev": "dryrun", "prod": "warn"}, "elsewhere": "warn"}},
        "controls": ["AWS-FSBP:ECS.8"],
        "exceptions": 2,
    } == one
    assert ("sha256:r", ["w"]) == (document["revision"], document["weakened"])
    assert {"dev": "baseline", "prod": "restricted"} == document["environments"]
    assert 0 == unscanned["exceptions"]


def test_an_action_that_the_decision_does_not_ask_for_is_not_shown(governance: Governance) -> None:
    _, unscanned = overview(governance, revision="r", weakened=(), now=NOW)["rules"]
    assert {"dev": "deny", "prod": "deny"} == unscanned["actions"]


def test_exceptions_count_until_their_last_second(governance: Governance) -> None:
    (end,) = {exception.expires for exception in governance.exceptions if exception.id == "e1"}
    counted = [overview(governance, revision="r", weakened=(), now=now)["exceptions"] for now in (end - 1, end)]
    assert [{"active": 2, "expired": 1}, {"active": 1, "expired": 2}] == counted
