"""`ecs-admission log seal|verify|retain|hold`: sign what the log holds, prove it, and let go of what is old."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import click
import orjson

from ecs_admission.cli import fail
from ecs_admission.errors import AdmissionError, RecordUnavailableError, SettingsError
from ecs_admission.model import new_decision_id
from ecs_admission.settings import Settings, read_settings
from ecs_admission.telemetry import configure, logger

if TYPE_CHECKING:
    from ecs_admission.decision_log.anchors import Anchor
    from ecs_admission.decision_log.keys import PublicKey, SigningKey
    from ecs_admission.decision_log.sealer import Sealer, Step
    from ecs_admission.decision_log.store import DecisionLog
    from ecs_admission.decision_log.verdicts import Report

EXIT_STOPPED = 1
"""Of a sealer that must not go on: somebody has to look."""

_LOOK_SECONDS = 1.0
_DAYS = re.compile(r"([1-9][0-9]{0,4})d")

_KEYS = click.option(
    "--key",
    "key_files",
    type=click.Path(path_type=Path),
    multiple=True,
    help="PEM file with the log's public key, once for each key it has had; default: the service's own signing key.",
)
_OPERATOR = click.option("--operator", "operators", multiple=True, help="Who asks for it, by name; recorded.")


@click.command()
@click.option("--once", is_flag=True, help="Seal what is new, and end: for cron.")
@click.option("--rotate", is_flag=True, help="Make a new key, have the old one announce it, and end.")
@click.option("--accept-new-key", is_flag=True, help="Begin with a key that no digest announced: the old one is lost.")
@click.option("--parent", type=int, hidden=True, help="End when this process has.")
@_KEYS
def seal(once: bool, rotate: bool, accept_new_key: bool, parent: int | None, key_files: tuple[Path, ...]) -> None:
    """Sign every few seconds what the log holds, and bring the digests to the anchors.

    Of several that run one seals, and the others wait. Exit code: 0 ended as told, 1 the log is not what was sealed, 2
    the settings do not allow it.
    """
    from ecs_admission.decision_log.keys import load_or_create_signing_key, make_signing_key
    from ecs_admission.decision_log.sealer import Sealer, SealerStoppedError

    try:
        os.umask(0o077)
        settings = read_settings()
        configure(settings.log_level)
        log_keys = _log_keys(settings, key_files)
        if not log_keys:
            raise SettingsError("without the log's public key no writer can be recognised: --key FILE")
        sealer = Sealer(
            settings.log_url,
            key=load_or_create_signing_key(settings.digest_key_file),
            log_keys=log_keys,
            anchors=_anchors(settings, settings.anchor_places),
            holder=new_decision_id(),
            interval_seconds=settings.seal_seconds,
            accept_new_key=accept_new_key,
        )
        if rotate:
            _rotate(sealer, make_signing_key(), settings.digest_key_file)
        elif once:
            _seal_once(sealer)
        else:
            _seal_on(sealer, settings.seal_seconds, parent)
    except SealerStoppedError as error:
        logger().error("the sealer stops", reason=str(error))
        click.echo(f"ecs-admission: {error}", err=True)
        sys.exit(EXIT_STOPPED)
    except AdmissionError as error:
        fail(error)


@click.command()
@click.option("--from", "since", help="Only what was sealed after this: RFC 3339, or 24h, 7d ago.")
@click.option("--to", "until", help="Only what was sealed up to then.")
@click.option(
    "--anchor", "places", multiple=True, help="Folder, or s3://BUCKET/PREFIX; default: those of the settings."
)
@click.option("--export", "export_file", type=click.File("rb"), help="An export instead of the log: needs no database.")
@click.option("--receipts", type=click.File("rb"), help="Answers or receipts that callers kept, one a line.")
@click.option("--every-signature", is_flag=True, help="Check each, not those alone that speak for all before them.")
@click.option("--verbose", is_flag=True, help="List notices too.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@_KEYS
@click.option(
    "--sealer-key",
    "sealer_key_files",
    type=click.Path(path_type=Path),
    multiple=True,
    help="PEM file with the sealer's public key, the first it had or each; default: the sealer's own.",
)
def verify(
    since: str | None,
    until: str | None,
    places: tuple[str, ...],
    export_file: Any,
    receipts: Any,
    every_signature: bool,
    verbose: bool,
    output: str,
    key_files: tuple[Path, ...],
    sealer_key_files: tuple[Path, ...],
) -> None:
    """Prove that the log is whole, or say where it is not, and what nobody can tell.

    Exit code: 0 whole, 1 tampered, 2 incomplete or unreadable, 3 cannot tell, since a key, digests or an anchor is not
    at hand.
    """
    from ecs_admission.decision_log.exports_verify import verify_export
    from ecs_admission.decision_log.filters import read_time
    from ecs_admission.decision_log.queries import LogReader
    from ecs_admission.decision_log.receipts import read_receipts
    from ecs_admission.decision_log.verify import Evidence, Extent, verify_log

    try:
        settings, now = read_settings(), time.time()
        if not places and export_file is None:
            places = settings.anchor_places
        evidence = Evidence(
            log_keys=_log_keys(settings, key_files),
            sealer_keys=_sealer_keys(settings, sealer_key_files),
            anchors=_anchors(settings, places),
            receipts=None if receipts is None else read_receipts(receipts),
        )
        if export_file is not None:
            if since or until:
                raise SettingsError("an export is verified as a whole: leave out --from and --to")
            with tempfile.TemporaryDirectory(prefix="ecs-admission-") as folder:
                report = verify_export(export_file, evidence, Path(folder), every_signature=every_signature)
        else:
            extent = Extent(
                since_us=None if since is None else read_time("from", since, now=now),
                until_us=None if until is None else read_time("to", until, now=now),
                every_signature=every_signature,
            )
            with closing(LogReader.open(settings.log_read_url, timeout_seconds=60.0)) as reader:
                report = verify_log(reader, evidence, extent)
    except AdmissionError as error:
        fail(error)
        return
    (_print_json if output == "json" else _print_report)(report, verbose=verbose)
    sys.exit(report.exit_code)


@click.command()
@click.option("--older-than", required=True, help="Days, as 400d: the age of the digest that an anchor holds.")
@click.option("--dry-run", is_flag=True, help="Say what would be dropped, and drop nothing.")
@_OPERATOR
@_KEYS
@click.option("--sealer-key", "sealer_key_files", type=click.Path(path_type=Path), multiple=True)
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
                log_keys=_log_keys(settings, key_files),
                sealer_keys=_sealer_keys(settings, sealer_key_files),
                anchors=_anchors(settings, settings.anchor_places),
            )
            plan = retention.plan(request)
            if plan is None:
                click.echo("nothing is old enough")
                return
            what = f"digests {plan.done + 1} to {plan.through}, of before {_moment(plan.through_time_us)}"
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
@_KEYS
def hold_release(hold_id: str, operator: str, key_files: tuple[Path, ...]) -> None:
    """Release a legal hold."""
    from ecs_admission.decision_log.retention import release_hold

    try:
        settings = read_settings()
        with _writer(settings) as log:
            release_hold(
                log, hold_id, operator=operator, log_keys=_log_keys(settings, key_files), clock_us=_now_us
            )  # fmt: skip
    except AdmissionError as error:
        fail(error)


@hold.command(name="list")
@_KEYS
def hold_list(key_files: tuple[Path, ...]) -> None:
    """List the legal holds in force."""
    from ecs_admission.decision_log.queries import LogReader
    from ecs_admission.decision_log.retention import active_holds

    try:
        settings = read_settings()
        with closing(LogReader.open(settings.log_read_url, timeout_seconds=60.0)) as reader:
            for each in active_holds(reader, _log_keys(settings, key_files)):
                click.echo(f"{each.id}  {_moment(each.time_us)}  {each.placed_by}  {each.reason}")
    except AdmissionError as error:
        fail(error)


def _seal_on(sealer: Sealer, every_seconds: int, parent: int | None) -> None:
    """Turn after turn, until a signal says that it is enough or the parent is gone."""
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    # Of a terminal's interrupt a child leaves it to its parent when to end: after those whose last words it seals.
    signal.signal(signal.SIGINT, (lambda *_: stop.set()) if parent is None else signal.SIG_IGN)
    told: tuple[Any, ...] = ()
    try:
        while not stop.is_set() and (parent is None or os.getppid() == parent):
            begin = time.monotonic()
            try:
                step = sealer.step()
            except RecordUnavailableError as error:
                told = _tell(told, ("the sealer cannot seal", str(error)))
                is_pressing = False
            else:
                told = _tell(told, *_news(step))
                is_pressing = step.more
            while not (is_pressing or stop.is_set()):
                remaining = begin + every_seconds - time.monotonic()
                if remaining <= 0 or (parent is not None and os.getppid() != parent):
                    break
                stop.wait(min(remaining, _LOOK_SECONDS))
    finally:
        _close(sealer, finish=True)


def _seal_once(sealer: Sealer) -> None:
    """One digest, or as many as it takes. Waits for a sealer that holds the lead and has perhaps gone."""
    from ecs_admission.decision_log.lease import PATIENCE_SECONDS

    deadline = time.monotonic() + 1.5 * PATIENCE_SECONDS
    try:
        step = sealer.step()
        while not step.leads and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
            step = sealer.step()
        first, entries = step.number, step.entries
        while step.more:
            step = sealer.step()
            entries += step.entries
    finally:
        _close(sealer, finish=False)
    if not step.leads:
        click.echo("another sealer leads")
        return
    numbers = f"digest {first}" if first == step.number else f"digests {first} to {step.number}"
    click.echo(f"{numbers}: {entries} entries")
    for _, problem in _news(step):
        click.echo(problem)


def _rotate(sealer: Sealer, new: SigningKey, file: Path) -> None:
    """The new key is on the disk before it is announced, and takes the old one's place after that."""
    from ecs_admission.decision_log.keys import read_public_key, replace_signing_key, write_public_key

    old = read_public_key(file)
    write_public_key(old, file.with_name(f"{file.stem}-{old.id}.pub"))
    try:
        with replace_signing_key(new, file):
            number = sealer.rotate(new)
    finally:
        _close(sealer, finish=False)
    click.echo(f"digest {number} announces the key {new.public.id}")


