"""What a way to hide a literal is made of: secrets that are new in each run, and the shortest requests around them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.secret_values import make_secret, traces

JSON = dict[str, Any]
REGISTER = "RegisterTaskDefinition"
SECRET_ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-AbCdEf"


@dataclass(slots=True)
class Secrets:
    """Makes secrets and remembers them, so that a test can look for them where they must not be."""

    random: Random
    made: list[str] = field(default_factory=list, repr=False)

    def password(self) -> str:
        """Nothing but its name tells it."""
        return self._make("url-password")

    def token(self) -> str:
        """A token of a provider, known by its form."""
        return self._make("github-pat")

    def key_id(self) -> str:
        """An AWS access key id."""
        return self._make("aws-access-key-id")

    def keep(self, text: str) -> str:
        """`text`, another form of a secret, which is looked for as well."""
        self.made.append(text)
        return text

    def encoded(self, text: str) -> str:
        """`text` in base64."""
        return self.keep(base64.b64encode(text.encode()).decode())

    def traces(self) -> list[str]:
        """What must not be found in an answer or a record."""
        return sorted({trace for secret in self.made for trace in traces(secret)})

    def _make(self, kind: str) -> str:
        return self.keep(make_secret(kind, self.random))


@dataclass(frozen=True, slots=True)
class Submission:
    """A request as it is sent: a document with its query parameters, or an AdmissionReview."""

    body: bytes = field(repr=False)
    parameters: tuple[tuple[str, str], ...] = ()
    is_review: bool = False


Made = JSON | str | bytes | Submission
Ways = Mapping[str, Callable[[Secrets], Made]]
"""By name, what makes the request."""


def submission(made: Made) -> Submission:
    """What is sent for what a way made."""
    if isinstance(made, Submission):
        return made
    if isinstance(made, dict):
        made = json.dumps(made, ensure_ascii=False)
    return Submission(made.encode() if isinstance(made, str) else made)


def task(members: Mapping[str, Any] | None = None, **more: Any) -> JSON:
    """A task definition of one container with these members; `more` stands beside the containers."""
    container = {"name": "app", "image": "nginx", "essential": True, **(members or {})}
    return {"family": "orders", "containerDefinitions": [container], **more}


def environment(*pairs: tuple[str, str]) -> JSON:
    """A task definition with these variables."""
    return variables(*({"name": name, "value": value} for name, value in pairs))


def variables(*entries: Any) -> JSON:
    """A task definition with these entries of `environment`, whatever they look like."""
    return task({"environment": list(entries)})


def command(*arguments: str) -> JSON:
    """A task definition that runs this."""
    return task({"command": list(arguments)})


def shell(script: str) -> JSON:
    """A task definition that runs a script in a shell."""
    return command("sh", "-c", script)


def review(document: JSON, **members: Any) -> Submission:
    """An AdmissionReview of a document; `members` are those of its request."""
    kind = {"group": "ecs.amazonaws.com", "version": "2014-11-13", "kind": "TaskDefinition"}
    request = {"uid": "1", "kind": kind, "operation": "CREATE", "object": document, **members}
    body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return Submission(json.dumps(body, ensure_ascii=False).encode(), is_review=True)
