"""`ecs-admission policies preview`: what a draft of the policies would have decided of recorded requests."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ecs_admission.cli.log_query import failing, filter_options, read_query
from ecs_admission.cli.recording import record_read, unrecorded_option
from ecs_admission.cli.tables import json_text, output_option, table
from ecs_admission.decision_log.flat import moment
from ecs_admission.errors import AdmissionError, SettingsError
from ecs_admission.places import read_places

if TYPE_CHECKING:
    from ecs_admission.decision_log.records import Record
    from ecs_admission.engines.pack import Pack
    from ecs_admission.replay import Change, Preview

SHOWN = 20
"""Decisions that the table names one by one; JSON has all."""

_WORDS = {
    "newlyDenied": "newly denied",
    "newlyAllowed": "newly allowed",
    "moreDenials": "denied for more",
    "newWarnings": "new warnings",
    "undecided": "undecided",
}


@click.command(short_help="Judge recorded requests by a draft: what would be decided otherwise.")
@click.option(
    "--policies",
    required=True,
    metavar="PLACES",
    help="The draft: folders or bundles as the service would get them, all of them, separated by commas.",
)
@click.option(
    "--known",
    multiple=True,
    metavar="PLACES",
    help="Policies that were in force, to tell what the draft reads otherwise; may be given again. Those that ship and "
    "those of the settings are known.",
)
@filter_options
@unrecorded_option
@output_option
@click.option("--limit", type=click.IntRange(1), help="Judge this many records at most, the newest.")
def preview(
    policies: str, known: tuple[str, ...], is_unrecorded: bool, output: str, limit: int | None, **options: Any
) -> None:
    """Judge the requests in the decision log by a draft of the policies, and list the decisions that would be others.

    Of the last 7 days unless --since says otherwise. The log is the database of the settings. Nothing is looked up, and
    no decision is recorded; that the log was read is.
    """
    query = read_query(options)
    if not {name for name, _ in query} & {"since", "until"}:
        query.append(("since", "7d"))
    with failing():
        found, asked = _preview(policies, known, query, limit)
        record_read(f"preview {asked}".strip(), found.judged, is_unrecorded=is_unrecorded)
        click.echo(json_text(found.document()) if output == "json" else "\n".join(_lines(found)))


def _preview(
    policies: str, known: Iterable[str], query: list[tuple[str, str]], limit: int | None
) -> tuple[Preview, str]:
    from ecs_admission.cli.log_source import open_reader
    from ecs_admission.decision_log.filters import read_as_of, read_filters
    from ecs_admission.decision_log.records import count_records, read_records
    from ecs_admission.replay import prepare_draft, replay

    filters = read_filters([pair for pair in query if pair[0] != "as_of"], now=time.time())
    if filters.kinds.wanted != ("decision",) or filters.kinds.unwanted:
        raise SettingsError("only decisions can be judged: leave out --kind")
    packs = list(_known(known))
    draft = prepare_draft(read_places(policies))
    try:
        with open_reader() as reader:
            as_of = read_as_of(dict(query).get("as_of"), reader.newest_digest)
            count = count_records(reader, filters, as_of=as_of)
            records = read_records(reader, filters, as_of=as_of, limit=limit)
            with _progress(records, count if limit is None else min(limit, count)) as watched:
                found = replay(watched, draft, packs)
            return found, filters.summary(has_results=count > 0)
    finally:
        draft.revision.engine.close()


def _known(given: Iterable[str]) -> Iterator[Pack]:
    from ecs_admission.engines.pack import load_pack
    from ecs_admission.policies import load_policies
    from ecs_admission.settings import read_settings

    yield load_pack()
    now = time.time()
    for places in given:
        yield load_policies(read_places(places), now=now).pack
    try:
        yield load_policies(read_settings().policy_places, now=now).pack
    except AdmissionError as error:  # what the service judges by need not be here
        click.echo(f"ecs-admission: the policies of the settings are not at hand: {error}", err=True)


@contextmanager
def _progress(records: Iterator[Record], count: int) -> Iterator[Iterable[Record]]:
    """The records, with a bar on standard error where that is a terminal."""
    if not sys.stderr.isatty():
        yield records
        return
    with click.progressbar(records, length=count, label="judging", file=sys.stderr, update_min_steps=50) as watched:
        yield watched


def _lines(found: Preview) -> Iterator[str]:
    document = found.document()
    yield f"draft    {document['revision']}"
    yield f"judged   {found.judged} records"
    counts = (f"{count} {_WORDS[name]}" for name, count in document["changes"].items() if count)
    yield "changed  " + (", ".join(counts) or "nothing")
    if found.not_decided:
        then = ", ".join(f"{count} {outcome}" for outcome, count in sorted(found.not_decided.items()))
        yield f"besides  of {sum(found.not_decided.values())} records that were undecided then the draft makes: {then}"
    if found.changes:
        yield ""
        rows = (
            (_WORDS[kind], rule or "-", family or "-", str(count)) for (kind, rule, family), count in found.by_rule()
        )
        yield from table([("CHANGE", "RULE", "FAMILY", "DECISIONS"), *rows])
        yield ""
        head = ("TIME", "CHANGE", "FAMILY", "ENVIRONMENT", "RULES", "ID")
        yield from table([head, *map(_row, found.changes[:SHOWN])])
        if len(found.changes) > SHOWN:
            yield f"and {len(found.changes) - SHOWN} more: --output json lists all"
    sentences = list(found.cannot_tell())
    if sentences:
        yield ""
        yield from sentences


def _row(change: Change) -> tuple[str, ...]:
    request = change.entry["request"]
    return (
        moment(change.entry["time"]),
        _WORDS[change.kind] + (" (?)" if change.doubts else ""),
        change.family or "-",
        request["context"]["environment"] or "-",
        " ".join(change.rules) or "-",
        change.entry["id"],
    )
