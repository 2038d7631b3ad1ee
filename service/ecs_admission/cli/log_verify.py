"""`ecs-admission log verify`: prove that the log is whole, or say where it is not."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from ecs_admission.cli import fail
from ecs_admission.cli.log_keys import anchors_at, key_option, log_keys, sealer_key_option, sealer_keys
from ecs_admission.errors import AdmissionError, SettingsError
from ecs_admission.settings import read_settings

if TYPE_CHECKING:
    from ecs_admission.decision_log.verdicts import Report


@click.command()
@click.option("--from", "since", help="Only what was sealed after this: RFC 3339, or 24h, 7d ago.")
@click.option("--to", "until", help="Only what was sealed up to then.")
@click.option(
    "--anchor", "places", multiple=True, help="Folder, or s3://BUCKET/PREFIX; default: those of the settings."
)
@click.option("--export", "export_file", type=click.File("rb"), help="An export instead of the log: needs no database.")
@click.option("--receipts", type=click.File("rb"), help="Answers or receipts that callers kept, one a line.")
@click.option("--every-signature", is_flag=True, help="Check each, not those alone that speak for all before them.")
@click.option("--verbose", is_flag=True, help="List notices too.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@key_option
@sealer_key_option
def verify(
    since: str | None,
    until: str | None,
    places: tuple[str, ...],
    export_file: Any,
    receipts: Any,
    every_signature: bool,
    verbose: bool,
    output: str,
    key_files: tuple[Path, ...],
    sealer_key_files: tuple[Path, ...],
) -> None:
    """Prove that the log is whole, or say where it is not, and what nobody can tell.

    Exit code: 0 whole, 1 tampered, 2 incomplete or unreadable, 3 cannot tell, since a key, digests or an anchor is not
    at hand.
    """
    from ecs_admission.decision_log.exports_verify import verify_export
    from ecs_admission.decision_log.filters import read_time
    from ecs_admission.decision_log.queries import LogReader
    from ecs_admission.decision_log.receipts import read_receipts
    from ecs_admission.decision_log.verify import Evidence, Extent, verify_log

    try:
        settings, now = read_settings(), time.time()
        if not places and export_file is None:
            places = settings.anchor_places
        evidence = Evidence(
            log_keys=log_keys(settings, key_files),
            sealer_keys=sealer_keys(settings, sealer_key_files),
            anchors=anchors_at(settings, places),
            receipts=None if receipts is None else read_receipts(receipts),
        )
        if export_file is not None:
            if since or until:
                raise SettingsError("an export is verified as a whole: leave out --from and --to")
            with tempfile.TemporaryDirectory(prefix="ecs-admission-") as folder:
                report = verify_export(export_file, evidence, Path(folder), every_signature=every_signature)
        else:
            extent = Extent(
                since_us=None if since is None else read_time("from", since, now=now),
                until_us=None if until is None else read_time("to", until, now=now),
                every_signature=every_signature,
            )
            with closing(LogReader.open(settings.log_read_url, timeout_seconds=60.0)) as reader:
                report = verify_log(reader, evidence, extent)
    except AdmissionError as error:
        fail(error)
        return
    (_print_json if output == "json" else _print_report)(report, verbose=verbose)
    sys.exit(report.exit_code)


def _print_report(report: Report, *, verbose: bool) -> None:
    for problem in report.problems:
        where = f"{problem.writer} {problem.sequence}" if problem.writer else ""
        in_digest = "" if problem.digest is None else f"digest {problem.digest}"
        click.echo(f"{', '.join(filter(None, (in_digest, where)))}: {problem.problem}")
    for number, problem_name in report.digests.invalid.items():
        click.echo(f"digest {number}\tINVALID: {problem_name}")
    for notice in report.notices if verbose else ():
        place = (notice.digest, notice.writer, notice.sequence)
        click.echo(f"notice {notice.notice}: {' '.join(str(part) for part in place if part not in (None, ''))}")
    click.echo(report.summary)


def _print_json(report: Report, **_: bool) -> None:
    document = dataclasses.asdict(report) | {
        "doubts": report.doubts,
        "summary": report.summary,
        "exitCode": report.exit_code,
    }
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode())
