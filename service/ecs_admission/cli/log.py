"""`ecs-admission log`: read and verify the decision log."""

from __future__ import annotations

import dataclasses
import sys

import click
import orjson

from ecs_admission.cli import fail
from ecs_admission.errors import AdmissionError


@click.group(name="log")
def command() -> None:
    """Read and verify the decision log that the ECS_ADMISSION_* settings name."""


@command.command()
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def verify(output: str) -> None:
    """Walk every chain: hashes, order, gaps, columns and bodies.

    Exit code: 0 whole, 1 tampered, 2 incomplete or unreadable. Chains alone cannot show a truncated tail, a full
    recomputation or a restored snapshot, and the summary says so.
    """
    from ecs_admission.decision_log.queries import LogReader
    from ecs_admission.decision_log.verify import verify_chains
    from ecs_admission.settings import read_settings

    try:
        settings = read_settings()
        reader = LogReader.open(settings.log_url, timeout_seconds=settings.record_deadline_seconds)
        report = verify_chains(reader)
    except AdmissionError as error:
        fail(error)
        return
    if output == "json":
        document = dataclasses.asdict(report) | {"summary": report.summary, "exitCode": report.exit_code}
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        for problem in report.problems:
            click.echo(f"{problem.writer} {problem.sequence}: {problem.problem}")
        click.echo(report.summary)
    sys.exit(report.exit_code)
