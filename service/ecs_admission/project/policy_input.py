"""Put together what the engine sees and the record keeps, and serialise it once."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import Any

import orjson

from ecs_admission.model import AdmissionRequest, DeployContext, JSONObject, PolicyInput
from ecs_admission.project.projection import Projection

_CONTEXT = tuple(field.name for field in fields(DeployContext))
_context_values = attrgetter(*_CONTEXT)


def assemble(request: AdmissionRequest, projection: Projection, facts: tuple[JSONObject, ...]) -> PolicyInput:
    """The PolicyInput of a request. Its bytes are canonical: keys sorted, UTF-8, no white space."""
    document: dict[str, Any] = {
        "request": {
            "uid": request.decision_id,
            "operation": request.operation,
            "enforcementPoint": request.enforcement_point,
            "dryRun": request.dry_run,
            "userInfo": {"username": request.user.username, "groups": request.user.groups},
            "context": dict(zip(_CONTEXT, _context_values(request.context), strict=True)) | {"now": request.now},
        },
        "object": projection.object,
        "literals": projection.literals,
        "references": projection.references,
        "facts": facts,
        "counts": projection.counts,
    }
    return PolicyInput(
        decision_id=request.decision_id,
        body=orjson.dumps(document, option=orjson.OPT_SORT_KEYS),
        places=projection.places,
        unscanned=any(s["detector"] == "unscanned" for literal in projection.literals for s in literal["signals"]),
        overflow=projection.counts["left_out"] > 0,
    )
