"""`POST /v1/operations/{Operation}` and `POST /v1/admission/reviews`: judge a request and answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from urllib.parse import parse_qsl

from flask import Blueprint, Response, request

from ecs_admission.adapt.bounds import MAX_BYTES
from ecs_admission.adapt.envelope import API_VERSION, KIND
from ecs_admission.adapt.operations import OPERATIONS
from ecs_admission.adapt.submission import Adapted, read_operation, read_review
from ecs_admission.errors import InputError
from ecs_admission.http.answers import PROBLEM, json_answer
from ecs_admission.http.auth import principal
from ecs_admission.model import Outcome
from ecs_admission.observation import Observe, Reviewed
from ecs_admission.respond.admission_review import problem
from ecs_admission.review import Answer, Reviewer
from ecs_admission.telemetry import log_review
from ecs_admission.tracing import Trace

_DECIDED = (Outcome.ALLOWED, Outcome.DENIED, Outcome.FAIL_OPEN)


def blueprint(reviewer: Reviewer, observe: Observe, trace: Trace) -> Blueprint:
    """The routes that judge."""
    routes = Blueprint("admission", __name__)
    review = partial(_review, reviewer, observe, trace)

    @routes.post("/v1/operations/<operation>")
    def operations(operation: str) -> Response:
        body, query = _body(), request.query_string
        known = operation if operation in OPERATIONS else None
        answer = review(lambda: read_operation(operation, body(), _pairs(query)), known, "operations")
        return _respond(answer, deny_status=403)

    @routes.post("/v1/admission/reviews")
    def reviews() -> Response:
        body, query = _body(), request.query_string
        answer = review(lambda: _read_review(body(), query), None, "reviews")
        return _respond(answer, deny_status=200)

    return routes


def _review(
    reviewer: Reviewer,
    observe: Observe,
    trace: Trace,
    read: Callable[[], Adapted],
    operation: str | None,
    enforcement_point: str,
) -> Answer:
    began_ns, begin = time.time_ns(), time.perf_counter_ns()
    caller = principal()
    answer = reviewer.review(
        read,
        operation=operation,
        user=caller.user,
        enforcement_point=enforcement_point,
        permit=caller.permit,
    )
    reviewed = Reviewed(
        decision=answer.decision,
        decision_id=answer.decision_id,
        revision=answer.revision,
        engine=answer.engine,
        enforcement_point=enforcement_point,
        operation=answer.operation,
        environment=answer.environment,
        duration_us=(time.perf_counter_ns() - begin) // 1000,
        timings_us=answer.timings_us,
        groups=caller.user.groups,
        began_ns=began_ns,
        begins_us=answer.begins_us,
    )
    reviewed = replace(reviewed, trace_id=trace(reviewed, request.headers.get("traceparent")))
    log_review(reviewed)
    observe(reviewed)
    return answer


def _respond(answer: Answer, *, deny_status: int) -> Response:
    """An AdmissionReview where there is a decision, problem details where there is none."""
    decision = answer.decision
    if decision.outcome not in _DECIDED:
        return json_answer(problem(decision, decision_id=answer.decision_id), decision.status, PROBLEM)
    status = deny_status if decision.outcome is Outcome.DENIED else 200
    return json_answer({"apiVersion": API_VERSION, "kind": KIND, "response": answer.response}, status)


def _body() -> Callable[[], bytes]:
    """Read the body, and give it when it is asked for: a body that is not whole is refused there, and recorded.

    Flask's own limit would cut a body without a length and say nothing, so one byte more than is allowed is read.
    """
    length = request.content_length
    body = b"" if length is not None and length > MAX_BYTES else request.stream.read(MAX_BYTES + 1)

    def whole() -> bytes:
        if length is not None and length > MAX_BYTES:
            raise InputError("too-large", f"The document is larger than {MAX_BYTES} bytes.", status=413)
        if length is not None and length != len(body):
            raise InputError("short-body", "the body is shorter than its Content-Length", status=400)
        return body

    return whole


def _read_review(body: bytes, query: bytes) -> Adapted:
    if query:
        raise InputError("unexpected-parameter", "the context of a review stands in request.options", status=400)
    return read_review(body)


def _pairs(query: bytes) -> list[tuple[str, str]]:
    """The parameters of a query string as they stand there: none dropped, none merged."""
    try:
        return parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(query),
            errors="strict",
            max_num_fields=50,
        )
    except ValueError:
        raise InputError("malformed-query", "the query string cannot be read", status=400) from None
