"""Every metric of the service, declared once: what counts it and what exports it, its documentation and its alerts.

A label has a closed set of values, or one that a revision or the settings bound: `at_most` of them are told apart by
one process, and what comes after that is "other". No value is ever taken from a request.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from ecs_admission.model import Outcome

PREFIX: Final = "ecs_admission_"
OTHER: Final = "other"
NONE: Final = "none"

REASONS: Final = (
    "NonCompliant",
    "InvalidRequest",
    "Forbidden",
    "CannotDecide",
    "EngineUnavailable",
    "Timeout",
    "RecordUnavailable",
)
"""The contract's words for why there is no allow."""

STEPS: Final = ("adapt", "project", "enrich", "evaluate", "decide", "record")
"""The timed steps of the pipeline."""

STATUS_CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")

_STEP_BUCKETS: Final = (
    *(0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0),
)  # fmt: skip
_REVIEW_BUCKETS: Final = (
    *(0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0),
)  # fmt: skip

Kind = Literal["counter", "gauge", "histogram"]
Source = Literal["worker", "sealer", "exporter"]


@dataclass(frozen=True, slots=True)
class Label:
    """A label. `values` are all that it has; where they depend on data, `bounded_by` says on what."""

    name: str
    values: tuple[str, ...] = ()
    bounded_by: str = ""
    at_most: int = 0

    def __post_init__(self) -> None:
        if bool(self.values) == bool(self.bounded_by) or bool(self.bounded_by) != bool(self.at_most):
            raise ValueError(f"label {self.name} needs values, or a bound with a number")


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric. `mode` says how a gauge of several processes becomes one, in prometheus-client's words."""

    name: str
    kind: Kind
    help: str
    source: Source
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()
    mode: Literal["livesum", "livemax", "livemin"] | None = None
    since: str = "0.1.0"

    def __post_init__(self) -> None:
        if (self.kind == "histogram") != bool(self.buckets) or (self.kind == "counter") != self.name.endswith("_total"):
            raise ValueError(f"metric {self.name} is not what its name or its buckets say")

    @property
    def unit(self) -> str:
        """The unit, which the name ends with."""
        return next(
            (unit for unit in ("seconds", "bytes") if self.name.removesuffix("_total").endswith(f"_{unit}")), ""
        )

    @property
    def sample_names(self) -> tuple[str, ...]:
        """The names under which Prometheus has it."""
        return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count")) if self.buckets else (self.name,)


_ENVIRONMENT: Final = Label(
    "environment", bounded_by="environments that the revision's data names, else `other`", at_most=50
)
_RULE: Final = Label("rule", bounded_by="rule ids of the revision's catalogue", at_most=200)
_REVISION: Final = Label("revision", bounded_by="revisions by which live workers judge", at_most=64)
_ANCHOR: Final = Label("anchor", bounded_by="anchors that the sealer was ever given", at_most=20)

