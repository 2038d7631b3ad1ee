#!/usr/bin/env python3
"""Write policies/schemas/input.json, what a rule may read. Run `make schema` after a change of what is projected."""

from __future__ import annotations

import json
from pathlib import Path

from ecs_admission.adapt.operations import OPERATIONS
from ecs_admission.adapt.shapes import operation_input
from ecs_admission.enrich.inventory import ATTRIBUTES
from ecs_admission.project.fields import compile_node
from ecs_admission.project.schema import input_schema

PATH = Path(__file__).resolve().parent.parent / "policies" / "schemas" / "input.json"


def schema_text() -> str:
    """The schema as it is written."""
    locations = {operation: compile_node(operation_input(operation)) for operation in OPERATIONS}
    return json.dumps(input_schema(locations, ATTRIBUTES.values()), indent=2) + "\n"


if __name__ == "__main__":
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(schema_text())
