"""`ecs-admission log export`: the log, or a part of it, as files that prove themselves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ecs_admission.cli.log_query import failing, filter_options, read_query, server_option
from ecs_admission.cli.log_source import Pairs, open_export, open_reader
from ecs_admission.cli.recording import record_read, unrecorded_option
from ecs_admission.cli.tables import json_text
from ecs_admission.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ecs_admission.catalogue import Rule

_SHOWN = ("entries", "digests", "first", "last", "files")


@click.command()
@filter_options
@server_option
@unrecorded_option
@click.option(
    "--output-dir", "folder", required=True, type=click.Path(path_type=Path, file_okay=False), help="Made if need be."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["ndjson", "csv", "ocsf"]),
    default="ndjson",
    show_default=True,
    help="What to write beside export.ndjson, which is always written: it is the proof.",
)
@click.option("--bodies", "with_bodies", is_flag=True, help="With what the policy engine saw, fingerprints included.")
def export(
    folder: Path,
    form: Any,
    with_bodies: bool,
    server: str | None,
    is_unrecorded: bool,
    as_of: str | None,
    **options: Any,
) -> None:
    """Write what the newest digest has sealed, with the digests and certificates that prove it.

    Without filters, or with times alone, the export is complete, and `ecs-admission log verify --export` proves that;
    times are widened to whole digests. With other filters each entry can be proven, and not that none is missing. It is
    an entry of the log, before anything is written. Reads the database of the settings.
    """
    from ecs_admission.decision_log.exports import write_export

    if as_of is not None:
        raise click.UsageError("an export is always of the newest digest; use --until for an older one")
    query = read_query(options)
    with failing():
        rules = _rules() if form == "ocsf" else {}
        opened = (
            open_export(server, [*query, ("bodies", str(with_bodies).lower())])
            if server
            else _planned(query, form, with_bodies=with_bodies, is_unrecorded=is_unrecorded)
        )
        with opened as lines:
            manifest = write_export(lines, folder, form, rules=rules)
    click.echo(json_text({name: manifest[name] for name in _SHOWN}))
    if manifest["last"] is None:
        click.echo("ecs-admission: nothing is sealed yet, so nothing proves this export complete", err=True)


@contextmanager
def _planned(query: Pairs, form: str, *, with_bodies: bool, is_unrecorded: bool) -> Iterator[Iterable[bytes]]:
    """The lines of an export of the database of the settings, which is recorded before the first."""
    from ecs_admission.decision_log.export_lines import export_lines, plan_export
    from ecs_admission.decision_log.filters import read_filters

    filters = read_filters(query, now=time.time())
    with open_reader() as reader:
        plan = plan_export(reader, filters, with_bodies=with_bodies)
        details = plan.details(form)
        asked, count = details.pop("query"), details.pop("count")
        record_read(asked, count, is_unrecorded=is_unrecorded, kind="log_export", **details)
        yield export_lines(reader, plan)


def _rules() -> Mapping[str, Rule]:
    """The words of the rules as they are now."""
    from ecs_admission.policies import load_policies

    return load_policies(read_settings().policy_places, now=time.time()).pack.catalogue
