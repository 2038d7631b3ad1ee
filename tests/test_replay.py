"""Recorded requests judged again: the same revision says the same, a draft what it would have said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.adapt.submission import read_operation
from ecs_admission.decision_log.entries import EntryDraft
from ecs_admission.decision_log.records import Record
from ecs_admission.engines.pack import Pack, load_pack
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.governance import Environment, Governance, PolicyException
from ecs_admission.model import Action, Decision, JSONObject, Outcome, UserInfo
from ecs_admission.policies import load_policies
from ecs_admission.replay import Change, Doubt, Draft, Kind, Preview, judge_record, prepare_draft, replay
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision
from tests.engines.layers import folder
from tests.layered import NOW, made
from tests.policies.examples import Example, GivenFacts, load_examples
from tests.project.samples import environment

EXAMPLES = load_examples()
SECRET = "Orange-7-Boat"
LEAKY = environment([("DB_PASSWORD", SECRET)])
CLEAN = environment([("LOG_LEVEL", "info")])


def record(revision: Revision, document: JSONObject, *, operation: str = "RegisterTaskDefinition", now: float = NOW,
           **context: str) -> tuple[Decision, Record]:  # fmt: skip
    """A request as the service decides and records it."""
    return _recorded(revision, operation, orjson.dumps(document), context, now=now)


def _recorded(
    revision: Revision, operation: str, body: bytes, context: Any, *, now: float = NOW, facts: Any = None
) -> tuple[Decision, Record]:
    drafts: list[EntryDraft] = []
    reviewer = Reviewer(
        revision, inventory=facts or NoInventory(), recorder=drafts.append, on_error=_fail, clock=lambda: now
    )
    answer = reviewer.review(
        partial(read_operation, operation, body, context.items()),
        operation=operation,
        user=UserInfo("pipeline", ("teams",)),
        enforcement_point="test",
    )
    (draft,) = drafts
    # As it comes back from a database: nothing but JSON.
    return answer.decision, Record(orjson.loads(orjson.dumps(draft.document)), draft.body)


def _fail(error: Exception) -> None:
    raise error


def told(decision: Decision) -> tuple[Any, ...]:
    """What of a decision is to be the same again; notices and fixes are not judged."""
    return decision.outcome, decision.reason, decision.findings


def judging(revision: Revision, example: Example) -> Revision:
    """The revision with the profile of an example in every environment."""
    governance = revision.governance
    facts = Environment(example.profile, governance.profiles[example.profile])
    environments = dict.fromkeys(governance.environments, facts)
    return replace(revision, governance=replace(governance, environments=environments))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_the_same_revision_says_of_a_record_what_it_said_of_the_request(example: Example, revision: Revision) -> None:
    judge = judging(revision, example)
    decision, recorded = _recorded(
        judge, example.operation, example.body()[0], example.context, facts=GivenFacts(example.facts)
    )
    assert recorded.is_whole
    verdict = judge_record(recorded, judge)
    assert told(verdict.decision) == told(decision)
    assert verdict.doubts == ()
    again = replay([recorded], Draft(judge, {}), [])
    assert (again.judged, again.changes) == (1, [])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
@pytest.mark.parametrize(("second", "is_covered"), [(-1, True), (0, False), (1, False)])
def test_an_exception_holds_for_a_record_until_the_second_that_it_held_until(
    example: Example, revision: Revision, *, second: int, is_covered: bool
) -> None:
    """Judged by the time of the record, whatever the time is now."""
    judge = judging(revision, example)
    causes = {rule for rule, _ in example.causes} - {"bounds/exceeded", "plaintext/unscanned"}
    exceptions = tuple(PolicyException(f"for-{rule}", {"rule": rule}, expires=NOW) for rule in sorted(causes))
    judge = replace(judge, governance=replace(judge.governance, exceptions=exceptions))
    decision, recorded = _recorded(
        judge,
        example.operation,
        example.body()[0],
        example.context,
        now=NOW + second,
        facts=GivenFacts(example.facts),
    )
    verdict = judge_record(recorded, judge)
    assert told(verdict.decision) == told(decision)
    used = {f.exception for f in verdict.decision.findings if f.exception}
    assert used == ({e.id for e in exceptions} if is_covered else set())


def test_what_stood_in_a_wrapper_is_found_where_it_was_submitted(revision: Revision) -> None:
    answer = {"taskDefinition": LEAKY | {"revision": 7, "status": "ACTIVE"}, "tags": []}
    decision, recorded = record(revision, answer)
    assert decision.findings[0].pointer.startswith("/taskDefinition/")
    assert told(judge_record(recorded, revision).decision) == told(decision)


def test_a_member_that_is_not_shown_has_its_place_all_the_same(revision: Revision) -> None:
    unknown = {**CLEAN, **{f"member{number}": {"password": SECRET} for number in range(9)}}
    decision, recorded = record(revision, unknown)
    assert {f.pointer.split("/")[1] for f in decision.denials} == {f"<{number}>" for number in range(2, 11)}
    assert told(judge_record(recorded, revision).decision) == told(decision)


@given(content=st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["request", "object", "literals", "references", "counts", "context", "uid", "now", "pointer"]),
        inner, max_size=5,
    ), max_leaves=20).map(lambda value: orjson.dumps(value, default=str)))  # fmt: skip
def test_no_bytes_raise_or_are_allowed(revision: Revision, content: bytes) -> None:
    verdict = judge_record(Record({"findings": []}, content), revision)
    assert verdict.decision.outcome is Outcome.UNDECIDED


@given(data=st.data())
def test_no_body_with_a_part_exchanged_raises(revision: Revision, data: st.DataObject) -> None:
    _, recorded = _once(revision)
    document = orjson.loads(recorded.body or b"")
    place = data.draw(st.sampled_from(list(_places(document))))
    spoilt = data.draw(st.sampled_from([None, 1, "x", [], {}, [None], {"a": 1}, "<redacted>"]))
    inner = document
    for token in place[:-1]:
        inner = inner[token]
    inner[place[-1]] = spoilt
    judge_record(Record(recorded.entry, orjson.dumps(document)), revision)


_MADE: list[tuple[Decision, Record]] = []


def _once(revision: Revision) -> tuple[Decision, Record]:
    if not _MADE:
        _MADE.append(record(revision, LEAKY))
    return _MADE[0]


def _places(value: Any, *above: Any) -> Iterator[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*above, key)
        yield from _places(inner, *above, key)


Layered = Callable[..., tuple[Draft, Pack]]


@pytest.fixture
def layered(tmp_path: Path) -> Iterator[Layered]:
    """Makes a draft of some files laid over the pack that ships, with its pack."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def make(files: dict[str, str]) -> tuple[Draft, Pack]:
            pack = load_policies([folder(tmp_path / str(len(list(tmp_path.iterdir()))), files)], now=NOW).pack
            return Draft(stack.enter_context(made(pack)), pack.config), pack

        yield make


