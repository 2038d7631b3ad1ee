"""HTTP answers: JSON bodies, and problem details (RFC 9457) for everything that is neither an allow nor a deny."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response
from werkzeug.exceptions import HTTPException

from ecs_admission.errors import InputError, RecordUnavailableError

PROBLEM = "application/problem+json"

# Werkzeug's own descriptions can repeat what was sent (a method, a path), so ours are by status alone.
_TITLES = {
    400: "the HTTP request cannot be read",
    404: "there is nothing at this path",
    405: "this path does not take that method",
    408: "the request took too long to arrive",
    411: "the request has no length",
    413: "the body is larger than 1 MiB",
    414: "the path is too long",
    415: "this kind of body is not read",
    431: "the headers are too large",
}
_REASONS = {404: "NotFound", 405: "MethodNotAllowed"}


def json_answer(document: Any, status: int = 200, content_type: str = "application/json") -> Response:
    """A JSON answer that no cache keeps."""
    return Response(
        orjson.dumps(document), status, {"Content-Type": content_type, "Cache-Control": "no-store"}
    )  # fmt: skip


def problem_answer(
    status: int, title: str, *, reason: str, code: str | None = None, field: str | None = None
) -> Response:
    """Problem details with our `reason`."""
    document = {"type": "about:blank", "title": title, "status": status, "reason": reason}
    extra = {"code": code, "field": field}
    document |= {key: value for key, value in extra.items() if value is not None}
    return json_answer(document, status, PROBLEM)


def http_error(error: HTTPException) -> Response:
    """What Flask or Werkzeug refused."""
    status = error.code or 500
    title = _TITLES.get(status, "the request was refused" if status < 500 else "an internal error")
    reason = _REASONS.get(status, "InvalidRequest" if status < 500 else "CannotDecide")
    answer = problem_answer(status, title, reason=reason)
    if status == 405 and getattr(error, "valid_methods", None):
        answer.headers["Allow"] = ", ".join(error.valid_methods)  # type: ignore[attr-defined]
    return answer


def input_error(error: InputError) -> Response:
    """What a query of the decision log got wrong."""
    return problem_answer(error.status, str(error), reason=error.reason, code=error.code, field=error.pointer)


def unreadable_body(_: Exception) -> Response:
    """A body whose framing is broken: what of it arrived is not judged, and the connection ends."""
    answer = problem_answer(400, _TITLES[400], reason="InvalidRequest")
    answer.headers["Connection"] = "close"
    return answer


def record_error(error: RecordUnavailableError) -> Response:
    """The decision log cannot be read."""
    return problem_answer(503, str(error), reason=error.reason)
