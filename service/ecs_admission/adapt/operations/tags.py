"""The operation that tags what is there already."""

from __future__ import annotations

from ecs_admission.adapt.operations.operation import Operation

TAG_RESOURCE = Operation("TagResource", resource="tags", kind="Tag", verbs=frozenset({"CREATE", "UPDATE"}))
