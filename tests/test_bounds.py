"""Nothing hides behind number or size: what cannot be judged whole is denied as that, and never undecided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from ecs_admission.adapt.bounds import MAX_BYTES
from ecs_admission.adapt.submission import read_operation
from ecs_admission.decide import BOUNDS_RULE, MAX_FINDINGS
from ecs_admission.model import Outcome, UserInfo
from ecs_admission.project.projection import MAX_SIGNALLED_LITERALS
from ecs_admission.project.walk import MAX_REFERENCES
from ecs_admission.review import Answer, Reviewer
from tests.project.samples import container, environment, github_token, letters, task

ROLE = "arn:aws:iam::111122223333:role/execution"
MANY = 2000
SPARE_BYTES = 2000
"""Room for what stands around the items."""


def ask(reviewer: Reviewer, document: Any) -> Answer:
    body = orjson.dumps(document)
    assert len(body) <= MAX_BYTES
    return reviewer.review(
        lambda: read_operation("RegisterTaskDefinition", body, [("environment", "prod")]),
        operation=None,
        user=UserInfo("pipeline"),
        enforcement_point="test",
    )


def rules(answer: Answer) -> set[str]:
    return {finding.rule for finding in answer.decision.denials}


def as_many(item: Any) -> list[Any]:
    """As many of a tiny item as a request can hold."""
    return [item] * ((MAX_BYTES - SPARE_BYTES) // (len(orjson.dumps(item)) + 1))


def keys() -> dict[str, str]:
    return {f"{number:05x}": "" for number in range((MAX_BYTES - SPARE_BYTES) // len('"00000":"",'))}


def secrets_of(count: int, name: Callable[[int], str] = "S{}".format) -> list[dict[str, str]]:
    return [{"name": name(number), "valueFrom": "/prod/x"} for number in range(count)]


TINY: dict[str, Callable[[], Any]] = {
    "containerDefinitions": lambda: {"family": "web", "containerDefinitions": as_many({"name": "a", "image": "b"})},
    "command": lambda: task(container(command=as_many(""))),
    "entryPoint": lambda: task(container(entryPoint=as_many("a"))),
    "healthCheck": lambda: task(container(healthCheck={"command": as_many("a")})),
    "environment": lambda: task(container(environment=as_many({"name": "A", "value": ""}))),
    "environmentFiles": lambda: task(container(environmentFiles=as_many({"type": "s3", "value": "a"}))),
    "secrets": lambda: task(container(secrets=as_many({"name": "A", "valueFrom": "b"}))),
    "secretOptions": lambda: task(
        container(logConfiguration={"logDriver": "x", "secretOptions": as_many({"name": "A", "valueFrom": "b"})})
    ),
    "options": lambda: task(container(logConfiguration={"logDriver": "x", "options": keys()})),
    "dockerLabels": lambda: task(container(dockerLabels=keys())),
    "dnsServers": lambda: task(container(dnsServers=as_many("a"))),
    "links": lambda: task(container(links=as_many("a"))),
    "extraHosts": lambda: task(container(extraHosts=as_many({"hostname": "a", "ipAddress": "b"}))),
    "tags": lambda: task(container(), tags=as_many({"key": "a", "value": ""})),
    "volumes": lambda: task(container(), volumes=as_many({"name": "a"})),
}


@pytest.mark.parametrize("place", TINY)
def test_a_mebibyte_of_tiny_items_is_denied(reviewer: Reviewer, place: str) -> None:
    answer = ask(reviewer, TINY[place]())
    assert answer.decision.outcome is Outcome.DENIED
    assert BOUNDS_RULE in rules(answer)


@pytest.mark.parametrize("place", TINY)
def test_what_hides_behind_them_does_not_make_it_an_allow(reviewer: Reviewer, place: str) -> None:
    document = TINY[place]()
    *others, last = document["containerDefinitions"]
    # Room for the token; the items are one and the same object.
    document["containerDefinitions"] = [*others[:-3], {**last, "user": github_token()}]
    assert ask(reviewer, document).decision.outcome is Outcome.DENIED


def test_a_mebibyte_that_aws_does_not_know_is_searched_to_its_end(reviewer: Reviewer) -> None:
    items = as_many("a")
    clean = ask(reviewer, task(container(more=items)))
    assert clean.decision.outcome is Outcome.ALLOWED
    answer = ask(reviewer, task(container(more=[*items[:-50], github_token()])))
    assert rules(answer) == {"plaintext/field"}


@pytest.mark.parametrize("name", ["S{}".format, lambda _: "S", lambda n: f"PASSWORD_{n}"], ids=["own", "one", "secret"])
def test_thousands_of_references_are_denied(reviewer: Reviewer, name: Callable[[int], str]) -> None:
    answer = ask(reviewer, task(container(secrets=secrets_of(MANY, name)), executionRoleArn=ROLE))
    assert answer.decision.outcome is Outcome.DENIED
    assert BOUNDS_RULE in rules(answer)


@pytest.mark.parametrize(
    ("count", "outcome"), [(MAX_REFERENCES, Outcome.ALLOWED), (MAX_REFERENCES + 1, Outcome.DENIED)]
)
def test_the_number_of_references_is_bounded_over_all_containers(
    reviewer: Reviewer, count: int, outcome: Outcome
) -> None:
    secrets = secrets_of(count)
    halves = [container(name=name, secrets=part) for name, part in (("a", secrets[:250]), ("b", secrets[250:]))]
    answer = ask(reviewer, task(*halves, executionRoleArn=ROLE))
    assert answer.decision.outcome is outcome
    assert rules(answer) <= {BOUNDS_RULE}


@pytest.mark.parametrize("count", [MAX_SIGNALLED_LITERALS + 1, MANY, 10_000])
def test_more_leaks_than_can_be_judged_are_denied_and_told_up_to_a_bound(reviewer: Reviewer, count: int) -> None:
    answer = ask(reviewer, environment((f"A{number}_PASSWORD", letters(16, seed=number)) for number in range(count)))
    assert answer.decision.outcome is Outcome.DENIED
    assert BOUNDS_RULE in rules(answer)
    assert len(answer.decision.findings) <= MAX_FINDINGS


def test_any_number_of_values_that_stand_for_nothing_is_no_reason_to_deny(reviewer: Reviewer) -> None:
    names = [f"A{number}_PASSWORD" for number in range(MANY)]
    assert ask(reviewer, environment((name, "${" + name + "}") for name in names)).decision.outcome is Outcome.ALLOWED


def test_and_no_leak_hides_among_them(reviewer: Reviewer) -> None:
    pairs = [(f"A{number}_PASSWORD", "${X}") for number in range(MANY)]
    answer = ask(reviewer, environment([*pairs, ("B_PASSWORD", letters(16))]))
    assert {(f.rule, f.pointer) for f in answer.decision.denials} == {
        ("plaintext/environment", f"/containerDefinitions/0/environment/{MANY}/value")
    }
