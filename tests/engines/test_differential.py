"""Both engines evaluate alike, whatever they are asked: examples, hostile task definitions, any JSON at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ecs_admission.adapt.operations import adapt_value
from ecs_admission.adapt.submission import read_operation
from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.engines.opa import OpaEngine
from ecs_admission.engines.pack import OPA_ARTEFACT
from ecs_admission.engines.protocol import PolicyEngine
from ecs_admission.errors import AdmissionError
from ecs_admission.model import (
    AdmissionRequest,
    CanonicalObject,
    DeployContext,
    Evaluation,
    PolicyInput,
    UserInfo,
    new_decision_id,
)
from ecs_admission.project.policy_input import assemble
from ecs_admission.revision import Revision
from tests.engines.opa_server import serve_bundle
from tests.policies.examples import Example, load_examples

pytestmark = pytest.mark.opa

OPERATION = "RegisterTaskDefinition"
DEADLINE_SECONDS = 30.0
BUNDLE = Path(__file__).parents[2] / "service" / "ecs_admission" / "pack" / OPA_ARTEFACT

HOSTILE = [
    '"}],"allowed":true,"findings":[{"a":"',
    '\\"}]}',
    "\\",
    "\\u0000",
    "\0",
    "\x01\x08\x0b\x1f\x7f\x85",
    "a\nb\r\tc",
    "\u2028\u2029\ufeff\ufffd",
    "\N{RIGHT-TO-LEFT OVERRIDE}drowssap",
    "\N{PILE OF POO}\N{MUSICAL SYMBOL G CLEF}\U0010ffff",
    "e\N{COMBINING ACUTE ACCENT}\N{LATIN SMALL LETTER E WITH ACUTE}",
    "/containerDefinitions/0~1~0",
    "<redacted-1>",
    "<redacted>",
    "$" + "{PASSWORD}",
    "%s%d%v",
    "../../data",
    "A" * 5000,
    "\N{PILE OF POO}" * 1000,
    "",
    " ",
    "DB_PASSWORD",
]

TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(codec="utf-8"), max_size=40),
    st.tuples(st.sampled_from(HOSTILE), st.text(st.characters(codec="utf-8"), max_size=10)).map("".join),
)
NAMES = st.one_of(st.sampled_from(["DB_PASSWORD", "API_TOKEN", "LOG_LEVEL", "SETTING", "KEY_ID"]), TEXTS)
VALUES = st.one_of(
    st.sampled_from(
        [
            "arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/db-AbCdEf",
            "arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/db-AbCdEf:password",
            "arn:aws:ssm:eu-central-1:111122223333:parameter:prod",
            "arn:aws:s3:::bucket/prod.env",
            "Xk29fQm71Lw0ZpR8",
            "postgres://app:Xk29fQm71Lw0ZpR8@db:5432/app",
            "CHANGE_ME",
        ]
    ),
    TEXTS,
)
VARIABLES = st.lists(
    st.fixed_dictionaries({"name": NAMES, "value": VALUES}, optional={"valueFrom": VALUES}), max_size=5
)
SECRETS = st.lists(st.fixed_dictionaries({"name": NAMES, "valueFrom": VALUES}), max_size=5)
CONTAINERS = st.fixed_dictionaries(
    {"name": NAMES, "image": TEXTS},
    optional={
        "environment": VARIABLES,
        "secrets": SECRETS,
        "environmentFiles": st.lists(st.fixed_dictionaries({"type": NAMES, "value": VALUES}), max_size=2),
        "command": st.lists(VALUES, max_size=4),
        "dockerLabels": st.dictionaries(NAMES, VALUES, max_size=4),
        "repositoryCredentials": st.fixed_dictionaries({"credentialsParameter": VALUES}),
        "logConfiguration": st.fixed_dictionaries(
            {"logDriver": NAMES},
            optional={"options": st.dictionaries(NAMES, VALUES, max_size=4), "secretOptions": SECRETS},
        ),
        "unknown to AWS": st.dictionaries(NAMES, VALUES, max_size=3),
    },
)
TASK_DEFINITIONS = st.fixed_dictionaries(
    {"family": NAMES, "containerDefinitions": st.lists(CONTAINERS, min_size=1, max_size=3)},
    optional={
        "executionRoleArn": st.one_of(st.just("arn:aws:iam::111122223333:role/web"), TEXTS),
        "tags": st.lists(st.fixed_dictionaries({"key": NAMES, "value": VALUES}), max_size=3),
    },
)

NUMBERS = st.one_of(st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False))
KEYS = st.one_of(
    st.sampled_from(
        [
            *("request", "object", "literals", "references", "counts", "uid", "operation", "pointer", "field", "kind"),
            *("signals", "detector", "rule", "confidence", "problem", "containerDefinitions", "secrets", "name"),
            *("environmentNames", "executionRoleArn", "left_out", "offset", "0"),
        ]
    ),
    TEXTS,
)
WORDS = st.sampled_from(
    [
        *("environment", "command", "logOption", "secrets", "secretOptions", "repositoryCredentials"),
        *("name", "native", "unscanned", "high", "medium", "opaque", "arn", "empty", "malformed-arn"),
        *("RegisterTaskDefinition", "environmentFiles"),
    ]
)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, WORDS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


def mostly(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What should stand in a place, and now and then something else altogether."""
    return st.one_of(strategy, strategy, strategy, ANYTHING)


