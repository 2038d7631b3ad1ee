"""Spans of a running service, as a collector gets them; and its log lines, which have the trace."""

from __future__ import annotations

import http.server
import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ecs_admission.metrics import STEPS
from ecs_admission.telemetry import KEYS
from ecs_admission.tracing import ATTRIBUTES
from tests.service.canaries import Canaries, full_input
from tests.service.conftest import COMPLIANT, leaky
from tests.service.running_service import COMMAND, OPERATION, RunningService, free_port, run_service, wait_until


@dataclass(slots=True)
class Collector:
    """What an OTLP receiver got: the bytes, and the spans in them."""

    port: int
    bodies: list[bytes] = field(default_factory=list)

    def spans(self, trace_id: str | None = None) -> list[Any]:
        found = []
        for body in self.bodies:
            request = ExportTraceServiceRequest.FromString(body)
            found += [s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]
        return [span for span in found if trace_id is None or span.trace_id.hex() == trace_id]

    def resources(self) -> list[dict[str, str]]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        found = [each.resource.attributes for request in requests for each in request.resource_spans]
        return [{a.key: a.value.string_value for a in attributes} for attributes in found]


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector(0)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            collector.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[RunningService]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.service.running_service.clean_environment", with_collector(collector.port))
        with run_service(tmp_path_factory.mktemp("traced"), traces="otlp", log_level="debug") as service:
            yield service


def with_collector(port: int) -> Any:
    from tests.service.running_service import clean_environment

    def made(**settings: str) -> dict[str, str]:
        own = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_BSP_SCHEDULE_DELAY": "50"}
        return clean_environment(**settings) | own

    return made


def parent() -> tuple[str, str, str]:
    """A trace, a span in it, and the header that names both."""
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    return trace, span, f"00-{trace}-{span}-01"


def ask(service: RunningService, document: Any, **headers: str) -> int:
    body = json.dumps(document).encode()
    return service.call("POST", f"{OPERATION}?environment=prod", body, headers).status


def attributes(span: Any) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def lines(service: RunningService) -> list[dict[str, Any]]:
    return [json.loads(line) for line in service.stderr.read_text().splitlines()]


def test_a_review_continues_the_trace_of_the_pipeline(traced: RunningService, collector: Collector) -> None:
    trace, span_id, header = parent()
    assert ask(traced, leaky(), traceparent=header) == 403
    wait_until(lambda: len(collector.spans(trace)) == 1 + len(STEPS), "the spans came")
    (review,) = (span for span in collector.spans(trace) if span.name == "review")
    assert review.parent_span_id.hex() == span_id
    steps = [span for span in collector.spans(trace) if span.name != "review"]
    assert {span.name for span in steps} == set(STEPS)
    assert {span.parent_span_id for span in steps} == {review.span_id}
    for step in steps:
        assert review.start_time_unix_nano <= step.start_time_unix_nano <= step.end_time_unix_nano
        assert step.end_time_unix_nano <= review.end_time_unix_nano
    told = attributes(review)
    assert told["ecs_admission.outcome"] == "denied"
    assert told["ecs_admission.operation"] == "RegisterTaskDefinition"
    assert told["ecs_admission.environment"] == "prod"
    (line,) = (line for line in lines(traced) if line.get("trace_id") == trace)
    assert (line["event"], line["decision_id"]) == ("review", told["ecs_admission.decision_id"])


def test_without_a_trace_of_the_pipeline_a_review_begins_one(traced: RunningService, collector: Collector) -> None:
    for header in ({}, {"traceparent": "00-" + "0" * 32 + "-" + "1" * 16 + "-01"}, {"traceparent": "nonsense"}):
        assert ask(traced, COMPLIANT, **header) == 200
        trace = next(line["trace_id"] for line in reversed(lines(traced)) if line["event"] == "review")
        assert set(trace) != {"0"}
        wait_until(lambda trace=trace: len(collector.spans(trace)) == 1 + len(STEPS), "the spans came")
        (review,) = (span for span in collector.spans(trace) if span.name == "review")
        assert review.parent_span_id == b""


