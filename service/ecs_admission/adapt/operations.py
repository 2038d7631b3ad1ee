"""The ECS operations that are judged, and the way from a submitted document to the input that AWS would receive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ecs_admission.adapt.canonical import canonicalize
from ecs_admission.adapt.documents import read_document
from ecs_admission.adapt.shapes import operation_input
from ecs_admission.adapt.templates import refuse_templates
from ecs_admission.adapt.wrappers import unwrap
from ecs_admission.errors import InputError
from ecs_admission.model import CanonicalObject


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the ECS API, with the Kubernetes words for what it writes."""

    name: str
    resource: str
    kind: str


OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        operation.name: operation
        for operation in (Operation("RegisterTaskDefinition", resource="taskdefinitions", kind="TaskDefinition"),)
    }
)


def adapt_document(operation: str, data: bytes) -> CanonicalObject:
    """The canonical input of `operation` in a submitted JSON or YAML document, wrapped or not.

    Raises InputError for whatever cannot be judged; its text, code, status and pointer may be shown to anyone.
    """
    _check_operation(operation)
    return adapt_value(operation, read_document(data))


def adapt_value(operation: str, value: Any) -> CanonicalObject:
    """The same for a value that is parsed already, as in an AdmissionReview. Raises InputError likewise."""
    _check_operation(operation)
    shape = operation_input(operation)
    document, pointers = unwrap(operation, value)
    refuse_templates(document, shape, pointers)
    return canonicalize(document, shape, pointers)


def _check_operation(operation: str) -> None:
    if operation not in OPERATIONS:
        known = ", ".join(sorted(OPERATIONS))
        raise InputError("unknown-operation", f"This operation is not judged. Those that are: {known}.")
