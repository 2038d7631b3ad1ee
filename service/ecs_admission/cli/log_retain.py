"""`ecs-admission log retain` and `log hold`: let go of what is old, and keep it where a court wants it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ecs_admission.cli import fail
from ecs_admission.cli.log_keys import anchors_at, key_option, log_keys, sealer_key_option, sealer_keys
from ecs_admission.cli.recording import signing_key
from ecs_admission.errors import AdmissionError, SettingsError
from ecs_admission.model import new_decision_id
from ecs_admission.settings import Settings, read_settings

if TYPE_CHECKING:
    from ecs_admission.decision_log.store import DecisionLog

_DAYS = re.compile(r"([1-9][0-9]{0,4})d")
_OPERATOR = click.option("--operator", "operators", multiple=True, help="Who asks for it, by name; recorded.")


@click.command()
@click.option("--older-than", required=True, help="Days, as 400d: the age of the digest that an anchor holds.")
@click.option("--dry-run", is_flag=True, help="Say what would be dropped, and drop nothing.")
@_OPERATOR
@key_option
@sealer_key_option
def retain(
    older_than: str,
    dry_run: bool,
    operators: tuple[str, ...],
    key_files: tuple[Path, ...],
    sealer_key_files: tuple[Path, ...],
) -> None:
    """Drop the bodies of old decisions, and record it. Entries, digests and anchors stay, and still verify.

    For PostgreSQL ECS_ADMISSION_DATABASE_URL is here that of the tables' owner.
    """
    from ecs_admission.decision_log.retention import Request, Retention

    try:
        settings, days = read_settings(), _DAYS.fullmatch(older_than)
        if days is None:
            raise SettingsError("--older-than is a number of days, as 400d")
        request = Request(int(days[1]), operators, settings.retention_floor_days)
        request.check()
        with _writer(settings) as log:
            retention = Retention(
                log,
                settings.log_url,
                log_keys=log_keys(settings, key_files),
                sealer_keys=sealer_keys(settings, sealer_key_files),
                anchors=anchors_at(settings, settings.anchor_places),
            )
            plan = retention.plan(request)
            if plan is None:
                click.echo("nothing is old enough")
                return
            what = f"digests {plan.done + 1} to {plan.through}, of before {_day(plan.through_time_us)}"
            if dry_run:
                click.echo(f"would drop the bodies of {what}")
                return
            click.echo(f"dropped {retention.run(request, plan)} bodies of {what}")
    except AdmissionError as error:
        fail(error)


@click.group()
def hold() -> None:
    """Legal holds: while there is one, retention drops nothing."""


@hold.command(name="add")
@click.option("--reason", required=True, help="One line; recorded.")
@click.option("--operator", required=True, help="Who asks for it, by name; recorded.")
def hold_add(reason: str, operator: str) -> None:
    """Place a legal hold, and print its id."""
    from ecs_admission.decision_log.retention import place_hold

    try:
        settings = read_settings()
        with _writer(settings) as log:
            click.echo(place_hold(log, settings.log_url, reason=reason, operator=operator, clock_us=_now_us))
    except AdmissionError as error:
        fail(error)


@hold.command(name="release")
@click.argument("hold_id")
@click.option("--operator", required=True, help="Who asks for it, by name; recorded.")
@key_option
def hold_release(hold_id: str, operator: str, key_files: tuple[Path, ...]) -> None:
    """Release a legal hold."""
    from ecs_admission.decision_log.retention import release_hold

    try:
        settings = read_settings()
        with _writer(settings) as log:
            release_hold(
                log, hold_id, operator=operator, log_keys=log_keys(settings, key_files), clock_us=_now_us
            )  # fmt: skip
    except AdmissionError as error:
        fail(error)


@hold.command(name="list")
@key_option
def hold_list(key_files: tuple[Path, ...]) -> None:
    """List the legal holds in force."""
    from ecs_admission.decision_log.queries import LogReader
    from ecs_admission.decision_log.retention import active_holds

    try:
        settings = read_settings()
        with closing(LogReader.open(settings.log_read_url, timeout_seconds=60.0)) as reader:
            for each in active_holds(reader, log_keys(settings, key_files)):
                click.echo(f"{each.id}  {_day(each.time_us)}  {each.placed_by}  {each.reason}")
    except AdmissionError as error:
        fail(error)


@contextmanager
def _writer(settings: Settings) -> Iterator[DecisionLog]:
    """A writer of this process, whose chain begins and ends with it."""
    from ecs_admission.decision_log.entries import NodeKind, build_node_draft
    from ecs_admission.decision_log.store import DecisionLog

    def draft(kind: NodeKind) -> Any:
        return build_node_draft(kind, entry_id=new_decision_id(), time_us=_now_us(), engine=None, revision=None)

    log = DecisionLog.open(
        settings.log_url,
        writer=new_decision_id(),
        start=draft("node_start"),
        log_key=signing_key(settings),
        timeout_seconds=30.0,
        read_url=settings.log_read_url,
    )
    try:
        yield log
    finally:
        log.close(stop=draft("node_stop"), deadline_seconds=30.0)


def _now_us() -> int:
    return time.time_ns() // 1000


def _day(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).isoformat(timespec="seconds")
