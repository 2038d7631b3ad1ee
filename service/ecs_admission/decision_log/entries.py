"""What one entry of the decision log says, before it is chained.

`build_draft` (a decision) and `build_event_draft` (everything else) are pure: values in, value out. A draft is checked
and cut to size when it is built, so that sealing it inside somebody else's transaction cannot fail. Fields and kinds:
`docs/reference/entry.md`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
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

EVENT_KINDS: Final = frozenset(
    {
        *("node_start", "node_stop", "key_rotation"),
        *("policy_activate", "policy_refuse", "policy_unfit", "policy_fit", "policy_rollback"),
        *("exception_add", "exception_remove"),
        *("token_create", "token_revoke", "access_refuse", "authentication_failures"),
        *("log_read", "log_export", "fingerprint_lookup", "retention", "legal_hold"),
    }
)
"""What the log says besides decisions."""

MAX_DETAIL_CHARACTERS: Final = 2048
"""Of one text in `details`. What is longer is cut, and ends with an ellipsis."""

_DETAIL_NAME: Final = re.compile(r"[a-z][A-Za-z0-9]{0,39}")

_OPTIONS: Final = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


@dataclass(frozen=True, slots=True)
class EntryDraft:
    """An entry without its chain fields: `document` is all it says.

    Beside it are kept `body`, the PolicyInput, and `inventory`, what `project.inventory` makes of the literals.
    """

    id: str
    kind: str
    document: JSONObject = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    inventory: bytes | None = field(default=None, repr=False)


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
    inventory: bytes | None = None,
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
        "caller": _caller(user),
        "outcome": decision.outcome.value,
        "reason": decision.reason,
        "error": _error(decision),
        "timings": dict(timings_us),
        "body": _hash(body),
        "inventory": _hash(inventory),
    }
    _add_lists(document, decision)
    return EntryDraft(id=decision_id, kind="decision", document=document, body=body, inventory=inventory)


def build_node_draft(
    kind: NodeKind,
    *,
    entry_id: str,
    time_us: int,
    engine: str | None,
    revision: str | None,
    weakened: Sequence[str] = (),
    exceptions: Sequence[str] = (),
    authentication: str | None = None,
    keys: Mapping[str, str] | None = None,
    bundle: JSONObject | None = None,
) -> EntryDraft:
    """What the log keeps of a process that starts or stops writing: the revision in force then.

    Of one that starts: `weakened` says what that judges more mildly than the one that ships, `exceptions` are the ids
    of those in it, `authentication` is what callers are asked for, `keys` are the ids of the keys it uses, by what they
    are for, and `bundle` is what `events.bundle_details` says. An auditor tells from a start and a stop whether a chain
    that ends was ended by us. Raises as `build_draft` does.
    """
    details: JSONObject = {}
    if kind == "node_start":
        details = {"weakened": list(weakened), "exceptions": list(exceptions), "authentication": authentication}
        details |= {**(keys or {}), **(bundle or {})}
    return build_event_draft(
        kind, entry_id=entry_id, time_us=time_us, user=None, details=details, engine=engine, revision=revision
    )


def build_event_draft(
    kind: str,
    *,
    entry_id: str,
    time_us: int,
    user: UserInfo | None,
    details: JSONObject,
    engine: str | None = None,
    revision: str | None = None,
) -> EntryDraft:
    """What the log keeps of anything that is no decision.

    `user` is who did it, None for the service itself. `details` are flat: texts, integers, booleans, null and lists of
    texts, under names in camelCase. They come from the service, its settings and its policies, never from the body of
    a request. Long texts are cut, and lists from their end until the entry fits; `detailsTruncated` counts what is
    missing. Raises `ValueError` for a kind or a detail of another form, which is a mistake in the program, and else
    as `build_draft` does.
    """
    if kind not in EVENT_KINDS:
        raise ValueError(f"{kind} is no kind of entry")
    document = _blank(kind, entry_id=entry_id, time_us=time_us, engine=engine, revision=revision)
    document["caller"] = None if user is None else _caller(user)
    _check(document)
    flat = {name: _detail(name, value) for name, value in details.items()}
    room = MAX_ENTRY_BYTES - CHAIN_BYTES - len(canonical_bytes(document))
    document["details"], document["detailsTruncated"] = _cut(flat, room)
    return EntryDraft(id=entry_id, kind=kind, document=document)


def canonical_bytes(document: JSONObject | str) -> bytes:
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
        "inventory": None,
        "details": {},
        "detailsTruncated": 0,
    }


def _hash(content: bytes | None) -> str | None:
    return None if content is None else hashlib.sha256(content).hexdigest()


def _caller(user: UserInfo) -> JSONObject:
    return {"username": user.username, "groups": list(user.groups)}


def _detail(name: str, value: Any) -> Any:
    if _DETAIL_NAME.fullmatch(name) is None:
        raise ValueError("the name of a detail is camelCase")
    if type(value) is list and all(type(item) is str for item in value):
        return [_text(item) for item in value]
    if type(value) not in (str, int, bool, type(None)):
        raise ValueError(f"the detail {name} is not flat")
    return _text(value) if type(value) is str else value


def _text(value: str) -> str:
    """A text that has a canonical form: file names, which errors repeat, may hold bytes that are no UTF-8."""
    text = value.encode("utf-8", "replace").decode()
    return text if len(text) <= MAX_DETAIL_CHARACTERS else text[: MAX_DETAIL_CHARACTERS - 1] + "…"


def _cut(details: JSONObject, room: int) -> tuple[JSONObject, int]:
    """The details that fit into `room` bytes, and how many items their lists have lost."""
    lists = {name: value for name, value in details.items() if type(value) is list}
    kept: JSONObject = details | {name: [] for name in lists}
    room -= len(canonical_bytes(kept))
    if room < 0:
        raise RecordUnavailableError(f"an entry is larger than {MAX_ENTRY_BYTES} bytes without its lists")
    for name, items in lists.items():
        kept[name], room = _fitting(items, room)
    return kept, sum(len(items) - len(kept[name]) for name, items in lists.items())


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
        "controls": list(finding.controls),
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


def _fitting(items: list[Any], room: int) -> tuple[list[Any], int]:
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
