"""The operations on services, whose tasks a task definition describes."""

from __future__ import annotations

from ecs_admission.adapt.operations.operation import Operation

CREATE_SERVICE = Operation("CreateService", resource="services", kind="Service", verbs=frozenset({"CREATE"}))
UPDATE_SERVICE = Operation("UpdateService", resource="services", kind="Service", verbs=frozenset({"UPDATE"}))
