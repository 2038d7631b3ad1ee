"""Where the commands of `ecs-admission log` read: the database of the settings, or a service that is asked."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from urllib.parse import quote, urlencode, urlsplit

import orjson

from ecs_admission.credentials import find_credential
from ecs_admission.errors import AdmissionError, RecordUnavailableError, SettingsError
from ecs_admission.model import JSONObject
from ecs_admission.settings import read_settings

if TYPE_CHECKING:
    from ecs_admission.decision_log.filters import Filters
    from ecs_admission.decision_log.queries import LogReader

_TIMEOUT_SECONDS = 30.0
_MAX_ANSWER_BYTES = 64 * 1024 * 1024
PAGE = 200

Pairs: TypeAlias = Sequence[tuple[str, str]]
"""Parameters of a query with their texts, as the API takes them."""


class Source(Protocol):
    """A log to read. Each method raises `AdmissionError`."""

    def page(self, query: Pairs, *, limit: int, cursor: str | None) -> JSONObject:
        """`{"items", "next"}`, newest first."""

    def show(self, entry_id: str) -> JSONObject | None:
        """One entry with its PolicyInput, None when there is none."""

    def statistics(self, query: Pairs) -> JSONObject:
        """Counts of what a query asks for."""

    def record(self, query: Pairs, count: int, *, doing: str = "") -> None:
        """Make it an entry that this was read, before it is shown. A service has done so when it answered."""


@contextmanager
def open_source(server: str | None, *, is_unrecorded: bool) -> Iterator[Source]:
    """The log of a service at `server`, or of the settings. Raises `AdmissionError`."""
    if server:
        yield _Service(server)
        return
    with open_reader() as reader:
        yield _Database(reader, is_unrecorded=is_unrecorded)


@contextmanager
def open_reader() -> Iterator[LogReader]:
    """The log of the settings."""
    from ecs_admission.decision_log.queries import LogReader

    settings = read_settings()
    # A person who counts a year waits longer than a request may.
    reader = LogReader.open(settings.log_read_url, timeout_seconds=max(60.0, settings.record_deadline_seconds))
    try:
        yield reader
    finally:
        reader.close()


@contextmanager
def open_export(server: str, query: Pairs) -> Iterator[Iterator[bytes]]:
    """The lines of an export that a service makes. Raises `AdmissionError`, also where they break off."""
    service = _Service(server)
    connection, answer = service.request("/v1/decisions:export?" + urlencode(query))
    try:
        if answer.status != 200:
            raise _refused(answer.status, _document(answer))
        yield _lines(answer)
    finally:
        connection.close()


def _lines(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        yield from answer
    except (OSError, http.client.HTTPException) as error:
        raise RecordUnavailableError(f"the export broke off: {type(error).__name__}") from None


class _Database:
    """See `Source`. Who can read the database sees everything in it but fingerprints."""

    def __init__(self, reader: LogReader, *, is_unrecorded: bool) -> None:
        self._reader = reader
        self._is_unrecorded = is_unrecorded

    def page(self, query: Pairs, *, limit: int, cursor: str | None) -> JSONObject:
        """See `Source`."""
        filters, as_of = self._read(query)
        page = self._reader.list_entries(filters, limit=limit, cursor=cursor, as_of=as_of)
        return {"items": page.items, "next": page.next}

    def show(self, entry_id: str) -> JSONObject | None:
        """See `Source`."""
        from ecs_admission.decision_log.scopes import without_fingerprints

        found = self._reader.show(entry_id)
        if found is not None and found["policyInput"] is not None:
            found["policyInput"] = without_fingerprints(found["policyInput"])
        return found

    def statistics(self, query: Pairs) -> JSONObject:
        """See `Source`."""
        from ecs_admission.decision_log.statistics import count_entries

        filters, as_of = self._read(query)
        return count_entries(self._reader, filters, as_of=as_of).document()

    def record(self, query: Pairs, count: int, *, doing: str = "") -> None:
        """See `Source`."""
        from ecs_admission.cli.recording import record_read

        if doing.startswith("id="):
            summary = doing
        else:
            filters, _ = self._read(query)
            summary = f"{doing} {filters.summary(has_results=count > 0)}".strip()
        record_read(summary, count, is_unrecorded=self._is_unrecorded)

    def _read(self, query: Pairs) -> tuple[Filters, int | None]:
        from ecs_admission.decision_log.filters import read_as_of, read_filters

        filters = read_filters([pair for pair in query if pair[0] != "as_of"], now=time.time())
        return filters, read_as_of(dict(query).get("as_of"), self._reader.newest_digest)


class _Service:
    """See `Source`. No redirect is followed and no proxy is used."""

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError("--server must be a URL such as https://admission.example.com")
        self._parts = parts
        self._credential = find_credential(server)

    def page(self, query: Pairs, *, limit: int, cursor: str | None) -> JSONObject:
        """See `Source`."""
        paging = [("limit", str(limit)), *([("cursor", cursor)] if cursor else [])]
        return self._answer("/v1/decisions?" + urlencode([*query, *paging])) or {"items": [], "next": None}

    def show(self, entry_id: str) -> JSONObject | None:
        """See `Source`."""
        return self._answer("/v1/decisions/" + quote(entry_id, safe=""))

    def statistics(self, query: Pairs) -> JSONObject:
        """See `Source`."""
        return self._answer("/v1/statistics?" + urlencode(query)) or {}

    def record(self, query: Pairs, count: int, *, doing: str = "") -> None:
        """See `Source`: nothing is done, since the service has recorded it."""

    def request(self, target: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Ask for something. The connection is the caller's to close."""
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        token = self._credential()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection = kind(str(self._parts.hostname), self._parts.port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("GET", self._parts.path.rstrip("/") + target, headers=headers)
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise RecordUnavailableError(f"the service did not answer: {type(error).__name__}") from None

    def _answer(self, target: str) -> JSONObject | None:
        connection, answer = self.request(target)
        try:
            document = _document(answer)
        finally:
            connection.close()
        if answer.status == 404:
            return None
        if answer.status != 200 or not isinstance(document, dict):
            raise _refused(answer.status, document)
        return document


def _document(answer: http.client.HTTPResponse) -> Any:
    try:
        return orjson.loads(answer.read(_MAX_ANSWER_BYTES))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise RecordUnavailableError(f"the service did not answer: {type(error).__name__}") from None


def _refused(status: int, document: Any) -> AdmissionError:
    title: Any = document.get("title") if isinstance(document, dict) else None
    return AdmissionError(f"the service answered {status}" + (f": {title}" if isinstance(title, str) else ""))
