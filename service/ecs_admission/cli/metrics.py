"""`ecs-admission metrics`: the companion of `serve` that Prometheus asks."""

from __future__ import annotations

import os

import click

from ecs_admission.cli import fail
from ecs_admission.errors import AdmissionError, SettingsError
from ecs_admission.metrics_folder import shared_folder
from ecs_admission.settings import read_settings
from ecs_admission.telemetry import configure


@click.command(name="metrics")
@click.option("--parent", type=int, hidden=True, help="End when this process has.")
def command(parent: int | None) -> None:
    """Serve what the processes of a service count. Started by `serve`; by itself it has nothing to say."""
    try:
        os.umask(0o077)
        settings, folder = read_settings(), shared_folder()
        configure(settings.log_level)
        if settings.metrics_bind == "off" or folder is None:
            raise SettingsError("there are no metrics to serve: `ecs-admission serve` starts this by itself")
        from ecs_admission.exporter import run

        run(settings, folder, parent=parent)
    except AdmissionError as error:
        fail(error)
