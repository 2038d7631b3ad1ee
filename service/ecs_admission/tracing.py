"""Reviews as OpenTelemetry spans that continue the trace of a pipeline. Needs the extra `otel`, imported when wanted.

A span is made after its review, of what is known then: the pipeline has no part in it, and what a span may hold is one
list. It has no event and no text of an error, and of the request's headers `traceparent` alone is read.
"""

from __future__ import annotations

import importlib.util
import re
import threading
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from ecs_admission import __version__
from ecs_admission.errors import SettingsError
from ecs_admission.model import Outcome
from ecs_admission.observation import Reviewed

Trace: TypeAlias = Callable[[Reviewed, str | None], str | None]
"""Is told of a review and of the `traceparent` that came with it, and names the trace of which it is a part."""

ATTRIBUTES: Final = (
    *("ecs_admission.decision_id", "ecs_admission.outcome", "ecs_admission.reason", "ecs_admission.code"),
    *("ecs_admission.operation", "ecs_admission.environment", "ecs_admission.enforcement_point"),
    *("ecs_admission.engine", "ecs_admission.revision", "ecs_admission.findings", "error.type"),
)
"""What the span of a review may hold. Those of its steps hold nothing."""

_PARENT: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_PACKAGES: Final = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
_CLOSE_SECONDS: Final = 2.0
_MICROSECOND: Final = 1_000
_UNKNOWN: Final = "unknown_service"


def untraced(_: Reviewed, __: str | None) -> str | None:
    """For a service that sends no traces."""
    return None


def check_installed() -> None:
    """Raise `SettingsError` where the extra is missing."""
    try:
        is_there = all(importlib.util.find_spec(package) is not None for package in _PACKAGES)
    except ModuleNotFoundError:
        is_there = False
    if not is_there:
        raise SettingsError("traces: otlp needs OpenTelemetry: pip install 'ecs-admission[otel]'")


class Tracer:
    """Sends a span for each review and each of its steps, from a thread of its own. Made after fork.

    Where to, and which reviews are sampled, OpenTelemetry's own variables say. Call it with a review.
    """

    def __init__(self) -> None:
        from opentelemetry import trace
        from opentelemetry.context import Context
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        resource = Resource.create({"service.version": __version__})
        if str(resource.attributes.get("service.name", _UNKNOWN)).startswith(_UNKNOWN):
            resource = resource.merge(Resource({"service.name": "ecs-admission"}))
        self._exporter = OTLPSpanExporter()
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("ecs_admission", __version__)
        self._propagator, self._context, self._api = TraceContextTextMapPropagator(), Context, trace

    def __call__(self, review: Reviewed, traceparent: str | None) -> str | None:
        """See `Trace`."""
        api = self._api
        parent = self._context()
        if traceparent is not None and _PARENT.fullmatch(traceparent):
            parent = self._propagator.extract({"traceparent": traceparent}, parent)
        span = self._tracer.start_span(
            "review",
            context=parent,
            kind=api.SpanKind.SERVER,
            attributes=_attributes(review),
            start_time=review.began_ns,
        )
        within = api.set_span_in_context(span, self._context())
        for step, begin_us in review.begins_us.items():
            begin_ns = review.began_ns + begin_us * _MICROSECOND
            child = self._tracer.start_span(step, context=within, start_time=begin_ns)
            child.end(begin_ns + review.timings_us.get(step, 0) * _MICROSECOND)
        if review.decision.outcome is Outcome.UNDECIDED:
            span.set_status(api.StatusCode.ERROR)
        span.end(review.began_ns + review.duration_us * _MICROSECOND)
        found = span.get_span_context()
        return api.format_trace_id(found.trace_id) if found.is_valid else None

    def close(self) -> None:
        """Send what waits, as far as that does not take long: a flush heeds no timeout, and tries again and again."""
        flush = threading.Thread(target=self._provider.force_flush, name="traces", daemon=True)
        flush.start()
        flush.join(_CLOSE_SECONDS)
        self._exporter.shutdown()
        self._provider.shutdown()


def _attributes(review: Reviewed) -> dict[str, Any]:
    decision = review.decision
    values = (
        *(review.decision_id, decision.outcome.value, decision.reason, decision.error_code),
        *(review.operation, review.environment, review.enforcement_point),
        *(review.engine, review.revision, len(decision.findings)),
        decision.reason if decision.outcome is Outcome.UNDECIDED else None,
    )
    return {name: value for name, value in zip(ATTRIBUTES, values, strict=True) if value not in (None, "")}
