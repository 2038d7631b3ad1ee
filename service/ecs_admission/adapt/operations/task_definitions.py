"""The operations that register what tasks are made of."""

from __future__ import annotations

from ecs_admission.adapt.operations.operation import Operation

# A new revision of a family is a new object to AWS, and an update of the family to those who deploy it.
_VERBS = frozenset({"CREATE", "UPDATE"})

REGISTER_TASK_DEFINITION = Operation(
    "RegisterTaskDefinition", resource="taskdefinitions", kind="TaskDefinition", verbs=_VERBS
)
REGISTER_DAEMON_TASK_DEFINITION = Operation(
    "RegisterDaemonTaskDefinition", resource="daemontaskdefinitions", kind="DaemonTaskDefinition", verbs=_VERBS
)
