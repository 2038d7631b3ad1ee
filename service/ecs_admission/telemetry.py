"""Log lines: JSON on standard error, of an allow-list of keys, so that no line can hold what a caller sent."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Final

import structlog

from ecs_admission.model import Outcome, Refusal
from ecs_admission.observation import Reviewed

KEYS: Final[Mapping[str, tuple[str, str]]] = {
    "event": ("every line", "what happened, in fixed words"),
    "level": ("every line", "`debug`, `info`, `warning` or `error`"),
    "timestamp": ("every line", "when, in UTC (RFC 3339)"),
    "error": ("errors, gunicorn's lines", "the type of an error, or what gunicorn says of its processes"),
    "frames": ("errors", "where it was raised: file, line and function, innermost last"),
    "status": ("broken requests, companions", "the HTTP status or the exit status"),
    "library": ("what a library logs", "which one; its text is left out"),
    "decision_id": ("reviews", "the id under which the decision log has it"),
    "trace_id": ("reviews", "the trace that the review is a part of; with `ECS_ADMISSION_TRACES` alone"),
    "enforcement_point": ("reviews", "`operations` or `reviews`: which route was asked"),
    "operation": ("reviews", "the ECS API call, null where it is none that is known"),
    "environment": ("reviews", "where it deploys to, null where no data names it"),
    "groups": ("reviews", "what the caller is: `system:authenticated` and its roles, or `system:unauthenticated`"),
    "engine": ("reviews", "what evaluated: `embedded` or `opa`"),
    "outcome": ("reviews", "`allowed`, `denied`, `undecided`, `invalid` or `failOpen`"),
    "reason": ("reviews, refusals, the sealer", "the contract's word for why, or our own sentence"),
    "code": ("reviews", "which error, a lasting identifier"),
    "findings": ("reviews", "how many"),
    "rules": ("reviews", "the rules that denied"),
    "duration_us": ("reviews", "the time in all, in microseconds"),
    "timings_us": ("reviews", "the time of each step, in microseconds"),
    "revision": ("reviews, the start, activations", "the revision of the policies"),
    "weakened": ("the start, activations", "what it judges more mildly than the one that ships"),
    "rule_count": ("the start", "how many rules it has"),
    "configuration": ("the start", "the settings in force, without what could be secret"),
    "bind": ("the start, metrics", "an address that is listened at"),
    "companion": ("companions", "which process beside the workers"),
    "wait_seconds": ("companions", "when it is started again"),
    "dropped_keys": ("every line", "how many keys were left out, since they are not in this list"),
}
"""What a log line may hold: on which lines, and what it means. Anything else is dropped and counted."""


def configure(level: str) -> None:
    """Set up structlog for this process. Called once, at start. From then on nothing else writes to standard error."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_known_keys,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    _quieten()


def _quieten() -> None:
    """Make lines of ours of what libraries log, of warnings and of errors that nobody caught, without their texts."""
    root = logging.getLogger()
    if not any(isinstance(handler, _LibraryHandler) for handler in root.handlers):
        root.addHandler(_LibraryHandler())
    logging.captureWarnings(True)
    # Where somebody else has taken them over, as a test runner does, they stay as they are.
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = lambda _, error, trace: log_error(error.with_traceback(trace))
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = lambda each: log_error(each.exc_value or each.exc_type())
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = lambda each: log_error(each.exc_value or each.exc_type())


class _LibraryHandler(logging.Handler):
    """Says that a library had something to say, and how grave it is."""

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        told: dict[str, Any] = {"library": record.name}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            told |= {"error": type(error).__name__, "frames": frames(error)}
        log = logger().warning if record.levelno < logging.ERROR else logger().error
        log("library", **told)


def logger() -> Any:
    """The logger of the service."""
    return structlog.get_logger()


def log_review(review: Reviewed) -> None:
    """The one line of a review."""
    decision = review.decision
    # A failure that was ignored is a log line that somebody has to see.
    log = logger().warning if decision.outcome is Outcome.FAIL_OPEN else logger().info
    trace = {} if review.trace_id is None else {"trace_id": review.trace_id}
    log(
        "review",
        **trace,
        decision_id=review.decision_id,
        enforcement_point=review.enforcement_point,
        operation=review.operation,
        environment=review.environment,
        groups=list(review.groups),
        revision=review.revision,
        engine=review.engine,
        outcome=decision.outcome.value,
        reason=decision.reason,
        code=decision.error_code,
        findings=len(decision.findings),
        rules=sorted({finding.rule for finding in decision.denials}),
        duration_us=review.duration_us,
        timings_us=review.timings_us,
    )


def log_error(error: BaseException) -> None:
    """Log an unexpected error: its type and where it was raised. Its text may hold a literal and is left out."""
    logger().error("unexpected error", error=type(error).__name__, frames=frames(error))


def log_revision(revision: str, weakened: Sequence[str]) -> None:
    """Log that a revision judges from now on, and what it judges more mildly than the one that ships."""
    logger().info("policies activated", revision=revision, weakened=list(weakened))


def log_refusal(refusal: Refusal) -> None:
    """Log why the policies that are in place do not judge."""
    logger().error("policies refused", reason=refusal.reason)


def log_fitness(unfit: Refusal | None) -> None:
    """Log that what judges is no longer fit to, and why, or that it is again."""
    if unfit is not None:
        logger().error("policies not fit to judge", reason=unfit.reason)
    else:
        logger().info("policies fit to judge")


def frames(error: BaseException) -> list[str]:
    """The last frames of a traceback as file:line function, innermost last."""
    extracted = traceback.extract_tb(error.__traceback__)[-8:]
    return [f"{frame.filename.rpartition('/site-packages/')[2]}:{frame.lineno} {frame.name}" for frame in extracted]


def _only_known_keys(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    unknown = event.keys() - KEYS.keys()
    known = {key: value for key, value in event.items() if key in KEYS}
    return known | ({"dropped_keys": len(unknown)} if unknown else {})
