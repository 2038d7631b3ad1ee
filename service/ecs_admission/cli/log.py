"""`ecs-admission log`: make, read and verify the decision log."""

from __future__ import annotations

import click

from ecs_admission.cli import fail, log_export, log_policy, log_query, log_retain, log_seal, log_seen, log_verify
from ecs_admission.errors import AdmissionError
from ecs_admission.settings import read_settings

_MIGRATION_SECONDS = 3600.0
"""An index over a large log takes its time, and nobody waits for an answer."""


@click.group(name="log")
def command() -> None:
    """Make, read and verify the decision log that the ECS_ADMISSION_* settings name."""


@command.command()
@click.option("--writer-role", help="PostgreSQL role of the service: may insert, and see where its own chain ends.")
@click.option("--reader-role", help="PostgreSQL role of queries: may read.")
@click.option("--sealer-role", help="PostgreSQL role of the sealer: may read entries, and add digests.")
def migrate(writer_role: str | None, reader_role: str | None, sealer_role: str | None) -> None:
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
            sealer_role=sealer_role,
            timeout_seconds=_MIGRATION_SECONDS,
        )
    except AdmissionError as error:
        fail(error)
        return
    click.echo(f"the decision log has schema version {version}")


@command.command(name="public-key")
@click.option("--sealer", is_flag=True, help="That of the sealer, which signs digests.")
def public_key(sealer: bool) -> None:
    """Print the log's public key in PEM: what an auditor verifies with, kept where the service cannot write."""
    from ecs_admission.decision_log.keys import read_public_key

    try:
        settings = read_settings()
        key = read_public_key(settings.digest_key_file if sealer else settings.log_key_file)
    except AdmissionError as error:
        fail(error)
        return
    click.echo(key.pem, nl=False)


for _each in (log_query.list_command, log_query.show, log_query.tail, log_query.stats):
    command.add_command(_each)
for _each in (log_policy.policy, log_export.export):
    command.add_command(_each)
command.add_command(log_seen.seen)
for _each in (log_seal.seal, log_verify.verify, log_retain.retain, log_retain.hold):
    command.add_command(_each)
