"""Secrets made when a test runs, so that none is committed, and the shortest requests that hold them."""

from __future__ import annotations

import random
import string
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from hypothesis import settings
from hypothesis import strategies as st

from ecs_admission.adapt.canonical import canonicalize
from ecs_admission.adapt.shapes import operation_input
from ecs_admission.adapt.submission import read_operation
from ecs_admission.model import JSONObject, Outcome, UserInfo
from ecs_admission.project.projection import Projection
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
unhurried = settings(deadline=None, max_examples=60)
"""For property tests: how long one example takes says nothing on a busy machine."""

REGISTER = operation_input("RegisterTaskDefinition")


def letters(count: int, alphabet: str = BASE62, *, seed: int = 7) -> str:
    """Random text, the same for the same seed."""
    return "".join(random.Random(seed).choices(alphabet, k=count))


def github_token(seed: int = 7) -> str:
    """A classic personal access token of GitHub, with the check digits that scanners verify."""
    body, digits = letters(30, seed=seed), ""
    rest = zlib.crc32(body.encode())
    while rest:
        rest, digit = divmod(rest, 62)
        digits = BASE62[digit] + digits
    return "gh" + "p_" + body + digits.rjust(6, "0")


def aws_key_id(seed: int = 7) -> str:
    """An AWS access key id."""
    return "AK" + "IA" + letters(16, string.ascii_uppercase + "234567", seed=seed)


def private_key(label: str = "RSA ") -> str:
    """The beginning of a PEM block."""
    return "-----BEGIN " + label + "PRIVATE " + "KEY-----\n" + letters(64) + "\n"


def jwt() -> str:
    """A JSON Web Token by its form."""
    return "e" + "yJ" + letters(20) + ".e" + "yJ" + letters(30) + "." + letters(43)


def task(*containers: JSONObject, **members: Any) -> JSONObject:
    """A task definition of the containers."""
    return {"family": "web", "containerDefinitions": list(containers), **members}


def container(**members: Any) -> JSONObject:
    """A container definition with these members."""
    return {"name": "app", "image": "nginx", **members}


def environment(pairs: Iterable[tuple[str, str]]) -> JSONObject:
    """A task definition of one container with these variables."""
    return task(container(environment=[{"name": name, "value": value} for name, value in pairs]))


def project(revision: Revision, document: JSONObject) -> Projection:
    """The projection of what AWS would get of the document."""
    location = revision.locations["RegisterTaskDefinition"]
    return revision.projector.project(canonicalize(document, REGISTER).value, location)


def denials(reviewer: Reviewer, document: JSONObject) -> set[tuple[str, str]]:
    """What the policies that ship deny of a document: rules and pointers."""
    answer = reviewer.review(
        lambda: read_operation("RegisterTaskDefinition", orjson.dumps(document), ()),
        operation=None,
        user=UserInfo("pipeline"),
        enforcement_point="test",
    )
    assert answer.decision.outcome in (Outcome.ALLOWED, Outcome.DENIED)
    return {(finding.rule, finding.pointer) for finding in answer.decision.denials}


def signals(projection: Projection) -> dict[str, list[tuple[str, str, str]]]:
    """What was observed, by pointer."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for literal in projection.literals:
        rules = [(s["detector"], s["rule"], s["confidence"]) for s in literal["signals"]]
        found.setdefault(literal["pointer"], []).extend(rules)
    return {pointer: sorted(rules) for pointer, rules in found.items()}


def value_signals(revision: Revision, value: str, name: str = "NOTHING_SPECIAL") -> list[tuple[str, str, str]]:
    """What was observed of one variable."""
    return signals(project(revision, environment([(name, value)]))).get(
        "/containerDefinitions/0/environment/0/value", []
    )


def resolve(value: Any, pointer: str) -> Any:
    """What a pointer of ours points at: members and indexes, and `<4>` for the fifth member of an object.

    Like RFC 6901 where there is no `<4>`. A pointer to an unknown member or key points at the pair of both.
    """
    for token in pointer.split("/")[1:]:
        if isinstance(value, tuple):
            value = value[1]
        if isinstance(value, list):
            value = value[int(token)]
        elif token.startswith("<"):
            value = list(value.items())[int(token[1:-1])]
        else:
            value = value[token.replace("~1", "/").replace("~0", "~")]
    return value


safe_names: Sequence[str] = ("LOG_LEVEL", "PORT", "AWS_REGION", "FEATURE_X", "HOSTNAME", "TZ", "JAVA_HOME", "a.b-c")
names = st.sampled_from(safe_names) | st.text(st.characters(codec="utf-8"), max_size=30)
texts = st.text(st.characters(codec="utf-8"), max_size=60)
