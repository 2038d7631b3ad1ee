"""`GET /v1/decisions` and `GET /v1/decisions/{id}`: what was decided, newest first."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ecs_admission.decision_log.queries import LogReader
from ecs_admission.errors import InputError
from ecs_admission.http.answers import json_answer, problem_answer

_DEFAULT_LIMIT = 50
_MAX_LIMIT = 500


def blueprint(reader: LogReader) -> Blueprint:
    """The routes of the decision log."""
    routes = Blueprint("decisions", __name__)

    @routes.get("/v1/decisions")
    def list_decisions() -> Response:
        unknown = request.args.keys() - {"limit", "cursor"}
        if unknown:
            raise InputError("unknown-parameter", "known parameters are limit and cursor", status=400)
        page = reader.list_entries(limit=_limit(), cursor=request.args.get("cursor"))
        return json_answer({"items": page.items, "next": page.next})

    @routes.get("/v1/decisions/<decision_id>")
    def show_decision(decision_id: str) -> Response:
        found = reader.show(decision_id)
        if found is None:
            return problem_answer(404, "there is no decision with this id", reason="NotFound")
        return json_answer(found)

    return routes


def _limit() -> int:
    text = request.args.get("limit", str(_DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= _MAX_LIMIT):
        raise InputError("bad-limit", f"limit must be a number from 1 to {_MAX_LIMIT}", status=400)
    return int(text)
