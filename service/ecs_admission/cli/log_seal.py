"""`ecs-admission log seal`: sign every few seconds what the log holds."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from ecs_admission.cli import fail
from ecs_admission.cli.log_keys import anchors_at, key_option, log_keys
from ecs_admission.errors import AdmissionError, RecordUnavailableError, SettingsError
from ecs_admission.model import new_decision_id
from ecs_admission.observation import Observe, SealerTurned
from ecs_admission.settings import read_settings
from ecs_admission.telemetry import configure, logger

if TYPE_CHECKING:
    from ecs_admission.decision_log.keys import SigningKey
    from ecs_admission.decision_log.sealer import Sealer, Step

EXIT_STOPPED = 1
"""Of a sealer that must not go on: somebody has to look."""

_LOOK_SECONDS = 1.0


@click.command()
@click.option("--once", is_flag=True, help="Seal what is new, and end: for cron.")
@click.option("--rotate", is_flag=True, help="Make a new key, have the old one announce it, and end.")
@click.option("--accept-new-key", is_flag=True, help="Begin with a key that no digest announced: the old one is lost.")
@click.option("--parent", type=int, hidden=True, help="End when this process has.")
@key_option
def seal(once: bool, rotate: bool, accept_new_key: bool, parent: int | None, key_files: tuple[Path, ...]) -> None:
    """Sign every few seconds what the log holds, and bring the digests to the anchors.

    Of several that run one seals, and the others wait. Exit code: 0 ended as told, 1 the log is not what was sealed, 2
    the settings do not allow it.
    """
    from ecs_admission.decision_log.keys import announced_signing_key, load_or_create_signing_key, make_signing_key
    from ecs_admission.decision_log.sealer import Sealer, SealerStoppedError

    try:
        os.umask(0o077)
        settings = read_settings()
        configure(settings.log_level)
        trusted = log_keys(settings, key_files)
        if not trusted:
            raise SettingsError("without the log's public key no writer can be recognised: --key FILE")
        sealer = Sealer(
            settings.log_url,
            key=load_or_create_signing_key(settings.digest_key_file),
            log_keys=trusted,
            anchors=anchors_at(settings, settings.anchor_places),
            holder=new_decision_id(),
            interval_seconds=settings.seal_seconds,
            accept_new_key=accept_new_key,
            find_key=partial(announced_signing_key, settings.digest_key_file),
        )
        if rotate:
            _rotate(sealer, make_signing_key(), settings.digest_key_file)
        elif once:
            _seal_once(sealer)
        else:
            from ecs_admission.exporter import sealer_observer

            with sealer_observer(settings) as observe:
                _seal_on(sealer, settings.seal_seconds, parent, observe)
    except SealerStoppedError as error:
        logger().error("the sealer stops", reason=str(error))
        click.echo(f"ecs-admission: {error}", err=True)
        sys.exit(EXIT_STOPPED)
    except AdmissionError as error:
        fail(error)


def _seal_on(sealer: Sealer, every_seconds: int, parent: int | None, observe: Observe) -> None:
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
                observe(SealerTurned("failed"))
                is_pressing = False
            else:
                told = _tell(told, *_news(step))
                observe(SealerTurned("sealed" if step.leads else "waited", step.entries, len(step.refused)))
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
        step = sealer.step(is_last=True)
        while not step.leads and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
            step = sealer.step(is_last=True)
        first, entries = step.number, step.entries
        while step.more:
            step = sealer.step(is_last=True)
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
    """The new key is on the disk before it is announced, and takes the old one's place after that.

    Wherever it breaks off, the next start of a sealer finds the key that the last digest announces.
    """
    from ecs_admission.decision_log.keys import read_public_key, replace_signing_key, write_public_key

    try:
        sealer.lead()  # which brings a key to its place that an earlier rotation has announced
        old = read_public_key(file)
        write_public_key(old, file.with_name(f"{file.stem}-{old.id}.pub"))
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
