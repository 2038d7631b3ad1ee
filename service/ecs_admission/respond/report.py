"""What `check` prints: one JSON object, or text for a person."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from ecs_admission.model import FAILED_OPEN, JSONObject

Result = Mapping[str, Any]
"""`{"source": {"file", "resource"}, "response": the AdmissionReview response}`."""

_EXIT_CODES = {"undecided": 3, "invalid": 4, "denied": 1, "failOpen": 0, "allowed": 0}
"""In order of precedence: of several files the first that applies is the exit code.

A failure that the service ignored is an allow: whoever sets `failurePolicy: Ignore` wants the pipeline to go on.
"""

_CLIENT_ERROR, _SERVER_ERROR = 400, 500


def verdict(response: JSONObject) -> str:
    """`allowed`, `failOpen` (allowed, and judged by nobody), `denied`, `undecided` or `invalid`.

    What is none of the others is undecided, never allowed.
    """
    if response.get("allowed") is True:
        return "failOpen" if FAILED_OPEN in _mapping(response.get("auditAnnotations")) else "allowed"
    status = _mapping(response.get("status"))
    if status.get("reason") == "NonCompliant":
        return "denied"
    code = status.get("code")
    is_invalid = isinstance(code, int) and _CLIENT_ERROR <= code < _SERVER_ERROR
    return "invalid" if status.get("reason") == "InvalidRequest" and is_invalid else "undecided"


def exit_code(results: Sequence[Result]) -> int:
    """The exit code of `check`. No results is a usage error, not an allow."""
    verdicts = {verdict(result["response"]) for result in results}
    return next((code for name, code in _EXIT_CODES.items() if name in verdicts), 2)


def json_report(results: Sequence[Result]) -> str:
    """One object: the results and how many of each verdict there are."""
    verdicts = [verdict(result["response"]) for result in results]
    results = [
        {**result, "source": {**result["source"], "file": _text(result["source"]["file"])}} for result in results
    ]
    summary = {name: verdicts.count(name) for name in ("allowed", "failOpen", "denied", "undecided", "invalid")}
    return orjson.dumps({"results": results, "summary": summary}, option=orjson.OPT_INDENT_2).decode()


def table_report(results: Sequence[Result]) -> str:
    """A block of lines a file: the verdict, then each finding with its place and its fix."""
    return "\n".join(line for result in results for line in _block(result))


def read_patch(response: JSONObject) -> list[Any]:
    """The operations of the patch that an answer offers; none where it offers none."""
    if response.get("patchType") != "JSONPatch":
        return []
    operations = orjson.loads(base64.b64decode(response["patch"]))
    return operations if isinstance(operations, list) else []


def fix_report(name: str, before: JSONObject, after: JSONObject) -> str:
    """What was mended in a file, and what a person still has to do: texts, commands, permissions, findings."""
    fixes = [cause["fix"] for cause in _causes(before) if isinstance(cause.get("fix"), dict)]
    lines = [f"{_text(name)}: {len(fixes)} of {len(_causes(before))} findings mended, now {verdict(after)}"]
    lines += _numbered("left to do", (text for fix in fixes for text in fix["left"]))
    lines += _numbered("store each value, typed at the terminal", (text for fix in fixes for text in fix["commands"]))
    statements = list({str(item): item for fix in fixes for item in fix["statements"]}.values())
    if statements:
        policy = {"Version": "2012-10-17", "Statement": statements}
        lines += ["permit the role:", orjson.dumps(policy, option=orjson.OPT_INDENT_2).decode()]
    rest = list(_block({"source": {"file": name}, "response": after}))
    return "\n".join([*lines, *(rest[1:] if verdict(after) != "allowed" else ())])


def _numbered(title: str, texts: Iterable[str]) -> list[str]:
    unique = list(dict.fromkeys(texts))
    return [f"{title}:", *(f"  - {text}" for text in unique)] if unique else []


def _causes(response: JSONObject) -> list[Any]:
    details = _mapping(_mapping(response.get("status")).get("details"))
    return [cause for cause in details.get("causes") or [] if isinstance(cause, dict)]


def _block(result: Result) -> Iterator[str]:
    response = result["response"]
    status = _mapping(response.get("status"))
    causes = _causes(response)
    name = verdict(response)
    count = f" ({len(causes)} finding{'s' * (len(causes) != 1)})" if causes else ""
    said = "failOpen, allowed and judged by nobody" if name == "failOpen" else name
    yield f"{_text(result['source']['file'])}: {said}{count}"
    if name in ("undecided", "invalid"):
        yield f"  {status.get('reason')}: {status.get('message')}"
    for cause in causes:
        yield f"  {cause.get('severity', ''):<8}  {cause.get('reason')}  {cause.get('field') or '/'}"
        yield f"            {cause.get('message')}"
        if cause.get("remediation"):
            yield f"            Fix: {cause['remediation']}"
        for text in _mapping(cause.get("fix")).get("commands") or []:
            yield f"            Run: {text}"
    for warning in response.get("warnings") or []:
        yield f"  warning   {warning}"


def _text(name: str) -> str:
    """A file's name, which need not be UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _mapping(value: Any) -> Mapping[str, Any]:
    """A part of an answer, which a service may have sent in another shape."""
    return value if isinstance(value, dict) else {}
