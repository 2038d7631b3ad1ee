"""`GET /v1/decisions:export`: what is sealed of the log, as a stream. For auditors, one at a time, and recorded first.

An NDJSON export proves itself, see `decision_log.export_lines`. Its last line is its manifest: what broke off has none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Final

from flask import Blueprint, Response, request

from ecs_admission.auth.roles import Permission
from ecs_admission.catalogue import Rule
from ecs_admission.decision_log.export_lines import export_lines, plan_export
from ecs_admission.decision_log.exports import FILES, Format, converted
from ecs_admission.decision_log.filters import read_filters
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.errors import AdmissionError, ForbiddenError, InputError
from ecs_admission.http.answers import problem_answer
from ecs_admission.http.auth import may, reading_scopes, record_read
from ecs_admission.telemetry import log_error

_TYPES: Final[Mapping[Format, str]] = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "ocsf": "application/x-ndjson",
}
_OWN: Final = ("format", "bodies")
_RETRY_SECONDS: Final = 30
_PATIENCE_SECONDS: Final = 300.0
"""For one statement: counting what a query asks for can take longer than any other request may."""

_CHUNK_BYTES: Final = 64 * 1024


def blueprint(reader: LogReader, rules: Callable[[], Mapping[str, Rule]]) -> Blueprint:
    """The route of exports. `rules` are those of the revision in force, which explain findings in OCSF."""
    routes = Blueprint("exports", __name__)
    # An export holds a thread and the database for minutes, and the service is there to answer pipelines.
    running = threading.Semaphore(1)

    @routes.get("/v1/decisions:export")
    def export() -> Response:
        pairs = [(name, text) for name, text in request.args.items(multi=True) if name not in _OWN]
        form, with_bodies = _form(), _with_bodies()
        filters = read_filters(pairs, now=time.time())
        if not running.acquire(blocking=False):
            answer = problem_answer(
                429, "an export is running; this process makes one at a time", reason="TooManyRequests", code="busy"
            )
            answer.headers["Retry-After"] = str(_RETRY_SECONDS)
            return answer
        with ExitStack() as begun:
            begun.callback(running.release)
            patient = reader.reopened(timeout_seconds=_PATIENCE_SECONDS)
            begun.callback(patient.close)
            plan = plan_export(patient, filters, with_bodies=with_bodies, covers=reading_scopes(Permission.EXPORT))
            details = plan.details(form)
            record_read(details.pop("query"), details.pop("count"), kind="log_export", **details)
            lines = converted(export_lines(patient, plan), form, rules())
            held = begun.pop_all()
        answer = Response(_chunks(lines, held), 200, {"Content-Type": _TYPES[form], "Cache-Control": "no-store"})
        answer.headers["Content-Disposition"] = f'attachment; filename="{FILES[form]}"'
        answer.call_on_close(held.close)  # of one that nobody reads to its end
        return answer

    return routes


def _form() -> Format:
    given = request.args.getlist("format") or ["ndjson"]
    for form in FILES:
        if given == [form]:
            return form
    message = f"parameter format must be one of {', '.join(FILES)}"
    raise InputError("invalid-parameter", message, status=400, pointer="format")


def _with_bodies() -> bool:
    given = request.args.getlist("bodies") or ["false"]
    if given not in (["true"], ["false"]):
        raise InputError("invalid-parameter", "parameter bodies must be true or false", status=400, pointer="bodies")
    if given == ["true"] and not may(Permission.LOOK_UP_FINGERPRINTS):
        raise ForbiddenError("role", "only an auditor may read fingerprints, which bodies have")
    return given == ["true"]


def _chunks(lines: Iterator[bytes], held: ExitStack) -> Iterator[bytes]:
    """Lines put together, and what they need let go of at the end.

    Where the log cannot be read any further the answer breaks off, which a client can tell.
    """
    waiting: list[bytes] = []
    size = 0
    try:
        for line in lines:
            waiting.append(line)
            size += len(line)
            if size >= _CHUNK_BYTES:
                yield b"".join(waiting)
                waiting, size = [], 0
        yield b"".join(waiting)
    except AdmissionError as error:
        log_error(error)
        raise
    finally:
        held.close()
