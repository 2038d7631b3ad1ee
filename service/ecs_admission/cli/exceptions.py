"""`ecs-admission policies exceptions`: which there are and whether anybody needs them, and those to start with."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ecs_admission.cli import fail
from ecs_admission.cli.asking import ADVISORY, CONTEXT, context_options, policy_options, read_file
from ecs_admission.cli.tables import json_text, output_option, table
from ecs_admission.errors import AdmissionError
from ecs_admission.governance import MAX_EXCEPTION_DAYS
from ecs_admission.model import JSONObject
from ecs_admission.places import read_places

if TYPE_CHECKING:
    from ecs_admission.decision_log.queries import Page
    from ecs_admission.exceptions import Denial, Proposal, Standing, Uses
    from ecs_admission.governance import PolicyException
    from ecs_admission.survey import Surveyed

_CONDITIONS = ("expired", "unused", "ending")
_EXIT_FOUND, _EXIT_UNKNOWN = 1, 3
_PERIOD = re.compile(r"([1-9][0-9]{0,3})([dh])")
_SECONDS = {"d": 86_400, "h": 3_600}
_MICROSECONDS = 1_000_000
_REASON = "what was there before the rule, to be mended until this ends"


@click.group(invoke_without_command=True, short_help="List exceptions; write those to start with.")
@policy_options
@click.option("--since", default="30d", show_default=True, metavar="PERIOD", help="How far back the log is read.")
@click.option(
    "--fail-on",
    default="",
    metavar="CONDITIONS",
    help=f"End with 1 where an exception is one of these, separated by commas: {', '.join(_CONDITIONS)}.",
)
@output_option
@click.pass_context
def exceptions(context: click.Context, policies: str, since: str, fail_on: str, output: str) -> None:
    """List the exceptions of a revision: active, ending within 14 days, or expired, and whether they are used.

    One is unused where the decision log of the ECS_ADMISSION_* settings shows no denial that it has lifted within
    PERIOD (30d, 12h). Where no log can be read, that is unknown.

    Exit code: 0, with --fail-on 1 where one was found, and 3 where it is unknown which are unused.
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return
    from ecs_admission.exceptions import Use, take_stock

    seconds, wanted = _period(since), _conditions(fail_on)
    now = time.time()
    try:
        found = _read_exceptions(policies, now)
        uses = _read_uses(found, since=now - seconds)
    except AdmissionError as error:
        fail(error)
        return
    standings = take_stock(found, uses, now=now)
    items = [_item(standing) for standing in standings]
    click.echo(json_text({"items": items}) if output == "json" else "\n".join(_rows(items)))
    if any(standing.use is Use.UNKNOWN for standing in standings):
        click.echo(f"which exceptions are unused is unknown: {uses.problem}", err=True)
    met = frozenset[str]().union(*(standing.conditions for standing in standings))
    if wanted & met:
        sys.exit(_EXIT_FOUND)
    if "unused" in wanted and Use.UNKNOWN.value in met:
        sys.exit(_EXIT_UNKNOWN)


@exceptions.command(short_help="Write exceptions for what files are denied for today.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--owner", required=True, help="Who mends what is excepted.")
@click.option("--approver", required=True, help="Who accepts it meanwhile.")
@click.option("--issue", required=True, help="Where the work is tracked, usually a link.")
@click.option("--reason", default=_REASON, show_default=True, help="Why it is accepted.")
@click.option(
    "--days",
    type=click.IntRange(1, MAX_EXCEPTION_DAYS),
    default=30,
    show_default=True,
    help="How many days after today the exceptions hold.",
)
@context_options
@policy_options
@click.option(
    "--output", metavar="PATH", type=click.Path(path_type=Path), help="A new file to write; default: standard output."
)
def generate(files: Sequence[str], policies: str, output: Path | None, **options: Any) -> None:
    """Write exceptions for what each FILE (- is standard input) is denied for today, so that a team can start.

    Each matches one finding exactly, as far as its names may be shown, and ends by itself. The result is what belongs
    into exceptions/data.yaml of a layer. What no exception may cover is listed, and stays denied.

    Exit code: 0 everything is covered, 1 something is not, 2 usage. Where a file cannot be judged nothing is written:
    3 cannot decide, 4 input not valid.
    """
    from ecs_admission.exceptions import propose
    from ecs_admission.survey import prepare_survey

    if output is not None and output.exists():
        raise click.UsageError(f"{output} is there already, and may hold exceptions that are needed")
    terms = _terms(options)
    documents = [(name, read_file(name)) for name in files]
    try:
        survey = prepare_survey(read_places(policies))
    except AdmissionError as error:
        fail(error)
        return
    pairs = [(name, value) for name in CONTEXT if (value := options[name]) is not None]
    surveyed = [
        (name, survey.judge(content, operation=options["operation"], context=pairs)) for name, content in documents
    ]
    _refuse_unjudged(surveyed)
    taken = [exception.id for exception in survey.revision.governance.exceptions]
    proposal = propose(_denials(surveyed), terms, taken=taken)
    _write(_data_yaml(proposal.exceptions), output)
    _tell(proposal, has_environment=options["environment"] is not None)
    sys.exit(_EXIT_FOUND if proposal.uncovered else 0)


def _refuse_options(context: click.Context) -> None:
    """Options of the list in front of a command of its own would be read and mean nothing."""
    typed = click.core.ParameterSource.COMMANDLINE
    given = [name for name in context.params if context.get_parameter_source(name) is typed]
    if given:
        raise click.UsageError(f"--{given[0].replace('_', '-')} in front of {context.invoked_subcommand} means nothing")


def _period(text: str) -> int:
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise click.UsageError("--since takes a number of days or hours, such as 30d or 12h")
    return int(match[1]) * _SECONDS[match[2]]


