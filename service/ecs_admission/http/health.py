"""`GET /healthz` and `GET /readyz`: alive, and able to decide and record."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response

from ecs_admission.auth.roles import Permission
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.errors import AdmissionError
from ecs_admission.http.answers import json_answer
from ecs_admission.http.auth import may
from ecs_admission.model import JSONObject, Refusal
from ecs_admission.review import Reviewer


def blueprint(reviewer: Reviewer, reader: LogReader, refused: Callable[[], Refusal | None]) -> Blueprint:
    """The routes that an orchestrator asks."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        return json_answer({"status": "ok"})

    @routes.get("/readyz")
    def readyz() -> Response:
        checks = {
            "engine": _check(reviewer.revision.engine.probe),
            "decision_log": _check(lambda: reader.list_entries(limit=1)),
        }
        ready = all(state == "ok" for state in checks.values())
        document: JSONObject = {
            "status": "ok" if ready else "not ready",
            "checks": checks,
            "revision": reviewer.revision.id,
        }
        refusal = refused()
        if refusal is not None and may(Permission.READ_HEALTH):
            # Not a reason to turn requests away: the revision that judges is one that passed every check.
            document |= {"refused": {"reason": refusal.reason, "since": refusal.since}}
        return json_answer(document, 200 if ready else 503)

    return routes


def _check(probe: Callable[[], object]) -> str:
    try:
        probe()
    except AdmissionError as error:
        return error.reason
    return "ok"
