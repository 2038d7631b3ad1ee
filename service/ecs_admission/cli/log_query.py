"""`ecs-admission log list`, `show`, `tail` and `stats`."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import click
import orjson
import yaml

from ecs_admission.cli import fail
from ecs_admission.cli.log_source import PAGE, Pairs, Source, open_source
from ecs_admission.cli.recording import unrecorded_option
from ecs_admission.cli.tables import json_text, table
from ecs_admission.decision_log.filters import PARAMETERS, TIMES
from ecs_admission.decision_log.flat import COLUMNS, csv_line, flat, moment
from ecs_admission.errors import AdmissionError
from ecs_admission.model import REDACTED, JSONObject

EXIT_NOT_FOUND = 1

_Command = TypeVar("_Command", bound=Callable[..., Any])

_LATE_US = 60_000_000
"""How long after its time an entry may still be committed, for who follows the log: more than a request may take."""

_LEAN = ("time", "outcome", "family", "environment", "rules", "id")
_WIDE = (
    *("time", "kind", "outcome", "reason", "operation", "family", "environment", "account", "region", "service"),
    *("repository", "actor", "caller", "rules", "exceptions", "id"),
)
_HEADINGS = {"enforcementPoint": "ENFORCEMENT POINT", "errorCode": "ERROR"}


def output_as(default: str) -> Callable[[_Command], _Command]:
    """The option that every command here has, with a default of its own."""
    return click.option(
        "--output",
        type=click.Choice(["table", "wide", "json", "yaml", "csv"]),
        default=default,
        show_default=True,
        help="How to print it. No cell of a CSV file is a formula to a spreadsheet.",
    )


server_option = click.option(
    "--server", metavar="URL", help="Ask this service; default: the database of the settings."
)  # fmt: skip


@contextmanager
def failing() -> Iterator[None]:
    """End with the text of an error, as `fail` does."""
    try:
        yield
    except AdmissionError as error:
        fail(error)


def _flag(name: str) -> str:
    return "--" + "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)


def filter_options(command: _Command) -> _Command:
    """An option for each parameter of a query, which may be given again."""
    for name, parameter in reversed(list(PARAMETERS.items())):
        command = click.option(
            _flag(name),
            name,
            multiple=True,
            metavar="VALUES",
            help=parameter.form[0].upper() + parameter.form[1:] + ".",
        )(command)
    for name in reversed(TIMES):
        text = "At or after this time" if name == "since" else "Before this time"
        command = click.option(f"--{name}", name, metavar="TIME", help=f"{text}: RFC 3339, a day, or 24h, 7d ago.")(
            command
        )
    as_of = click.option("--as-of", "as_of", metavar="DIGEST", help="Only what this digest has sealed; or: latest.")
    return as_of(command)


def read_query(options: dict[str, Any]) -> list[tuple[str, str]]:
    """The parameters of a query from its options."""
    pairs = [(name, text) for name in PARAMETERS for text in options.get(name) or ()]
    return [*pairs, *((name, text) for name in (*TIMES, "as_of") if (text := options.get(name)) is not None)]


@click.command(name="list")
@filter_options
@server_option
@unrecorded_option
@output_as("table")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many entries at most.")
@click.option("--cursor", help="The `next` of an earlier list, to go on from there.")
def list_command(
    server: str | None, is_unrecorded: bool, output: str, limit: int, cursor: str | None, **options: Any
) -> None:
    """List entries, newest first.

    Values in one option are alternatives and have commas between them, options add up, and `!` before a value means
    all but that one: --family web,api --outcome '!allowed' --since 7d.
    """
    query = read_query(options)
    with failing(), open_source(server, is_unrecorded=is_unrecorded) as source:
        found, following = _collect(source, query, limit=limit, cursor=cursor)
        source.record(query, len(found))
        _print(found, output, {"next": following})
        if following is not None and output in ("table", "wide"):
            click.echo(f"there are more: --cursor {following}", err=True)


@click.command()
@click.argument("entry_id", metavar="ID")
@server_option
@unrecorded_option
@output_as("yaml")
def show(entry_id: str, server: str | None, is_unrecorded: bool, output: str) -> None:
    """Show one entry by its decision id, with what the policy engine saw where that is JSON or YAML.

    Exit code: 0 found, 1 there is none, 2 the log cannot be read.
    """
    with failing(), open_source(server, is_unrecorded=is_unrecorded) as source:
        found = source.show(entry_id)
        source.record((), int(found is not None), doing=f"id={REDACTED if found is None else found['entry']['id']}")
        if found is None:
            click.echo("ecs-admission: there is no entry with this id", err=True)
            sys.exit(EXIT_NOT_FOUND)
        if output in ("json", "yaml"):
            click.echo(json_text(found) if output == "json" else _yaml(found), nl=output == "json")
        else:
            _print([found["entry"] | {"hash": found["hash"]}], output, {})


@click.command()
@filter_options
@server_option
@unrecorded_option
@output_as("table")
@click.option("--lines", type=click.IntRange(0, PAGE), default=10, show_default=True, help="Entries to begin with.")
@click.option(
    "--every", "every_seconds", type=click.FloatRange(0.1, 3600), default=2.0, show_default=True, help="Seconds."
)
def tail(
    server: str | None, is_unrecorded: bool, output: str, lines: int, every_seconds: float, **options: Any
) -> None:
    """Print the newest entries and then each new one, until it is interrupted.

    It is one entry of the log when it begins, and one with the number of entries given when it ends.
    """
    query = read_query(options)
    columns = {"table": _LEAN, "wide": _WIDE}.get(output, COLUMNS)
    with failing(), open_source(server, is_unrecorded=is_unrecorded) as source:
        source.record(query, 0, doing="tail")
        if output == "csv":
            click.echo(csv_line(columns), nl=False)
        count = 0
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            with suppress(KeyboardInterrupt):
                for item in follow(source, query, lines=lines, every_seconds=every_seconds):
                    count += 1
                    if output == "json":
                        click.echo(orjson.dumps(item).decode())
                    elif output == "yaml":
                        click.echo("---\n" + _yaml(item), nl=False)
                    else:
                        cells = [_row(item)[name] for name in columns]
                        click.echo(csv_line(cells) if output == "csv" else "  ".join(cells) + "\n", nl=False)
        finally:
            signal.signal(signal.SIGTERM, before)
            source.record(query, count, doing="tail, ended")


@click.command()
@filter_options
@server_option
@unrecorded_option
@output_as("table")
def stats(server: str | None, is_unrecorded: bool, output: str, **options: Any) -> None:
    """Count decisions by outcome, day, family and rule; of the last 7 days unless --since says otherwise."""
    query = read_query(options)
    if not {name for name, _ in query} & set(TIMES):
        query.append(("since", "7d"))
    with failing(), open_source(server, is_unrecorded=is_unrecorded) as source:
        counted = source.statistics(query)
        source.record(query, counted["total"], doing="statistics")
    if output == "json":
        click.echo(json_text(counted))
    elif output == "yaml":
        click.echo(_yaml(counted), nl=False)
    elif output == "csv":
        click.echo(csv_line(("by", "value", "count")), nl=False)
        for by, value, count in _counts(counted):
            click.echo(csv_line((by, value, str(count))), nl=False)
    else:
        _print_counts(counted)


def follow(
    source: Source, query: Pairs, *, lines: int, every_seconds: float, clock: Callable[[], float] = time.time
) -> Iterator[JSONObject]:
    """The newest entries of a query, oldest first, and then without end each that is new.

    Writers commit in another order than that of their times, so each look goes back as far as an entry may be late,
    and what was seen there is not given again.
    """
    items = source.page(query, limit=max(lines, 1), cursor=None)["items"]
    newest = max((item["time"] for item in items), default=int(clock() * 1e6))
    rest = [pair for pair in query if pair[0] != "since"]
    seen = {item["id"]: item["time"] for item in _all(source, [*rest, ("since", moment(newest - _LATE_US))])}
    yield from reversed(items[:lines])
    while True:
        time.sleep(every_seconds)
        begin = newest - _LATE_US
        fresh = [item for item in _all(source, [*rest, ("since", moment(begin))]) if item["id"] not in seen]
        seen = {each: at for each, at in seen.items() if at >= begin} | {item["id"]: item["time"] for item in fresh}
        newest = max([newest, *(item["time"] for item in fresh)])
        yield from reversed(fresh)


def _all(source: Source, query: Pairs) -> Iterator[JSONObject]:
    cursor: str | None = None
    while True:
        page = source.page(query, limit=PAGE, cursor=cursor)
        yield from page["items"]
        cursor = page["next"]
        if cursor is None:
            return


def _collect(source: Source, query: Pairs, *, limit: int, cursor: str | None) -> tuple[list[JSONObject], str | None]:
    found: list[JSONObject] = []
    while True:
        page = source.page(query, limit=min(PAGE, limit - len(found)), cursor=cursor)
        found += page["items"]
        cursor = page["next"]
        if cursor is None or len(found) >= limit:
            return found, cursor


def _print(items: Sequence[JSONObject], output: str, extra: JSONObject) -> None:
    if output == "json":
        click.echo(json_text({"items": list(items), **extra}))
    elif output == "yaml":
        click.echo(_yaml({"items": list(items), **extra}), nl=False)
    elif output == "csv":
        click.echo(csv_line(COLUMNS), nl=False)
        for item in items:
            click.echo(csv_line(list(_row(item).values())), nl=False)
    else:
        columns = _LEAN if output == "table" else _WIDE
        rows = [tuple(_row(item)[name] for name in columns) for item in items]
        for line in table([tuple(_HEADINGS.get(name, name.upper()) for name in columns), *rows]):
            click.echo(line)


def _row(item: JSONObject) -> dict[str, str]:
    return flat(item, item.get("hash", ""))


def _counts(counted: JSONObject) -> Iterator[tuple[str, str, int]]:
    for by, items in counted.items():
        if isinstance(items, list):
            for item in items:
                *_, (_, value) = [(name, value) for name, value in item.items() if name != "count"]
                yield by, "" if value is None else str(value), item["count"]


def _print_counts(counted: JSONObject) -> None:
    click.echo(f"{counted.get('total', 0)} decisions")
    for by in ("outcomes", "days", "families", "rules"):
        rows: Iterable[tuple[str, ...]] = [(v or "(none)", str(n)) for name, v, n in _counts(counted) if name == by]
        if rows:
            click.echo(f"\n{by}")
            for line in table(rows):
                click.echo(f"  {line}")


def _yaml(document: JSONObject) -> str:
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120)
