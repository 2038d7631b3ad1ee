"""Callers that ask at a constant rate and try once more when they get no answer, as a pipeline's one command does."""

from __future__ import annotations

import http.client
import itertools
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import orjson

_PATH = "/v1/operations/RegisterTaskDefinition?environment=prod"
_TIMEOUT_SECONDS = 20.0
_BEFORE_ANOTHER_TRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Answered:
    """A decision that a caller holds."""

    decision_id: str
    allowed: bool
    revision: str
    receipt: str


@dataclass(slots=True)
class Tally:
    """What all callers saw."""

    answers: list[Answered] = field(default_factory=list)
    retried: list[str] = field(default_factory=list)
    """Why a first try gave no decision."""
    failures: list[str] = field(default_factory=list)
    """The same where the second one gave none either."""
    wrong: list[str] = field(default_factory=list)
    """Answers that are not what the request deserves."""


class Callers:
    """Threads that ask until they are told to stop: every second request holds a password."""

    def __init__(self, port: int, *, callers: int, each_per_second: float) -> None:
        self.tally = Tally()
        self._port = port
        self._period = 1 / each_per_second
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask_on) for _ in range(callers)]

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> Tally:
        """Ask no more, and tell what was answered."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        return self.tally

    def _ask_on(self) -> None:
        due = time.monotonic()
        for number in itertools.count():
            due += self._period
            if self._over.wait(max(0.0, due - time.monotonic())):
                return
            self._ask(is_leaky=number % 2 == 1)

    def _ask(self, *, is_leaky: bool) -> None:
        body = orjson.dumps(_document(is_leaky=is_leaky))
        found = self._try(body)
        if isinstance(found, str):
            self.tally.retried.append(found)
            self._over.wait(_BEFORE_ANOTHER_TRY_SECONDS)
            found = self._try(body)
        if isinstance(found, str):
            self.tally.failures.append(found)
            return
        if found.allowed == is_leaky:
            self.tally.wrong.append(found.decision_id)
        self.tally.answers.append(found)

    def _try(self, body: bytes) -> Answered | str:
        """A decision, or why there is none. Every request has a connection of its own: it may go to either node."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("POST", _PATH, body)
            answer = connection.getresponse()
            document: dict[str, Any] = orjson.loads(answer.read())
        except (OSError, http.client.HTTPException, orjson.JSONDecodeError) as error:
            return type(error).__name__
        finally:
            connection.close()
        if answer.status not in (200, 403):
            return f"{answer.status} {document.get('reason')} {document.get('code')}"
        response = document["response"]
        notes = response["auditAnnotations"]
        return Answered(notes["decision-id"], response["allowed"], notes["policy-revision"], notes["receipt"])


def _document(*, is_leaky: bool) -> dict[str, Any]:
    environment = [{"name": "MODE", "value": "fast"}]
    if is_leaky:
        environment.append({"name": "DB_PASSWORD", "value": secrets.token_urlsafe(18)})
    container = {
        "name": "app",
        "image": "111122223333.dkr.ecr.eu-central-1.amazonaws.com/app:1",
        "memory": 64,
        "environment": environment,
        "readonlyRootFilesystem": True,
    }
    return {"family": "soak", "containerDefinitions": [container]}
