"""A team's part of the log is the same for a query and for one entry, in both databases."""

from __future__ import annotations

import pytest

from ecs_admission.auth.bindings import Scope
from ecs_admission.decision_log.scopes import covers, within, without_fingerprints
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.model import DeployContext

from .conftest import make_draft

FAMILIES = ("pay-api", "pay-", "pay", "pay_api", "PAY-api", "pay.x", "web", "pay-\u00fc", None)
CONTEXT = DeployContext(environment="prod", account="111122223333", region="eu-central-1")


@pytest.mark.parametrize(
    ("scopes", "seen"),
    [
        ((), set()),
        ((Scope(),), set(FAMILIES)),
        ((Scope(families=("web",)), Scope()), set(FAMILIES)),
        ((Scope(families=("pay-*",)),), {"pay-api", "pay-", "pay-\u00fc"}),
        ((Scope(families=("pay",)),), {"pay"}),
        ((Scope(families=("p*",), accounts=("111122223333",)),), set(FAMILIES) - {"PAY-api", "web", None}),
        ((Scope(families=("p*",), accounts=("444455556666",)),), set()),
        ((Scope(accounts=("444455556666", "111122223333")),), set(FAMILIES)),
        ((Scope(families=("web",)), Scope(families=("pay_*",), regions=("eu-central-1",))), {"web", "pay_api"}),
        ((Scope(environments=("dev",)), Scope(regions=("us-east-1",))), set()),
    ],
)
def test_only_what_a_scope_covers_is_read(log: DecisionLog, scopes: tuple[Scope, ...], seen: set[str | None]) -> None:
    for family in FAMILIES:
        log.append(make_draft(family=family, context=CONTEXT), deadline_seconds=5)
    listed = log.reader.list_entries(scope=within(scopes), limit=100).items
    assert {item["request"]["family"] for item in listed} == seen
    every = log.reader.list_entries(limit=100).items
    assert {item["request"]["family"] for item in every if covers(scopes, item)} == seen


def test_what_is_no_decision_is_nobodys_part(log: DecisionLog) -> None:
    (start,) = log.reader.list_entries(kind="node_start").items
    limited = (Scope(environments=("prod",)),)
    assert covers((Scope(),), start)
    assert not covers(limited, start)
    assert log.reader.list_entries(kind="node_start", scope=within(limited)).items == []


def test_fingerprints_are_taken_out_and_nothing_else() -> None:
    policy_input = {
        "literals": [{"pointer": "/a", "fingerprint": "k1:00"}, {"pointer": "/b"}],
        "counts": {"literals": 2},
    }
    shown = without_fingerprints(policy_input)
    assert shown == {"literals": [{"pointer": "/a"}, {"pointer": "/b"}], "counts": {"literals": 2}}
    assert policy_input["literals"][0]["fingerprint"] == "k1:00"  # type: ignore[index]
    assert without_fingerprints({"literals": None}) == {"literals": None}
