"""Every patch that an answer offers, applied to the document that was submitted: its finding goes, and none comes."""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any

import jsonpatch
import orjson
import pytest

from ecs_admission.adapt.submission import read_operation
from ecs_admission.catalogue import FIXES
from ecs_admission.governance import Environment
from ecs_admission.model import Finding, JSONObject, UserInfo
from ecs_admission.remediate.mend import _MENDERS
from ecs_admission.review import Answer, Reviewer, do_not_record
from ecs_admission.revision import Revision
from tests.policies.examples import Example, GivenFacts, load_examples
from tests.secret_values import traces

DENIED = [example for example in load_examples() if example.causes]
WHERE = {"account": "111122223333", "region": "eu-central-1"}


def fixes(answer: Answer) -> list[JSONObject]:
    """The fixes of an answer, each with the cause it belongs to."""
    causes = answer.response["status"].get("details", {}).get("causes", [])
    return [cause["fix"] | {"reason": cause["reason"]} for cause in causes if "fix" in cause]


def judge(revision: Revision, example: Example, body: bytes, context: dict[str, str]) -> Answer:
    governance = revision.governance
    environment = Environment(example.profile, governance.profiles[example.profile])
    judging = replace(governance, environments=dict.fromkeys(governance.environments, environment))
    reviewer = Reviewer(
        replace(revision, governance=judging),
        inventory=GivenFacts(example.facts),
        recorder=do_not_record,
        on_error=_fail,
    )
    return reviewer.review(
        partial(read_operation, example.operation, body, context.items()),
        operation=example.operation,
        user=UserInfo("pipeline"),
        enforcement_point="test",
    )


def told(findings: tuple[Finding, ...]) -> Counter[tuple[Any, ...]]:
    """Findings without their places, which a patch moves, and without what nobody knows of AWS."""
    known = (f for f in findings if f.variant != "unknown")
    return Counter((f.rule, f.variant, f.place.container, f.place.name) for f in known)


@pytest.mark.parametrize("context", [WHERE, {}], ids=["placed", "unplaced"])
@pytest.mark.parametrize("example", DENIED, ids=lambda example: example.id)
def test_a_patch_mends_its_finding_and_brings_none(
    example: Example, context: dict[str, str], revision: Revision
) -> None:  # fmt: skip
    body, secrets = example.body()
    context = {**context, **example.context}
    answer = judge(revision, example, body, context)
    offered = dict(zip(answer.decision.denials, answer.decision.fixes, strict=True))
    seen = told((*answer.decision.denials, *answer.decision.warnings))
    for finding, fix in offered.items():
        if fix is not None:
            again = judge(revision, example, _patched(body, list(fix.patch)), context)
            left = told((*again.decision.denials, *again.decision.warnings))
            assert not left - seen, "a patch brings a finding"
            mine = told((finding,))
            assert all(left[key] < seen[key] for key in mine), "a patch does not mend its finding"
    if answer.decision.patch:
        everything = orjson.loads(base64.b64decode(answer.response["patch"]))
        again = judge(revision, example, _patched(body, everything), context)
        open_ones = told(tuple(finding for finding, fix in offered.items() if fix is None))
        assert not told(again.decision.denials) - open_ones
    submitted = _free_texts(orjson.loads(body))
    # What a role has to read is named in its permissions: of a reference that parses, the names.
    parts = [{key: value for key, value in fix.items() if key != "statements"} for fix in fixes(answer)]
    shown = orjson.dumps([parts, answer.decision.patch]).decode()
    assert [text for text in submitted if text in shown] == [], "a fix repeats what was submitted"
    answered = orjson.dumps(answer.response).decode() + base64.b64decode(answer.response.get("patch", "")).decode()
    assert [mark for secret in secrets for mark in traces(secret) if mark in answered] == []


def _free_texts(value: Any, name: str = "") -> list[str]:
    """The texts of a request that a caller writes freely: no names, and nothing so short that it stands anywhere."""
    if isinstance(value, dict):
        free = name in ("dockerLabels", "options", "driverOpts", "labels")
        return [text for key, inner in value.items() for text in _free_texts(inner, "value" if free else key)]
    if isinstance(value, list):
        return [text for inner in value for text in _free_texts(inner, name)]
    is_free = name in ("value", "valueFrom", "command", "entryPoint", "credentialsParameter", "image", "containerPath")
    return [value] if isinstance(value, str) and is_free and len(value) > 7 else []


def test_every_way_to_mend_is_known_to_the_catalogue() -> None:
    assert _MENDERS.keys() == set(FIXES)


def _patched(body: bytes, operations: list[Any]) -> bytes:
    return orjson.dumps(jsonpatch.apply_patch(orjson.loads(body), operations))


def _fail(error: Exception) -> None:
    raise error
