"""`ecs-admission serve`."""

from __future__ import annotations

import os

import click

from ecs_admission.cli import fail
from ecs_admission.cli.config import print_configuration
from ecs_admission.configuration import shown
from ecs_admission.errors import AdmissionError
from ecs_admission.settings import read_configuration
from ecs_admission.telemetry import configure, logger


@click.command(name="serve")
@click.option("--check", is_flag=True, help="Do all that comes before the first worker, print the settings, and end.")
def command(check: bool) -> None:
    """Run the service under gunicorn, as the settings say.

    Exit code: 0 ended as told, 2 the settings or what they name do not allow to start.
    """
    try:
        os.umask(0o077)
        configuration = read_configuration()
        settings = configuration.settings
        configure(settings.log_level)
        # Imported before the fork, so that workers share the pages; built after it, in each worker.
        from ecs_admission.app import check_start
        from ecs_admission.metrics_folder import make_folder
        from ecs_admission.server import Server

        policies = check_start(settings)
    except AdmissionError as error:
        fail(error)
        return
    if check:
        print_configuration(configuration)
        return
    logger().info(
        "starting",
        configuration=shown(configuration),
        revision=policies.pack.revision,
        rule_count=len(policies.pack.catalogue),
        weakened=list(policies.weakened),
    )
    if settings.authentication == "none":
        logger().warning("callers are not authenticated: for this machine alone", bind=settings.bind)
    Server(settings, None if settings.metrics_bind == "off" else make_folder()).run()
