"""Read an AdmissionReview: which ECS call it is about, its object, and the deploy context in its options.

Source of the shape: admission.k8s.io/v1. `request.kind` and `request.resource` name the ECS thing; who asks, when and
through what is not read from the body, since a caller does not choose its judge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ecs_admission.adapt.context import read_options
from ecs_admission.adapt.operations import OPERATIONS, VERBS
from ecs_admission.adapt.operations.operation import Operation
from ecs_admission.errors import InputError
from ecs_admission.model import DeployContext

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"
GROUP = "ecs.amazonaws.com"
VERSION = "2014-11-13"
UID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an AdmissionReview asks about. `object` holds literals."""

    uid: str
    operation: str
    object: Any = field(repr=False)
    context: DeployContext
    dry_run: bool


def read_envelope(document: Any) -> Envelope:
    """Raises `InputError` with status 400 that says what is wrong with the envelope."""
    if not isinstance(document, dict):
        raise _bad("the body is not an AdmissionReview object")
    if document.get("apiVersion") != API_VERSION or document.get("kind") != KIND:
        raise _bad(f"apiVersion must be {API_VERSION} and kind {KIND}")
    request = document.get("request")
    if not isinstance(request, dict):
        raise _bad("request is missing")
    uid, dry_run = request.get("uid"), request.get("dryRun")
    if not isinstance(uid, str) or not UID.fullmatch(uid):
        raise _bad("request.uid must be 1 to 64 letters, digits, dots, underscores or hyphens")
    if dry_run is not None and not isinstance(dry_run, bool):
        raise _bad("request.dryRun must be a boolean")
    if "object" not in request:
        raise _bad("request.object is missing")
    return Envelope(
        uid=uid,
        operation=_operation(request).name,
        object=request["object"],
        context=read_options(request.get("options")),
        dry_run=bool(dry_run),
    )


def _operation(request: Mapping[str, Any]) -> Operation:
    """The ECS operation: named by `request.operation`, or by a Kubernetes verb on a kind that has one for the verb."""
    named = request.get("operation")
    kind = _name(request, "kind", "kind")
    resource = _name(request, "resource", "resource")
    if not isinstance(named, str):
        raise _bad("request.operation is missing")
    if named in VERBS and kind is None and resource is None:
        raise _bad("request.kind or request.resource is needed beside a Kubernetes verb")
    matching = [
        operation
        for operation in OPERATIONS.values()
        if (named == operation.name or named in operation.verbs)
        and kind in (None, operation.kind, operation.name)
        and resource in (None, operation.resource)
    ]
    if len(matching) > 1:
        names = " and ".join(operation.name for operation in matching)
        raise _bad(f"{names} both do this: name one of them in request.operation")
    if not matching:
        known = "; ".join(f"{o.name}: kind {o.kind}, resource {o.resource}" for o in OPERATIONS.values())
        raise _bad(f"operation, kind and resource do not name one operation that is judged here ({known})")
    return matching[0]


def _name(request: Mapping[str, Any], member: str, key: str) -> str | None:
    value = request.get(member)
    if value is None:
        return None
    if not isinstance(value, dict) or value.get("group") != GROUP or value.get("version") != VERSION:
        raise _bad(f"request.{member} must have group {GROUP} and version {VERSION}")
    name = value.get(key)
    if not isinstance(name, str):
        raise _bad(f"request.{member}.{key} is missing")
    return name


def _bad(message: str) -> InputError:
    return InputError("invalid-review", message, status=400)