def actions(**by_rule: str) -> dict[str, str]:
    """A layer with actions in prod."""
    profile = {rule.replace("__", "/").replace("_", "-"): action for rule, action in by_rule.items()}
    return {"config/environments/data.json": json.dumps({"prod": {"profile": "baseline", "actions": profile}})}


def only(preview: Preview) -> Change:
    (change,) = preview.changes
    return change


def test_a_milder_draft_newly_allows(layered: Layered, revision: Revision) -> None:
    draft, _ = layered(actions(plaintext__environment="warn"))
    decision, leaky = record(revision, LEAKY, environment="prod")
    assert [f.rule for f in decision.denials] == ["plaintext/environment"]
    change = only(replay([leaky, record(revision, CLEAN, environment="prod")[1]], draft, [load_pack()]))
    assert (change.kind, change.rules, change.family) == (Kind.NEWLY_ALLOWED, ("plaintext/environment",), "web")
    assert change.document() == {
        "id": leaky.entry["id"],
        "time": NOW * 1_000_000,
        "change": "newlyAllowed",
        "rules": ["plaintext/environment"],
        "before": "denied",
        "after": "allowed",
        "operation": "RegisterTaskDefinition",
        "family": "web",
        "environment": "prod",
        "revision": revision.id,
        "doubts": [],
    }


