"""`ecs-admission config`."""

from __future__ import annotations

import click

from ecs_admission.cli import fail
from ecs_admission.cli.tables import json_text, output_option, table
from ecs_admission.configuration import shown
from ecs_admission.errors import AdmissionError
from ecs_admission.settings import Configuration, read_configuration


@click.command(name="config")
@output_option
def command(output: str) -> None:
    """Print the settings as the service would use them, and where each was set.

    What could be a secret is left out: of a URL its user, password and query. Exit code: 0, or 2 where a setting is
    wrong, with every problem.
    """
    try:
        configuration = read_configuration()
    except AdmissionError as error:
        fail(error)
        return
    print_configuration(configuration, output)


def print_configuration(configuration: Configuration, output: str = "table") -> None:
    """Print each setting with its value and its origin."""
    values = shown(configuration)
    if output == "json":
        settings = {name: {"value": value, "origin": configuration.origin(name)} for name, value in values.items()}
        click.echo(json_text({"settings": settings}))
        return
    rows = [(name, _text(value), configuration.origin(name)) for name, value in values.items()]
    for line in table([("SETTING", "VALUE", "FROM"), *rows]):
        click.echo(line)


def _text(value: object) -> str:
    return "-" if value is None or value == "" else str(value).lower() if isinstance(value, bool) else str(value)
