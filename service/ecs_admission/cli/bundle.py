"""`ecs-admission bundle`: build, sign, verify and inspect the bundle of a policy revision."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import click

from ecs_admission.cli import fail
from ecs_admission.cli.bundle_show import inspect, verify
from ecs_admission.errors import AdmissionError

_PLACE = click.Path(exists=True, path_type=Path)
_KEY = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(name="bundle")
def command() -> None:
    """Build, sign, verify and inspect the bundle of a policy revision."""


command.add_command(verify)
command.add_command(inspect)


@command.command()
@click.argument("policies", nargs=-1, required=True, type=_PLACE, metavar="POLICIES...")
@click.option("--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write to.")
@click.option("--serial", type=int, help="Where the bundle stands among others; default: the time of the commit.")
@click.option("--commit", help="The commit it is of; default: git's, where nothing is changed.")
@click.option("--key", type=_KEY, help="Sign with the private key in this PEM file.")
@click.option("--opa", type=click.Path(exists=True, dir_okay=False), help="The opa program; default: opa on PATH.")
@click.option(
    "--unreleased", is_flag=True, help="Without serial, commit and WebAssembly inside: how the pack itself ships."
)
def build(
    policies: Sequence[Path],
    output: Path,
    opa: str | None,
    *,
    serial: int | None,
    commit: str | None,
    key: Path | None,
    unreleased: bool,
) -> None:
    """Build the bundle for OPA servers and for this service, and beside it the same policies as WebAssembly.

    POLICIES are folders or bundles, later ones laid over earlier ones. Without a first one that has everything a pack
    needs, they are laid over the pack that ships. What the result judges more mildly than that pack is listed.
    """
    from ecs_admission.engines.bundles.files import sign_bundle
    from ecs_admission.engines.bundles.keys import read_private_key
    from ecs_admission.engines.bundles.provenance import read_release_of
    from ecs_admission.policies import build_policies

    if unreleased and (serial is not None or commit is not None or key is not None):
        raise click.UsageError("--unreleased goes with none of --serial, --commit and --key")
    now = time.time()
    try:
        signing_key = None if key is None else read_private_key(key)
        release = None if unreleased else read_release_of(policies, serial=serial, commit=commit, now=now)
        built = build_policies(policies, output, opa=opa, now=now, release=release)
        if signing_key is not None:
            sign_bundle(output, signing_key)
    except AdmissionError as error:
        fail(error)
        return
    for weakening in built.weakened:
        click.echo(f"milder than what ships: {weakening}", err=True)
    click.echo(built.pack.revision)


@command.command()
@click.argument("bundle", type=_PLACE, metavar="BUNDLE")
@click.option("--key", required=True, type=_KEY, help="The private key, a PEM file.")
def sign(bundle: Path, key: Path) -> None:
    """Sign BUNDLE, a file or the folder it was built into, in place of whatever signature it has.

    The signature is OPA's own: one JSON Web Token over the hash of each file, by ES256, ES384 or ES512 for an ECDSA key
    and by RS256 for an RSA key.
    """
    from ecs_admission.engines.bundles.files import sign_bundle
    from ecs_admission.engines.bundles.keys import read_private_key

    try:
        signing_key = read_private_key(key)
        files = sign_bundle(bundle, signing_key)
    except AdmissionError as error:
        fail(error)
        return
    for file in files:
        click.echo(f"{file}: signed by key {signing_key.id}, {signing_key.algorithms[0]}")


@command.command(name="make-key")
@click.argument("file", type=click.Path(path_type=Path))
def make_key(file: Path) -> None:
    """Make a key to sign with, ECDSA on P-256: the private half in FILE, the public one beside it in FILE.pub.

    Services get the public half: ECS_ADMISSION_POLICIES_KEY_FILE.
    """
    from ecs_admission.engines.bundles import keys

    try:
        made = keys.make_key(file)
    except AdmissionError as error:
        fail(error)
        return
    click.echo(f"{file}: private, keep it where bundles are signed and nowhere else")
    click.echo(f"{keys.public_path(file)}: public, key {made.id}, {made.algorithms[0]}")