def test_a_stricter_draft_newly_denies_or_warns_anew(layered: Layered, revision: Revision) -> None:
    mild, _ = layered(actions(plaintext__environment="dryrun"))
    warning, _ = layered(actions(plaintext__environment="warn"))
    _, let = record(mild.revision, LEAKY, environment="prod")
    assert let.entry["outcome"] == "allowed"
    strict = only(replay([let], Draft(revision, {}), []))
    assert (strict.kind, strict.rules, strict.after) == (
        Kind.NEWLY_DENIED,
        ("plaintext/environment",),
        Outcome.DENIED,
    )
    warned = only(replay([let], warning, []))
    assert (warned.kind, warned.rules, warned.after) == (
        Kind.NEW_WARNINGS,
        ("plaintext/environment",),
        Outcome.ALLOWED,
    )


def test_what_is_denied_for_more_is_told_once(layered: Layered, revision: Revision) -> None:
    mild, _ = layered(actions(plaintext__environment="warn"))
    both = environment([("DB_PASSWORD", SECRET)])
    both["containerDefinitions"][0]["command"] = ["serve", f"--password={SECRET}"]
    _, recorded = record(mild.revision, both, environment="prod")
    assert recorded.entry["outcome"] == "denied"
    change = only(replay([recorded], Draft(revision, {}), []))
    assert (change.kind, change.rules) == (Kind.MORE_DENIALS, ("plaintext/environment",))


def test_a_draft_is_judged_at_the_time_of_the_record(layered: Layered, revision: Revision) -> None:
    item = {
        "id": "legacy-1",
        "match": {"rule": "plaintext/environment", "family": "web", "name": "DB_PASSWORD"},
        "reason": "The installer reads nothing else.",
        "owner": "team-web",
        "approver": "security",
        "issue": "https://example.com/1",
        "expires": datetime.fromtimestamp(NOW, UTC).date().isoformat(),
    }
    draft, _ = layered({"exceptions/data.json": json.dumps({"items": [item]})})
    (exception,) = draft.revision.governance.exceptions
    _, before = record(revision, LEAKY, environment="prod", now=exception.expires - 1)
    _, after = record(revision, LEAKY, environment="prod", now=exception.expires)
    assert only(replay([before, after], draft, [])).entry == before.entry


def test_the_environment_is_the_one_that_the_draft_lists_the_account_under(
    layered: Layered, revision: Revision
) -> None:
    listed = {"config/accounts/data.json": json.dumps({"111122223333": "dev"})} | actions(plaintext__environment="deny")
    draft, _ = layered(listed)
    mild = Environment("baseline", {"plaintext/environment": Action.WARN})
    governance = draft.revision.governance
    environments = {**governance.environments, "dev": mild}
    milder = Draft(replace(draft.revision, governance=replace(governance, environments=environments)), draft.config)
    _, prod = record(revision, LEAKY, environment="prod", account="111122223333")
    _, dev = record(revision, LEAKY, environment="dev", account="111122223333")
    _, elsewhere = record(revision, LEAKY, environment="dev", account="444455556666")
    found = replay([prod, dev, elsewhere], milder, [])
    assert [(c.entry["id"], c.doubts) for c in found.changes] == [
        (prod.entry["id"], (Doubt.ENVIRONMENT,)),
        (dev.entry["id"], ()),
    ]
    assert any("another environment" in sentence for sentence in found.cannot_tell())


