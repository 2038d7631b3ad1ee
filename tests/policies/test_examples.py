"""Every example of every rule through the whole pipeline: exactly its causes, in words, without its secrets."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial

import orjson
import pytest

from ecs_admission.adapt.operations import OPERATIONS
from ecs_admission.adapt.submission import read_operation
from ecs_admission.decision_log.entries import EntryDraft
from ecs_admission.engines.pack import Pack
from ecs_admission.governance import Environment
from ecs_admission.model import Action, Evaluation, Outcome, PolicyInput, UserInfo
from ecs_admission.review import Answer, Recorder, Reviewer, do_not_record
from ecs_admission.revision import Revision
from tests.policies.examples import POLICIES, RULES, Example, GivenFacts, load_examples
from tests.secret_values import traces

EXAMPLES = load_examples()
AT_LEAST = 2


class Witness:
    """Passes on to an engine and keeps what it was given."""

    name = "witness"

    def __init__(self, revision: Revision) -> None:
        self._engine = revision.engine
        self.seen: list[PolicyInput] = []

    def evaluate(self, policy_input: PolicyInput) -> Evaluation:
        """See `PolicyEngine`."""
        self.seen.append(policy_input)
        return self._engine.evaluate(policy_input)

    def probe(self) -> None:
        """See `PolicyEngine`."""

    def is_unreachable(self) -> bool:
        """See `PolicyEngine`."""
        return False

    def close(self) -> None:
        """See `PolicyEngine`. The engine behind is not ours to close."""


def review(reviewer: Reviewer, example: Example, body: bytes) -> Answer:
    return reviewer.review(
        partial(read_operation, example.operation, body, example.context.items()),
        operation=example.operation,
        user=UserInfo("pipeline"),
        enforcement_point="test",
    )


def judge(revision: Revision, example: Example, recorder: Recorder = do_not_record) -> Answer:
    """What the pipeline says of an example under the example's profile and facts."""
    governance = revision.governance
    actions = governance.profiles[example.profile]
    environments = {name: Environment(example.profile, actions) for name in governance.environments}
    judging = replace(revision, governance=replace(governance, environments=environments))
    reviewer = Reviewer(judging, inventory=GivenFacts(example.facts), recorder=recorder, on_error=_fail)
    return review(reviewer, example, example.body()[0])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_an_example_has_the_findings_it_names(example: Example, revision: Revision) -> None:
    answer = judge(revision, example)
    decision = answer.decision
    assert sorted((f.rule, f.pointer) for f in decision.warnings) == list(example.warnings)
    dryruns = {(f.rule, f.pointer) for f in decision.findings if f.action is Action.DRYRUN}
    assert set(example.dryruns) <= dryruns
    causes = answer.response["status"].get("details", {}).get("causes", [])
    assert sorted((cause["reason"], cause["field"]) for cause in causes) == list(example.causes)
    assert answer.decision.outcome is (Outcome.DENIED if example.causes else Outcome.ALLOWED)
    assert answer.response["allowed"] is not bool(example.causes)
    for cause in causes:
        for member in ("message", "remediation", "link", "severity"):
            assert cause[member].strip(), member
            assert "{" not in cause[member], f"{member} has a part that nobody filled in"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_no_secret_of_an_example_goes_further_than_its_projection(example: Example, revision: Revision) -> None:
    _, secrets = example.body()
    witness = Witness(revision)
    drafts: list[EntryDraft] = []
    answer = judge(replace(revision, engine=witness), example, drafts.append)
    (policy_input,), (draft,) = witness.seen, drafts
    told = {
        "response": orjson.dumps(answer.response).decode(),
        "PolicyInput": policy_input.body.decode(),
        "places": repr(policy_input),
        "entry": repr(draft.document),
    }
    marks = [trace for secret in secrets for trace in traces(secret)]
    found = [(where, mark) for where, text in told.items() for mark in marks if mark in text]
    assert found == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_the_findings_of_an_example_are_sorted_and_name_its_own_rule_if_any(example: Example) -> None:
    for found in (example.causes, example.warnings, example.dryruns):
        assert list(found) == sorted(found)
    assert not example.causes or example.rule in {rule for rule, _ in example.found} or "is found" in example.name


def test_names_of_examples_are_unique() -> None:
    assert [name for name, count in Counter(example.id for example in EXAMPLES).items() if count > 1] == []


def test_every_rule_has_examples_that_break_it_and_look_alikes_that_do_not(pack: Pack) -> None:
    broken = Counter(e.rule for e in EXAMPLES if e.rule in {rule for rule, _ in e.found})
    kept = Counter(e.rule for e in EXAMPLES if e.rule not in {rule for rule, _ in e.found})
    assert {rule for rule in pack.catalogue if broken[rule] < AT_LEAST} == set()
    assert {rule for rule in pack.catalogue if kept[rule] < AT_LEAST} == set()
    assert {example.rule for example in EXAMPLES} == pack.catalogue.keys()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_has_examples_that_are_denied_and_allowed(operation: str) -> None:
    assert {bool(example.causes) for example in EXAMPLES if example.operation == operation} == {True, False}


def test_every_variant_of_a_rule_has_an_example(pack: Pack, revision: Revision) -> None:
    used = {
        (finding.rule, finding.variant)
        for example in EXAMPLES
        for finding in judge(revision, example).decision.findings
    }
    assert {(rule.id, name) for rule in pack.catalogue.values() for name in rule.variants} - used == set()


def test_every_rule_has_its_test_and_examples_beside_it(pack: Pack) -> None:
    for rule in pack.catalogue:
        name = rule.partition("/")[2]
        files = {path.name for path in (RULES / rule).iterdir()}
        assert files == {f"{name}.rego", f"{name}_test.rego", "examples.yaml"}, rule
    assert {path.parent for path in POLICIES.rglob("examples.yaml")} == {RULES / rule for rule in pack.catalogue}


def _fail(error: Exception) -> None:
    raise error
