"""The answer as Kubernetes spells it: the response of an AdmissionReview, and problem details where there is none."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping

import orjson

from ecs_admission.catalogue import Rule
from ecs_admission.model import FAILED_OPEN, Action, Decision, Finding, Fix, JSONObject, Notice, Outcome
from ecs_admission.remediate.explain import Cause, explain

MAX_WARNING_CHARS = 256


def review_response(
    decision: Decision,
    *,
    uid: str,
    decision_id: str,
    revision: str,
    catalogue: Mapping[str, Rule],
    receipt: str | None = None,
) -> JSONObject:
    """The `response` of an AdmissionReview. `allowed` is true for nothing but an allow; one that nobody judged says so
    in its annotations and warnings.

    `receipt` is that of the entry in the decision log, None where there is none.
    """
    allowed = decision.outcome in (Outcome.ALLOWED, Outcome.FAIL_OPEN)
    denials = decision.denials
    fixes = decision.fixes or (None,) * len(denials)
    causes = [explain(finding, catalogue, fix) for finding, fix in zip(denials, fixes, strict=True)]
    status: JSONObject = {"code": decision.status, "status": "Success" if allowed else "Failure"}
    if not allowed:
        status |= {"reason": decision.reason, "message": _message(decision, causes)}
        if causes:
            status["details"] = {"causes": [_cause(cause) for cause in causes]}
    response: JSONObject = {
        "uid": uid,
        "allowed": allowed,
        "status": status,
        "auditAnnotations": {"decision-id": decision_id, "policy-revision": revision}
        | ({FAILED_OPEN: decision.reason} if decision.outcome is Outcome.FAIL_OPEN else {})
        | ({} if receipt is None else {"receipt": receipt}),
    }
    if not allowed and decision.patch:
        patch = base64.b64encode(orjson.dumps(decision.patch)).decode()
        response |= {"patchType": "JSONPatch", "patch": patch}
    warnings = list(_warnings(decision, catalogue))
    return response | ({"warnings": warnings} if warnings else {})


def problem(decision: Decision, *, decision_id: str | None) -> JSONObject:
    """Problem details (RFC 9457) for what is no decision. Never repeats a submitted value."""
    document: JSONObject = {
        "type": "about:blank",
        "title": decision.message,
        "status": decision.status,
        "reason": decision.reason,
    }
    if decision.error_code is not None:
        document["code"] = decision.error_code
    if decision.error_pointer is not None:
        document["field"] = decision.error_pointer
    if decision_id is not None:
        document["decisionId"] = decision_id
    return document


def _message(decision: Decision, causes: list[Cause]) -> str:
    """Enough for a person who reads a build log and nothing else: each rule, place and fix on a line."""
    if not causes:
        at = f" (at {decision.error_pointer})" if decision.error_pointer else ""
        return f"{decision.message}{at}"
    lines = [f"{cause.rule} at {cause.field or '/'}: {cause.message}. {cause.remediation}" for cause in causes]
    return "\n".join([f"denied: {len(causes)} finding{'s' * (len(causes) != 1)}", *lines])


def _cause(cause: Cause) -> JSONObject:
    document: JSONObject = {
        "reason": cause.rule,
        "message": cause.message,
        "field": cause.field,
        "severity": cause.severity,
        "container": cause.container,
        "name": cause.name,
        "remediation": cause.remediation,
        "link": cause.link,
        "controls": list(cause.controls),
    }
    return document if cause.fix is None else document | {"fix": _fix(cause.fix)}


def _fix(fix: Fix) -> JSONObject:
    return {
        "patch": list(fix.patch),
        "statements": list(fix.statements),
        "commands": list(fix.commands),
        "left": list(fix.left),
    }


def _warnings(decision: Decision, catalogue: Mapping[str, Rule]) -> Iterator[str]:
    for finding in decision.warnings:
        yield _cut(_warning(finding, explain(finding, catalogue)))
    for notice in decision.notices:
        yield _cut(_notice(notice))


def _warning(finding: Finding, cause: Cause) -> str:
    exempted = f" (exempted by {finding.exception})" if finding.action is Action.DENY else ""
    return f"{cause.rule} at {cause.field or '/'}: {cause.message}{exempted}"


def _notice(notice: Notice) -> str:
    return f"{notice.code} at {notice.pointer or '/'}: {notice.message}"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_WARNING_CHARS else text[: MAX_WARNING_CHARS - 1] + "\N{HORIZONTAL ELLIPSIS}"
