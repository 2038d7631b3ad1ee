"""`GET /v1/decisions`, `GET /v1/decisions/{id}` and `GET /v1/statistics`: what was decided.

What a caller sees is limited to their binding, each part of it where it was granted: who is an author everywhere and an
auditor of one team reads fingerprints of that team alone. Each read is recorded before it is answered.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

from flask import Blueprint, Response, request

from ecs_admission.auth.roles import Permission
from ecs_admission.decision_log.filters import Filters, read_as_of, read_filters
from ecs_admission.decision_log.queries import DEFAULT_LIMIT, MAX_LIMIT, LogReader
from ecs_admission.decision_log.scopes import Limit, covers, within, without_fingerprints
from ecs_admission.decision_log.statistics import count_entries
from ecs_admission.errors import ForbiddenError, InputError
from ecs_admission.http.answers import json_answer, problem_answer
from ecs_admission.http.auth import may, reading_scopes, record_read
from ecs_admission.model import REDACTED

_LIMIT = re.compile(r"[0-9]{1,4}")
_PAGING = ("limit", "cursor", "as_of")
_REFUSALS = {
    Permission.LOOK_UP_FINGERPRINTS: "only an auditor may ask by fingerprint",
    Permission.READ_LOG: "only an auditor may read entries that are no decision",
}


def blueprint(reader: LogReader) -> Blueprint:
    """The routes of the decision log."""
    routes = Blueprint("decisions", __name__)

    @routes.get("/v1/decisions")
    def list_decisions() -> Response:
        filters = _filters(_PAGING)
        page = reader.list_entries(
            filters, limit=_limit(), cursor=_once("cursor"), as_of=_as_of(reader), scope=_scope(filters)
        )
        record_read(filters.summary(has_results=bool(page.items)), len(page.items))
        return json_answer({"items": page.items, "next": page.next})

    @routes.get("/v1/decisions/<decision_id>")
    def show_decision(decision_id: str) -> Response:
        found = reader.show(decision_id)
        if found is None or not covers(reading_scopes(_reading(found["entry"]["kind"])), found["entry"]):
            # Somebody who tries the ids of others is on record too; what is no id of this log may be anything.
            record_read(f"id={REDACTED if found is None else found['entry']['id']}", 0)
            return problem_answer(404, "there is no decision with this id", reason="NotFound")
        may_look_up = covers(reading_scopes(Permission.LOOK_UP_FINGERPRINTS), found["entry"])
        if found["policyInput"] is not None and not may_look_up:
            found["policyInput"] = without_fingerprints(found["policyInput"])
        record_read(f"id={found['entry']['id']}", 1)
        return json_answer(found)

    @routes.get("/v1/statistics")
    def count_decisions() -> Response:
        filters = _filters(("as_of",))
        statistics = count_entries(reader, filters, as_of=_as_of(reader), scope=_scope(filters))
        record_read("statistics " + filters.summary(has_results=statistics.total > 0), statistics.total)
        return json_answer(statistics.document())

    return routes


def _filters(others: tuple[str, ...]) -> Filters:
    """What is asked for. Raises `ForbiddenError` where a part of it is granted to the caller nowhere."""
    pairs = [(name, text) for name, text in request.args.items(multi=True) if name not in others]
    filters = read_filters(pairs, now=time.time())
    for permission in _needed(filters):
        if not may(permission):
            raise ForbiddenError("role", _REFUSALS[permission])
    return filters


def _needed(filters: Filters) -> Iterator[Permission]:
    """The permissions that a query takes beside that of the endpoint."""
    if any(clause.name == "fingerprint" for clause in filters.clauses):
        yield Permission.LOOK_UP_FINGERPRINTS
    if filters.kinds.wanted != ("decision",):
        yield Permission.READ_LOG


def _scope(filters: Filters) -> Limit | None:
    """What the answer is limited to: where all that the query takes was granted, and not where a part of it was."""
    return within(*map(reading_scopes, (Permission.READ_DECISIONS, *_needed(filters))))


def _reading(kind: str) -> Permission:
    return Permission.READ_DECISIONS if kind == "decision" else Permission.READ_LOG


def _once(name: str) -> str | None:
    texts = request.args.getlist(name)
    if len(texts) > 1:
        raise InputError("repeated-parameter", f"parameter {name} is given twice", status=400, pointer=name)
    return texts[0] if texts else None


def _limit() -> int:
    text = _once("limit")
    if text is None:
        return DEFAULT_LIMIT
    if not _LIMIT.fullmatch(text):
        raise InputError(
            "bad-limit", f"limit must be a number from 1 to {MAX_LIMIT}", status=400, pointer="limit"
        )  # fmt: skip
    return int(text)  # and the reader refuses what is out of its range


def _as_of(reader: LogReader) -> int | None:
    return read_as_of(_once("as_of"), reader.newest_digest)
