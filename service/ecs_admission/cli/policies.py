"""`ecs-admission policies`: start a rule, see what a revision says, keep its exceptions few."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import click

from ecs_admission.cli import fail
from ecs_admission.cli.asking import policy_options
from ecs_admission.cli.exceptions import exceptions
from ecs_admission.cli.policies_preview import preview
from ecs_admission.cli.policies_rollback import rollback
from ecs_admission.cli.tables import json_text, output_option, table
from ecs_admission.errors import AdmissionError
from ecs_admission.model import JSONObject
from ecs_admission.places import read_places


@click.group(name="policies")
def command() -> None:
    """Start a rule, see what a revision says, keep its exceptions few."""


command.add_command(exceptions)
command.add_command(preview)
command.add_command(rollback)


@command.command(short_help="Make the folder of a new rule.")
@click.argument("rule", metavar="CATEGORY/RULE")
@click.option(
    "--policies",
    default="policies",
    show_default=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of policies that gets the rule: those of the pack that ships, or a layer.",
)
def new(rule: str, policies: Path) -> None:
    """Make the folder of a new rule: a rule that passes every check as it is, its tests and its examples, to be edited.

    The id is for ever: the decision log, exceptions and other people's data name it.
    """
    from ecs_admission.engines.pack import load_pack
    from ecs_admission.scaffold import make_rule

    try:
        files = make_rule(rule, policies, shipped=load_pack().catalogue.keys())
    except AdmissionError as error:
        fail(error)
        return
    for file in files:
        click.echo(file)


@command.command(short_help="Show the rules of a revision, and what it judges more mildly than what ships.")
@policy_options
@output_option
def show(policies: str, output: str) -> None:
    """Show a revision: its rules with the action in each environment, and what it judges more mildly than what ships.

    An id of three parts is a variant of a rule that has an action of its own.
    """
    from ecs_admission.governance import read_governance
    from ecs_admission.overview import overview
    from ecs_admission.policies import load_policies

    now = time.time()
    try:
        loaded = load_policies(read_places(policies), now=now)
        governance = read_governance(loaded.pack.data, loaded.pack.catalogue, now=now)
    except AdmissionError as error:
        fail(error)
        return
    document = overview(governance, revision=loaded.pack.revision, weakened=loaded.weakened, now=now)
    click.echo(json_text(document) if output == "json" else "\n".join(_lines(document)))


def _lines(document: JSONObject) -> Iterator[str]:
    environments = document["environments"]
    yield f"revision    {document['revision']}"
    yield "profiles    " + ", ".join(f"{name} {profile}" for name, profile in environments.items())
    yield "failures    " + ", ".join(f"{name} {policy}" for name, policy in document["failurePolicies"].items())
    yield f"exceptions  {document['exceptions']['active']} in force, {document['exceptions']['expired']} expired"
    yield ""
    head = ("RULE", "SEVERITY", *environments, "(any other)", "EXCEPTIONS", "CONTROLS", "TITLE")
    yield from table([head, *_rows(document)])
    yield ""
    yield from (f"milder than what ships: {weakening}" for weakening in document["weakened"])
    if not document["weakened"]:
        yield "nothing is judged more mildly than what ships"


def _rows(document: JSONObject) -> Iterator[tuple[str, ...]]:
    for rule in document["rules"]:
        controls, exceptions = " ".join(rule["controls"]) or "-", str(rule["exceptions"])
        yield rule["id"], rule["severity"], *_actions(rule), exceptions, controls, rule["title"]
        for name, actions in rule["variants"].items():
            yield f"{rule['id']}/{name}", "", *_actions(actions), "", "", ""


def _actions(item: JSONObject) -> tuple[str, ...]:
    return *item["actions"].values(), item["elsewhere"]
