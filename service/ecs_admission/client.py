"""Ask a service instead of judging in process. Standard library only, so that a client starts fast."""

from __future__ import annotations

import http.client
import os
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import orjson

from ecs_admission.credentials import find_credential
from ecs_admission.errors import SettingsError
from ecs_admission.model import JSONObject

_TIMEOUT_SECONDS = 30.0
_MAX_ANSWER_BYTES = 8 * 1024 * 1024
_DECIDED = (200, 403)
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context, as OpenTelemetry puts it into the environment of a job."""


def remote_judge(
    server: str, operation: str, context: list[tuple[str, str]]
) -> Callable[[bytes], JSONObject]:  # fmt: skip
    """A function from a document's bytes to the response of an AdmissionReview.

    What is no such answer becomes a response that does not allow: no redirect is followed and no proxy is used.
    Raises `SettingsError` for a URL that is neither http nor https, and when the job's own token cannot be had.
    """
    parts = _read_url(server)
    target = f"{parts.path.rstrip('/')}/v1/operations/{quote(operation, safe='')}"
    if context:
        target += "?" + urlencode(context)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    headers = {"Content-Type": "application/json"}
    parent = os.environ.get("TRACEPARENT", "")
    if _TRACEPARENT.fullmatch(parent):
        headers["traceparent"] = parent
    token = find_credential(server)()
    if token:
        headers["Authorization"] = f"Bearer {token}"

    def judge(content: bytes) -> JSONObject:
        connection = kind(str(parts.hostname), parts.port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("POST", target, body=content, headers=headers)
            answer = connection.getresponse()
            return _read(answer.status, answer.read(_MAX_ANSWER_BYTES))
        except (OSError, http.client.HTTPException, ValueError) as error:
            return _no_decision(f"the service did not answer: {type(error).__name__}")
        finally:
            connection.close()

    return judge


def _read_url(server: str) -> SplitResult:
    try:
        parts = urlsplit(server)
        is_usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise SettingsError("--server must be a URL such as https://admission.example.com")
    return parts


def _read(status: int, body: bytes) -> JSONObject:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        return _no_decision(f"the service answered {status} with something else than JSON")
    response = document.get("response")
    if status in _DECIDED and isinstance(response, dict):
        is_allow = status == 200 and response.get("allowed") is True
        if is_allow or (response.get("allowed") is False and isinstance(response.get("status"), dict)):
            return response
        return _no_decision("the service's answer contradicts itself")
    return _from_problem(status, document)


def _from_problem(status: int, document: dict[str, Any]) -> JSONObject:
    """The response that problem details amount to."""
    title, field = document.get("title"), document.get("field")
    message = f"{title} (at {field})" if field else str(title)
    annotations = {"decision-id": document["decisionId"]} if isinstance(document.get("decisionId"), str) else {}
    reason = document.get("reason")
    known = reason if isinstance(reason, str) else "CannotDecide"
    return _response(status, known, message) | {"auditAnnotations": annotations}


def _no_decision(message: str) -> JSONObject:
    return _response(503, "CannotDecide", message)


def _response(status: int, reason: str, message: str) -> JSONObject:
    return {
        "uid": "",
        "allowed": False,
        "status": {"code": status, "status": "Failure", "reason": reason, "message": message},
    }
