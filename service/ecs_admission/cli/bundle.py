"""`ecs-admission bundle`: build the artefacts of a policy revision."""

from __future__ import annotations

from pathlib import Path

import click

from ecs_admission.cli import fail
from ecs_admission.errors import AdmissionError


@click.group(name="bundle")
def command() -> None:
    """Build the artefacts of a policy revision."""


@command.command()
@click.argument("policies", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write to.")
@click.option("--opa", type=click.Path(exists=True, dir_okay=False), help="The opa program; default: opa on PATH.")
def build(policies: Path, output: Path, opa: str | None) -> None:
    """Build the bundle for OPA servers and the same policies as WebAssembly, from the folder POLICIES."""
    from ecs_admission.engines.build import build_pack, find_opa

    try:
        revision = build_pack(policies, output, opa=opa or find_opa())
    except AdmissionError as error:
        fail(error)
        return
    click.echo(revision)
