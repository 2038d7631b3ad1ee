"""The ECS operations that are judged, and the way from a submitted document to the input that AWS would receive."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ecs_admission.adapt.canonical import canonicalize
from ecs_admission.adapt.documents import read_document
from ecs_admission.adapt.operations.express_services import (
    CREATE_EXPRESS_GATEWAY_SERVICE,
    UPDATE_EXPRESS_GATEWAY_SERVICE,
)
from ecs_admission.adapt.operations.operation import Operation
from ecs_admission.adapt.operations.services import CREATE_SERVICE, UPDATE_SERVICE
from ecs_admission.adapt.operations.tags import TAG_RESOURCE
from ecs_admission.adapt.operations.task_definitions import (
    REGISTER_DAEMON_TASK_DEFINITION,
    REGISTER_TASK_DEFINITION,
)
from ecs_admission.adapt.operations.tasks import EXECUTE_COMMAND, RUN_TASK, START_TASK
from ecs_admission.adapt.templates import refuse_templates
from ecs_admission.adapt.wrappers import submitted_shape, unwrap
from ecs_admission.errors import InputError
from ecs_admission.model import CanonicalObject

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        operation.name: operation
        for operation in (
            REGISTER_TASK_DEFINITION,
            REGISTER_DAEMON_TASK_DEFINITION,
            RUN_TASK,
            START_TASK,
            EXECUTE_COMMAND,
            CREATE_SERVICE,
            UPDATE_SERVICE,
            CREATE_EXPRESS_GATEWAY_SERVICE,
            UPDATE_EXPRESS_GATEWAY_SERVICE,
            TAG_RESOURCE,
        )
    }
)

DEFINING = frozenset({"RegisterTaskDefinition", "RegisterDaemonTaskDefinition", "CreateExpressGatewayService"})
"""The operations from which ECS makes a task definition, as `policies/admission/lib/operations` knows them."""

VERBS = frozenset[str]().union(*(operation.verbs for operation in OPERATIONS.values()))
"""Kubernetes' words for what the operations do."""


def adapt_document(operation: str, data: bytes) -> CanonicalObject:
    """The canonical input of `operation` in a submitted JSON or YAML document, wrapped or not.

    Raises InputError for whatever cannot be judged; its text, code, status and pointer may be shown to anyone.
    """
    _check_operation(operation)
    return adapt_value(operation, read_document(data))


def adapt_value(operation: str, value: Any) -> CanonicalObject:
    """The same for a value that is parsed already, as in an AdmissionReview. Raises InputError likewise."""
    _check_operation(operation)
    shape = submitted_shape(operation)
    document, pointers = unwrap(operation, value)
    refuse_templates(document, shape, pointers)
    return canonicalize(document, shape, pointers)


def _check_operation(operation: str) -> None:
    if operation not in OPERATIONS:
        known = ", ".join(sorted(OPERATIONS))
        raise InputError("unknown-operation", f"This operation is not judged. Those that are: {known}.")
