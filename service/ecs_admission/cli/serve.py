"""`ecs-admission serve`."""

from __future__ import annotations

import os

import click

from ecs_admission.cli import fail
from ecs_admission.errors import AdmissionError
from ecs_admission.settings import read_settings
from ecs_admission.telemetry import configure, logger


@click.command(name="serve")
def command() -> None:
    """Run the service under gunicorn, as the ECS_ADMISSION_* settings say."""
    try:
        os.umask(0o077)
        settings = read_settings()
        configure(settings.log_level)
        # Imported before the fork, so that workers share the pages; built after it, in each worker.
        from ecs_admission.app import check_start
        from ecs_admission.server import Server

        policies = check_start(settings)
    except AdmissionError as error:
        fail(error)
        return
    logger().info(
        "starting",
        bind=settings.bind,
        engine=settings.engine,
        data_dir=str(settings.data_dir),
        workers=settings.workers,
        threads=settings.threads,
        revision=policies.pack.revision,
        rule_count=len(policies.pack.catalogue),
        weakened=list(policies.weakened),
    )
    if settings.authentication == "none":
        logger().warning("callers are not authenticated: for this machine alone", bind=settings.bind)
    Server(settings).run()
