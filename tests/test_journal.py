"""What happens to a process is in its log: policies that came, were refused or softened, exceptions, keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ecs_admission.activation import Active
from ecs_admission.decision_log.events import exceptions_changed, keys_rotated, policies_activated
from ecs_admission.decision_log.keys import make_signing_key
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.errors import RecordUnavailableError
from ecs_admission.governance import PolicyException
from ecs_admission.journal import Journal, node_entry, start_entry, stop_entry
from ecs_admission.model import Refusal, new_decision_id
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision

EXCEPTION = PolicyException(
    "legacy-7",
    {"rule": "plaintext/environment", "family": "web"},
    expires=1_800_057_600,
    reason="being moved",
    owner="team-web",
    approver="security",
    issue="https://issues.example.com/7",
)
DESCRIBED: dict[str, Any] = {
    "exception": "legacy-7",
    "match": ["family=web", "rule=plaintext/environment"],
    "expires": "2027-01-15",
    "reason": "being moved",
    "owner": "team-web",
    "approver": "security",
    "issue": "https://issues.example.com/7",
}


def test_an_exception_that_comes_or_goes_is_described() -> None:
    assert list(exceptions_changed([], [EXCEPTION])) == [("exception_add", DESCRIBED)]
    assert list(exceptions_changed([EXCEPTION], [])) == [("exception_remove", DESCRIBED)]
    assert list(exceptions_changed([EXCEPTION], [EXCEPTION])) == []


def test_an_exception_that_changes_goes_and_comes() -> None:
    longer = replace(EXCEPTION, expires=EXCEPTION.expires + 86_400)
    assert list(exceptions_changed([EXCEPTION], [longer])) == [
        ("exception_remove", DESCRIBED),
        ("exception_add", DESCRIBED | {"expires": "2027-01-16"}),
    ]


def test_policies_that_are_activated_say_what_they_soften() -> None:
    events = list(
        policies_activated(previous="r1", weakened=("rule x is gone",), before=[EXCEPTION], after=[EXCEPTION])
    )
    assert events == [
        ("policy_activate", {"previous": "r1", "weakened": ["rule x is gone"], "exceptions": ["legacy-7"]})
    ]


def test_a_key_that_changed_is_a_rotation_and_a_new_kind_of_key_is_none() -> None:
    before = {"signingKey": "a", "fingerprintKey": "b", "weakened": []}
    assert list(keys_rotated(before, {"signingKey": "a", "fingerprintKey": "c", "other": "d"})) == [
        ("key_rotation", {"key": "fingerprintKey", "previous": "b", "next": "c"})
    ]
    assert list(keys_rotated({}, {"signingKey": "a"})) == []


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'decisions.sqlite3'}"


def open_log(url: str, revision: Revision, **keys: str) -> DecisionLog:
    return DecisionLog.open(
        url,
        writer=new_decision_id(),
        start=start_entry(Active(revision, ("softer",)), authentication="required", keys=keys),
        log_key=make_signing_key(),
        timeout_seconds=5,
    )


@pytest.fixture
def log(url: str, revision: Revision) -> Iterator[DecisionLog]:
    opened = open_log(url, revision, signingKey="a")
    yield opened
    opened.close()


def make_journal(log: DecisionLog, revision: Revision) -> Journal:
    def record(draft: Any) -> None:
        log.append(draft, deadline_seconds=5)

    def fail(error: Exception) -> None:
        raise error

    return Journal(record, Reviewer(revision, inventory=NoInventory(), recorder=record, on_error=fail))


class _Activation:
    on_change: Any = None
    on_refusal: Any = None
    refused: Any = None

    def find(self, _: str) -> None:
        """There is no other revision."""


def test_a_process_says_what_it_starts_with(log: DecisionLog, revision: Revision) -> None:
    (start,) = log.reader.list_entries(kind="node_start").items
    assert start["details"] == {
        "weakened": ["softer"],
        "exceptions": [],
        "authentication": "required",
        "signingKey": "a",
    }
    assert start["policy"] == {"engine": revision.engine.name, "revision": revision.id}


def test_a_process_says_that_it_stops(log: DecisionLog, revision: Revision) -> None:
    log.append(stop_entry(revision), deadline_seconds=5)
    (stop,) = log.reader.list_entries(kind="node_stop").items
    assert (stop["details"], stop["policy"]["revision"]) == ({}, revision.id)


def test_policies_that_change_judge_and_are_recorded(log: DecisionLog, revision: Revision) -> None:
    journal, activation = make_journal(log, revision), _Activation()
    journal.follow(activation)  # type: ignore[arg-type]
    governance = replace(revision.governance, exceptions=(EXCEPTION,))
    changed = replace(revision, id="sha256:changed", governance=governance)
    activation.on_change(Active(changed, ("rule x is gone",)))
    assert journal.reviewer.revision is changed
    (entry,) = log.reader.list_entries(kind="policy_activate").items
    assert entry["policy"]["revision"] == "sha256:changed"
    assert entry["details"] == {
        "previous": revision.id,
        "weakened": ["rule x is gone"],
        "exceptions": ["legacy-7"],
    }
    (added,) = log.reader.list_entries(kind="exception_add").items
    assert added["details"] == DESCRIBED
    activation.on_refusal(Refusal("policies/x.rego:1: broken", 1))
    (refused,) = log.reader.list_entries(kind="policy_refuse").items
    assert refused["details"] == {"refusal": "policies/x.rego:1: broken"}


def test_a_log_that_cannot_be_written_holds_no_policy_up(revision: Revision) -> None:
    def record(_: Any) -> None:
        raise RecordUnavailableError("full")

    def fail(error: Exception) -> None:
        raise error

    journal = Journal(record, Reviewer(revision, inventory=NoInventory(), recorder=record, on_error=fail))
    activation = _Activation()
    journal.follow(activation)  # type: ignore[arg-type]
    changed = replace(revision, id="sha256:changed")
    activation.on_change(Active(changed, ()))
    assert journal.reviewer.revision is changed


def test_a_key_that_was_exchanged_while_nobody_ran_is_recorded(log: DecisionLog, url: str, revision: Revision) -> None:
    log.append(node_entry("node_start", None, None), deadline_seconds=5)  # a command's, which has no keys to tell
    second = open_log(url, revision, signingKey="b")
    try:
        journal = make_journal(second, revision)
        journal.note_changes(second.reader, {"signingKey": "b"}, writer=second.writer)
        (entry,) = second.reader.list_entries(kind="key_rotation").items
        assert entry["details"] == {"key": "signingKey", "previous": "a", "next": "b"}
        journal.note_changes(second.reader, {"signingKey": "a"}, writer=second.writer)
        assert len(second.reader.list_entries(kind="key_rotation").items) == 1
    finally:
        second.close()


def with_exceptions(revision: Revision, *exceptions: PolicyException) -> Revision:
    governance = replace(revision.governance, exceptions=exceptions)
    return replace(revision, id=f"sha256:{[(each.id, each.expires) for each in exceptions]}", governance=governance)


def test_an_exception_that_came_with_a_restart_is_an_entry(log: DecisionLog, url: str, revision: Revision) -> None:
    """Added, then longer, then gone: each by a process that was started with other policies than the one before it."""
    longer = replace(EXCEPTION, expires=EXCEPTION.expires + 86_400)
    for exceptions in ((EXCEPTION,), (EXCEPTION,), (longer,), ()):
        restarted = open_log(url, with_exceptions(revision, *exceptions))
        journal = make_journal(restarted, with_exceptions(revision, *exceptions))
        restarted.append(node_entry("node_start", None, None), deadline_seconds=5)  # as a command does
        journal.note_changes(restarted.reader, {}, writer=restarted.writer)
        restarted.close()

    added = [item["details"] for item in log.reader.list_entries(kind="exception_add").items]
    removed = [item["details"] for item in log.reader.list_entries(kind="exception_remove").items]

    assert added == [DESCRIBED | {"expires": "2027-01-16"}, DESCRIBED]
    assert removed == [DESCRIBED | {"expires": "2027-01-16"}, DESCRIBED]


def test_many_commands_hide_no_key_that_was_exchanged(log: DecisionLog, url: str, revision: Revision) -> None:
    for _ in range(30):
        log.append(node_entry("node_start", None, None), deadline_seconds=5)
    second = open_log(url, revision, signingKey="b")
    make_journal(second, revision).note_changes(second.reader, {"signingKey": "b"}, writer=second.writer)
    second.close()

    assert len(log.reader.list_entries(kind="key_rotation").items) == 1