DECISIONS: Final = Metric(
    f"{PREFIX}decisions_total",
    "counter",
    "Reviews that were answered, by how they ended; `reason` is none for an allow.",
    "worker",
    (Label("outcome", tuple(each.value for each in Outcome)), Label("reason", (NONE, *REASONS, OTHER)), _ENVIRONMENT),
)
RULES: Final = Metric(
    f"{PREFIX}rule_decisions_total",
    "counter",
    "Reviews in which a rule found something, by what came of it; several findings of one rule count once.",
    "worker",
    (_RULE, Label("effect", ("denied", "exempted", "warned", "dryrun")), _ENVIRONMENT),
)
FAIL_CLOSED: Final = Metric(
    f"{PREFIX}fail_closed_total",
    "counter",
    "Reviews without a decision, which were answered as no allow.",
    "worker",
    (Label("reason", ("CannotDecide", "EngineUnavailable", "Timeout", "RecordUnavailable", OTHER)),),
)
FAIL_OPEN: Final = Metric(
    f"{PREFIX}fail_open_total",
    "counter",
    "Reviews that were allowed although nothing was decided, since failurePolicy says so where they deploy.",
    "worker",
    (Label("reason", ("EngineUnavailable", "Timeout", OTHER)),),
)
ENGINE_ERRORS: Final = Metric(
    f"{PREFIX}engine_errors_total",
    "counter",
    "Evaluations that came to nothing: no engine, none in time, or an answer that proves nothing.",
    "worker",
    (Label("kind", ("unavailable", "timeout", "wrong-revision", "no-proof")),),
)
INTERNAL_ERRORS: Final = Metric(
    f"{PREFIX}internal_errors_total", "counter", "Errors of our own that kept a review from a decision.", "worker"
)
REVIEW_SECONDS: Final = Metric(
    f"{PREFIX}review_seconds",
    "histogram",
    "Time from the body's arrival to the answer, record included.",
    "worker",
    (Label("outcome", tuple(each.value for each in Outcome)),),
    buckets=_REVIEW_BUCKETS,
)
STEP_SECONDS: Final = Metric(
    f"{PREFIX}step_seconds",
    "histogram",
    "Time of each step of a review.",
    "worker",
    (Label("step", STEPS),),
    buckets=_STEP_BUCKETS,
)
RECORDS: Final = Metric(
    f"{PREFIX}records_total",
    "counter",
    "Entries that a worker made durable in the decision log.",
    "worker",
    (Label("kind", ("decision", "event")),),
)
RECORD_FAILURES: Final = Metric(
    f"{PREFIX}record_failures_total",
    "counter",
    "Entries that the decision log did not take inside the deadline; nobody was told a decision of them.",
    "worker",
    (Label("kind", ("decision", "event")),),
)
POLICIES: Final = Metric(
    f"{PREFIX}policies_info",
    "gauge",
    "Live workers that judge by a revision.",
    "exporter",
    (_REVISION,),
)
POLICIES_SINCE: Final = Metric(
    f"{PREFIX}policies_activated_timestamp_seconds",
    "gauge",
    "When the revision that judges became active; of several workers the earliest.",
    "exporter",
)
POLICIES_REFUSED: Final = Metric(
    f"{PREFIX}policies_refused",
    "gauge",
    "1 while the policies that are in place are not those that judge, since they did not pass.",
    "exporter",
)
POLICIES_WEAKENED: Final = Metric(
    f"{PREFIX}policies_weakened",
    "gauge",
    "Ways in which the active revision judges more mildly than the one that ships.",
    "exporter",
)
ACTIVATIONS: Final = Metric(
    f"{PREFIX}policies_activations_total", "counter", "Revisions that replaced another one in a worker.", "worker"
)
REFUSALS: Final = Metric(
    f"{PREFIX}policies_refusals_total", "counter", "Times that a worker did not activate what was in place.", "worker"
)
POLICIES_WAITING: Final = Metric(
    f"{PREFIX}policies_waiting",
    "gauge",
    "1 while a revision that passed waits for the OPA server to answer by it.",
    "exporter",
)
TRIPWIRES_FAILING: Final = Metric(
    f"{PREFIX}tripwires_failing",
    "gauge",
    "1 while the active revision does not deny what has to be denied, tried end to end once a minute in each worker.",
    "exporter",
)
EXCEPTIONS: Final = Metric(
    f"{PREFIX}policy_exceptions", "gauge", "Exceptions of the active revision that have not expired.", "exporter"
)
EXCEPTION_EXPIRY: Final = Metric(
    f"{PREFIX}policy_exception_expiry_timestamp_seconds",
    "gauge",
    "When the next exception of the active revision expires; absent where there is none.",
    "exporter",
)
REQUESTS: Final = Metric(
    f"{PREFIX}http_requests_total",
    "counter",
    "HTTP requests that were answered.",
    "worker",
    (
        Label("route", bounded_by="endpoints of the service, `none` for what is at no path", at_most=40),
        Label("status", STATUS_CLASSES),
    ),
)
BROKEN_REQUESTS: Final = Metric(
    f"{PREFIX}http_broken_requests_total",
    "counter",
    "Requests that could not be read as HTTP, and reached no route.",
    "worker",
)
AUTHENTICATION_FAILURES: Final = Metric(
    f"{PREFIX}authentication_failures_total",
    "counter",
    "Requests that did not show who asks, by what was wrong.",
    "worker",
    (
        Label(
            "kind",
            (
                *("no-credential", "malformed", "unknown-token", "revoked", "expired", "not-yet", "no-expiry"),
                *("no-subject", "no-binding", "untrusted-proxy", "wrong-issuer", "wrong-audience", "wrong-algorithm"),
                *("unknown-key", "bad-signature", "too-many-failures", OTHER),
            ),
        ),
    ),
)
ACCESS_REFUSALS: Final = Metric(
    f"{PREFIX}access_refusals_total",
    "counter",
    "Requests that were refused at the door although it is known who asks, or nobody is asked.",
    "worker",
    (Label("kind", ("role", "origin", "foreign-host", "forwarded", OTHER)),),
)
BUSY_THREADS: Final = Metric(
    f"{PREFIX}threads_busy", "gauge", "Threads that answer a request now.", "worker", mode="livesum"
)
THREADS: Final = Metric(f"{PREFIX}threads", "gauge", "Threads that could.", "worker", mode="livesum")
WORKERS: Final = Metric(f"{PREFIX}workers", "gauge", "Workers that serve.", "worker", mode="livesum")
WORKER_STARTS: Final = Metric(f"{PREFIX}worker_starts_total", "counter", "Workers that were started.", "worker")
WORKER_STOPS: Final = Metric(
    f"{PREFIX}worker_stops_total",
    "counter",
    "Workers that ended as they should; others were killed or broke.",
    "worker",
)
LOG_READABLE: Final = Metric(
    f"{PREFIX}log_readable", "gauge", "1 where the decision log could be read for these metrics.", "exporter"
)
UNSEALED: Final = Metric(
    f"{PREFIX}log_unsealed_entries",
    "gauge",
    "Entries of the decision log that no digest holds, those of refused chains included.",
    "exporter",
)
SEALING_LAG: Final = Metric(
    f"{PREFIX}log_sealing_lag_seconds",
    "gauge",
    "How long ago the newest digest was made; where there is none, how old the oldest entry is.",
    "exporter",
)
DIGESTS: Final = Metric(
    f"{PREFIX}log_digests", "gauge", "Digests that the decision log holds.", "exporter"
)  # fmt: skip
ANCHOR_WAITING: Final = Metric(
    f"{PREFIX}anchor_waiting_digests", "gauge", "Digests that an anchor does not hold yet.", "exporter", (_ANCHOR,)
)
ANCHOR_FAILING: Final = Metric(
    f"{PREFIX}anchor_failing", "gauge", "1 while an anchor does not take what it is given.", "exporter", (_ANCHOR,)
)
SEALER_TURNS: Final = Metric(
    f"{PREFIX}sealer_turns_total",
    "counter",
    "Turns of a sealer: it sealed, another one leads, or it could not seal.",
    "sealer",
    (Label("result", ("sealed", "waited", "failed")),),
)
SEALED: Final = Metric(f"{PREFIX}sealer_entries_total", "counter", "Entries that a sealer put into digests.", "sealer")
SEALER_REFUSED: Final = Metric(
    f"{PREFIX}sealer_refused_chains",
    "gauge",
    "Chains that the sealer did not seal to their end in its last turn, since something is wrong with them.",
    "sealer",
    mode="livemax",
)
CERTIFICATE_EXPIRY: Final = Metric(
    f"{PREFIX}tls_certificate_expiry_timestamp_seconds",
    "gauge",
    "When the certificate of the service in its file expires; absent without TLS by the service itself.",
    "exporter",
)
BUILD: Final = Metric(
    f"{PREFIX}build_info",
    "gauge",
    "Always 1; the version of the service.",
    "exporter",
    (Label("version", bounded_by="the one version that runs", at_most=1),),
)

