"""The catalogue of metrics, and what is counted: no series but those that it declares."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, get_args

import pytest

from ecs_admission import metrics
from ecs_admission.http.auth import ENDPOINTS
from ecs_admission.metering import Meters, series_of
from ecs_admission.metrics import CATALOGUE, Label, Metric
from ecs_admission.model import Action, Decision, Finding, Outcome, Place
from ecs_admission.observation import (
    AccessRefused,
    AuthenticationFailed,
    Event,
    InternalError,
    PoliciesChanged,
    PoliciesState,
    Recorded,
    RequestBegan,
    RequestBroken,
    RequestEnded,
    Reviewed,
    SealerTurned,
    WorkerStarted,
    WorkerStopped,
)

EVENTS: tuple[Event, ...] = (
    Recorded("decision", is_durable=True),
    RequestBegan(),
    RequestEnded("health.readyz", 200),
    RequestBroken(),
    AuthenticationFailed("expired"),
    AccessRefused("origin"),
    PoliciesChanged(is_active=True),
    InternalError(),
    WorkerStarted(8),
    WorkerStopped(),
    PoliciesState("r", weakened=0, exceptions=0, next_expiry=None),
)


def decision(outcome: Outcome = Outcome.ALLOWED, reason: str = "", **members: Any) -> Decision:
    return Decision(outcome, reason, "a message", **members)


def found(rule: str, action: Action, exception: str | None = None) -> Finding:
    return Finding(rule, "/x", action, "high", Place(None, "x", None), exception=exception)


def review(made: Decision, environment: str | None = "prod", **members: Any) -> Reviewed:
    known: dict[str, Any] = {
        "decision_id": "1", "revision": "r", "engine": "embedded", "enforcement_point": "operations",
        "operation": "RunTask", "duration_us": 2_000, "timings_us": {"adapt": 40},
    }  # fmt: skip
    return Reviewed(decision=made, environment=environment, **(known | members))


def counted(*events: Event, source: metrics.Source = "worker") -> Mapping[str, float]:
    """What is not zero after events, written as Prometheus does."""
    meters = Meters(source)
    for event in events:
        meters(event)
    return {
        f"{name.removeprefix(metrics.PREFIX)}{{{','.join(f'{k}={v}' for k, v in labels)}}}": value
        for (name, labels), value in series_of(meters.registry).items()
        if value and not name.endswith(("_bucket", "_sum"))
    }


def test_names_are_units_and_kinds_as_prometheus_has_them() -> None:
    names = [metric.name for metric in CATALOGUE]
    assert len(set(names)) == len(names)
    for metric in CATALOGUE:
        assert metric.name.startswith(metrics.PREFIX)
        assert metric.help.endswith(".")
        assert (metric.kind == "histogram") == (metric.buckets != ())
        assert list(metric.buckets) == sorted(metric.buckets)
        assert metric.kind != "histogram" or metric.unit == "seconds"
        assert (metric.mode is not None) == (metric.kind == "gauge" and metric.source != "exporter")


def test_a_metric_whose_name_lies_is_refused() -> None:
    with pytest.raises(ValueError, match="is not what its name"):
        Metric("x", "counter", "X.", "worker")
    with pytest.raises(ValueError, match="is not what its name"):
        Metric("x_seconds", "histogram", "X.", "worker")
    with pytest.raises(ValueError, match="needs values, or a bound"):
        Label("x")
    with pytest.raises(ValueError, match="needs values, or a bound"):
        Label("x", bounded_by="nothing")


def test_every_label_has_a_bound() -> None:
    bounds = {
        f"{metric.name}.{label.name}": len(label.values) or label.at_most
        for metric in CATALOGUE
        for label in metric.labels
    }
    assert max(bounds.values()) <= 200


def test_the_routes_fit() -> None:
    (bound,) = (label.at_most for label in metrics.REQUESTS.labels if label.name == "route")
    assert len(ENDPOINTS) < bound


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (decision(), {"decisions_total{environment=prod,outcome=allowed,reason=none}": 1}),
        (
            decision(Outcome.DENIED, "NonCompliant", findings=(
                found("a/b", Action.DENY), found("a/b", Action.DENY), found("c/d", Action.DENY, "X-1"),
                found("e/f", Action.WARN), found("g/h", Action.DRYRUN),
            )),
            {
                "decisions_total{environment=prod,outcome=denied,reason=NonCompliant}": 1,
                "rule_decisions_total{effect=denied,environment=prod,rule=a/b}": 1,
                "rule_decisions_total{effect=exempted,environment=prod,rule=c/d}": 1,
                "rule_decisions_total{effect=warned,environment=prod,rule=e/f}": 1,
                "rule_decisions_total{effect=dryrun,environment=prod,rule=g/h}": 1,
            },
        ),
        (
            decision(Outcome.UNDECIDED, "Timeout"),
            {
                "decisions_total{environment=prod,outcome=undecided,reason=Timeout}": 1,
                "fail_closed_total{reason=Timeout}": 1,
                "engine_errors_total{kind=timeout}": 1,
            },
        ),
        (
            decision(Outcome.UNDECIDED, "CannotDecide", error_code="wrong-revision"),
            {
                "decisions_total{environment=prod,outcome=undecided,reason=CannotDecide}": 1,
                "fail_closed_total{reason=CannotDecide}": 1,
                "engine_errors_total{kind=wrong-revision}": 1,
            },
        ),
        (
            decision(Outcome.UNDECIDED, "CannotDecide", error_code="wrong-rules"),
            {
                "decisions_total{environment=prod,outcome=undecided,reason=CannotDecide}": 1,
                "fail_closed_total{reason=CannotDecide}": 1,
                "engine_errors_total{kind=no-proof}": 1,
            },
        ),
        (
            decision(Outcome.UNDECIDED, "CannotDecide", error_code="internal"),
            {
                "decisions_total{environment=prod,outcome=undecided,reason=CannotDecide}": 1,
                "fail_closed_total{reason=CannotDecide}": 1,
            },
        ),
        (
            decision(Outcome.UNDECIDED, "RecordUnavailable"),
            {
                "decisions_total{environment=prod,outcome=undecided,reason=RecordUnavailable}": 1,
                "fail_closed_total{reason=RecordUnavailable}": 1,
            },
        ),
        (
            decision(Outcome.FAIL_OPEN, "EngineUnavailable"),
            {
                "decisions_total{environment=prod,outcome=failOpen,reason=EngineUnavailable}": 1,
                "fail_open_total{reason=EngineUnavailable}": 1,
                "engine_errors_total{kind=unavailable}": 1,
            },
        ),
    ],
)  # fmt: skip
def test_a_review_is_counted_by_how_it_ended(made: Decision, expected: Mapping[str, float]) -> None:
    timed = {f"review_seconds_count{{outcome={made.outcome.value}}}": 1, "step_seconds_count{step=adapt}": 1}
    assert counted(review(made)) == expected | timed


def test_an_environment_that_is_not_known_is_other() -> None:
    assert "decisions_total{environment=other,outcome=allowed,reason=none}" in counted(review(decision(), None))


def test_every_event_is_counted() -> None:
    assert counted(*EVENTS) == {
        "records_total{kind=decision}": 1,
        "http_requests_total{route=health.readyz,status=2xx}": 1,
        "http_broken_requests_total{}": 1,
        "authentication_failures_total{kind=expired}": 1,
        "access_refusals_total{kind=origin}": 1,
        "policies_activations_total{}": 1,
        "internal_errors_total{}": 1,
        "workers{}": 1,
        "threads{}": 8,
        "worker_starts_total{}": 1,
        "worker_stops_total{}": 1,
    }
    turns = counted(SealerTurned("sealed", 7, 2), SealerTurned("failed"), source="sealer")
    assert turns == {
        "sealer_turns_total{result=sealed}": 1,
        "sealer_turns_total{result=failed}": 1,
        "sealer_entries_total{}": 7,
    }


def test_no_event_is_forgotten() -> None:
    told = {type(event) for event in EVENTS} | {Reviewed, SealerTurned}
    assert set(get_args(Event)) == told


def test_a_request_that_broke_off_is_an_error_and_a_thread_is_free_again() -> None:
    assert counted(RequestBegan(), RequestEnded(None, None)) == {"http_requests_total{route=none,status=5xx}": 1}
    assert counted(RequestBegan())["threads_busy{}"] == 1


def test_series_begin_at_zero_so_that_the_first_event_is_seen_to_grow() -> None:
    names = {name for name, _ in series_of(Meters("worker").registry)}
    plain = {each.name for each in metrics.written_by("worker") if len(each.labels) < 2 and not each.buckets}
    assert plain <= names


def test_no_series_grows_without_bound() -> None:
    meters = Meters("worker")
    for _ in range(500):
        word = secrets.token_urlsafe(24)
        rule = found(word, Action.DENY)
        meters(review(decision(Outcome.DENIED, word, findings=(rule,)), word, timings_us={word: 1}))
        meters(RequestEnded(word, 200))
        meters(AuthenticationFailed(word))
        meters(AccessRefused(word))
    series = [labels for name, labels in series_of(meters.registry) if not name.endswith("_bucket")]
    environments = {value for labels in series for label, value in labels if label == "environment"}
    assert len(environments) == 51
    assert "other" in environments
    assert {value for labels in series for label, value in labels if label == "reason" and len(value) > 20} == set()
    # 200 rules and `other`, each seen in one environment; 50 environments and `other`; 40 routes and `other`.
    assert len(series) < 500
