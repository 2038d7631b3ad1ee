"""`ecs-admission log policy`: what was in force at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from ecs_admission.cli.log_query import failing
from ecs_admission.cli.log_source import open_reader
from ecs_admission.cli.recording import record_read, unrecorded_option
from ecs_admission.cli.tables import json_text, output_option, table
from ecs_admission.model import JSONObject

if TYPE_CHECKING:
    from ecs_admission.decision_log.policies_at import InForce


@click.command()
@click.option("--at", "at", required=True, metavar="TIME", help="RFC 3339, a day, or how long ago: 24h, 7d.")
@unrecorded_option
@output_option
def policy(at: str, is_unrecorded: bool, output: str) -> None:
    """Say which policy revision, actions and exceptions were in force at a time, and who activated them.

    Several where processes judged by different ones. A process that was killed never says that it stopped: it counts
    until it has not been heard of for a day. Reads the database of the settings.
    """
    from ecs_admission.decision_log.filters import read_time
    from ecs_admission.decision_log.policies_at import policies_at

    with failing():
        time_us = read_time("at", at, now=time.time())
        with open_reader() as reader:
            found = policies_at(reader, time_us)
        record_read(f"policy at={at}", len(found), is_unrecorded=is_unrecorded)
        if output == "json":
            click.echo(json_text({"at": time_us, "revisions": [_document(each, time_us) for each in found]}))
            return
        if not any(each.is_running for each in found):
            click.echo("no process of the service was running then, as far as the log says")
        for each in found:
            _print(_document(each, time_us))


def _document(each: InForce, time_us: int) -> JSONObject:
    from ecs_admission.decision_log.flat import moment

    policy = each.policy or {}
    exceptions = [item for item in policy.get("exceptions", []) if item["expires"] * 1_000_000 > time_us]
    return {
        "revision": each.revision,
        "since": moment(each.since_us),
        "activatedBy": each.activated_by,
        "entry": each.entry["id"],
        "lastHeardOf": moment(each.heard_us),
        "running": each.is_running,
        "writers": [process.writer for process in each.processes if process.is_running],
        "silent": [
            {"writer": process.writer, "lastHeardOf": moment(process.heard_us)}
            for process in each.processes
            if not process.is_running
        ],
        "weakened": each.entry["details"].get("weakened", []),
        "exceptions": exceptions,
        "environments": policy.get("environments"),
    }


def _print(document: JSONObject) -> None:
    click.echo(f"revision {document['revision']}")
    click.echo(f"  since {document['since']}, activated by {document['activatedBy']} (entry {document['entry']})")
    if document["running"]:
        count = len(document["writers"])
        processes = "one process" if count == 1 else f"{count} processes"
        click.echo(f"  in {processes}, last heard of at {document['lastHeardOf']}")
    for silent in document["silent"]:
        click.echo(f"  process {silent['writer']} never said that it stopped, last heard of at {silent['lastHeardOf']}")
    if not document["running"]:
        return
    for sentence in document["weakened"]:
        click.echo(f"  milder than what ships: {sentence}")
    for item in document["exceptions"]:
        match = " ".join(f"{name}={value}" for name, value in sorted(item["match"].items()))
        click.echo(f"  exception {item['id']}: {match}")
        click.echo(f"    {item['reason']} (owner {item['owner']}, approved by {item['approver']}, {item['issue']})")
    environments: dict[str, Any] | None = document["environments"]
    if environments is None:
        click.echo("  its actions are no longer in the log")
        return
    policies = ((name, each.get("failurePolicy", "Fail")) for name, each in environments.items())  # once there was one
    click.echo("  failures: " + ", ".join(f"{name} {policy}" for name, policy in policies))
    rules = sorted({rule for each in environments.values() for rule in each["actions"]})
    rows = [
        (rule, *(each["actions"].get(rule, "") for each in environments.values())) for rule in rules
    ]  # fmt: skip
    for line in table([("RULE", *environments), *rows]):
        click.echo(f"  {line}")
