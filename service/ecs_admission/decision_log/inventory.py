"""Was a value ever in a request? Asked of what is kept beside each decision: its inventory, its suspicious literals.

An inventory has a keyed hash of every literal of eight or more characters (`project.inventory`). It is a row of
`bodies` beside that of the PolicyInput, so it goes when that does, and its hash stands in the entry. There is no index
over the hashes: one for each of the literals that nobody ever asks about would make a record several times as
expensive. So a search reads inventories, newest first, as many as it has time for, and says where it stopped.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, LargeBinary, cast, func, literal, or_, select
from sqlalchemy.engine import Connection

from ecs_admission.decision_log.database import translated
from ecs_admission.decision_log.filters import Filters
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.schema import bodies, entries, entry_terms
from ecs_admission.decision_log.selection import Bounds, Key, select_keys
from ecs_admission.decision_log.terms import FINGERPRINT, term
from ecs_admission.errors import InputError
from ecs_admission.model import JSONObject

SUFFIX: Final = ":inventory"
"""What the id of an inventory's row has behind the id of its entry; no id of an entry has a colon."""

PAGE: Final = 1_000
"""Decisions looked through at once."""

MAX_FOUND: Final = 200

_HEX: Final = 32
_CURSOR: Final = re.compile(r"(0|[1-9][0-9]{0,16}):([0-9A-Za-z._-]{1,64})")
_READING: Final = "the decision log cannot be read"


@dataclass(frozen=True, slots=True)
class Sought:
    """A value as one key knows it: `fingerprint` in a PolicyInput, `mark` (32 hex digits) in an inventory."""

    key: str
    fingerprint: str = field(repr=False)
    mark: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A decision whose request held the value, and where: pairs of a pointer and a name that may be shown, or None."""

    entry: JSONObject = field(repr=False)
    places: tuple[tuple[str, str | None], ...]

    def document(self) -> JSONObject:
        """Where it was, and no word of the value."""
        request = self.entry.get("request") or {}
        context = request.get("context") or {}
        return {
            "id": self.entry.get("id"),
            "time": self.entry.get("time"),
            "outcome": self.entry.get("outcome"),
            "operation": request.get("operation"),
            "family": request.get("family"),
            **{name: context.get(name) for name in ("environment", "account", "region", "repository", "actor")},
            "places": [{"pointer": pointer, "name": name} for pointer, name in self.places],
        }


@dataclass(slots=True)
class Search:
    """What a search has found so far. `next` is where to go on, None when everything was looked through.

    Of the decisions `searched`, `without` have no inventory (any more), and `damaged` one that is not what was written.
    """

    found: list[Sighting] = field(default_factory=list)
    searched: int = 0
    without: int = 0
    damaged: int = 0
    next: str | None = None


def inventory_id(entry_id: str) -> str:
    """The id of an inventory's row."""
    return entry_id + SUFFIX


def search_log(
    reader: LogReader,
    sought: Sequence[Sought],
    filters: Filters,
    *,
    cursor: str | None = None,
    limit: int = 50,
    scope: ColumnElement[bool] | None = None,
    seconds: float,
) -> Search:
    """Look for a value in decisions, newest first, until `limit` are found or `seconds` have passed.

    `scope` is what the reader may see. Raises `InputError` for a cursor that is none, and `RecordUnavailableError`.
    """
    after = None if cursor is None else _read_cursor(cursor)
    search, deadline = Search(), time.monotonic() + seconds
    while True:
        with translated(_READING), reader.connect() as connection:
            keys = select_keys(connection, filters, Bounds(after=after, scope=scope), limit=PAGE)
            last = _look_through(connection, keys, sought, search, limit)
        if len(keys) < PAGE and last == len(keys):
            search.next = None
            return search
        after = keys[last - 1]
        search.next = f"{after[0]}:{after[1]}"
        if len(search.found) >= limit or time.monotonic() >= deadline:
            return search


def cannot_know(search: Search, keys: Iterable[str], *, characters: int, least: int) -> Iterator[str]:
    """What a search does not tell, in words. `least` is how long a value must be to be in an inventory."""
    if characters < least:
        yield f"values of fewer than {least} characters are in no inventory: found is only what a detector noticed"
    yield f"what was recorded under other keys than {', '.join(keys)} is not found"
    yield "a value that stood encoded, split or inside a longer text is not found, unless that part was itself read"
    if search.without:
        yield (
            f"{search.without} of {search.searched} decisions have no inventory: retention has dropped it, the request "
            "could not be read, or it is older than inventories"
        )
    if search.damaged:
        yield f"{search.damaged} inventories are not what was written; `ecs-admission log verify` says which"
    if search.next is not None:
        yield "older decisions were not looked through; go on with the cursor"