def test_a_family_that_was_not_kept_leaves_a_doubt_where_an_exception_names_one(revision: Revision) -> None:
    hidden = LEAKY | {"family": "q7Xk2LmP9vRt4WzB8nYc"}
    _, recorded = record(revision, hidden, environment="prod")
    assert judge_record(recorded, revision).doubts == ()
    match = {"rule": "plaintext/environment", "family": "q7Xk2LmP9vRt4WzB8nYc"}
    judge = replace(revision, governance=_with(revision.governance, PolicyException("a", match, NOW + 1)))
    verdict = judge_record(recorded, judge)
    assert (verdict.family, verdict.doubts) == ("<redacted>", (Doubt.FAMILY,))


def _with(governance: Governance, *exceptions: PolicyException) -> Governance:
    return replace(governance, exceptions=exceptions)


def test_what_the_draft_reads_otherwise_the_record_cannot_tell(layered: Layered, revision: Revision) -> None:
    words, _ = layered({"config/words/data.json": json.dumps({"secret": ["frobnicator"]})})
    _, recorded = record(revision, CLEAN)
    told_ = list(replay([recorded], words, [load_pack()]).cannot_tell())
    assert told_ == [
        f"the draft reads 1 records of revision {revision.id} otherwise (words): what it would have found in them "
        "the record cannot tell"
    ]
    assert "not at hand" in " ".join(replay([recorded], words, []).cannot_tell())
    same, _ = layered(actions(plaintext__environment="warn"))
    assert list(replay([recorded], same, [load_pack()]).cannot_tell()) == []


def test_records_without_a_body_and_with_another_are_counted_and_not_judged(revision: Revision) -> None:
    _, recorded = record(revision, LEAKY)
    found = replay([Record(recorded.entry, None), Record(recorded.entry, b"{}")], Draft(revision, {}), [])
    assert (found.judged, found.without_body, found.damaged, found.changes) == (0, 1, 1, [])
    assert len(list(found.cannot_tell())) == 2


def test_what_was_undecided_is_told_apart(revision: Revision) -> None:
    _, recorded = record(revision, LEAKY)
    entry = recorded.entry | {"outcome": "undecided", "findings": []}
    found = replay([Record(entry, recorded.body)], Draft(revision, {}), [])
    assert (dict(found.not_decided), found.changes) == ({Outcome.DENIED: 1}, [])


def test_a_draft_that_fails_on_a_record_says_so(revision: Revision) -> None:
    _, recorded = record(revision, CLEAN)
    other = replace(revision, id="sha256:other")
    change = only(replay([recorded], Draft(other, {}), []))
    assert (change.kind, change.after) == (Kind.UNDECIDED, Outcome.UNDECIDED)


def test_a_draft_that_the_service_would_refuse_is_refused(tmp_path: Path) -> None:
    from ecs_admission.errors import PolicyError

    everything = dict.fromkeys(load_pack().catalogue, "dryrun")
    data = json.dumps(
        {name: {"profile": "baseline", "actions": everything} for name in ("prod", "staging", "test", "dev")}
    )
    place = folder(tmp_path / "layer", {"config/environments/data.json": data})
    with pytest.raises(PolicyError):
        prepare_draft([place], clock=lambda: NOW)


def test_the_document_has_every_count(revision: Revision, layered: Layered) -> None:
    draft, _ = layered(actions(plaintext__environment="warn"))
    records = [record(revision, LEAKY, environment="prod")[1] for _ in range(3)]
    document = replay(records, draft, [load_pack()]).document()
    assert document["records"] == {"judged": 3, "withoutBody": 0, "damaged": 0, "undecidedThen": {}}
    assert document["changes"] == {
        "newlyDenied": 0,
        "newlyAllowed": 3,
        "moreDenials": 0,
        "newWarnings": 0,
        "undecided": 0,
    }
    assert document["byRule"] == [
        {"change": "newlyAllowed", "rule": "plaintext/environment", "family": "web", "decisions": 3}
    ]
    assert document["readings"] == [{"revision": revision.id, "records": 3, "otherwise": []}]
    assert hashlib.sha256(records[0].body or b"").hexdigest() == records[0].entry["body"]
    assert SECRET not in orjson.dumps(document).decode()
