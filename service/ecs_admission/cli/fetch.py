"""`ecs-admission fetch`: secrets of AWS into files, before the service starts."""

from __future__ import annotations

from pathlib import Path

import click

from ecs_admission.cli import fail
from ecs_admission.errors import SettingsError


@click.command(name="fetch")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("sources", nargs=-1, required=True, metavar="NAME=ARN...")
def command(folder: Path, sources: tuple[str, ...]) -> None:
    """Write secrets of AWS into FOLDER, each to the file NAME with mode 0600.

    For a container that runs before the service, with a volume that both mount: exit status 0 only when all are there.
    ARN is one of Secrets Manager, with :JSON-KEY:STAGE:VERSION or without, or of an SSM parameter.
    """
    from ecs_admission.secret_files import write_secrets

    pairs = [source.partition("=") for source in sources]
    if not all(separator for _, separator, _ in pairs):
        raise click.UsageError("each source is NAME=ARN")
    named = {name: arn for name, _, arn in pairs}
    if len(named) != len(pairs):
        raise click.UsageError("a file is named twice")
    try:
        write_secrets(named, folder)
    except SettingsError as error:
        fail(error)
    click.echo(f"wrote {len(named)} files to {folder}")
