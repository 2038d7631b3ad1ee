"""`ecs-admission policies rollback`: have an older bundle judge again. For an operator beside the data."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click

from ecs_admission.cli import fail
from ecs_admission.errors import AdmissionError, SettingsError
from ecs_admission.settings import read_settings

if TYPE_CHECKING:
    from ecs_admission.serials import History, Mark


@click.command(short_help="Have an older bundle judge again.")
@click.option("--to", "serial", type=int, help="The serial to go back to; default: the one below that which judges.")
@click.option("--reason", required=True, help="Why, for the decision log.")
def rollback(serial: int | None, reason: str) -> None:
    """Have a bundle judge again that did before, with the services that the ECS_ADMISSION_* settings are of.

    It is an entry of the decision log, and every process that writes there follows it at its next poll: by the bundle
    it has kept, or by the one of that serial at the source. It ends when the source has a serial over all that were
    active. `--to` the highest serial of all takes a rollback back.
    """
    from ecs_admission.app import prepare_data_dir
    from ecs_admission.cli.recording import recorded
    from ecs_admission.decision_log.events import bundle_details
    from ecs_admission.decision_log.policy_history import read_history, read_marks
    from ecs_admission.decision_log.queries import LogReader
    from ecs_admission.delivery import store_in

    try:
        settings = read_settings()
        prepare_data_dir(settings)
        with closing(LogReader.open(settings.log_read_url, timeout_seconds=settings.record_deadline_seconds)) as reader:
            history, marks = read_history(reader), read_marks(reader)
        to, highest = _target(history, marks, serial)
        with recorded(settings) as write:
            write("policy_rollback", bundle_details(to, highest, None) | {"reason": reason})
    except AdmissionError as error:
        fail(error)
        return
    click.echo(f"serial {to.serial}, {to.revision}, judges until there is one over {highest.serial}")
    if store_in(settings.data_dir).read(to) is None:
        click.echo("it is not kept in this data folder: put it back at the source, too", err=True)


def _target(history: History, marks: tuple[Mark, ...], serial: int | None) -> tuple[Mark, Mark]:
    """The bundle to go back to and the one with the highest serial. Raises `SettingsError`."""
    highest = history.highest
    if highest is None:
        raise SettingsError("no bundle with a serial was active here: change the policies where they lie")
    judges = history.in_force.to if history.in_force is not None else highest
    found = [
        mark for mark in {*marks, highest} if mark.serial == serial or (serial is None and mark.serial < judges.serial)
    ]
    if not found:
        which = "an older bundle" if serial is None else f"a bundle with the serial {serial}"
        raise SettingsError(
            f"{which} was never active here; `ecs-admission log list --kind policy_activate` shows which were"
        )
    return max(found, key=lambda mark: mark.serial), highest
