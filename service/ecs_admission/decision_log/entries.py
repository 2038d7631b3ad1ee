"""What one entry of the decision log says, before it is chained.

`build_draft` and `build_node_draft` are pure: values in, value out. A draft is checked and cut to size when it is
built, so that sealing it inside somebody else's transaction cannot fail. Fields: `docs/reference/entry.md`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import orjson

from ecs_admission.errors import RecordUnavailableError
from ecs_admission.model import STRICTNESS, Decision, DeployContext, Finding, JSONObject, Notice, UserInfo

MAX_ENTRY_BYTES: Final = 65_535
"""What a bundle of C2SP tlog-tiles can hold: a 16-bit length before each entry."""

CHAIN_BYTES: Final = 320
"""Room that `chain.seal` needs of `MAX_ENTRY_BYTES` for `v`, `writer`, `sequence` and `previous`."""

NodeKind: TypeAlias = Literal["node_start", "node_stop"]

_OPTIONS: Final = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


@dataclass(frozen=True, slots=True)
class EntryDraft:
    """An entry without its chain fields: `document` is all it says, `body` the PolicyInput kept beside it."""

    id: str
    kind: str
    document: JSONObject = field(repr=False)
    body: bytes | None = field(default=None, repr=False)


def build_draft(
    decision: Decision,
    *,
    decision_id: str,
    time_us: int,
    uid: str | None,
    operation: str | None,
    enforcement_point: str,
    dry_run: bool,
    family: str | None,
    context: DeployContext,
    now: int,
    user: UserInfo,
    engine: str | None,
    revision: str | None,
    timings_us: Mapping[str, int],
    body: bytes | None,
) -> EntryDraft:
    """What the log keeps of one review.

    `time_us` is UTC in microseconds since the epoch, `now` the clock that policies saw in seconds since the epoch,
    `timings_us` the microseconds of each step. `uid`, `operation` and `family` are None where a request was too
    broken to have them, `engine`, `revision` and `body` where no engine was asked. Messages are left out: they are
    the catalogue's prose with the finding's own names, which are here.

    Raises `RecordUnavailableError` when what is left after cutting findings and notices is still too large, or
    when a value has no canonical form (a float, an integer beyond 53 bits, a lone surrogate).
    """
    document = _blank("decision", entry_id=decision_id, time_us=time_us, engine=engine, revision=revision)
    document |= {
        "request": {
            "uid": uid,
            "operation": operation,
            "enforcementPoint": enforcement_point,
            "dryRun": dry_run,
            "family": family,
            "context": _context(context, now),
        },
        "caller": {"username": user.username, "groups": list(user.groups)},
        "outcome": decision.outcome.value,
        "reason": decision.reason,
        "error": _error(decision),
        "timings": dict(timings_us),
        "body": None if body is None else hashlib.sha256(body).hexdigest(),
    }
    _add_lists(document, decision)
    return EntryDraft(id=decision_id, kind="decision", document=document, body=body)


def build_node_draft(
    kind: NodeKind, *, entry_id: str, time_us: int, engine: str | None, revision: str | None
) -> EntryDraft:
    """What the log keeps of a process that starts or stops writing: the revision in force then.

    An auditor tells from it whether a chain that ends was ended by us. Raises as `build_draft` does.
    """
    document = _blank(kind, entry_id=entry_id, time_us=time_us, engine=engine, revision=revision)
    _check(document)
    canonical_bytes(document)
    return EntryDraft(id=entry_id, kind=kind, document=document)


def canonical_bytes(document: JSONObject) -> bytes:
    """The one spelling of a document: with ASCII keys, no floats and 53-bit integers it is that of RFC 8785."""
    try:
        return orjson.dumps(document, option=_OPTIONS)
    except orjson.JSONEncodeError:
        raise RecordUnavailableError("an entry holds a value that has no canonical form") from None


def _blank(kind: str, *, entry_id: str, time_us: int, engine: str | None, revision: str | None) -> JSONObject:
    """Every key that an entry has, whatever its kind: an absent key would be a second way to say null."""
    return {
        "kind": kind,
        "id": entry_id,
        "time": time_us,
        "request": None,
        "caller": None,
        "policy": {"engine": engine, "revision": revision},
        "outcome": None,
        "reason": "",
        "findings": [],
        "findingsTruncated": 0,
        "notices": [],
        "noticesTruncated": 0,
        "error": None,
        "timings": {},
        "body": None,
    }


def _context(context: DeployContext, now: int) -> JSONObject:
    return {
        "environment": context.environment,
        "account": context.account,
        "region": context.region,
        "cluster": context.cluster,
        "service": context.service,
        "actor": context.actor,
        "repository": context.repository,
        "commit": context.commit,
        "run": context.run,
        "ticket": context.ticket,
        "now": now,
    }


def _error(decision: Decision) -> JSONObject | None:
    if decision.error_code is None:
        return None
    return {"code": decision.error_code, "pointer": decision.error_pointer}


def _finding(finding: Finding) -> JSONObject:
    return {
        "rule": finding.rule,
        "pointer": finding.pointer,
        "action": finding.action.value,
        "severity": finding.severity,
        "field": finding.place.field,
        "container": finding.place.container,
        "name": finding.place.name,
        "variant": finding.variant,
        "exception": finding.exception,
    }


def _notice(notice: Notice) -> JSONObject:
    return {"code": notice.code, "pointer": notice.pointer}


def _add_lists(document: JSONObject, decision: Decision) -> None:
    """Put findings and notices into `document`, as many as fit; findings first, since they explain the outcome."""
    findings = [_finding(finding) for finding in decision.findings]
    notices = [_notice(notice) for notice in decision.notices]
    whole = document | {"findings": findings, "notices": notices}
    _check(whole)
    if len(canonical_bytes(whole)) + CHAIN_BYTES > MAX_ENTRY_BYTES:
        room = MAX_ENTRY_BYTES - CHAIN_BYTES - len(canonical_bytes(document))
        if room < 0:
            raise RecordUnavailableError(f"an entry is larger than {MAX_ENTRY_BYTES} bytes without its findings")
        # The strictest first: a cut list must still show why a denied request was denied.
        strictest = sorted(decision.findings, key=lambda finding: -STRICTNESS[finding.action])
        findings, room = _fitting([_finding(finding) for finding in strictest], room)
        notices, _ = _fitting(notices, room)
    document["findings"], document["notices"] = findings, notices
    document["findingsTruncated"] = len(decision.findings) - len(findings)
    document["noticesTruncated"] = len(decision.notices) - len(notices)


def _fitting(items: list[JSONObject], room: int) -> tuple[list[JSONObject], int]:
    """The longest beginning of `items` that fits into `room` bytes, and the room that it leaves."""
    room -= len(str(len(items)))  # the count of what is cut is written too
    for count, item in enumerate(items):
        size = len(canonical_bytes(item)) + 1  # and a comma
        if size > room:
            return items[:count], room
        room -= size
    return items, room


def _check(value: Any) -> None:
    """Only what has one spelling: exactly these types, so that no subclass or float is written its own way."""
    kind = type(value)
    if kind is dict:
        for key, member in value.items():
            if type(key) is not str or not key.isascii():
                raise RecordUnavailableError("an entry holds a key that has no canonical form")
            _check(member)
    elif kind is list:
        for member in value:
            _check(member)
    elif kind not in (str, int, bool, type(None)):
        raise RecordUnavailableError("an entry holds a value that has no canonical form")