SIGNALS = st.fixed_dictionaries(
    {},
    optional={
        "detector": mostly(st.sampled_from(["name", "native", "unscanned"])),
        "rule": mostly(TEXTS),
        "confidence": mostly(st.sampled_from(["high", "medium", "low"])),
    },
)
LITERALS = st.fixed_dictionaries(
    {},
    optional={
        "pointer": mostly(TEXTS),
        "field": mostly(st.sampled_from(["environment", "command", "logOption"])),
        "kind": mostly(st.sampled_from(["opaque", "arn", "empty", "text"])),
        "signals": mostly(st.lists(mostly(SIGNALS), max_size=3)),
    },
)
REFERENCES = st.fixed_dictionaries(
    {},
    optional={
        "pointer": mostly(TEXTS),
        "field": mostly(st.sampled_from(["secrets", "secretOptions", "environment", "repositoryCredentials"])),
        "problem": mostly(st.sampled_from([None, "empty", "malformed-arn"])),
    },
)
SHOWN_CONTAINERS = st.fixed_dictionaries(
    {},
    optional={
        "environmentNames": mostly(st.lists(mostly(NAMES), max_size=4)),
        "secrets": mostly(st.lists(mostly(st.fixed_dictionaries({}, optional={"name": mostly(NAMES)})), max_size=4)),
    },
)
SHAPED_LIKE_POLICY_INPUT = st.fixed_dictionaries(
    {
        "request": st.fixed_dictionaries({"uid": mostly(TEXTS)}, optional={"operation": mostly(st.just(OPERATION))}),
        "counts": mostly(
            st.fixed_dictionaries(
                {"literals": mostly(st.integers(0, 9))}, optional={"left_out": mostly(st.integers(0, 3))}
            )
        ),
    },
    optional={
        "object": mostly(
            st.fixed_dictionaries(
                {},
                optional={
                    "containerDefinitions": mostly(st.lists(mostly(SHOWN_CONTAINERS), max_size=3)),
                    "executionRoleArn": mostly(TEXTS),
                },
            )
        ),
        "literals": mostly(st.lists(mostly(LITERALS), max_size=4)),
        "references": mostly(st.lists(mostly(REFERENCES), max_size=4)),
    },
)

fast = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def opa() -> Iterator[OpaEngine]:
    """An OPA server with the bundle that ships."""
    with serve_bundle(BUNDLE) as server:
        engine = OpaEngine(server.url, threads=2, deadline_seconds=DEADLINE_SECONDS)
        yield engine
        engine.close()


def outcome(engine: PolicyEngine, policy_input: PolicyInput) -> Evaluation | None:
    """What an engine says; None for an error. The order of findings is not part of it, their number is."""
    try:
        evaluation = engine.evaluate(policy_input)
    except AdmissionError:
        return None
    findings = sorted(evaluation.findings, key=lambda found: (found.at, found.rule, found.variant or ""))
    return replace(evaluation, findings=tuple(findings))


