"""Keeps a process's own history in the decision log: which policies and keys it has, and when they changed.

A change that cannot be recorded happens all the same, and is a log line: each decision names its revision, and a
service that could not leave bad policies because its disk is full would be worse off.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ecs_admission.activation import Activation, Active
from ecs_admission.decision_log.entries import EntryDraft, NodeKind, build_event_draft, build_node_draft
from ecs_admission.decision_log.events import (
    Event,
    bundle_details,
    exceptions_changed,
    keys_rotated,
    policies_activated,
    policies_refused,
    policies_tried,
)
from ecs_admission.decision_log.policies_at import exceptions_of, with_policy
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.starts import last_event
from ecs_admission.errors import AdmissionError
from ecs_admission.fitness import Fitness
from ecs_admission.model import Refusal, new_decision_id
from ecs_admission.observation import Observe, PoliciesChanged, unobserved
from ecs_admission.review import Recorder, Reviewer
from ecs_admission.revision import Revision
from ecs_admission.telemetry import log_error, log_fitness, log_refusal, log_revision


def start_entry(active: Active, *, authentication: str, keys: Mapping[str, str]) -> EntryDraft:
    """The entry that a chain begins with: what this process judges by, and whom it asks for what."""
    revision = active.revision
    draft = node_entry(
        "node_start",
        revision.engine.name,
        revision.id,
        weakened=active.weakened,
        exceptions=[exception.id for exception in revision.governance.exceptions],
        authentication=authentication,
        keys=keys,
        bundle=bundle_details(active.mark, active.highest, active.commit),
    )
    return with_policy(draft, revision.governance, active.weakened)


def stop_entry(revision: Revision) -> EntryDraft:
    """The entry that a chain ends with."""
    return node_entry("node_stop", revision.engine.name, revision.id)


def node_entry(kind: NodeKind, engine: str | None, revision: str | None, **details: Any) -> EntryDraft:
    """The entry of a process that starts or stops writing now; `details` are those of `build_node_draft`."""
    return build_node_draft(
        kind, entry_id=new_decision_id(), time_us=_now_us(), engine=engine, revision=revision, **details
    )


@dataclass(frozen=True, slots=True)
class Journal:
    """Writes what happens to a process. `recorder` makes an entry durable."""

    recorder: Recorder
    reviewer: Reviewer
    observe: Observe = unobserved

    def follow(self, activation: Activation) -> None:
        """Have the reviewer judge by what becomes active, and the log say so."""
        activation.on_change = self._change
        activation.on_refusal = self._refuse
        self.reviewer.find = activation.find
        if activation.refused is not None:
            self._refuse(activation.refused)  # what is there could not judge when this process started

    def follow_fitness(self, fitness: Fitness) -> None:
        """Have the log say when what judges stops being fit to, and when it is again."""
        fitness.on_change = self._try

    def note(self, events: Iterable[Event]) -> None:
        """Record events of the service itself, as far as the log can be written."""
        revision = self.reviewer.revision
        try:
            for kind, details in events:
                draft = build_event_draft(
                    kind,
                    entry_id=new_decision_id(),
                    time_us=_now_us(),
                    user=None,
                    details=details,
                    engine=revision.engine.name,
                    revision=revision.id,
                )
                if kind == "policy_activate":
                    draft = with_policy(draft, revision.governance, details["weakened"])
                self.recorder(draft)
        except AdmissionError as error:
            log_error(error)

    def note_changes(self, reader: LogReader, keys: Mapping[str, str], *, writer: str) -> None:
        """Record what the process before this one did not have: keys, and exceptions. `writer` is this one.

        A restart is as good a way to bring an exception as a change of files is, and must show as much.
        """
        try:
            start = last_event(reader, ("node_start",), (), besides=writer)
            judging = last_event(reader, ("node_start", "policy_activate"), (), besides=writer)
            shown = None if judging is None else reader.show(judging["id"])
        except AdmissionError as error:
            log_error(error)
            return
        self.note(keys_rotated({} if start is None else start["details"], keys))
        policy = None if shown is None else shown["policyInput"]
        if policy is not None:
            after = self.reviewer.revision.governance.exceptions
            self.note(exceptions_changed(exceptions_of(policy), after))

    def _change(self, active: Active) -> None:
        before = self.reviewer.revision
        self.reviewer.revision = active.revision
        log_revision(active.revision.id, active.weakened)
        self.observe(PoliciesChanged(is_active=True))
        self.note(
            policies_activated(
                previous=before.id,
                weakened=active.weakened,
                before=before.governance.exceptions,
                after=active.revision.governance.exceptions,
                bundle=bundle_details(active.mark, active.highest, active.commit),
            )
        )

    def _refuse(self, refusal: Refusal) -> None:
        log_refusal(refusal)
        self.observe(PoliciesChanged(is_active=False))
        self.note([policies_refused(refusal)])

    def _try(self, unfit: Refusal | None) -> None:
        log_fitness(unfit)
        self.note([policies_tried(unfit)])


def _now_us() -> int:
    return time.time_ns() // 1000
