"""`GET /healthz` and `GET /readyz`: alive, and able to decide and record."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response

from ecs_admission.auth.roles import Permission
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.errors import AdmissionError
from ecs_admission.http.answers import json_answer
from ecs_admission.http.auth import may
from ecs_admission.model import JSONObject, Standing
from ecs_admission.review import Reviewer


def blueprint(
    reviewer: Reviewer, reader: LogReader, standing: Callable[[], Standing], is_draining: Callable[[], bool]
) -> Blueprint:
    """The routes that an orchestrator asks. `standing` says how the policies stand."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        return json_answer({"status": "ok"})

    @routes.get("/readyz")
    def readyz() -> Response:
        policies = standing()
        checks = {
            "engine": _check(reviewer.revision.engine.probe),
            "policies": "ok" if policies.unfit is None else "Unfit",
            "decision_log": _check(lambda: reader.list_entries(limit=1)),
        }
        ready = not is_draining() and all(state == "ok" for state in checks.values())
        document: JSONObject = {
            "status": "ok" if ready else "not ready",
            "checks": checks,
            "revision": reviewer.revision.id,
        }
        if is_draining():
            document["reason"] = "draining"
        if policies.incoming is not None:
            document["incoming"] = policies.incoming
        # That policies are refused is no reason to turn requests away: what judges is what passed every check.
        for name, refusal in (("unfit", policies.unfit), ("refused", policies.refused)):
            if refusal is not None and may(Permission.READ_HEALTH):
                document[name] = {"reason": refusal.reason, "since": refusal.since}
        return json_answer(document, 200 if ready else 503)

    return routes


def _check(probe: Callable[[], object]) -> str:
    try:
        probe()
    except AdmissionError as error:
        return error.reason
    return "ok"
