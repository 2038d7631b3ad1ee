"""What the commands share that judge a file: their options, and who is asked."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ecs_admission.model import JSONObject
from ecs_admission.places import read_places

ADVISORY = "advisory: judged in this process, recorded nowhere; the service's own answer is the one that counts"

CONTEXT = ("environment", "account", "region", "cluster", "service")

Judge = Callable[[bytes], JSONObject]
_Command = TypeVar("_Command", bound=Callable[..., Any])


def context_options(command: _Command) -> _Command:
    """The operation, and where it deploys to."""
    options = (
        click.option(
            "--operation", default="RegisterTaskDefinition", show_default=True, help="The ECS API call of the files."
        ),
        click.option(
            "--environment", help="The environment that is deployed to; missing or unknown gets the strictest."
        ),
        click.option("--account", help="The AWS account, 12 digits."),
        click.option("--region", help="The AWS Region."),
        click.option("--cluster", help="The ECS cluster."),
        click.option("--service", help="The ECS service."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def policy_options(command: _Command) -> _Command:
    """What is judged by, where this process judges."""
    option = click.option(
        "--policies",
        default="",
        metavar="PLACES",
        envvar="ECS_ADMISSION_POLICIES",
        help="Folders or bundles to lay over the pack that ships, separated by commas; the first may be one that "
        "`bundle build` made.",
    )
    return option(command)


def make_judge(*, operation: str, policies: str, server: str | None = None, **context: str | None) -> Judge:
    """A function from a document's bytes to the response of an AdmissionReview. Raises `AdmissionError`."""
    pairs = [(name, value) for name in CONTEXT if (value := context.get(name)) is not None]
    if server:
        from ecs_admission.client import remote_judge

        return remote_judge(server, operation, pairs)
    from ecs_admission.advisory import advisory_judge

    return advisory_judge(read_places(policies), operation, pairs)


def read_file(name: str) -> bytes:
    """The bytes of a file, or of standard input where the name is `-`."""
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise click.UsageError(f"cannot read {name}: {error.strerror}") from None
