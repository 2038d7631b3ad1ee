"""`ecs-admission check`: judge files, in process or by a service, and say how to mend them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ecs_admission.cli import fail
from ecs_admission.errors import AdmissionError
from ecs_admission.model import JSONObject
from ecs_admission.respond.report import exit_code, json_report, table_report

CONTEXT = ("environment", "account", "region", "cluster", "service")
_ADVISORY = "advisory: judged in this process, recorded nowhere; the service's own answer is the one that counts"

Judge = Callable[[bytes], JSONObject]


@click.command(name="check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--operation", default="RegisterTaskDefinition", show_default=True, help="The ECS API call of the files.")
@click.option("--environment", help="The environment that is deployed to; missing or unknown gets the strictest.")
@click.option("--account", help="The AWS account, 12 digits.")
@click.option("--region", help="The AWS Region.")
@click.option("--cluster", help="The ECS cluster.")
@click.option("--service", help="The ECS service.")
@click.option("--server", metavar="URL", help="Ask a service instead of judging in process.")
@click.option(
    "--policies",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="ECS_ADMISSION_POLICIES",
    help="A pack that `bundle build` made; default: the one that ships.",
)
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(
    files: Sequence[str], operation: str, server: str | None, policies: Path | None, output: str, **context: str | None
) -> None:
    """Judge each FILE (- is standard input) as the input of an ECS API call.

    Exit code: 0 allow, 1 deny, 2 usage, 3 cannot decide, 4 input not valid; of several files the first of
    3, 4, 1, 0 that applies.
    """
    pairs = [(name, value) for name, value in context.items() if value is not None]
    documents = [(name, _read(name)) for name in files]
    try:
        judge = _remote(server, operation, pairs) if server else _local(policies, operation, pairs)
    except AdmissionError as error:
        fail(error)
        return
    results: list[dict[str, Any]] = [
        {"source": {"file": name, "resource": None}, "response": judge(content)} for name, content in documents
    ]
    if output == "json":
        click.echo(json_report(results))
    else:
        click.echo(table_report(results))
    if not server:
        click.echo(_ADVISORY, err=True)
    sys.exit(exit_code(results))


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise click.UsageError(f"cannot read {name}: {error.strerror}") from None


def _local(policies: Path | None, operation: str, pairs: list[tuple[str, str]]) -> Judge:
    from ecs_admission.advisory import advisory_judge

    return advisory_judge(policies, operation, pairs)


def _remote(server: str, operation: str, pairs: list[tuple[str, str]]) -> Judge:
    from ecs_admission.client import remote_judge

    return remote_judge(server, operation, pairs)
