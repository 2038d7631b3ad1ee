"""Whom the commands of the log believe, and where it is anchored: keys and places by option or by the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ecs_admission.settings import Settings

if TYPE_CHECKING:
    from ecs_admission.decision_log.anchors import Anchor
    from ecs_admission.decision_log.keys import PublicKey

key_option = click.option(
    "--key",
    "key_files",
    type=click.Path(path_type=Path),
    multiple=True,
    help="PEM file with the log's public key, once for each key it has had; default: the service's own signing key.",
)
sealer_key_option = click.option(
    "--sealer-key",
    "sealer_key_files",
    type=click.Path(path_type=Path),
    multiple=True,
    help="PEM file with the sealer's public key, the first it had or each; default: the sealer's own.",
)


def log_keys(settings: Settings, files: tuple[Path, ...]) -> list[PublicKey]:
    from ecs_admission.decision_log.keys import read_public_key

    if not files and settings.log_key_file.exists():
        files = (settings.log_key_file,)
    return [read_public_key(file) for file in files]


def sealer_keys(settings: Settings, files: tuple[Path, ...]) -> list[PublicKey]:
    """Those given, or the sealer's own with those that it had before."""
    from ecs_admission.decision_log.keys import read_public_key

    own = settings.digest_key_file
    if not files and own.exists():
        files = (own, *sorted(own.parent.glob(f"{own.stem}-*.pub")))
    return [read_public_key(file) for file in files]


def anchors_at(settings: Settings, places: tuple[str, ...]) -> list[Anchor]:
    from ecs_admission.decision_log.anchor_places import anchor_at

    return [anchor_at(place, retention_days=settings.anchor_retention_days) for place in places]