def are_alike(policy_input: PolicyInput, embedded: EmbeddedEngine, opa: OpaEngine) -> bool:
    """True where both answer the same, or the server refuses.

    A built-in that gets a type which no PolicyInput has is an error on a server and undefined in WebAssembly. What
    comes out of `adapt` has its types, and the tests above want an answer for all of that.
    """
    expected = outcome(opa, policy_input)
    return expected is None or outcome(embedded, policy_input) == expected


def request_for(canonical: CanonicalObject, context: DeployContext) -> AdmissionRequest:
    """A request as the pipeline would make it."""
    decision_id = new_decision_id()
    return AdmissionRequest(
        decision_id=decision_id,
        uid=decision_id,
        operation=OPERATION,
        canonical=canonical,
        context=context,
        user=UserInfo("pipeline"),
        enforcement_point="test",
        now=1_700_000_000,
    )


def project(revision: Revision, canonical: CanonicalObject, context: DeployContext) -> PolicyInput:
    """What the engines would be given."""
    projection = revision.projector.project(canonical.value, revision.locations[OPERATION])
    return assemble(request_for(canonical, context), projection, ())


@pytest.mark.parametrize("given_example", load_examples(), ids=lambda item: item.id)
def test_every_example_is_evaluated_alike(
    given_example: Example, revision: Revision, embedded: EmbeddedEngine, opa: OpaEngine
) -> None:
    body, _ = given_example.body()
    adapted = read_operation(given_example.operation, body, given_example.context.items())
    policy_input = project(revision, adapted.canonical, adapted.context)
    expected = outcome(opa, policy_input)
    assert expected is not None
    assert expected.decision_id == policy_input.decision_id
    assert outcome(embedded, policy_input) == expected


@fast
@given(document=TASK_DEFINITIONS)
@example(document={"family": "x", "containerDefinitions": [{"name": text, "image": text} for text in HOSTILE]})
@example(
    document={
        "family": "x",
        "containerDefinitions": [
            {
                "name": "app",
                "image": "web:1",
                "environment": [{"name": text, "value": "Xk29fQm71Lw0ZpR8"} for text in HOSTILE],
                "secrets": [{"name": text, "valueFrom": text} for text in [*HOSTILE, *HOSTILE]],
                "dockerLabels": {text: text for text in HOSTILE},
            }
        ],
    }
)
def test_every_task_definition_is_evaluated_alike(
    document: Any, revision: Revision, embedded: EmbeddedEngine, opa: OpaEngine
) -> None:
    try:
        canonical = adapt_value(OPERATION, document)
    except AdmissionError:
        return  # a template, or a control character that AWS would refuse: no engine gets it
    policy_input = project(revision, canonical, DeployContext(environment="prod"))
    expected = outcome(opa, policy_input)
    assert expected is not None
    assert expected.decision_id == policy_input.decision_id
    assert outcome(embedded, policy_input) == expected


@fast
@given(document=SHAPED_LIKE_POLICY_INPUT)
@example(document={"request": {"uid": "x"}})
@example(
    document={
        "request": {"uid": "x"},
        "counts": {"literals": 1},
        "literals": {"a": {"field": "environment", "signals": [{}], "pointer": "/p"}},
    }
)
@example(
    document={
        "request": {"uid": "x"},
        "counts": {"literals": 0},
        "object": {"containerDefinitions": [{"secrets": [{"name": "b"}], "environmentNames": {"a": "b"}}]},
    }
)
@example(
    document={
        "request": {"uid": '"}],"allowed":true'},
        "counts": {"literals": 2},
        "references": {"a": {"field": "environment"}},
    }
)
def test_everything_shaped_like_a_policy_input_is_evaluated_alike(
    document: Any, embedded: EmbeddedEngine, opa: OpaEngine
) -> None:
    policy_input = PolicyInput(decision_id="x", body=orjson.dumps(document), places={})
    assert are_alike(policy_input, embedded, opa)


@fast
@given(document=ANYTHING)
def test_any_json_at_all_is_evaluated_alike(document: Any, embedded: EmbeddedEngine, opa: OpaEngine) -> None:
    policy_input = PolicyInput(decision_id="x", body=orjson.dumps(document), places={})
    assert are_alike(policy_input, embedded, opa)
