"""How exceptions stand, and which ones cover what was found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.decide import UNEXCEPTABLE
from ecs_admission.exceptions import (
    Denial,
    State,
    Terms,
    Use,
    Uses,
    end_after,
    last_day,
    propose,
    read_uses,
    take_stock,
)
from ecs_admission.governance import MAX_EXCEPTION_DAYS, PolicyException, read_governance
from ecs_admission.model import Action, DeployContext, Finding, JSONObject, Place

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC).timestamp()
DAY = 86_400
TERMS = Terms("team-web", "security", "https://issues.example.com/1", "as it was", end_after(30, now=NOW))


def exception(name: str = "e1", *, expires: float = NOW + 60 * DAY) -> PolicyException:
    return PolicyException(name, {"rule": "a/one", "family": "web"}, int(expires))


def denial(
    rule: str = "a/one",
    *,
    family: str | None = "web",
    container: str | None = "app",
    name: str | None = "DB_PASSWORD",
    environment: str | None = "prod",
    account: str | None = None,
) -> Denial:
    finding = Finding(rule, "/p", Action.DENY, "high", Place(container, "environment", name))
    return Denial("task.json", finding, family, DeployContext(environment=environment, account=account))


def entry(*ids: str | None, time: float = NOW, cut: int = 0) -> JSONObject:
    return {
        "time": int(time * 1_000_000),
        "findings": [{"exception": exception_id} for exception_id in ids],
        "findingsTruncated": cut,
    }


@pytest.mark.parametrize(
    ("left", "state"),
    [(-DAY, State.EXPIRED), (-1, State.EXPIRED), (0, State.EXPIRED), (1, State.ENDING), (14 * DAY, State.ENDING),
     (14 * DAY + 1, State.ACTIVE), (60 * DAY, State.ACTIVE)],
)  # fmt: skip
def test_the_state_follows_from_the_time_that_is_left(left: int, state: State) -> None:
    (standing,) = take_stock([exception(expires=NOW + left)], Uses(), now=NOW)
    assert standing.state is state


def test_the_one_that_ends_first_comes_first() -> None:
    given_ = [exception("b", expires=NOW + 2), exception("c", expires=NOW + 1), exception("a", expires=NOW + 2)]
    assert ["c", "a", "b"] == [standing.exception.id for standing in take_stock(given_, Uses(), now=NOW)]


def test_one_that_the_log_does_not_show_is_unused_and_where_the_log_is_not_whole_nobody_knows() -> None:
    both = [exception("e1"), exception("e2")]
    told = {s.exception.id: (s.use, s.last_applied) for s in take_stock(both, Uses({"e1": 7}), now=NOW)}
    assert {"e1": (Use.USED, 7), "e2": (Use.UNUSED, None)} == told
    told = {s.exception.id: (s.use, s.last_applied) for s in take_stock(both, Uses({"e1": 7}, "no log"), now=NOW)}
    assert {"e1": (Use.USED, 7), "e2": (Use.UNKNOWN, None)} == told


def test_nobody_is_asked_to_use_one_that_has_expired() -> None:
    (expired,) = take_stock([exception(expires=NOW)], Uses(), now=NOW)
    assert expired.conditions == {"expired"}
    (ending,) = take_stock([exception(expires=NOW + 1)], Uses(), now=NOW)
    assert ending.conditions == {"ending", "unused"}


def test_the_newest_use_is_the_last_one() -> None:
    entries = [entry(None, time=9), entry("e1", "e2", time=8), entry("e1", "e3", time=7), entry("e3", time=6)]
    assert Uses({"e1": 8, "e3": 7}) == read_uses(entries, ["e1", "e3", "e4"])


def test_the_log_is_read_no_further_than_is_needed() -> None:
    def entries() -> Iterator[JSONObject]:
        yield entry("e1")
        pytest.fail("everything was seen already")

    assert {"e1"} == read_uses(entries(), ["e1"]).last.keys()


def test_an_entry_that_was_cut_may_hide_a_use() -> None:
    assert read_uses([entry("e1", cut=1)], ["e1", "e2"]).problem is not None
    assert read_uses([entry("e1", cut=1)], ["e1"]).problem is None


def test_an_exception_holds_through_its_last_day() -> None:
    assert "2026-04-14" == last_day(exception(expires=TERMS.expires)).isoformat()
    assert TERMS.expires == datetime(2026, 4, 15, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("hour", [0, 23.9999])
def test_the_longest_term_is_one_that_a_revision_takes(hour: float) -> None:
    now = datetime(2026, 3, 15, tzinfo=UTC).timestamp() + hour * 3600
    (made,) = propose([denial()], replace(TERMS, expires=end_after(MAX_EXCEPTION_DAYS, now=now)), taken=[]).exceptions
    document = {
        "id": made.id, "match": dict(made.match), "reason": made.reason, "owner": made.owner,
        "approver": made.approver, "issue": made.issue, "expires": last_day(made).isoformat(),
    }  # fmt: skip
    data = {
        "config": {"profiles": {"baseline": {}}, "environments": {"prod": {"profile": "baseline"}}},
        "exceptions": {"items": [document]},
    }
    catalogue: Any = {"a/one": None}
    (read,) = _read(data, catalogue, now)
    assert made == read


def _read(data: JSONObject, catalogue: Any, now: float) -> tuple[PolicyException, ...]:
    from ecs_admission.catalogue import read_catalogue

    words = dict.fromkeys(("title", "description", "why", "message", "remediation", "link"), "x")
    rules = {rule: {**words, "severity": "high", "action": "deny"} for rule in catalogue}
    return read_governance(data, read_catalogue(rules), now=now).exceptions


def test_a_match_is_as_narrow_as_what_is_known() -> None:
    (made,) = propose([denial(account="111122223333")], TERMS, taken=[]).exceptions
    assert {
        "rule": "a/one",
        "family": "web",
        "container": "app",
        "name": "DB_PASSWORD",
        "account": "111122223333",
        "environment": "prod",
    } == made.match
    assert "web-app-db-password-a-one-prod-111122223333" == made.id
    (made,) = propose([denial(container=None, name=None, environment=None)], TERMS, taken=[]).exceptions
    assert {"rule": "a/one", "family": "web"} == made.match


@pytest.mark.parametrize("hidden", ["<redacted>", "<redacted-1>", "<redacted-17>"])
@pytest.mark.parametrize("part", ["container", "name"])
def test_a_name_that_may_not_be_shown_is_left_out_and_that_is_said(part: Any, hidden: str) -> None:
    proposal = propose([denial(**{part: hidden})], TERMS, taken=[])
    (made,) = proposal.exceptions
    assert part not in made.match
    assert proposal.broad == (made.id,)
    assert "redacted" not in repr(made)
    assert propose([denial()], TERMS, taken=[]).broad == ()


@pytest.mark.parametrize("rule", sorted(UNEXCEPTABLE))
def test_what_could_not_be_judged_is_not_covered(rule: str) -> None:
    proposal = propose([denial(rule), denial()], TERMS, taken=[])
    assert [rule] == [uncovered.finding.rule for uncovered, _ in proposal.uncovered]
    assert ["a/one"] == [made.match["rule"] for made in proposal.exceptions]


def test_a_denial_without_a_family_is_not_covered() -> None:
    proposal = propose([denial(family=None)], TERMS, taken=[])
    ((uncovered, why),) = proposal.uncovered
    assert proposal.exceptions == ()
    assert uncovered == denial(family=None)
    assert "family" in why


def test_denials_that_no_exception_could_tell_apart_share_one() -> None:
    assert 1 == len(propose([denial(), denial()], TERMS, taken=[]).exceptions)


def test_the_narrowest_comes_first_so_that_each_is_used() -> None:
    made = propose([denial(container=None, name=None), denial(name=None), denial()], TERMS, taken=[]).exceptions
    assert [5, 4, 3] == [len(one.match) for one in made]


def test_ids_are_told_apart_from_each_other_and_from_those_in_use() -> None:
    alike = [denial(name="DB_PASSWORD"), denial(name="db-password"), denial(name="db.password")]
    made = propose(alike, TERMS, taken=["web-app-db-password-a-one-prod-2"]).exceptions
    expected = {
        "web-app-db-password-a-one-prod",
        "web-app-db-password-a-one-prod-3",
        "web-app-db-password-a-one-prod-4",
    }
    assert expected == {one.id for one in made}


parts = st.sampled_from(["a", "b", "A", "<redacted-1>"]) | st.none()


@given(st.lists(st.builds(denial, family=st.sampled_from(["a", "b", None]), container=parts, name=parts,
                          environment=parts, account=parts)))  # fmt: skip
def test_each_denial_is_covered_or_said_not_to_be(denials: list[Denial]) -> None:
    proposal = propose(denials, TERMS, taken=[])
    for found in denials:
        covered = any(
            made.covers(
                found.finding.rule, found.finding.place, family=found.family, context=found.context,
                now=TERMS.expires - 1,
            )
            for made in proposal.exceptions
        )  # fmt: skip
        assert covered is (found not in [uncovered for uncovered, _ in proposal.uncovered])
    assert len({made.id for made in proposal.exceptions}) == len(proposal.exceptions)
