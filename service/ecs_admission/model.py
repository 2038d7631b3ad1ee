"""The frozen values that travel between the steps of the pipeline.

Nothing in here does anything. Names are those of the design: Kubernetes' for admission, OPA's for policy,
AWS's for ECS.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

JSONObject: TypeAlias = dict[str, Any]

REDACTED = "<redacted>"
"""What stands in the place of a literal, everywhere outside the process's own projection."""


FAILED_OPEN = "failed-open"
"""Kubernetes' word for a request that was let through because of a failure: a notice, and an audit annotation."""


class Outcome(StrEnum):
    """How a review ended, as the decision log keeps it."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNDECIDED = "undecided"
    INVALID = "invalid"
    FAIL_OPEN = "failOpen"


class Action(StrEnum):
    """What a finding does. The order is strictness: `deny` is the strictest."""

    DENY = "deny"
    WARN = "warn"
    DRYRUN = "dryrun"


STRICTNESS: Mapping[Action, int] = {Action.DRYRUN: 0, Action.WARN: 1, Action.DENY: 2}


class FailurePolicy(StrEnum):
    """What becomes of a request that nobody could judge because the policy engine is away. Kubernetes' words."""

    FAIL = "Fail"
    IGNORE = "Ignore"


@dataclass(frozen=True, slots=True)
class UserInfo:
    """Who asked, as the service established it. Never taken from a request's body."""

    username: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeployContext:
    """Where and why the pipeline deploys, as it claims. Each field has a grammar, see `adapt.context`."""

    environment: str | None = None
    account: str | None = None
    region: str | None = None
    cluster: str | None = None
    service: str | None = None
    actor: str | None = None
    repository: str | None = None
    commit: str | None = None
    run: str | None = None
    ticket: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the caller should know that is no finding of a policy, such as a field AWS does not know."""

    code: str
    message: str
    pointer: str


@dataclass(frozen=True, slots=True)
class CanonicalObject:
    """The API input that AWS would receive: camelCase, known nulls dropped, numbers and strings as AWS types them.

    `value` may hold members that AWS does not know, and what it added to an answer; their strings are literals like any
    other.
    `pointers` maps a top-level member to its JSON Pointer in the submitted document where that differs from
    `/member`, as it does inside a wrapper.
    """

    value: JSONObject
    notices: tuple[Notice, ...] = ()
    pointers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """One proposed AWS API call, adapted. Holds literals: it must not be logged, stored or sent anywhere."""

    decision_id: str
    uid: str
    operation: str
    canonical: CanonicalObject = field(repr=False)
    context: DeployContext
    user: UserInfo
    enforcement_point: str
    now: int
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """What a pointer of the PolicyInput points at, so that a finding can be explained by name.

    `container` and `name` are None where there is none, or REDACTED where showing them might show a literal.
    """

    container: str | None
    field: str
    name: str | None


@dataclass(frozen=True, slots=True)
class PolicyInput:
    """What the engine sees and what the record keeps, byte for byte. Holds no literal."""

    decision_id: str
    body: bytes
    places: Mapping[str, Place]
    unscanned: bool = False
    overflow: bool = False


@dataclass(frozen=True, slots=True)
class RawFinding:
    """A finding as an engine reported it: a rule and a place, and for some rules which of its variants."""

    rule: str
    at: str
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an engine answered, checked for shape only; `decide` judges whether it proves anything."""

    decision_id: str
    revision: str
    evaluated: frozenset[str]
    findings: tuple[RawFinding, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding with what the revision's data makes of it here.

    `at` is its place in the canonical object, `pointer` the same place in the document that was submitted.
    """

    rule: str
    pointer: str
    action: Action
    severity: str
    place: Place
    variant: str | None = None
    exception: str | None = None
    controls: tuple[str, ...] = ()
    at: str = ""


@dataclass(frozen=True, slots=True)
class Fix:
    """How a finding is mended: a JSON Patch against the submitted document, and what goes with it.

    `statements` are what the execution role (for an application's own reference the task role) must be permitted,
    `commands` what a person runs, `left` what remains to be done by hand.
    """

    patch: tuple[JSONObject, ...]
    statements: tuple[JSONObject, ...] = ()
    commands: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict. `fixes` are those of `denials`, None where only a person can mend one, `patch` is all in one.

    `reason` is empty for an allow and one of the contract's reasons otherwise; of a failure that was ignored it is why
    nobody judged.
    """

    outcome: Outcome
    reason: str
    message: str
    findings: tuple[Finding, ...] = ()
    notices: tuple[Notice, ...] = ()
    error_code: str | None = None
    error_pointer: str | None = None
    status: int = 200
    fixes: tuple[Fix | None, ...] = ()
    patch: tuple[JSONObject, ...] = ()

    @property
    def denials(self) -> tuple[Finding, ...]:
        """The findings that deny: action `deny` and no exception."""
        return tuple(f for f in self.findings if f.action is Action.DENY and f.exception is None)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings a caller is warned of: action `warn`, or exempted from a denial."""
        return tuple(
            f for f in self.findings if f.action is Action.WARN or (f.action is Action.DENY and f.exception is not None)
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the policies that are in place now are not those that judge. `since` is in seconds since the epoch."""

    reason: str
    since: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How the policies of a process stand: `unfit` says why those that judge are not fit to, `refused` why others that
    are in place do not judge, and `incoming` is the revision that an OPA server is still to get."""

    unfit: Refusal | None = None
    refused: Refusal | None = None
    incoming: str | None = None


def new_decision_id() -> str:
    """A UUID of version 7 (RFC 9562): ordered by time, so that an index over it stays compact."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return str(uuid.UUID(int=value))
