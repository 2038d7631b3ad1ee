"""Counts events, in the metrics of the catalogue. The only module beside the exporter that knows prometheus-client.

Where several processes count together each writes into files of its own, in a folder that an environment variable names
before this module is imported (`metrics_folder`), and the exporter adds them up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, assert_never

import orjson
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from ecs_admission import metrics
from ecs_admission.metrics import NONE, OTHER, Label, Metric
from ecs_admission.metrics_folder import policies_file, shared_folder
from ecs_admission.model import Action, Decision, Outcome
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

_UNDECIDED_KINDS: Final = {"EngineUnavailable": "unavailable", "Timeout": "timeout"}
_NO_ENGINE_ERROR: Final = frozenset({"internal"})
_WRONG_REVISION: Final = "wrong-revision"


class Meters:
    """Counts what a kind of process sees. Thread-safe; one a process, made after fork. Call it with an event."""

    def __init__(self, source: metrics.Source, *, registry: CollectorRegistry | None = None) -> None:
        disable_created_metrics()
        self.registry = registry or CollectorRegistry()
        self._folder = shared_folder()
        self._meters = {metric.name: _Meter(metric, self.registry) for metric in metrics.written_by(source)}
        self._policies: PoliciesState | None = None
        self._since: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        """Count an event."""
        match event:
            case Reviewed():
                self._reviewed(event)
            case Recorded(kind, is_durable):
                self._count(metrics.RECORDS if is_durable else metrics.RECORD_FAILURES, kind)
            case RequestBegan():
                self._gauge(metrics.BUSY_THREADS).inc()
            case RequestEnded(route, status):
                self._gauge(metrics.BUSY_THREADS).dec()
                self._count(metrics.REQUESTS, route or NONE, f"{(status or 500) // 100}xx")
            case RequestBroken():
                self._count(metrics.BROKEN_REQUESTS)
            case AuthenticationFailed(code):
                self._count(metrics.AUTHENTICATION_FAILURES, code)
            case AccessRefused(code):
                self._count(metrics.ACCESS_REFUSALS, code)
            case PoliciesState():
                self._gauge(metrics.WORKERS).set(1)  # from here on it serves
                self._note_policies(event)
            case PoliciesChanged(is_active):
                self._count(metrics.ACTIVATIONS if is_active else metrics.REFUSALS)
            case InternalError():
                self._count(metrics.INTERNAL_ERRORS)
            case WorkerStarted(threads):
                self._count(metrics.WORKER_STARTS)
                self._gauge(metrics.THREADS).set(threads)
            case WorkerStopped():
                self._count(metrics.WORKER_STOPS)
            case SealerTurned(result, entries, refused_chains):
                self._count(metrics.SEALER_TURNS, result)
                self._of(metrics.SEALED).inc(entries)
                self._gauge(metrics.SEALER_REFUSED).set(refused_chains)
            case _:
                assert_never(event)

    def _reviewed(self, review: Reviewed) -> None:
        decision, environment = review.decision, review.environment or OTHER
        outcome = decision.outcome.value
        self._count(metrics.DECISIONS, outcome, decision.reason or NONE, environment)
        for rule, effect in _effects(decision):
            self._count(metrics.RULES, rule, effect, environment)
        if decision.outcome is Outcome.UNDECIDED:
            self._count(metrics.FAIL_CLOSED, decision.reason)
        elif decision.outcome is Outcome.FAIL_OPEN:
            self._count(metrics.FAIL_OPEN, decision.reason)
        if decision.outcome in (Outcome.UNDECIDED, Outcome.FAIL_OPEN):
            kind = _engine_error(decision)
            if kind is not None:
                self._count(metrics.ENGINE_ERRORS, kind)
        self._of(metrics.REVIEW_SECONDS, outcome).observe(review.duration_us / 1_000_000)
        for step, microseconds in review.timings_us.items():
            self._of(metrics.STEP_SECONDS, step).observe(microseconds / 1_000_000)

    def _note_policies(self, state: PoliciesState) -> None:
        """Leave word of the active revision. Not as a metric of its own, which could not be taken back."""
        if state == self._policies or self._folder is None:
            return
        if self._policies is None or state.revision != self._policies.revision:
            self._since = {"since": time.time()}
        self._policies = state
        document = {
            "revision": state.revision,
            "weakened": state.weakened,
            "exceptions": state.exceptions,
            "nextExpiry": state.next_expiry,
            "isRefused": state.is_refused,
            "isWaiting": state.is_waiting,
            "isFit": state.is_fit,
        }
        _replace(policies_file(self._folder, os.getpid()), orjson.dumps(document | self._since))

    def _count(self, metric: Metric, *values: str) -> None:
        self._of(metric, *values).inc()

    def _gauge(self, metric: Metric) -> Any:
        return self._of(metric)

    def _of(self, metric: Metric, *values: str) -> Any:
        return self._meters[metric.name].of(*values)


class _Meter:
    """One metric with its series, of which there are never more than the catalogue says."""

    def __init__(self, metric: Metric, registry: CollectorRegistry) -> None:
        names = tuple(label.name for label in metric.labels)
        # The catalogue's help would be part of the key of each series: the exporter adds it.
        if metric.kind == "histogram":
            self._metric: Any = Histogram(metric.name, "", names, buckets=metric.buckets, registry=registry)
        elif metric.kind == "gauge":
            mode: Any = metric.mode or "livemax"
            self._metric = Gauge(metric.name, "", names, registry=registry, multiprocess_mode=mode)
        else:
            self._metric = Counter(metric.name, "", names, registry=registry)
        self._bounds = tuple(_Bound(label) for label in metric.labels)
        self._series: dict[tuple[str, ...], Any] = {}
        for values in _known(metric):
            self.of(*values)  # a series that begins with its first event is one that Prometheus never sees grow

    def of(self, *values: str) -> Any:
        series = self._series.get(values)
        if series is None:
            bounded = tuple(bound.value(value) for bound, value in zip(self._bounds, values, strict=True))
            series = self._metric.labels(*bounded) if bounded else self._metric
            if bounded == values:
                self._series[values] = series
        return series


class _Bound:
    """The values that a label may have, and no others."""

    def __init__(self, label: Label) -> None:
        self._closed = frozenset(label.values)
        self._room = label.at_most
        self._seen: set[str] = set()

    def value(self, value: str) -> str:
        """The value, or "other"."""
        if value in self._closed or value in self._seen:
            return value
        if len(self._seen) < self._room:
            self._seen.add(value)
            return value
        return OTHER


def _known(metric: Metric) -> list[tuple[str, ...]]:
    """The series to begin with: of metrics with one closed label, or none."""
    if not metric.labels:
        return [()]
    if len(metric.labels) == 1 and metric.labels[0].values:
        return [(value,) for value in metric.labels[0].values]
    return []


def _effects(decision: Decision) -> set[tuple[str, str]]:
    """Which rules had which effect."""
    effects = set()
    for finding in decision.findings:
        if finding.action is Action.DENY:
            effect = "denied" if finding.exception is None else "exempted"
        else:
            effect = "warned" if finding.action is Action.WARN else "dryrun"
        effects.add((finding.rule, effect))
    return effects


def _engine_error(decision: Decision) -> str | None:
    """Which kind of engine error kept a request from a decision; None where it was something else."""
    kind = _UNDECIDED_KINDS.get(decision.reason)
    if kind is not None or decision.reason != "CannotDecide" or decision.error_code in _NO_ENGINE_ERROR:
        return kind
    return _WRONG_REVISION if decision.error_code == _WRONG_REVISION else "no-proof"


def _replace(path: Path, content: bytes) -> None:
    """Write a file that a reader sees whole or not at all."""
    draft = path.with_suffix(".draft")
    draft.write_bytes(content)
    draft.replace(path)


def series_of(registry: CollectorRegistry) -> Mapping[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What was counted so far, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in registry.collect()
        for sample in family.samples
    }