def _look_through(
    connection: Connection, keys: Sequence[Key], sought: Sequence[Sought], search: Search, limit: int
) -> int:
    """Look for the value in these decisions. Returns how many were, which are fewer when `limit` is reached."""
    if not keys:
        return 0
    ids = [entry_id for _, entry_id in keys]
    held = _held(connection, ids)
    hits = _matching_inventories(connection, ids, sought)
    noticed = _noticed(connection, keys, sought)
    documents = _documents(connection, [each for each in ids if each in hits or each in noticed])
    for number, entry_id in enumerate(ids):
        search.searched += 1
        search.without += entry_id not in held
        entry = documents.get(entry_id)
        if entry is None:
            continue
        places = list(noticed.get(entry_id, ()))
        content = hits.get(entry_id)
        if content is not None:
            if hashlib.sha256(content).hexdigest() == entry.get("inventory"):
                places += _places(content, sought)
            else:
                search.damaged += 1
        if places:
            search.found.append(Sighting(entry, tuple(dict.fromkeys(places))))
            if len(search.found) >= limit:
                return number + 1
    return len(ids)


def _held(connection: Connection, ids: Sequence[str]) -> set[str]:
    query = select(bodies.c.id).where(bodies.c.id.in_(map(inventory_id, ids)))
    return {each.removesuffix(SUFFIX) for each in connection.execute(query).scalars()}


def _matching_inventories(connection: Connection, ids: Sequence[str], sought: Sequence[Sought]) -> dict[str, bytes]:
    content = cast(bodies.c.bytes, LargeBinary)
    # The same in both: where a text begins in another, 0 for nowhere.
    position = func.instr if connection.dialect.name == "sqlite" else func.pg_catalog.position
    query = select(bodies.c.id, content.label("content")).where(
        bodies.c.id.in_(map(inventory_id, ids)),
        or_(*(position(content, literal(each.mark.encode(), LargeBinary)) > 0 for each in sought)),
    )
    return {row.id.removesuffix(SUFFIX): bytes(row.content) for row in connection.execute(query)}


def _noticed(
    connection: Connection, keys: Sequence[Key], sought: Sequence[Sought]
) -> dict[str, list[tuple[str, str | None]]]:
    """The decisions in which a detector noticed the value, whatever its length, with where."""
    fingerprints = {each.fingerprint for each in sought}
    terms = entry_terms.c.term.in_([term(FINGERPRINT, each) for each in fingerprints])
    period = entry_terms.c.time.between(keys[-1][0], keys[0][0])
    wanted = {entry_id for _, entry_id in keys}
    found = set(connection.execute(select(entry_terms.c.id).where(terms, period)).scalars()) & wanted
    query = select(bodies.c.id, cast(bodies.c.bytes, LargeBinary).label("content")).where(bodies.c.id.in_(found))
    return {row.id: list(_literal_places(row.content, fingerprints)) for row in connection.execute(query)}


def _literal_places(body: bytes, fingerprints: set[str]) -> Iterator[tuple[str, str | None]]:
    for each in _parsed(body).get("literals") or ():
        if each.get("fingerprint") in fingerprints:
            yield each["pointer"], each["name"]


def _places(content: bytes, sought: Sequence[Sought]) -> Iterator[tuple[str, str | None]]:
    """Where in an inventory the value is: hashes stand side by side, so a match may lie across two of them."""
    document = _parsed(content)
    marks = {each.mark for each in sought if each.key == document["key"]}
    text = document["fingerprints"]
    for number, (pointer, name) in enumerate(zip(document["pointers"], document["names"], strict=True)):
        if text[number * _HEX : (number + 1) * _HEX] in marks:
            yield pointer, name


def _documents(connection: Connection, ids: Sequence[str]) -> dict[str, JSONObject]:
    query = select(entries.c.id, cast(entries.c.bytes, LargeBinary).label("content")).where(entries.c.id.in_(ids))
    return {row.id: _parsed(row.content) for row in connection.execute(query)} if ids else {}


def _parsed(content: bytes) -> JSONObject:
    try:
        document: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        document = None
    return document if isinstance(document, dict) else {}


def _read_cursor(text: str) -> Key:
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise InputError("bad-cursor", "the cursor is not one that this log gave", status=400, pointer="cursor")
    return int(match[1]), match[2]
