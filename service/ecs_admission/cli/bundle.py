"""`ecs-admission bundle`: build the artefacts of a policy revision."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import click

from ecs_admission.cli import fail
from ecs_admission.errors import AdmissionError


@click.group(name="bundle")
def command() -> None:
    """Build the artefacts of a policy revision."""


@command.command()
@click.argument(
    "policies", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="POLICIES..."
)  # fmt: skip
@click.option("--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write to.")
@click.option("--opa", type=click.Path(exists=True, dir_okay=False), help="The opa program; default: opa on PATH.")
def build(policies: Sequence[Path], output: Path, opa: str | None) -> None:
    """Build the bundle for OPA servers and the same policies as WebAssembly.

    POLICIES are folders or bundles, later ones laid over earlier ones. Without a first one that has everything a pack
    needs, they are laid over the pack that ships. What the result judges more mildly than that pack is listed.
    """
    from ecs_admission.policies import build_policies

    try:
        built = build_policies(policies, output, opa=opa, now=time.time())
    except AdmissionError as error:
        fail(error)
        return
    for weakening in built.weakened:
        click.echo(f"milder than what ships: {weakening}", err=True)
    click.echo(built.pack.revision)
