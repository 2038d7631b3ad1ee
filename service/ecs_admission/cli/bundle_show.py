"""`ecs-admission bundle verify` and `inspect`: whether a service would take a bundle, and what it says of itself."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from ecs_admission.cli import fail
from ecs_admission.cli.tables import json_text, output_option, table
from ecs_admission.errors import AdmissionError
from ecs_admission.model import JSONObject

NOT_SIGNED, NOT_FIT = 1, 3
_PLACE = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("bundle", type=_PLACE, metavar="BUNDLE")
@click.option(
    "--key",
    required=True,
    envvar="ECS_ADMISSION_POLICIES_KEY_FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The public keys, a PEM file, any of which may have signed it; default: ECS_ADMISSION_POLICIES_KEY_FILE.",
)
def verify(bundle: Path, key: Path) -> None:
    """Say whether a service with the public KEY would take BUNDLE, a file or the folder it was built into.

    Exit status 0: yes. 1: it is not signed, not by that key, or was altered. 3: it is signed, and not fit to judge,
    such as for a rule that is missing or a secret that it lets through. 2: a mistake in the command, or a file of keys
    that cannot be read. Whether its serial is new enough only the service knows.
    """
    from ecs_admission.engines.bundles.keys import read_public_keys
    from ecs_admission.verification import signing_key, try_bundle

    try:
        keys = read_public_keys(key)
    except AdmissionError as error:
        fail(error)
        return
    try:
        signed_by = signing_key(bundle, keys)
    except AdmissionError as error:
        _end(error, NOT_SIGNED)
        return
    click.echo(f"signed by key {signed_by.id}")
    try:
        policies = try_bundle(bundle, now=time.time())
    except AdmissionError as error:
        _end(error, NOT_FIT)
        return
    for weakening in policies.weakened:
        click.echo(f"milder than what ships: {weakening}")
    release = policies.pack.release
    click.echo(f"fit to judge: {policies.pack.revision}, serial {release.serial if release else 'none'}")


@click.command()
@click.argument("bundle", type=_PLACE, metavar="BUNDLE")
@output_option
def inspect(bundle: Path, output: str) -> None:
    """Show what BUNDLE, a file or the folder it was built into, says of itself. Nothing of it is verified."""
    from ecs_admission.verification import describe

    try:
        document = describe(bundle)
    except AdmissionError as error:
        fail(error)
        return
    click.echo(json_text(document) if output == "json" else "\n".join(_lines(document)))


def _lines(document: JSONObject) -> Iterator[str]:
    signature = document["signature"]
    signed = "none"
    if signature is not None:
        by = f"{signature['algorithm'] or 'unknown'}, key {signature['keyId'] or 'not named'}"
        signed = f"{by}, {signature['files']} files (not verified here: bundle verify)"
    whole = "rules, data and WebAssembly" if document["whole"] else "sources alone, to be laid over a pack"
    yield f"revision   {document['revision'] or 'none'}"
    yield f"serial     {document['serial'] or 'none'}"
    yield f"commit     {document['commit'] or 'none'}"
    yield f"signature  {signed}"
    yield f"holds      {whole}"
    yield f"files      {len(document['files'])}, {sum(document['files'].values())} bytes"
    if document["rules"]:
        yield ""
        rows = [(rule["id"], rule["severity"], rule["title"]) for rule in document["rules"]]
        yield from table([("RULE", "SEVERITY", "TITLE"), *rows])


def _end(error: AdmissionError, status: int) -> None:
    click.echo(f"ecs-admission: {error}", err=True)
    sys.exit(status)
