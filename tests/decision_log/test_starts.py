"""What earlier processes said: which keys are the log's, and who judged by what. On both databases."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_admission.decision_log.entries import build_event_draft, build_node_draft
from ecs_admission.decision_log.keys import SigningKey, make_signing_key
from ecs_admission.decision_log.policies_at import SILENT_US, policies_at
from ecs_admission.decision_log.starts import check_fingerprint_key, last_event, sealer_key
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.errors import SettingsError
from ecs_admission.model import new_decision_id

from .conftest import LOG_KEY, make_draft
from .databases import LogDatabase
from .sealing import SEALER_KEY, Sealing

REVISION = "r" * 64


def start(
    database: LogDatabase,
    *,
    time_us: int,
    revision: str | None = REVISION,
    log_key: SigningKey = LOG_KEY,
    **keys: str,
) -> DecisionLog:
    return DecisionLog.open(
        database.url,
        writer=new_decision_id(),
        start=build_node_draft(
            "node_start", entry_id=new_decision_id(), time_us=time_us, engine=None, revision=revision, keys=keys
        ),
        log_key=log_key,
        timeout_seconds=5,
        read_url=database.read_url,
    )


def event(kind: str, time_us: int, revision: str | None = REVISION, **details: Any) -> Any:
    return build_event_draft(
        kind, entry_id=new_decision_id(), time_us=time_us, user=None, details=details, revision=revision
    )


def check(log: DecisionLog, *keys: str, log_key: SigningKey = LOG_KEY) -> None:
    check_fingerprint_key(log.reader, [log_key.public], keys)


def test_a_node_with_another_fingerprint_key_than_the_logs_does_not_start(database: LogDatabase) -> None:
    log = start(database, time_us=1, fingerprintKey="k1")
    check(log, "k1")
    check(log, "k1", "k0")
    check(log, "k2", "k1")  # which exchanges it
    with pytest.raises(SettingsError, match="this node is k2 and the log's active one is k1"):
        check(log, "k2")

    log.append(event("key_rotation", 2, key="fingerprintKey", previous="k1", next="k2"), deadline_seconds=5)
    second = start(database, time_us=3, fingerprintKey="k2")

    check(second, "k2", "k1")
    check(second, "k2")
    with pytest.raises(SettingsError, match="the log's active one is k2"):
        check(second, "k1")
    with pytest.raises(SettingsError, match="k1 was exchanged for k2"):
        check(second, "k1", "k2")
    log.close()
    second.close()


def test_an_empty_log_takes_any_key_and_a_command_tells_of_none(database: LogDatabase) -> None:
    command = start(database, time_us=1, revision=None)
    check(command, "k1")
    command.close()


def test_what_nobody_certified_is_not_the_logs_key(database: LogDatabase) -> None:
    log = start(database, time_us=1, fingerprintKey="k1")
    intruder = start(database, time_us=2, fingerprintKey="k9", log_key=make_signing_key())
    check(log, "k1")
    with pytest.raises(SettingsError, match="active one is k1"):
        check(log, "k9")
    with pytest.raises(SettingsError, match="active one is k9"):  # with a new signing key the newest that is signed
        check(log, "k1", log_key=make_signing_key())
    log.close()
    intruder.close()


def test_the_last_event_is_that_of_another_process(database: LogDatabase) -> None:
    first, second = start(database, time_us=1), start(database, time_us=2)
    first.append(event("policy_activate", 5), deadline_seconds=5)
    kinds = ("node_start", "policy_activate")

    found = [last_event(first.reader, kinds, (), besides=each.writer) for each in (first, second)]

    assert [each and (each["writer"], each["kind"]) for each in found] == [
        (second.writer, "node_start"),
        (first.writer, "policy_activate"),
    ]
    first.close()
    second.close()


def test_the_policies_of_a_time_are_those_of_who_had_started_and_not_stopped(database: LogDatabase) -> None:
    old = start(database, time_us=10, revision="old")
    command = start(database, time_us=11, revision=None)
    new = start(database, time_us=20, revision="new")
    old.append(event("node_stop", 30, "old"), deadline_seconds=5)
    new.append(event("policy_activate", 40, "newer"), deadline_seconds=5)
    new.append(make_draft(time_us=50), deadline_seconds=5)

    def at(time_us: int) -> list[tuple[str, int, bool, list[int]]]:
        return [
            (found.revision, found.since_us, found.is_running, [each.heard_us for each in found.processes])
            for found in policies_at(new.reader, time_us)
        ]

    assert at(9) == []
    assert at(15) == [("old", 10, True, [10])]
    assert at(25) == [("new", 20, True, [20]), ("old", 10, True, [10])]
    assert at(30) == [("new", 20, True, [20])]
    assert at(45) == [("newer", 40, True, [40])]
    assert at(50 + SILENT_US) == [("newer", 40, True, [50])]
    assert at(51 + SILENT_US) == [("newer", 40, False, [50])]
    for log in (old, command, new):
        log.close()


def test_the_sealers_key_is_the_one_that_the_newest_digest_has_or_announces(log: DecisionLog, sealing: Sealing) -> None:
    assert sealer_key(log.reader) is None
    sealer = sealing.sealer()
    sealer.step()
    assert sealer_key(log.reader) == SEALER_KEY.public.id
    new = make_signing_key()
    sealer.rotate(new)
    assert sealer_key(log.reader) == new.public.id
