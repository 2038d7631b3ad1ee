"""Entries as events of the Open Cybersecurity Schema Framework, https://schema.ocsf.io/1.6.0. Pure.

A decision is an API Activity with the profiles `cloud` and `security_control`: the call that somebody wanted to make,
and what became of it. Each finding is a Compliance Finding beside it. Everything else that the log holds is an API
Activity of the service itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ecs_admission import __version__
from ecs_admission.catalogue import Rule
from ecs_admission.model import JSONObject

OCSF_VERSION: Final = "1.6.0"

API_ACTIVITY: Final = 6003
COMPLIANCE_FINDING: Final = 2003

_ACTIVITIES: Final = {1: "Create", 2: "Read", 3: "Update", 4: "Delete", 99: "Other"}
_VERBS: Final = {
    **dict.fromkeys(("Create", "Register", "Run", "Start"), 1),
    **dict.fromkeys(("Update", "Put", "Tag"), 3),
    **dict.fromkeys(("Delete", "Deregister", "Untag", "Stop"), 4),
}
_SEVERITIES: Final = {"low": 2, "medium": 3, "high": 4, "critical": 5}
_SEVERITY_NAMES: Final = {1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical"}
_UNJUDGED_SEVERITY: Final = 4
"""Of what was let through because nobody could judge it: somebody has to look at it afterwards."""
# action, disposition and status of an API Activity: what was not allowed did not happen.
_ALLOWED: Final = {"action_id": 1, "action": "Allowed", "disposition_id": 1, "disposition": "Allowed"}
_DENIED: Final = {"action_id": 2, "action": "Denied", "disposition_id": 2, "disposition": "Blocked"}
_COMPLIANCE: Final = {
    "deny": (3, "Fail"),
    "warn": (2, "Warning"),
    "dryrun": (2, "Warning"),
}


_LABELS: Final = ("environment", "cluster", "service", "repository")


def ocsf_events(entry: JSONObject, hashed: str, rules: Mapping[str, Rule]) -> Iterator[JSONObject]:
    """The events of one entry. `rules` give the words of those findings whose rule is still there."""
    if entry.get("kind") != "decision":
        yield _service_event(entry, hashed)
        return
    yield _api_activity(entry, hashed)
    for number, finding in enumerate(entry["findings"]):
        yield _compliance_finding(entry, hashed, finding, number, rules.get(str(finding["rule"])))


def _api_activity(entry: JSONObject, hashed: str) -> JSONObject:
    request = entry["request"]
    operation = request["operation"] or "Unknown"
    is_failed_open = entry["outcome"] == "failOpen"
    is_allowed = entry["outcome"] == "allowed" or is_failed_open
    findings = entry["findings"]
    severity = max((_SEVERITIES.get(each["severity"], 1) for each in findings if not is_allowed), default=1)
    policy = _policy(entry)
    severity = _UNJUDGED_SEVERITY if is_failed_open else 1 if is_allowed else max(severity, 2)
    event = _base(entry, hashed, API_ACTIVITY, _activity(operation), severity)
    return event | {
        "message": f"{operation} {entry['outcome']}" + (f": {entry['reason']}" if entry["reason"] else ""),
        "actor": _actor(entry),
        "api": {"operation": operation, "service": {"name": "ecs.amazonaws.com"}, "request": {"uid": entry["id"]}},
        "src_endpoint": {"name": entry["caller"]["username"], "svc_name": request["enforcementPoint"]},
        "resources": [_resource(entry)],
        "cloud": _cloud(entry),
        **(_ALLOWED if is_allowed else _DENIED),
        "is_alert": not is_allowed or is_failed_open,
        "authorizations": [{"decision": entry["outcome"], "policy": policy}],
        "policy": policy | {"is_applied": not is_failed_open},
        "status_id": 1 if is_allowed else 2,
        "status": "Success" if is_allowed else "Failure",
        "status_code": entry["outcome"],
        **({"status_detail": entry["reason"]} if entry["reason"] else {}),
    }


def _compliance_finding(
    entry: JSONObject, hashed: str, finding: JSONObject, number: int, rule: Rule | None
) -> JSONObject:
    severity = _SEVERITIES.get(finding["severity"], 1)
    is_excepted = finding["exception"] is not None
    status_id, status = (2, "Warning") if is_excepted else _COMPLIANCE.get(finding["action"], (2, "Warning"))
    controls = finding.get("controls") or []
    title = rule.title if rule is not None else f"Rule {finding['rule']}"
    remediation: JSONObject = {"desc": rule.remediation if rule is not None else f"See rule {finding['rule']}."}
    if rule is not None and rule.link:
        remediation["references"] = [rule.link]
    compliance: JSONObject = {
        "control": finding["rule"],
        "requirements": controls,
        "standards": sorted({control.partition(":")[0] for control in controls}) or ["ecs-admission"],
        "status_id": status_id,
        "status": status,
        "status_detail": f"exception {finding['exception']}" if is_excepted else finding["action"],
        "checks": [
            {
                "uid": finding["rule"],
                "name": title,
                "status_id": status_id,
                "status": status,
                "severity_id": severity,
                "severity": _SEVERITY_NAMES[severity],
                "standards": sorted({control.partition(":")[0] for control in controls}),
            }
        ],
    }
    event = _base(entry, hashed, COMPLIANCE_FINDING, 1, severity)
    event["metadata"]["uid"] = f"{entry['id']}/{number}"
    return event | {
        "message": f"{title} at {finding['pointer']}",
        "compliance": compliance,
        "finding_info": {
            "uid": f"{entry['id']}/{number}",
            "title": title,
            "types": [finding["rule"]],
            "created_time": event["time"],
            "related_events": [
                {"uid": entry["id"], "type_uid": API_ACTIVITY * 100 + _activity(entry["request"]["operation"] or "")}
            ],
        },
        "remediation": remediation,
        "resources": [
            _resource(entry)
            | {
                "data": {
                    name: finding[name]
                    for name in ("pointer", "container", "field", "name")
                    if finding[name] is not None
                }
            }
        ],
        "cloud": _cloud(entry),
        "policy": _policy(entry) | {"is_applied": True},
        "status_id": 3 if is_excepted else 1,
        "status": "Suppressed" if is_excepted else "New",
        **(_DENIED if status_id == 3 else _ALLOWED),
    }


def _service_event(entry: JSONObject, hashed: str) -> JSONObject:
    """What happened to the service: started, activated policies, was read."""
    return _base(entry, hashed, API_ACTIVITY, 99, 1) | {
        "activity_name": entry["kind"],
        "message": entry["kind"],
        "actor": _actor(entry),
        "api": {"operation": entry["kind"], "service": {"name": "ecs-admission"}},
        "src_endpoint": {"name": (entry.get("caller") or {}).get("username") or "ecs-admission"},
        "cloud": {"provider": "AWS"},
        "action_id": 1,
        "action": "Allowed",
        "disposition_id": 1,
        "disposition": "Allowed",
        "status_id": 1,
        "status": "Success",
    }


def _base(entry: JSONObject, hashed: str, class_uid: int, activity_id: int, severity_id: int) -> JSONObject:
    return {
        "category_uid": class_uid // 1000,
        "category_name": "Application Activity" if class_uid == API_ACTIVITY else "Findings",
        "class_uid": class_uid,
        "class_name": "API Activity" if class_uid == API_ACTIVITY else "Compliance Finding",
        "activity_id": activity_id,
        "activity_name": _ACTIVITIES[activity_id],
        "type_uid": class_uid * 100 + activity_id,
        "severity_id": severity_id,
        "severity": _SEVERITY_NAMES[severity_id],
        "time": entry["time"] // 1000,
        "metadata": {
            "version": OCSF_VERSION,
            "profiles": ["cloud", "security_control"],
            "product": {"name": "ecs-admission", "vendor_name": "ecs-admission", "version": __version__},
            "log_name": "decisions",
            "log_provider": "ecs-admission",
            "log_version": str(entry.get("v")),
            "uid": entry["id"],
            "correlation_uid": entry["id"],
            "sequence": entry["sequence"],
        },
        # `record_integrity` is in no released version yet.
        "unmapped": {"writer": entry["writer"], "sequence": entry["sequence"], "hash": hashed},
    }


def _actor(entry: JSONObject) -> JSONObject:
    caller = entry.get("caller") or {"username": "ecs-admission", "groups": []}
    user: JSONObject = {"name": caller["username"]}
    if caller["groups"]:
        user["groups"] = [{"name": group} for group in caller["groups"]]
    actor: JSONObject = {"user": user}
    claimed = ((entry.get("request") or {}).get("context") or {}).get("actor")
    return actor | ({"app_name": claimed} if claimed else {})


def _cloud(entry: JSONObject) -> JSONObject:
    context = entry["request"]["context"]
    cloud: JSONObject = {"provider": "AWS"}
    if context["account"]:
        cloud["account"] = {"uid": context["account"], "type": "AWS Account", "type_id": 10}
    return cloud | ({"region": context["region"]} if context["region"] else {})


def _resource(entry: JSONObject) -> JSONObject:
    request = entry["request"]
    context = request["context"]
    found: dict[str, Any] = {
        "type": "AWS::ECS::TaskDefinition" if request["family"] else "AWS::ECS::Service",
        "name": request["family"] or context["service"] or "unknown",
        "region": context["region"],
        "labels": [f"{name}:{context[name]}" for name in _LABELS if context[name]],
    }
    return {name: value for name, value in found.items() if value}


def _policy(entry: JSONObject) -> JSONObject:
    return {
        "name": "ecs-admission",
        "uid": entry["policy"]["revision"] or "none",
        "version": entry["policy"]["revision"] or "",
    }


def _activity(operation: str) -> int:
    return next((number for verb, number in _VERBS.items() if operation.startswith(verb)), 99)
