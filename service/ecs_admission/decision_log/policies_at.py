"""Which policies were in force at a time, and who put them there.

A process that starts and one that activates other policies says so in the log, and keeps beside the entry what the
revision makes of findings: actions per environment, exceptions, and what it softens. So the answer needs no copy of
old policies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ecs_admission.decision_log.entries import EntryDraft, canonical_bytes
from ecs_admission.decision_log.filters import Clause, Filters
from ecs_admission.decision_log.queries import MAX_LIMIT, LogReader
from ecs_admission.governance import Governance, action_keys
from ecs_admission.model import JSONObject

MOST_EVENTS: Final = 2_000
"""Starts, stops and activations that are looked back through."""

_KINDS: Final = ("node_start", "policy_activate", "node_stop")


@dataclass(frozen=True, slots=True)
class InForce:
    """A revision that processes judged by at a time.

    `since_us` is when the first of them began to, in microseconds since the epoch. `entry` is the newest entry by which
    one did, `policy` its document, None where retention has dropped it. `writers` are those that had not said that
    they stopped; one that was killed never does.
    """

    revision: str
    since_us: int
    entry: JSONObject
    writers: tuple[str, ...]
    policy: JSONObject | None

    @property
    def activated_by(self) -> str:
        """Who activated it: a caller, or the service itself."""
        caller = self.entry.get("caller")
        if caller is not None:
            return str(caller["username"])
        if self.entry["kind"] == "node_start":
            return "the service, when it started"
        return "the service, when the files of its policies changed"


def with_policy(draft: EntryDraft, governance: Governance, weakened: Sequence[str]) -> EntryDraft:
    """An entry of a start or an activation, with the policy document as its body."""
    body = canonical_bytes(policy_document(governance, weakened))
    return replace(draft, document=draft.document | {"body": hashlib.sha256(body).hexdigest()}, body=body)


def policy_document(governance: Governance, weakened: Sequence[str]) -> JSONObject:
    """What a revision makes of findings. Pure, and the same for the same revision."""
    rules = action_keys(governance.catalogue)
    return {
        "environments": {
            name: {
                "profile": environment.profile,
                "failurePolicy": environment.failure_policy.value,
                "actions": {
                    key: str(environment.actions.get(key, rule.variant(variant).action or rule.action))
                    for key, (rule, variant) in rules.items()
                },
            }
            for name, environment in governance.environments.items()
        },
        "accounts": {str(account): environment for account, environment in governance.accounts.items()},
        "exceptions": [
            {
                "id": exception.id,
                "match": dict(exception.match),
                "expires": exception.expires,
                "reason": exception.reason,
                "owner": exception.owner,
                "approver": exception.approver,
                "issue": exception.issue,
            }
            for exception in governance.exceptions
        ],
        "weakened": list(weakened),
    }


def policies_at(reader: LogReader, time_us: int) -> list[InForce]:
    """The revisions in force at `time_us`, that which was activated last first. Raises `RecordUnavailableError`."""
    latest: dict[str, JSONObject] = {}
    for event in _events(reader, time_us):
        latest.setdefault(event["writer"], event)
    by_revision: dict[str, list[JSONObject]] = {}
    for event in latest.values():
        revision = event["policy"]["revision"]
        if event["kind"] != "node_stop" and revision is not None:
            by_revision.setdefault(revision, []).append(event)
    found = [_in_force(reader, revision, events) for revision, events in by_revision.items()]
    return sorted(found, key=lambda each: -each.entry["time"])


def _in_force(reader: LogReader, revision: str, events: list[JSONObject]) -> InForce:
    newest = max(events, key=lambda event: event["time"])
    shown = reader.show(newest["id"])
    return InForce(
        revision=revision,
        since_us=min(event["time"] for event in events),
        entry=newest,
        writers=tuple(sorted(event["writer"] for event in events)),
        policy=None if shown is None else shown["policyInput"],
    )


def _events(reader: LogReader, time_us: int) -> list[JSONObject]:
    filters = Filters(until_us=time_us + 1, clauses=(Clause("kind", _KINDS),))
    found: list[JSONObject] = []
    cursor: str | None = None
    while len(found) < MOST_EVENTS:
        page = reader.list_entries(filters, limit=MAX_LIMIT, cursor=cursor)
        found += page.items
        cursor = page.next
        if cursor is None:
            break
    return found