def _close(sealer: Sealer, *, finish: bool) -> None:
    try:
        sealer.close(finish=finish)
    except AdmissionError as error:
        logger().warning("the sealer could not say that it ends", reason=str(error))


def _news(step: Step) -> Iterator[tuple[str, str]]:
    if not step.leads:
        yield "another sealer leads", ""
    for writer, problem in sorted(step.refused.items()):
        yield "a chain is not sealed", f"{writer}: {problem}"
    for anchor, failure in sorted(step.failures.items()):
        yield "digests wait for an anchor", f"{failure} ({step.waiting[anchor]} wait)"


def _tell(before: tuple[Any, ...], *news: tuple[str, str]) -> tuple[Any, ...]:
    """Log what is new: not the same every ten seconds."""
    for event, reason in news:
        if (event, reason.partition(" (")[0]) not in before:
            logger().warning(event, reason=reason)
    return tuple((event, reason.partition(" (")[0]) for event, reason in news)


def _print_report(report: Report, *, verbose: bool) -> None:
    for problem in report.problems:
        where = f"{problem.writer} {problem.sequence}" if problem.writer else ""
        in_digest = "" if problem.digest is None else f"digest {problem.digest}"
        click.echo(f"{', '.join(filter(None, (in_digest, where)))}: {problem.problem}")
    for number, problem_name in report.digests.invalid.items():
        click.echo(f"digest {number}\tINVALID: {problem_name}")
    for notice in report.notices if verbose else ():
        place = (notice.digest, notice.writer, notice.sequence)
        click.echo(f"notice {notice.notice}: {' '.join(str(part) for part in place if part not in (None, ''))}")
    click.echo(report.summary)


