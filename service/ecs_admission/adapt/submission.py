"""The two ways in which a request reaches us, as functions that read it when the pipeline asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ecs_admission.adapt.context import read_parameters
from ecs_admission.adapt.documents import read_document
from ecs_admission.adapt.envelope import read_envelope
from ecs_admission.adapt.operations import adapt_document, adapt_value
from ecs_admission.model import CanonicalObject, DeployContext


@dataclass(frozen=True, slots=True)
class Adapted:
    """A submitted request, read. `uid` is None where the caller gave none."""

    uid: str | None
    operation: str
    canonical: CanonicalObject = field(repr=False)
    context: DeployContext
    dry_run: bool = False


def read_operation(operation: str, body: bytes, parameters: Iterable[tuple[str, str]]) -> Adapted:
    """Read the parameters of an ECS API call, with the context as pairs of name and value. Raises `InputError`."""
    context = read_parameters(parameters)
    return Adapted(None, operation, adapt_document(operation, body), context)


def read_review(body: bytes) -> Adapted:
    """Read an AdmissionReview. Raises `InputError`."""
    envelope = read_envelope(read_document(body))
    canonical = adapt_value(envelope.operation, envelope.object)
    return Adapted(envelope.uid, envelope.operation, canonical, envelope.context, envelope.dry_run)
