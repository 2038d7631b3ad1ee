"""The schema of the PolicyInput is current, every PolicyInput is valid under it, and OPA holds rules to it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft7Validator
from tools.schema import PATH, schema_text

from ecs_admission.adapt.operations import OPERATIONS
from ecs_admission.adapt.submission import read_operation
from ecs_admission.decision_log.entries import EntryDraft
from ecs_admission.enrich.inventory import ATTRIBUTES, Fact
from ecs_admission.model import UserInfo
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision
from tests.engines.opa_server import opa_program
from tests.policies.examples import POLICIES, Example, load_examples
from tests.project.test_canary_locations import fill

SCHEMA = json.loads(PATH.read_bytes())


class KnowsAll:
    """Knows every fact of every subject."""

    def facts(self, subjects: Sequence[tuple[str, str]]) -> Iterable[Fact]:
        """See `Inventory`."""
        return (Fact(kind, pointer, "known", **dict.fromkeys(ATTRIBUTES, True)) for kind, pointer in subjects)


def errors(document: Any, schema: Any = SCHEMA) -> list[str]:
    """Where a document breaks the schema. Without its values, which would be long."""
    return [f"{error.json_path}: {error.validator}" for error in Draft7Validator(schema).iter_errors(document)]


@pytest.fixture(scope="session")
def policy_inputs(revision: Revision) -> dict[str, Any]:
    """The PolicyInput of every example, as it is kept."""
    drafts: list[EntryDraft] = []
    reviewer = Reviewer(revision, inventory=KnowsAll(), recorder=drafts.append, on_error=_fail)
    return {example.id: _policy_input(example, reviewer, drafts) for example in load_examples()}


def _policy_input(example: Example, reviewer: Reviewer, drafts: list[EntryDraft]) -> Any:
    reviewer.review(
        partial(read_operation, example.operation, example.body()[0], example.context.items()),
        operation=example.operation,
        user=UserInfo("pipeline", ("deployers",)),
        enforcement_point="test",
    )
    return orjson.loads(drafts.pop().body or b"")


def _fail(error: Exception) -> None:
    raise error


def test_the_schema_is_current() -> None:
    assert PATH.read_text() == schema_text(), "run: make schema"


def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(SCHEMA)


def test_every_policy_input_of_an_example_is_valid(policy_inputs: dict[str, Any]) -> None:
    broken = {name: found for name, document in policy_inputs.items() if (found := errors(document))}
    assert {} == broken


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_object_with_all_that_aws_knows_is_valid(operation: str, revision: Revision) -> None:
    node = revision.locations[operation]
    shown = revision.projector.project(fill(node, lambda _: "plain"), node).object
    assert node.members.keys() - {"environment"} <= shown.keys()
    assert [] == errors(shown, SCHEMA["properties"]["object"])


def test_examples_have_every_part(policy_inputs: dict[str, Any]) -> None:
    for part in ("literals", "references", "facts"):
        members = set().union(*(item.keys() for document in policy_inputs.values() for item in document[part]))
        assert SCHEMA["properties"][part]["items"]["properties"].keys() == members


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (
            ("object", "containerDefinitions", 0, "environment"),
            "$.object.containerDefinitions[0]: additionalProperties",
        ),
        (("object", "containerDefinitions", 0, "command", 0), "$.object.containerDefinitions[0].command[0]: const"),
        (("request", "password"), "$.request: additionalProperties"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[-1],
)
def test_what_must_not_be_shown_is_invalid(
    path: tuple[str | int, ...], told: str, policy_inputs: dict[str, Any]
) -> None:
    document = {
        **next(iter(policy_inputs.values())),
        "object": {"containerDefinitions": [{"name": "web", "command": ["<redacted>"], "environmentNames": ["A"]}]},
    }
    assert [] == errors(document)
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = "the value itself"
    assert [told] == errors(document)


@pytest.mark.opa
class TestCheck:
    """What `opa check --schema` makes of a rule. A change here is a change of what authors can rely on."""

    def check(self, body: str, folder: Path) -> str:
        """What OPA has to say of a rule with this body."""
        module = folder / "rule.rego"
        module.write_text(f"package rule\n\nholds if {{\n\t{body}\n}}\n")
        options = ["--strict", "--capabilities", str(POLICIES / "capabilities.json"), "--schema", str(PATH)]
        return subprocess.run([opa_program(), "check", *options, module], capture_output=True, text=True).stderr

    @pytest.mark.parametrize(
        "body",
        [
            "input.operation",
            "input.request.context.enviroment",
            "input.object.containerDefinitions[_].priviledged",
            "input.object.containerDefinitions[_].environment",
            "some literal in input.literals\n\tliteral.value",
            "some reference in input.references\n\treference.versionstage",
            "some fact in input.facts\n\tfact.exist",
            "input.object.overrides.containerOverrides[_].secrets",
        ],
    )
    def test_a_member_that_is_not_there_is_an_error(self, body: str, tmp_path: Path) -> None:
        assert "undefined ref" in self.check(body, tmp_path)

    @pytest.mark.parametrize(
        "body",
        [
            'input.counts.left_out == "0"',
            "some container in input.object.containerDefinitions\n\tstartswith(container.environmentNames, `A`)",
            'some fact in input.facts\n\tfact.exists == "true"',
        ],
    )
    def test_a_value_of_another_type_is_an_error(self, body: str, tmp_path: Path) -> None:
        assert "rego_type_error" in self.check(body, tmp_path)

    @pytest.mark.parametrize(
        "body",
        [
            "some reference in input.references\n\treference.problem == null",
            'some reference in input.references\n\treference.problem == "empty"',
            "some reference in input.references\n\treference.complete == false",
            'input.object.containerDefinitions[0].environmentValues.AWS_REGION == "eu-central-1"',
        ],
    )
    def test_what_is_there_is_none(self, body: str, tmp_path: Path) -> None:
        assert "" == self.check(body, tmp_path)