def _print_json(report: Report, **_: bool) -> None:
    document = dataclasses.asdict(report) | {
        "doubts": report.doubts,
        "summary": report.summary,
        "exitCode": report.exit_code,
    }
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode())


@contextmanager
def _writer(settings: Settings) -> Iterator[DecisionLog]:
    """A writer of this process, whose chain begins and ends with it."""
    from ecs_admission.decision_log.entries import NodeKind, build_node_draft
    from ecs_admission.decision_log.keys import load_or_create_signing_key
    from ecs_admission.decision_log.store import DecisionLog

    def draft(kind: NodeKind) -> Any:
        return build_node_draft(kind, entry_id=new_decision_id(), time_us=_now_us(), engine=None, revision=None)

    log = DecisionLog.open(
        settings.log_url,
        writer=new_decision_id(),
        start=draft("node_start"),
        log_key=load_or_create_signing_key(settings.log_key_file),
        timeout_seconds=30.0,
        read_url=settings.log_read_url,
    )
    try:
        yield log
    finally:
        log.close(stop=draft("node_stop"), deadline_seconds=30.0)


def _log_keys(settings: Settings, files: tuple[Path, ...]) -> list[PublicKey]:
    from ecs_admission.decision_log.keys import read_public_key

    if not files and settings.log_key_file.exists():
        files = (settings.log_key_file,)
    return [read_public_key(file) for file in files]


def _sealer_keys(settings: Settings, files: tuple[Path, ...]) -> list[PublicKey]:
    """Those given, or the sealer's own with those that it had before."""
    from ecs_admission.decision_log.keys import read_public_key

    own = settings.digest_key_file
    if not files and own.exists():
        files = (own, *sorted(own.parent.glob(f"{own.stem}-*.pub")))
    return [read_public_key(file) for file in files]


def _anchors(settings: Settings, places: tuple[str, ...]) -> list[Anchor]:
    from ecs_admission.decision_log.anchor_places import anchor_at

    return [anchor_at(place, retention_days=settings.anchor_retention_days) for place in places]


def _now_us() -> int:
    return time.time_ns() // 1000


def _moment(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).isoformat(timespec="seconds")
