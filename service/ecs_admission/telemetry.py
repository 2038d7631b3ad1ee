"""Log lines: JSON on standard error, of an allow-list of keys, so that no line can hold what a caller sent."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import structlog

from ecs_admission.model import Outcome, Refusal
from ecs_admission.observation import Reviewed

KEYS = frozenset(
    {
        # every line
        *("event", "level", "timestamp", "error", "frames", "status"),
        # a review
        *("decision_id", "enforcement_point", "outcome", "reason", "code", "findings", "rules"),
        *("operation", "environment", "duration_us", "timings_us"),
        # a process beside the workers
        *("companion", "wait_seconds"),
        # the start
        *("bind", "configuration", "revision", "rule_count", "weakened"),
    }
)
"""What a log line may hold. Anything else is dropped and counted in `dropped_keys`."""


def configure(level: str) -> None:
    """Set up structlog for this process. Called once, at start."""
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


def logger() -> Any:
    """The logger of the service."""
    return structlog.get_logger()


def log_review(review: Reviewed) -> None:
    """The one line of a review."""
    decision = review.decision
    # A failure that was ignored is a log line that somebody has to see.
    log = logger().warning if decision.outcome is Outcome.FAIL_OPEN else logger().info
    log(
        "review",
        decision_id=review.decision_id,
        enforcement_point=review.enforcement_point,
        operation=review.operation,
        environment=review.environment,
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
    unknown = event.keys() - KEYS
    known = {key: value for key, value in event.items() if key in KEYS}
    return known | ({"dropped_keys": len(unknown)} if unknown else {})
