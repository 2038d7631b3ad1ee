"""`ecs-admission check`: judge files, in process or by a service, and say how to mend them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from ecs_admission.cli import fail
from ecs_admission.cli.asking import ADVISORY, context_options, make_judge, policy_options, read_file
from ecs_admission.errors import AdmissionError
from ecs_admission.respond.report import exit_code, json_report, table_report


@click.command(name="check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@context_options
@click.option("--server", metavar="URL", help="Ask a service instead of judging in process.")
@policy_options
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(files: Sequence[str], server: str | None, output: str, **options: Any) -> None:
    """Judge each FILE (- is standard input) as the input of an ECS API call.

    Exit code: 0 allow, 1 deny, 2 usage, 3 cannot decide, 4 input not valid; of several files the first of
    3, 4, 1, 0 that applies. What a service let through without judging it (failOpen) is an allow.
    """
    documents = [(name, read_file(name)) for name in files]
    try:
        judge = make_judge(server=server, **options)
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
        click.echo(ADVISORY, err=True)
    sys.exit(exit_code(results))
