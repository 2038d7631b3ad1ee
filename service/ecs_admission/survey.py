"""What files are found to be today, in process and unrecorded: that from which exceptions are generated.

The same revision, steps and verdicts as `check`, with the findings themselves in the place of an answer's words.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import orjson

from ecs_admission.adapt.submission import Adapted, read_operation
from ecs_admission.decide import subject
from ecs_admission.decision_log.entries import EntryDraft
from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.model import Decision, DeployContext, JSONObject, UserInfo
from ecs_admission.places import PolicyPlace
from ecs_admission.policies import load_policies
from ecs_admission.project.detectors.kingfisher import KingfisherDetector
from ecs_admission.project.fingerprints import ephemeral_key
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision, prepare
from ecs_admission.tripwires import check_revision

_USER = UserInfo("system:local")
_DEADLINE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A file as it is judged. `family` is what it is about, as exceptions name it, where that may be shown."""

    decision: Decision
    response: JSONObject = field(repr=False)
    family: str | None
    context: DeployContext


@dataclass(frozen=True, slots=True)
class Survey:
    """Judges files by one revision."""

    revision: Revision
    clock: Callable[[], float] = time.time

    def judge(self, content: bytes, *, operation: str, context: Sequence[tuple[str, str]]) -> Surveyed:
        """Judge the bytes of a document as the input of an API call. Never raises for what is in it."""
        submitted: list[Adapted] = []
        drafts: list[EntryDraft] = []

        def read() -> Adapted:
            submitted.append(read_operation(operation, content, context))
            return submitted[0]

        reviewer = Reviewer(
            self.revision,
            inventory=NoInventory(),
            recorder=drafts.append,
            on_error=lambda _: None,
            clock=self.clock,
        )
        answer = reviewer.review(read, operation=operation, user=_USER, enforcement_point="check")
        family = _shown_subject(submitted, drafts)
        return Surveyed(answer.decision, answer.response, family, _settled(drafts))


def prepare_survey(places: Sequence[PolicyPlace], *, clock: Callable[[], float] = time.time) -> Survey:
    """A survey by the policies of `places`, which are tried first. Raises `AdmissionError`."""
    pack = load_policies(places, now=clock()).pack
    engine = EmbeddedEngine(pack, threads=1, deadline_seconds=_DEADLINE_SECONDS)
    revision = prepare(pack, engine=engine, detectors=(KingfisherDetector(),), key=ephemeral_key(), now=clock())
    check_revision(revision)
    return Survey(revision, clock)


def _shown_subject(submitted: Sequence[Adapted], drafts: Sequence[EntryDraft]) -> str | None:
    """What a request is about, where that is shown as it is: only then can an exception be written that matches it."""
    body = drafts[0].body if drafts else None
    if not submitted or body is None:
        return None
    shown = subject(orjson.loads(body)["object"])
    return shown if shown == subject(submitted[0].canonical.value) else None


def _settled(drafts: Sequence[EntryDraft]) -> DeployContext:
    """Environment and account as they were judged by, which need not be as they were claimed."""
    request = drafts[0].document["request"] if drafts else {"context": {}}
    context = request["context"]
    return DeployContext(environment=context.get("environment"), account=context.get("account"))
