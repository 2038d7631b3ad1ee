"""`ecs-admission log seen`: was this value ever in a request? The value comes from standard input alone."""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import click
import orjson

from ecs_admission.cli.log_query import failing, server_option
from ecs_admission.cli.recording import record_read
from ecs_admission.cli.tables import json_text, output_option, table
from ecs_admission.credentials import find_credential
from ecs_admission.decision_log.flat import moment
from ecs_admission.errors import AdmissionError, RecordUnavailableError, SettingsError
from ecs_admission.model import JSONObject
from ecs_admission.settings import read_settings

EXIT_NOT_FOUND = 1

_TIMEOUT_SECONDS = 30.0
_MAX_ANSWER_BYTES = 16 * 1024 * 1024


@click.command()
@click.option("--since", metavar="TIME", help="At or after this time: RFC 3339, a day, or 24h, 7d ago.")
@click.option("--until", metavar="TIME", help="Before this time.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many decisions at most.")
@server_option
@output_option
def seen(since: str | None, until: str | None, limit: int, server: str | None, output: str) -> None:
    """Say whether a value was ever in a request, and in which: `ecs-admission log seen < file`.

    The value is read from standard input, without the line break at its end; at a terminal it is asked for and not
    shown. It is an entry of the log that somebody asked, and not what for. Exit code: 0 it was, 1 it was not as far as
    can be known, 2 the log cannot be read.
    """
    given = {name: text for name, text in (("since", since), ("until", until)) if text is not None}
    with failing():
        value = _value()
        pages = _ask(server, value, given) if server else _search(value, given)
        found = _collect(pages, limit)
    if output == "json":
        click.echo(json_text(found))
    else:
        _print(found)
    if not found["items"]:
        sys.exit(EXIT_NOT_FOUND)


def _value() -> str:
    if sys.stdin.isatty():
        value: str = click.prompt("Value", hide_input=True, err=True)
        return value
    content = sys.stdin.buffer.read()
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = ""
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise SettingsError("standard input holds no value, or none in UTF-8")
    return text


def _collect(pages: Iterator[JSONObject], limit: int) -> JSONObject:
    """What several answers say together."""
    whole: JSONObject = {"keys": [], "items": [], "searched": 0, "withoutInventory": 0, "next": None, "cannotKnow": []}
    for page in pages:
        whole["items"] += page["items"]
        whole["searched"] += page["searched"]
        whole["withoutInventory"] += page["withoutInventory"]
        whole |= {name: page[name] for name in ("keys", "next")}
        whole["cannotKnow"] = list(dict.fromkeys([*whole["cannotKnow"], *page["cannotKnow"]]))
        if len(whole["items"]) >= limit or page["next"] is None:
            break
        whole["cannotKnow"].pop()  # that older ones were not looked through, which stands last and is about to change
    whole["items"] = whole["items"][:limit]
    return whole


def _search(value: str, given: JSONObject) -> Iterator[JSONObject]:
    """In the database of the settings, by whoever holds the key."""
    from ecs_admission.cli.log_source import open_reader
    from ecs_admission.decision_log.filters import read_filters
    from ecs_admission.decision_log.inventory import MAX_FOUND, Search, Sought, cannot_know, search_log
    from ecs_admission.project.fingerprints import load_or_create_keys
    from ecs_admission.project.inventory import MIN_CHARS

    settings = read_settings()
    if not settings.key_file.exists():
        raise SettingsError(f"the fingerprint key {settings.key_file} is not here; ask the service: --server URL")
    keys = load_or_create_keys(settings.key_file)
    ids = [key.id for key in keys]
    sought = [Sought(key.id, key.fingerprint(value), key.marker()(value).hex()) for key in keys]
    filters = read_filters(given.items(), now=time.time())
    with open_reader() as reader:
        search: Search = search_log(reader, sought, filters, limit=MAX_FOUND, seconds=float("inf"))
    record_read(
        filters.summary(has_results=True),
        len(search.found),
        is_unrecorded=False,
        kind="fingerprint_lookup",
        keys=ids,
        searched=search.searched,
        complete=search.next is None,
    )
    yield {
        "keys": ids,
        "items": [sighting.document() for sighting in search.found],
        "searched": search.searched,
        "withoutInventory": search.without,
        "next": search.next,
        "cannotKnow": list(cannot_know(search, ids, characters=len(value), least=MIN_CHARS)),
    }


def _ask(server: str, value: str, given: JSONObject) -> Iterator[JSONObject]:
    """Of a service, as many times as it takes. No redirect is followed: the value goes to nobody else."""
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError("--server must be a URL such as https://admission.example.com")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    token = find_credential(server)()
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    cursor: str | None = None
    while True:
        body = orjson.dumps({"value": value, **given, **({"cursor": cursor} if cursor else {})})
        connection = kind(parts.hostname, parts.port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("POST", parts.path.rstrip("/") + "/v1/fingerprints:lookup", body, headers)
            answer = connection.getresponse()
            status, document = answer.status, orjson.loads(answer.read(_MAX_ANSWER_BYTES))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RecordUnavailableError(f"the service did not answer: {type(error).__name__}") from None
        finally:
            connection.close()
        if status != 200 or not isinstance(document, dict):
            title = document.get("title") if isinstance(document, dict) else None
            raise AdmissionError(f"the service answered {status}" + (f": {title}" if isinstance(title, str) else ""))
        yield document
        cursor = document["next"]
        if cursor is None:
            return


def _print(found: JSONObject) -> None:
    rows = [
        (
            moment(item["time"]), item["outcome"], item["family"] or "-", item["environment"] or "-",
            place["name"] or "-", place["pointer"], item["id"],
        )
        for item in found["items"]
        for place in item["places"]
    ]  # fmt: skip
    if rows:
        for line in table([("TIME", "OUTCOME", "FAMILY", "ENVIRONMENT", "NAME", "PLACE", "ID"), *rows]):
            click.echo(line)
    else:
        click.echo(f"not seen in {found['searched']} decisions")
    for sentence in found["cannotKnow"]:
        click.echo(sentence, err=True)
