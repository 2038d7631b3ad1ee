"""`POST /v1/fingerprints:lookup`: was this value ever in a request? For auditors, so often a minute, and recorded.

Whoever can ask can test guesses. So an answer says where, and never more of the value than its caller knew, a caller
may ask only so often, and each question is an entry of the log, without the value and without a hash of it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from flask import Blueprint, Response, request

from ecs_admission.adapt.documents import read_document
from ecs_admission.auth.roles import Permission
from ecs_admission.decision_log.filters import read_filters
from ecs_admission.decision_log.inventory import Sought, cannot_know, search_log
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.scopes import within
from ecs_admission.errors import InputError, RecordUnavailableError
from ecs_admission.http.answers import json_answer, problem_answer
from ecs_admission.http.auth import principal, reading_scopes, record_read
from ecs_admission.model import JSONObject
from ecs_admission.project.fingerprints import FingerprintKey
from ecs_admission.project.inventory import MIN_CHARS

LIMIT: Final = 30
WINDOW_SECONDS: Final = 60.0
"""A caller may ask `LIMIT` times in this long, of each process of the service."""

SEARCH_SECONDS: Final = 2.0
"""How long one answer looks; then it says where to go on."""

MAX_VALUE_CHARS: Final = 65_536
_MAX_BODY_BYTES: Final = 512 * 1024
_MAX_CALLERS: Final = 4_096
_TIMES: Final = ("since", "until")
_MEMBERS: Final = ("value", "cursor", *_TIMES)


class Pace:
    """How often each caller asked of late. Thread-safe; of more callers than it can hold it forgets the oldest."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_seconds(self, caller: str) -> int:
        """0 where the caller may ask, which counts; else how long to wait."""
        now = self._clock()
        with self._lock:
            asked = self._asked.setdefault(caller, deque())
            self._asked.move_to_end(caller)
            if len(self._asked) > _MAX_CALLERS:
                self._asked.popitem(last=False)
            while asked and now - asked[0] >= WINDOW_SECONDS:
                asked.popleft()
            if len(asked) >= LIMIT:
                return int(WINDOW_SECONDS - (now - asked[0])) + 1
            asked.append(now)
            return 0


def blueprint(reader: LogReader, keys: Sequence[FingerprintKey], *, pace: Pace | None = None) -> Blueprint:
    """The route of the look-up. `keys` are those that records were made with, the one in use first."""
    routes = Blueprint("fingerprints", __name__)
    pace = pace or Pace()

    @routes.post("/v1/fingerprints:lookup")
    def lookup() -> Response:
        wait = pace.wait_seconds(principal().user.username)
        if wait:
            # Who goes on asking is what an auditor of auditors looks for. It costs what any other read costs.
            record_read("", 0, kind="fingerprint_lookup", refused="too-many-lookups")
            title = f"at most {LIMIT} values a minute are looked up for a caller"
            answer = problem_answer(429, title, reason="TooManyRequests", code="too-many-lookups")
            answer.headers["Retry-After"] = str(wait)
            return answer
        if not keys:
            raise RecordUnavailableError("the service has no fingerprint key to look values up with")
        given = _read()
        value = given["value"]
        filters = read_filters([(name, given[name]) for name in _TIMES if name in given], now=time.time())
        search = search_log(
            reader,
            sought_by(keys, value),
            filters,
            cursor=given.get("cursor"),
            scope=within(reading_scopes(Permission.LOOK_UP_FINGERPRINTS)),
            seconds=SEARCH_SECONDS,
        )
        ids = [key.id for key in keys]
        record_read(
            filters.summary(has_results=True),
            len(search.found),
            kind="fingerprint_lookup",
            keys=ids,
            searched=search.searched,
            complete=search.next is None,
        )
        return json_answer(
            {
                "keys": ids,
                "items": [sighting.document() for sighting in search.found],
                "searched": search.searched,
                "withoutInventory": search.without,
                "next": search.next,
                "cannotKnow": list(cannot_know(search, ids, characters=len(value), least=MIN_CHARS)),
            }
        )

    return routes


def sought_by(keys: Sequence[FingerprintKey], value: str) -> list[Sought]:
    """A value as each key knows it."""
    return [Sought(key.id, key.fingerprint(value), key.marker()(value).hex()) for key in keys]


def _read() -> JSONObject:
    """The members of the body, each a text. What is wrong is told by name and never by what was sent."""
    body = request.stream.read(_MAX_BODY_BYTES + 1)
    if len(body) > _MAX_BODY_BYTES:
        raise InputError("too-large", f"the body is larger than {_MAX_BODY_BYTES} bytes", status=413)
    if not body.lstrip().startswith(b"{"):
        raise InputError("not-an-object", "the body must be a JSON object with the value", status=400)
    document: Any = read_document(body)
    for name, text in document.items():
        if name not in _MEMBERS:
            raise InputError("unknown-member", f"the body may have {', '.join(_MEMBERS)} and no more", status=400)
        if not isinstance(text, str):
            raise InputError("wrong-type", f"{name} must be a text", status=400, pointer=name)
    if not 1 <= len(document.get("value", "")) <= MAX_VALUE_CHARS:
        message = f"value must be a text of 1 to {MAX_VALUE_CHARS} characters"
        raise InputError("invalid-value", message, status=400, pointer="value")
    found: JSONObject = document
    return found
