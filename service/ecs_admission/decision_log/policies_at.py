"""Which policies were in force at a time, and who put them there.

A process that starts and one that activates other policies says so in the log, and keeps beside the entry what the
revision makes of findings: actions per environment, exceptions, and what it softens. So the answer needs no copy of
old policies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from sqlalchemy import LargeBinary, Select, cast, or_, select

from ecs_admission.decision_log.database import translated
from ecs_admission.decision_log.entries import EntryDraft, canonical_bytes
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.schema import IS_EVENT, entries
from ecs_admission.governance import Governance, PolicyException, action_keys
from ecs_admission.model import JSONObject

SILENT_US: Final = 86_400 * 1_000_000
"""A process that has said nothing for this long, and nothing later, is not counted among those that judge."""

_READING: Final = "the decision log cannot be read"


@dataclass(frozen=True, slots=True)
class Judging:
    """A process that had not said that it stopped. `heard_us` is when it last said anything up to the time asked about.

    `is_running` where it said something later, or had within `SILENT_US`. Of one that is silent nobody can tell: it had
    nothing to judge, or was killed.
    """

    writer: str
    heard_us: int
    is_running: bool


@dataclass(frozen=True, slots=True)
class InForce:
    """A revision that processes judged by at a time.

    `since_us` is when the first of them began to, in microseconds since the epoch. `entry` is the newest entry by which
    one did, `policy` its document, None where it is not in the log any more.
    """

    revision: str
    since_us: int
    entry: JSONObject
    processes: tuple[Judging, ...]
    policy: JSONObject | None

    @property
    def is_running(self) -> bool:
        """Whether a process judged by it, as far as can be known."""
        return any(process.is_running for process in self.processes)

    @property
    def heard_us(self) -> int:
        """When one of its processes was last heard of."""
        return max(process.heard_us for process in self.processes)

    @property
    def activated_by(self) -> str:
        """Who activated it: a person, where the log knows one, else the process itself."""
        caller = self.entry.get("caller")
        if caller is not None:
            return str(caller["username"])
        when = "started" if self.entry["kind"] == "node_start" else "found its policies changed"
        return f"process {self.entry['writer']}, when it {when}"


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


def exceptions_of(policy: JSONObject) -> tuple[PolicyException, ...]:
    """The exceptions in a policy document."""
    return tuple(PolicyException(**{**each, "match": dict(each["match"])}) for each in policy.get("exceptions", ()))


def policies_at(reader: LogReader, time_us: int) -> list[InForce]:
    """The revisions in force at `time_us`, those that a process judged by first, then that which came last first.

    Raises `RecordUnavailableError`.
    """
    by_revision: dict[str, list[tuple[JSONObject, Judging]]] = {}
    with translated(_READING), reader.snapshot() as connection:
        for row in connection.execute(_unstopped(time_us)):
            event = orjson.loads(connection.execute(_latest(row.writer, time_us)).scalar_one())
            is_running = row.last > time_us or row.heard >= time_us - SILENT_US
            judging = Judging(row.writer, row.heard, is_running)
            by_revision.setdefault(event["policy"]["revision"], []).append((event, judging))
    found = [_in_force(reader, revision, events) for revision, events in by_revision.items()]
    return sorted(found, key=lambda each: (not each.is_running, -each.entry["time"]))


def _in_force(reader: LogReader, revision: str, events: list[tuple[JSONObject, Judging]]) -> InForce:
    newest = max((event for event, _ in events), key=lambda event: event["time"])
    shown = reader.show(newest["id"])
    return InForce(
        revision=revision,
        since_us=min(event["time"] for event, _ in events),
        entry=newest,
        processes=tuple(sorted((each for _, each in events), key=lambda each: (-each.heard_us, each.writer))),
        policy=None if shown is None else shown["policyInput"],
    )


def _unstopped(time_us: int) -> Select[Any]:
    """The writers that judged by a revision and had not stopped: when each last said something up to then, and at all.

    A chain ends with its stop, so one step in the primary key tells whether there is one. Of the many that a log has
    seen, those of commands have no revision.
    """
    starts, chain = entries, entries.alias()
    of_writer = (
        select(chain.c.kind, chain.c.time)
        .where(chain.c.writer == starts.c.writer)
        .order_by(chain.c.sequence.desc())
        .limit(1)
        .correlate(starts)
    )
    last = of_writer.with_only_columns(chain.c.time).scalar_subquery()
    last_kind = of_writer.with_only_columns(chain.c.kind).scalar_subquery()
    heard = of_writer.with_only_columns(chain.c.time).where(chain.c.time <= time_us).scalar_subquery()
    return select(starts.c.writer, last.label("last"), heard.label("heard")).where(
        IS_EVENT,
        starts.c.kind == "node_start",
        starts.c.revision.is_not(None),
        starts.c.time <= time_us,
        or_(last_kind != "node_stop", last > time_us),
    )


def _latest(writer: str, time_us: int) -> Select[Any]:
    """The newest start or activation of a writer."""
    return (
        select(cast(entries.c.bytes, LargeBinary))
        .where(
            IS_EVENT,
            entries.c.kind.in_(("node_start", "policy_activate")),
            entries.c.writer == writer,
            entries.c.time <= time_us,
        )
        .order_by(entries.c.sequence.desc())
        .limit(1)
    )
