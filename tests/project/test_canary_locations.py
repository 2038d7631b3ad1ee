"""A random word at each location of the table, of each operation, comes out nowhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from ecs_admission.adapt.operations import OPERATIONS
from ecs_admission.adapt.submission import read_operation
from ecs_admission.decision_log.entries import EntryDraft
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.model import Evaluation, Outcome, PolicyInput, UserInfo
from ecs_admission.project.fields import ROWS, Node, find_row
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision
from tests.service.canaries import VARIANTS, Canaries

OTHER: dict[str, Any] = {"boolean": True, "double": 1.5, "float": 1.5}
"""What stands at the locations that hold no string, by kind; a whole number by default."""


class Pipeline:
    """The whole pipeline in process, keeping all that leaves the projection."""

    name = "watched"

    def __init__(self, revision: Revision) -> None:
        self._engine = revision.engine
        self._inputs: list[PolicyInput] = []
        self._drafts: list[EntryDraft] = []
        self._reviewer = Reviewer(
            replace(revision, engine=self),
            inventory=NoInventory(),
            recorder=self._drafts.append,
            on_error=_fail,
        )

    def evaluate(self, policy_input: PolicyInput) -> Evaluation:
        """See `PolicyEngine`."""
        self._inputs.append(policy_input)
        return self._engine.evaluate(policy_input)

    def probe(self) -> None:
        """See `PolicyEngine`."""

    def is_unreachable(self) -> bool:
        """See `PolicyEngine`."""
        return False

    def close(self) -> None:
        """See `PolicyEngine`. The engine behind is not ours to close."""

    def told(self, operation: str, document: Any) -> bytes:
        """All that is told of a request: to the engine, to the caller and to the record."""
        answer = self._reviewer.review(
            lambda: read_operation(operation, orjson.dumps(document), [("environment", "prod")]),
            operation=operation,
            user=UserInfo("pipeline"),
            enforcement_point="test",
        )
        assert answer.decision.outcome in (Outcome.ALLOWED, Outcome.DENIED), answer.decision.error_code
        policy_input, draft = self._inputs.pop(), self._drafts.pop()
        assert draft.body == policy_input.body
        texts = [orjson.dumps(answer.response), repr(answer.decision).encode(), repr(policy_input).encode()]
        return b"\0".join([policy_input.body, orjson.dumps(draft.document), *texts])


def _fail(error: Exception) -> None:
    raise error


@pytest.fixture(scope="module")
def pipeline(revision: Revision) -> Pipeline:
    return Pipeline(revision)


def fill(node: Node, text: Callable[[str], str]) -> Any:
    """An input with all that the table knows of; `text` makes each string and each name that is the caller's own."""
    at = node.location
    if node.kind == "structure":
        known = {name: fill(member, text) for name, member in node.members.items()}
        unknown = {text(f"{at} (name inside an unknown member)"): text(f"{at} (value of an unknown member)")}
        return known | {text(f"{at} (name of an unknown member)"): [unknown]}
    if node.kind == "list":
        assert node.item is not None
        return [fill(node.item, text)]
    if node.kind == "map":
        assert node.item is not None
        named = {key: fill(member, text) for key, member in node.members.items()}
        return named | {text(f"{at} (key)"): fill(node.item, text)}
    if node.kind == "document":
        return {text(f"{at} (key)"): [text(at), {text(f"{at} (inner key)"): text(f"{at} (inner value)")}]}
    return text(at) if node.kind in ("string", "timestamp") else OTHER.get(node.kind, 1)


def places(node: Node) -> list[str]:
    """The places that `fill` asks a text for."""
    found: list[str] = []
    fill(node, lambda place: found.append(place) or f"plain-{len(found)}")
    assert len(set(found)) == len(found)
    return found


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_word_at_one_place_is_told_to_nobody(operation: str, revision: Revision, pipeline: Pipeline) -> None:
    node = revision.locations[operation]
    every = places(node)
    numbers = {place: number for number, place in enumerate(every)}
    shown = []
    for wanted in every:
        canaries = Canaries()
        word = canaries.word()
        document = fill(node, lambda place: word if place == wanted else f"plain-{numbers[place]}")  # noqa: B023
        if canaries.found_in(pipeline.told(operation, document)):
            shown.append(wanted)
    assert shown == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_words_everywhere_in_every_form_are_told_to_nobody(
    operation: str, revision: Revision, pipeline: Pipeline
) -> None:
    for variant in VARIANTS:
        canaries = Canaries()
        document = fill(revision.locations[operation], lambda _: variant(canaries.word()))  # noqa: B023
        assert canaries.found_in(pipeline.told(operation, document)) == []


@pytest.mark.parametrize("value", [48215907, "48215907", [48215907], {"pin": 48215907}, True, None])
def test_the_free_json_of_a_hook_is_not_shown_whatever_it_is(value: Any, pipeline: Pipeline) -> None:
    hook = {"hookTargetArn": "x", "roleArn": "y", "lifecycleStages": ["POST_SCALE_UP"], "hookDetails": value}
    document = {"serviceName": "web", "deploymentConfiguration": {"lifecycleHooks": [hook]}}
    told = pipeline.told("CreateService", document)
    assert b"48215907" not in told
    assert b"true" not in told.partition(b'"hookDetails"')[2][:8]


def test_every_row_of_the_table_was_tried(revision: Revision) -> None:
    tried = {row.at for node in revision.locations.values() for place in places(node) if (row := find_row(place))}
    strings = {row.at for row in ROWS if row.treatment.value.startswith("a string")}
    assert strings - tried == set()
