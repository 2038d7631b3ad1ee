"""Revisions of layered policies, and what they make of a request."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from ecs_admission.adapt.submission import read_operation
from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.engines.pack import Pack
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.model import JSONObject, UserInfo
from ecs_admission.project.fingerprints import make_key
from ecs_admission.review import Answer, Reviewer, do_not_record
from ecs_admission.revision import Revision, prepare
from tests.engines.opa_server import opa_program

NOW = 1_790_000_000
"""2026-09-21, what the clock says where policies are loaded in these tests."""


def path_with_opa() -> str:
    """PATH with the pinned OPA in front; skips the test where there is none."""
    return f"{Path(opa_program()).parent}{os.pathsep}{os.environ['PATH']}"


@contextmanager
def made(pack: Pack, *, now: float = NOW) -> Iterator[Revision]:
    """The revision of a pack with an engine of its own and the pack's own patterns as the only detector."""
    engine = EmbeddedEngine(pack, threads=1, deadline_seconds=30.0)
    try:
        yield prepare(pack, engine=engine, detectors=(), key=make_key(bytes(32)), now=now)
    finally:
        engine.close()


def ask(
    revision: Revision, document: JSONObject, *, operation: str = "RegisterTaskDefinition", now: float = NOW,
    **context: str,
) -> Answer:  # fmt: skip
    """What a revision makes of a document, with every unexpected error raised."""
    reviewer = Reviewer(
        revision, inventory=NoInventory(), recorder=do_not_record, on_error=_fail, clock=lambda: now
    )  # fmt: skip
    return reviewer.review(
        lambda: read_operation(operation, orjson.dumps(document), context.items()),
        operation=operation,
        user=UserInfo("pipeline"),
        enforcement_point="test",
    )


def rules(answer: Answer) -> list[str]:
    """The rules that deny, in the order of the answer."""
    return [finding.rule for finding in answer.decision.denials]


def _fail(error: Exception) -> None:
    raise error