CATALOGUE: Final = (
    *(DECISIONS, RULES, FAIL_CLOSED, FAIL_OPEN, ENGINE_ERRORS, INTERNAL_ERRORS, REVIEW_SECONDS, STEP_SECONDS),
    *(RECORDS, RECORD_FAILURES, LOG_READABLE, UNSEALED, SEALING_LAG, DIGESTS, ANCHOR_WAITING, ANCHOR_FAILING),
    *(SEALER_TURNS, SEALED, SEALER_REFUSED),
    *(POLICIES, POLICIES_SINCE, POLICIES_REFUSED, POLICIES_WEAKENED, ACTIVATIONS, REFUSALS, POLICIES_WAITING),
    *(TRIPWIRES_FAILING, EXCEPTIONS, EXCEPTION_EXPIRY),
    *(REQUESTS, BROKEN_REQUESTS, AUTHENTICATION_FAILURES, ACCESS_REFUSALS),
    *(BUSY_THREADS, THREADS, WORKERS, WORKER_STARTS, WORKER_STOPS, CERTIFICATE_EXPIRY, BUILD),
)
"""All metrics, in the order of the documentation."""


def by_name() -> dict[str, Metric]:
    """The metrics by name."""
    return {metric.name: metric for metric in CATALOGUE}


def written_by(source: Source) -> Iterator[Metric]:
    """The metrics that a kind of process counts."""
    return (metric for metric in CATALOGUE if metric.source == source)
