"""One policy revision, ready: what it projects with, what it judges with and what it makes of findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ecs_admission.adapt.operations import OPERATIONS
from ecs_admission.adapt.shapes import operation_input
from ecs_admission.engines.pack import Pack
from ecs_admission.engines.protocol import PolicyEngine
from ecs_admission.governance import Governance, read_governance
from ecs_admission.project.detectors import Detector
from ecs_admission.project.detectors.native import NativeDetector, read_tokens
from ecs_admission.project.fields import Node, compile_node
from ecs_admission.project.fingerprints import FingerprintKey
from ecs_admission.project.projection import Projector


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Revision:
    """Everything of one revision. The revision that projects is the revision that judges."""

    id: str
    governance: Governance = field(repr=False)
    projector: Projector = field(repr=False)
    engine: PolicyEngine = field(repr=False)
    locations: Mapping[str, Node] = field(repr=False)
    members: frozenset[str] = field(repr=False)


def prepare(
    pack: Pack, *, engine: PolicyEngine, detectors: Sequence[Detector], key: FingerprintKey, now: float
) -> Revision:
    """Check a pack's data and build what the pipeline needs of it. Raises `PolicyError`.

    `detectors` work beside the one that the pack's own patterns make. `now` is when, in seconds since the epoch.
    """
    locations = {operation: compile_node(operation_input(operation)) for operation in OPERATIONS}
    return Revision(
        id=pack.revision,
        governance=read_governance(pack.data, pack.catalogue, now=now),
        projector=Projector(pack.config, (NativeDetector(read_tokens(pack.config)), *detectors), key),
        engine=engine,
        locations=locations,
        members=frozenset(name for node in locations.values() for name in _members(node)),
    )


def _members(node: Node) -> Iterator[str]:
    for name, member in node.members.items():
        yield name
        yield from _members(member)
    if node.item is not None:
        yield from _members(node.item)