def test_what_was_not_decided_is_an_error_by_its_kind(traced: RunningService, collector: Collector) -> None:
    trace, _, header = parent()
    assert traced.call("POST", OPERATION, b"{", {"traceparent": header}).status == 400
    wait_until(lambda: any(span.name == "review" for span in collector.spans(trace)), "the span came")
    (review,) = (span for span in collector.spans(trace) if span.name == "review")
    assert attributes(review)["ecs_admission.outcome"] == "invalid"
    assert {span.name for span in collector.spans(trace)} == {"review", "adapt", "record"}


def test_nothing_of_a_request_reaches_the_collector(traced: RunningService, collector: Collector) -> None:
    canaries = Canaries()
    trace, _, header = parent()
    word = canaries.word()
    path = f"{OPERATION}?environment={word}&cluster={word}&actor={word}"
    hidden = {"traceparent": header, "tracestate": f"a={word}", "baggage": f"a={word}", "X-Request-Id": word}
    for document in (full_input("RegisterTaskDefinition", canaries.value), {"family": word}, [word]):
        traced.call("POST", path, json.dumps(document).encode(), hidden)
        traced.call("POST", f"/v1/operations/{word}", json.dumps(document).encode(), hidden)
    ask(traced, COMPLIANT, traceparent=word)
    ask(traced, COMPLIANT, **hidden)
    wait_until(lambda: sum(span.name == "review" for span in collector.spans(trace)) == 7, "the spans came")
    assert canaries.found_in(b"\0".join(collector.bodies)) == []
    for span in collector.spans():
        assert attributes(span).keys() <= set(ATTRIBUTES)
        assert (list(span.events), list(span.links), span.trace_state, span.status.message) == ([], [], "", "")
    assert {frozenset(each) for each in collector.resources()} == {
        frozenset({"service.name", "service.version", "telemetry.sdk.language", "telemetry.sdk.name",
                   "telemetry.sdk.version", *(collector.resources()[0].keys() & {"service.instance.id"})})
    }  # fmt: skip
    assert {each["service.name"] for each in collector.resources()} == {"ecs-admission"}


def test_check_hands_on_the_trace_of_its_job(traced: RunningService, collector: Collector, tmp_path: Path) -> None:
    trace, _, header = parent()
    (tmp_path / "task.json").write_text(json.dumps(COMPLIANT))
    command = [COMMAND, "check", "--server", traced.url, "--environment", "prod", tmp_path / "task.json"]
    for value in (header, f"{header}\r\nX-Evil: 1"):
        environment = dict(os.environ) | {"TRACEPARENT": value}
        assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0
    wait_until(lambda: len(collector.spans(trace)) > 0, "the spans came")
    assert sum(line.get("trace_id") == trace for line in lines(traced)) == 1


def test_every_line_is_json_of_known_keys(traced: RunningService) -> None:
    ask(traced, leaky())
    traced.send(b"NONSENSE\r\n\r\n")
    traced.get("/nowhere")
    found = lines(traced)
    assert len(found) > 5
    for line in found:
        assert line.keys() <= KEYS.keys()
        assert "dropped_keys" not in line
    assert {"starting", "server", "review", "broken request"} <= {line["event"] for line in found}


def test_a_collector_that_is_away_keeps_nobody_waiting(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.service.running_service.clean_environment", with_collector(free_port()))
        with run_service(tmp_path, traces="otlp", workers="1") as service:
            assert ask(service, COMPLIANT) == 200
            wait_until(lambda: any(line["event"] == "library" for line in lines(service)), "it is said")
            assert ask(service, COMPLIANT) == 200
            assert service.stop() == 0
        for line in lines(service):
            assert line.keys() <= KEYS.keys()
            assert "dropped_keys" not in line


def test_without_the_extra_the_service_says_so_and_does_not_start() -> None:
    code = (
        "import sys\n"
        "class Away:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name.startswith('opentelemetry'): raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Away())\n"
        "from ecs_admission.tracing import check_installed\n"
        "check_installed()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        "ecs_admission.errors.SettingsError: traces: otlp needs OpenTelemetry: pip install 'ecs-admission[otel]'"
    )
