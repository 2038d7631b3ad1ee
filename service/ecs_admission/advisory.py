"""The pipeline in process, unrecorded: what `check` runs. The same revision, steps and verdicts as the service."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ecs_admission.model import JSONObject, UserInfo
from ecs_admission.places import PolicyPlace
from ecs_admission.project.detectors.kingfisher import KingfisherDetector

if TYPE_CHECKING:
    from ecs_admission.engines.pack import Pack

_USER = UserInfo("system:local")
_DEADLINE_SECONDS = 10.0


def advisory_judge(
    places: Sequence[PolicyPlace], operation: str, context: list[tuple[str, str]]
) -> Callable[[bytes], JSONObject]:  # fmt: skip
    """A function from a document's bytes to the response of an AdmissionReview. Raises `PolicyError`."""
    with ThreadPoolExecutor(1) as beside:
        # A person waits for this. Loading the detector's rules takes a quarter of a second, most of it without the
        # interpreter's lock, and so do importing the pipeline and compiling the policies: they share that time.
        kingfisher = beside.submit(KingfisherDetector)
        from ecs_admission.adapt.submission import read_operation
        from ecs_admission.engines.embedded import EmbeddedEngine
        from ecs_admission.enrich.inventory import NoInventory
        from ecs_admission.project.fingerprints import ephemeral_key
        from ecs_admission.review import Reviewer, do_not_record
        from ecs_admission.revision import prepare

        pack = _load(places)
        engine = EmbeddedEngine(pack, threads=1, deadline_seconds=_DEADLINE_SECONDS)
        detectors = (kingfisher.result(),)
    revision = prepare(pack, engine=engine, detectors=detectors, key=ephemeral_key(), now=time.time())
    if places:
        from ecs_admission.tripwires import check_revision

        check_revision(revision)
    reviewer = Reviewer(revision, inventory=NoInventory(), recorder=do_not_record, on_error=lambda _: None)

    def judge(content: bytes) -> JSONObject:
        answer = reviewer.review(
            lambda: read_operation(operation, content, context),
            operation=operation,
            user=_USER,
            enforcement_point="check",
        )
        return answer.response

    return judge


def _load(places: Sequence[PolicyPlace]) -> Pack:
    """The pack that ships needs none of what it takes to lay others over it."""
    if not places:
        from ecs_admission.engines.pack import load_pack

        return load_pack()
    from ecs_admission.policies import load_policies

    return load_policies(places, now=time.time()).pack
