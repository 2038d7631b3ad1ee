"""`ecs-admission log`: make, read and verify the decision log."""

from __future__ import annotations

import dataclasses
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from ecs_admission.cli import fail
from ecs_admission.errors import AdmissionError
from ecs_admission.settings import Settings, read_settings

if TYPE_CHECKING:
    from ecs_admission.decision_log.keys import PublicKey

_MIGRATION_SECONDS = 3600.0
"""An index over a large log takes its time, and nobody waits for an answer."""


@click.group(name="log")
def command() -> None:
    """Make, read and verify the decision log that the ECS_ADMISSION_* settings name."""


@command.command()
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option(
    "--key",
    "key_files",
    type=click.Path(path_type=Path),
    multiple=True,
    help="PEM file with the log's public key, once for each key it has had; default: the service's own signing key.",
)
def verify(output: str, key_files: tuple[Path, ...]) -> None:
    """Walk every chain: hashes, signatures, certificates, order, gaps, columns and bodies.

    Exit code: 0 whole, 1 tampered, 2 incomplete or unreadable, 3 cannot tell, since no key is at hand. Chains alone
    cannot show a truncated tail or a restored snapshot, and the summary says so.
    """
    from ecs_admission.decision_log.queries import LogReader
    from ecs_admission.decision_log.verify import verify_chains

    try:
        settings = read_settings()
        keys = _log_keys(settings, key_files)
        reader = LogReader.open(settings.log_read_url, timeout_seconds=settings.record_deadline_seconds)
        with closing(reader):
            report = verify_chains(reader, keys)
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


@command.command()
@click.option("--writer-role", help="PostgreSQL role of the service: may insert, and see where its own chain ends.")
@click.option("--reader-role", help="PostgreSQL role of queries: may read.")
def migrate(writer_role: str | None, reader_role: str | None) -> None:
    """Make the log's schema or bring it up to date, and grant roles what they need.

    For PostgreSQL ECS_ADMISSION_DATABASE_URL is here that of the tables' owner. SQLite needs this only after an upgrade
    that says so: the service makes a new file itself.
    """
    from ecs_admission.decision_log.migrate import migrate as migrate_log

    try:
        version = migrate_log(
            read_settings().log_url,
            writer_role=writer_role,
            reader_role=reader_role,
            timeout_seconds=_MIGRATION_SECONDS,
        )
    except AdmissionError as error:
        fail(error)
        return
    click.echo(f"the decision log has schema version {version}")


@command.command(name="public-key")
def public_key() -> None:
    """Print the log's public key in PEM: what an auditor verifies with, kept where the service cannot write."""
    from ecs_admission.decision_log.keys import read_public_key

    try:
        key = read_public_key(read_settings().log_key_file)
    except AdmissionError as error:
        fail(error)
        return
    click.echo(key.pem, nl=False)


def _log_keys(settings: Settings, files: tuple[Path, ...]) -> list[PublicKey]:
    from ecs_admission.decision_log.keys import read_public_key

    if not files and settings.log_key_file.exists():
        files = (settings.log_key_file,)
    return [read_public_key(file) for file in files]
