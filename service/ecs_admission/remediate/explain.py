"""Say what is wrong and what to change: the catalogue's words with the request's own names filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ecs_admission.catalogue import Rule
from ecs_admission.model import Finding, Fix, Place

_FIELD_WORDS: Mapping[str, str] = {
    "environment": "environment variable",
    "command": "command argument",
    "entryPoint": "entry point argument",
    "healthCheck": "health check argument",
    "dockerLabel": "docker label",
    "logOption": "log option",
    "firelensOption": "FireLens option",
    "driverOption": "volume driver option",
    "volumeLabel": "volume label",
    "systemControl": "system control",
    "proxyProperty": "proxy property",
    "placementConstraint": "placement constraint",
    "resourceRequirement": "resource requirement",
    "tmpfs": "tmpfs mount option",
    "credentialSpecs": "credential spec",
    "dockerSecurityOptions": "Docker security option",
    "fsxCredentials": "FSx credentials reference",
    "fsxDomain": "FSx domain",
    "hookDetails": "detail of a lifecycle hook",
    "testTrafficHeader": "test traffic header",
    "sessionCommand": "command of the session",
    "secrets": "secret",
    "secretOptions": "secret option",
    "environmentFiles": "environment file",
    "repositoryCredentials": "registry credentials",
    "application": "environment variable",
    "unknown": "unknown field",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """One finding in words. `remediation` says how to get to allow."""

    rule: str
    message: str
    remediation: str
    field: str
    severity: str
    container: str | None
    name: str | None
    link: str
    controls: tuple[str, ...]
    fix: Fix | None = None


def explain(finding: Finding, catalogue: Mapping[str, Rule], fix: Fix | None = None) -> Cause:
    """The cause of a finding. Only METADATA's text and names that may be shown go into it."""
    rule = catalogue[finding.rule]
    variant = rule.variant(finding.variant)
    message = variant.message or rule.message
    remediation = variant.remediation or rule.remediation
    return Cause(
        rule=rule.id,
        message=_fill(message, finding.place),
        remediation=_fill(remediation, finding.place),
        field=finding.pointer,
        severity=rule.severity,
        container=finding.place.container,
        name=finding.place.name,
        link=rule.link,
        controls=rule.controls,
        fix=fix,
    )


def _fill(template: str, place: Place) -> str:
    kind = _FIELD_WORDS.get(place.field, place.field)
    of_container = f" of container {place.container}" if place.container else ""
    return " ".join(
        template.replace("{place}", f"{kind} {place.name}{of_container}" if place.name else f"{kind}{of_container}")
        .replace("{field}", kind)
        .replace("{container}", place.container or "(none)")
        .replace("{name}", place.name or f"this {kind}")
        .split()
    )
