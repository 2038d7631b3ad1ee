"""`GET /v1/decisions` and `GET /v1/decisions/{id}`: what was decided, newest first."""

from __future__ import annotations

import re

from flask import Blueprint, Response, request

from ecs_admission.decision_log.queries import LogReader
from ecs_admission.errors import InputError
from ecs_admission.http.answers import json_answer, problem_answer

_DEFAULT_LIMIT = 50
_LIMIT = re.compile(r"[0-9]{1,4}")


def blueprint(reader: LogReader) -> Blueprint:
    """The routes of the decision log."""
    routes = Blueprint("decisions", __name__)

    @routes.get("/v1/decisions")
    def list_decisions() -> Response:
        if request.args.keys() - {"limit", "cursor"}:
            raise InputError("unknown-parameter", "known parameters are limit and cursor", status=400)
        if any(len(values) > 1 for values in request.args.listvalues()):
            raise InputError("repeated-parameter", "a parameter is given twice", status=400)
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
    if not _LIMIT.fullmatch(text):
        raise InputError("bad-limit", "limit must be a number from 1 to 200", status=400)
    return int(text)  # and the reader refuses what is out of its range
