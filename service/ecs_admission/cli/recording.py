"""What a command at the terminal does is an entry of the log, with who ran it: what they change and what they read."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

import click

from ecs_admission.auth.roles import Role
from ecs_admission.errors import AdmissionError, RecordUnavailableError, SettingsError
from ecs_admission.model import JSONObject, UserInfo, new_decision_id
from ecs_admission.settings import Settings, read_settings

if TYPE_CHECKING:
    from ecs_admission.decision_log.keys import SigningKey

Write: TypeAlias = Callable[[str, JSONObject], None]
"""Makes an entry of a kind with its details, and returns when it is durable."""

unrecorded_option = click.option(
    "--unrecorded",
    "is_unrecorded",
    is_flag=True,
    help="Read although the log cannot be written: the database's own audit alone shows it then.",
)


@contextmanager
def recorded(settings: Settings) -> Iterator[Write]:
    """A writer of the log for this command: a chain of its own, with a start and an end like any other."""
    from ecs_admission.decision_log.entries import build_event_draft
    from ecs_admission.decision_log.store import DecisionLog
    from ecs_admission.journal import node_entry

    log = DecisionLog.open(
        settings.log_url,
        writer=new_decision_id(),
        start=node_entry("node_start", None, None),
        log_key=signing_key(settings),
        timeout_seconds=settings.record_deadline_seconds,
        read_url=settings.log_read_url,
    )
    user = UserInfo(f"local:{_operator()}", ("system:authenticated", Role.OPERATOR.value))

    def write(kind: str, details: JSONObject) -> None:
        draft = build_event_draft(
            kind, entry_id=new_decision_id(), time_us=time.time_ns() // 1000, user=user, details=details
        )
        log.append(draft, deadline_seconds=settings.record_deadline_seconds)

    try:
        yield write
    finally:
        log.close(stop=node_entry("node_stop", None, None), deadline_seconds=settings.record_deadline_seconds)


def record_read(query: str, count: int, *, is_unrecorded: bool, kind: str = "log_read", **details: object) -> None:
    """Record that the log is read in the database itself, before anything of it is printed.

    Raises `RecordUnavailableError` where that cannot be: then nothing is printed, unless somebody asked for that.
    """
    if is_unrecorded:
        click.echo("ecs-admission: this read is not in the decision log", err=True)
        return
    settings = read_settings()
    try:
        with recorded(settings) as write:
            write(kind, {"query": query, "count": count, **details})
    except AdmissionError as error:
        raise RecordUnavailableError(
            f"a read of the log is an entry of it, and that cannot be written: {error}. Ask the service with --server "
            "URL, or read on with --unrecorded"
        ) from None


def signing_key(settings: Settings) -> SigningKey:
    """The log's own key. Raises `SettingsError` where it is not here: a chain that another key vouches for is none."""
    from ecs_admission.decision_log.connections import database_file
    from ecs_admission.decision_log.keys import load_or_create_signing_key

    file, database = settings.log_key_file, database_file(settings.log_url)
    is_new = database is not None and not database.exists()
    if not file.exists() and not is_new:
        raise SettingsError(
            f"the log's signing key {file} is not here: ECS_ADMISSION_SIGNING_KEY_FILE says where it is"
        )
    return load_or_create_signing_key(file)


def _operator() -> str:
    """Who runs this command, by the process's own user and not by a variable that anybody can set."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
