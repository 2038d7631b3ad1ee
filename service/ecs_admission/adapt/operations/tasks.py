"""The operations on tasks: start one, with overrides of its task definition, and run a command in one."""

from __future__ import annotations

from ecs_admission.adapt.operations.operation import Operation

_CREATE = frozenset({"CREATE"})

# Both create a task, so a review has to say which of the two it is about.
RUN_TASK = Operation("RunTask", resource="tasks", kind="Task", verbs=_CREATE)
START_TASK = Operation("StartTask", resource="tasks", kind="Task", verbs=_CREATE)

# Kubernetes' own `pods/exec` is a CONNECT to pods with an object of kind PodExecOptions.
EXECUTE_COMMAND = Operation(
    "ExecuteCommand", resource="tasks", kind="TaskExecOptions", verbs=frozenset({"CONNECT"})
)  # fmt: skip
