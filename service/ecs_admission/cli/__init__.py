"""The command line: one module per command group, imported when it is called, since some take long to import."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from ecs_admission import __version__
from ecs_admission.errors import AdmissionError

EXIT_USAGE = 2

_COMMANDS = {
    "check": "Judge files the way the service would, and say how to mend them.",
    "fix": "Mend a file the way its findings ask for, and say what is left to do.",
    "serve": "Run the service under gunicorn.",
    "config": "Print the settings, and where each was set.",
    "fetch": "Write secrets of AWS into files, before the service starts.",
    "health": "Ask the service of this machine whether it is alive, or ready.",
    "metrics": "Serve what a service counts: `serve` starts this.",
    "log": "Read and verify the decision log.",
    "tokens": "Make, list and revoke the API tokens of callers.",
    "bundle": "Build, sign, verify and inspect the bundle of a policy revision.",
    "policies": "Start a rule, see what a revision says, keep its exceptions few.",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"ecs_admission.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ecs-admission")
def main(**_: Any) -> None:
    """The admission controller that Amazon ECS does not have."""


def fail(error: AdmissionError) -> None:
    """End with the error's text, which is safe to show, and the exit code of a usage error."""
    click.echo(f"ecs-admission: {error}", err=True)
    sys.exit(EXIT_USAGE)
