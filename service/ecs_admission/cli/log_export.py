"""`ecs-admission log export`: the log, or a part of it, as files that prove themselves."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ecs_admission.cli.log_query import failing, filter_options, read_query
from ecs_admission.cli.log_source import open_reader
from ecs_admission.cli.tables import json_text
from ecs_admission.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecs_admission.catalogue import Rule


@click.command()
@filter_options
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
@click.option("--bodies", is_flag=True, help="With what the policy engine saw, fingerprints included.")
def export(folder: Path, form: Any, bodies: bool, as_of: str | None, **options: Any) -> None:
    """Write what the newest digest has sealed, with the digests and certificates that prove it.

    Without filters, or with times alone, the export is complete, and `ecs-admission log verify --export` proves that;
    times are widened to whole digests. With other filters each entry can be proven, and not that none is missing.
    Reads the database of the settings.
    """
    from ecs_admission.decision_log.exports import export_log
    from ecs_admission.decision_log.filters import read_filters

    if as_of is not None:
        raise click.UsageError("an export is always of the newest digest; use --until for an older one")
    with failing(), open_reader() as reader:
        filters = read_filters(read_query(options), now=time.time())
        rules = _rules() if form == "ocsf" else {}
        manifest = export_log(reader, folder, form, filters=filters, with_bodies=bodies, rules=rules)
        click.echo(json_text({name: manifest[name] for name in ("entries", "digests", "first", "last", "files")}))
        if manifest["last"] is None:
            click.echo("ecs-admission: nothing is sealed yet, so nothing proves this export complete", err=True)


def _rules() -> Mapping[str, Rule]:
    """The words of the rules as they are now."""
    from ecs_admission.policies import load_policies

    return load_policies(read_settings().policy_places, now=time.time()).pack.catalogue