def _conditions(text: str) -> frozenset[str]:
    wanted = frozenset(part.strip() for part in text.split(",") if part.strip())
    if not wanted <= frozenset(_CONDITIONS):
        raise click.UsageError(f"--fail-on takes {', '.join(_CONDITIONS)}")
    return wanted


def _terms(options: dict[str, Any]) -> Any:
    from ecs_admission.exceptions import Terms, end_after

    texts = {key: options[key] for key in ("owner", "approver", "issue", "reason")}
    for key, text in texts.items():
        if not text.strip():
            raise click.UsageError(f"--{key} must not be empty")
    return Terms(**texts, expires=end_after(options["days"], now=time.time()))


def _read_exceptions(policies: str, now: float) -> tuple[PolicyException, ...]:
    from ecs_admission.governance import read_governance
    from ecs_admission.policies import load_policies

    pack = load_policies(read_places(policies), now=now).pack
    return read_governance(pack.data, pack.catalogue, now=now).exceptions


def _read_uses(found: Sequence[PolicyException], *, since: float) -> Uses:
    """When each exception was last applied. Raises `SettingsError` where a setting is wrong."""
    from ecs_admission.decision_log.queries import LogReader
    from ecs_admission.exceptions import Uses, read_uses
    from ecs_admission.settings import read_settings

    settings = read_settings()
    if not found:
        return Uses()
    try:
        reader = LogReader.open(settings.log_read_url, timeout_seconds=settings.record_deadline_seconds)
    except AdmissionError as error:
        return Uses(problem=str(error))
    try:
        return read_uses(_entries(reader.list_entries, since), [exception.id for exception in found])
    except AdmissionError as error:
        return Uses(problem=str(error))
    finally:
        reader.close()


def _entries(list_entries: Callable[..., Page], since: float) -> Iterator[JSONObject]:
    """The decisions from `since` (seconds since the epoch) on, newest first."""
    from ecs_admission.decision_log.queries import MAX_LIMIT

    cursor, is_first = None, True
    while is_first or cursor is not None:
        page = list_entries(limit=MAX_LIMIT, cursor=cursor)
        for entry in page.items:
            if entry["time"] < since * _MICROSECONDS:
                return
            yield entry
        cursor, is_first = page.next, False


def _refuse_unjudged(surveyed: Sequence[tuple[str, Surveyed]]) -> None:
    """End the process where a file could not be judged: nobody knows what it would need."""
    from ecs_admission.respond.report import exit_code, verdict

    unjudged = [(name, s.response) for name, s in surveyed if verdict(s.response) not in ("allowed", "denied")]
    for name, response in unjudged:
        click.echo(f"ecs-admission: {_text(name)}: {verdict(response)}: {response['status'].get('message')}", err=True)
    if unjudged:
        sys.exit(exit_code([{"source": {"file": name}, "response": response} for name, response in unjudged]))


def _denials(surveyed: Sequence[tuple[str, Surveyed]]) -> Iterator[Denial]:
    from ecs_admission.exceptions import Denial

    for name, result in surveyed:
        for finding in result.decision.denials:
            yield Denial(_text(name), finding, result.family, result.context)


def _tell(proposal: Proposal, *, has_environment: bool) -> None:
    for denial, why in proposal.uncovered:
        place = f"{denial.finding.rule} at {denial.finding.pointer or '/'}"
        click.echo(f"not covered: {denial.source}: {place}: {why}", err=True)
    for exception in proposal.broad:
        click.echo(f"broader than what was found, since a name may not be shown: {exception}", err=True)
    if proposal.exceptions and not has_environment:
        click.echo("no environment was given, so the exceptions hold in every one", err=True)
    click.echo(ADVISORY, err=True)


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"cannot write {output}: {error.strerror}") from None


def _data_yaml(found: Sequence[PolicyException]) -> str:
    from ecs_admission.exceptions import last_day

    today = datetime.now(UTC).date().isoformat()
    lines = [f"# Exceptions for what was denied on {today}. Each is to be mended and taken out before it expires."]
    lines.append("items:" if found else "items: []")
    for exception in found:
        lines += [f"  - id: {_quoted(exception.id)}", "    match:"]
        lines += [f"      {key}: {_quoted(text)}" for key, text in exception.match.items()]
        lines += [f"    {key}: {_quoted(getattr(exception, key))}" for key in ("reason", "owner", "approver", "issue")]
        lines.append(f"    expires: {_quoted(last_day(exception).isoformat())}")
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    """A text as YAML in quotes, since without them an account may be a number and a name a boolean."""
    import yaml

    quoted: str = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=float("inf"))
    return quoted.strip()


def _item(standing: Standing) -> JSONObject:
    from ecs_admission.exceptions import MATCH_ORDER, last_day

    exception, applied = standing.exception, standing.last_applied
    return {
        "id": exception.id,
        "state": standing.state.value,
        "use": standing.use.value,
        "lastApplied": None if applied is None else datetime.fromtimestamp(applied, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "match": {key: exception.match[key] for key in MATCH_ORDER if key in exception.match},
        "reason": exception.reason,
        "owner": exception.owner,
        "approver": exception.approver,
        "issue": exception.issue,
        "expires": last_day(exception).isoformat(),
    }


def _rows(items: Sequence[JSONObject]) -> list[str]:
    if not items:
        return ["no exceptions"]
    head = ("STATE", "EXPIRES", "USE", "ID", "MATCH", "OWNER", "ISSUE")
    rows = []
    for item in items:
        match = " ".join(f"{key}={text}" for key, text in item["match"].items())
        rows.append((item["state"], item["expires"], item["use"], item["id"], match, item["owner"], item["issue"]))
    return table([head, *rows])


def _text(name: str) -> str:
    """A file's name, which need not be UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
