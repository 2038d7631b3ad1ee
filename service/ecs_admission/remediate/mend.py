"""How each finding is mended: edits to the request, what to permit, what to run, and what is left to a person.

Pure. Whatever goes into a fix is ours, the catalogue's, or a name that may be shown: a fix never repeats a submitted
value, and where that would be needed there is no fix but the catalogue's words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ecs_admission.catalogue import Rule
from ecs_admission.model import Finding, Fix, JSONObject
from ecs_admission.remediate import proposals
from ecs_admission.remediate.edits import Append, Edit, Put, Remove, Resolve, at, patch
from ecs_admission.remediate.proposals import Parameter, Setting

PLACEHOLDER = "<the same text without its secret>"
"""What replaces a text that holds a secret. It is the person's to write the rest of it again."""

_HIDDEN = re.compile(r"/<[0-9]{1,6}>(/|$)")
_ITEM = re.compile(r"^(.*/[0-9]{1,6})(?:/[^/]*)?$")
_CONTAINER = re.compile(
    r"^(/containerDefinitions/[0-9]+|/overrides/containerOverrides/[0-9]+|/primaryContainer)(?:/|$)"
)
_VOLUME = re.compile(r"^(/volumes/[0-9]+)(?:/|$)")
_LOG_CONFIGURATION = re.compile(r"^(.*/logConfiguration)(?:/|$)")
_TASK_ROLE, _EXECUTION_ROLE = "/taskRoleArn", "/executionRoleArn"
_FILL_IN_ROLE = "make the role, or name the one there is, and let it trust ecs-tasks.amazonaws.com"
_INJECTOR = re.compile(r"/aws-secrets-manager-secret-sidecar(?:[:@]|$)")
"""The injector image of AWS's page, which exits when it has written its secret."""

_SPLUNK_TOKEN = "splunk-token"  # noqa: S105 - the name of an option


@dataclass(frozen=True, slots=True)
class Case:
    """What a fix is made from: the canonical object as it was sent, where it deploys to and what it refers to."""

    value: JSONObject
    setting: Setting
    references: Sequence[JSONObject]
    defines: bool
    """The request makes a task definition, so that roles belong into it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about one finding, before it is a patch."""

    edits: tuple[Edit, ...]
    statements: tuple[JSONObject, ...] = ()
    commands: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def mend(
    findings: Iterable[Finding], case: Case, catalogue: Mapping[str, Rule], resolve: Resolve
) -> tuple[tuple[Fix | None, ...], tuple[JSONObject, ...]]:
    """A fix for each finding, None where only a person can mend it, and one patch that makes all of them."""
    plans = [_plan(finding, case, catalogue[finding.rule].fix_of(finding.variant)) for finding in findings]
    fixes = tuple(None if plan is None else _fix(plan, case, resolve) for plan in plans)
    everything = [edit for plan in plans if plan is not None for edit in plan.edits]
    return fixes, patch(everything, case.value, resolve)


def _plan(finding: Finding, case: Case, fix: str) -> Plan | None:
    mender = _MENDERS.get(fix)
    plan = mender(finding, case) if mender is not None else None
    is_hidden = plan is not None and any(_HIDDEN.search(edit.pointer) for edit in plan.edits)
    return None if is_hidden else plan


def _fix(plan: Plan, case: Case, resolve: Resolve) -> Fix:
    return Fix(patch(plan.edits, case.value, resolve), plan.statements, plan.commands, plan.left)


def _move_to_secrets(finding: Finding, case: Case) -> Plan | None:
    container, item = _match(_CONTAINER, finding.at), _match(_ITEM, finding.at)
    made = _proposal(finding, case)
    if container is None or item is None or made is None:
        return None
    name = str(finding.place.name)
    secrets = at(case.value, f"{container}/secrets") or []
    if any(secret.get("name") == name for secret in secrets):
        return Plan((Remove(item),), left=(f"{name} stands under secrets already: see that it is the right one",))
    edits = (Append(f"{container}/secrets", {"name": name, "valueFrom": made.value_from}), Remove(item))
    return _stored(edits, made, case)


def _move_to_secret_options(finding: Finding, case: Case) -> Plan | None:
    configuration, made = _match(_LOG_CONFIGURATION, finding.at), _proposal(finding, case)
    if configuration is None or made is None:
        return None
    option = {"name": finding.place.name, "valueFrom": made.value_from}
    return _stored((Append(f"{configuration}/secretOptions", option), Remove(finding.at)), made, case)


def _add_splunk_token(finding: Finding, case: Case) -> Plan | None:
    configuration = _match(_LOG_CONFIGURATION, finding.at)
    made = proposals.parameter(case.setting, _SPLUNK_TOKEN)
    if configuration is None or made is None:
        return None
    option = {"name": _SPLUNK_TOKEN, "valueFrom": made.value_from}
    return _stored((Append(f"{configuration}/secretOptions", option),), made, case)


def _move_reference_to_secrets(finding: Finding, case: Case) -> Plan | None:
    container, item, name = _match(_CONTAINER, finding.at), _match(_ITEM, finding.at), finding.place.name
    if container is None or item is None or not _is_shown(name) or not _is_reference(finding.at, case):
        return None
    # The ARN is the caller's, so the patch says where it stands and not what it is.
    secret = Append(f"{container}/secrets", {"name": name, "valueFrom": ""}, (("valueFrom", finding.at),))
    return Plan((secret, Remove(item), *_execution_role(case)), left=_role_left(case))


def _remove(finding: Finding, _: Case) -> Plan:
    return Plan((Remove(finding.at),))


def _remove_item(finding: Finding, _: Case) -> Plan | None:
    item = _match(_ITEM, finding.at)
    return None if item is None else Plan((Remove(item),))


def _remove_from_environment(finding: Finding, case: Case) -> Plan | None:
    """Take away the environment variables that have the name which stands at the finding's place."""
    container, name = _match(_CONTAINER, finding.at), at(case.value, finding.at)
    variables = at(case.value, f"{container}/environment") or []
    found = [index for index, variable in enumerate(variables) if variable.get("name") == name]
    return Plan(tuple(Remove(f"{container}/environment/{index}") for index in found)) if found else None


def _replace_by_placeholder(finding: Finding, case: Case) -> Plan:
    made = _proposal(finding, case) if finding.place.field in ("secrets", "secretOptions") else None
    if made is not None:
        # The secret itself stands where its reference belongs.
        return _stored((Put(finding.at, made.value_from),), made, case)
    left = f"write the text at {finding.pointer} again, without its secret"
    return Plan((Put(finding.at, PLACEHOLDER),), left=(left,))


def _use_task_role(finding: Finding, case: Case) -> Plan | None:
    """Static keys go, and the task gets a role in their place."""
    item = _match(_ITEM, finding.at) if finding.place.field == "environment" else None
    gone: Edit = Put(finding.at, PLACEHOLDER) if item is None else Remove(item)
    role = _task_role(case)
    left = ("deactivate and delete the access key", *((_FILL_IN_ROLE,) if role else ()))
    return Plan((gone, *role), left=left)


def _add_execution_role(_: Finding, case: Case) -> Plan:
    injected = [reference for reference in case.references if reference["field"] not in ("application", "environment")]
    statements = proposals.read_references(case.setting, injected)
    return Plan(_execution_role(case), statements, left=_role_left(case))


def _add_task_role(_: Finding, case: Case) -> Plan:
    own = [reference for reference in case.references if reference["field"] == "application"]
    return Plan(_task_role(case), proposals.read_references(case.setting, own), left=(_FILL_IN_ROLE,))


def _wait_for_sidecar(finding: Finding, case: Case) -> Plan | None:
    container, entry = _match(_CONTAINER, finding.at), at(case.value, finding.at.removesuffix("/condition"))
    if isinstance(entry, dict) and finding.at.endswith("/condition"):
        position = _position(str(entry.get("containerName")), case)
        return (
            None if position is None else Plan((Put(finding.at, _condition(position, case)), *_may_end(position, case)))
        )
    writers = [] if container is None else _writers_for(container, case)
    if len(writers) != 1:
        return None
    wanted = {"containerName": "", "condition": _condition(writers[0], case)}
    # The name is the caller's: it is copied from where it stands.
    added = Append(f"{container}/dependsOn", wanted, (("containerName", f"{writers[0]}/name"),))
    return Plan((added, *_may_end(writers[0], case)))


def _condition(writer: str, case: Case) -> str:
    """One that stays is waited for until it is healthy, one that ends until it has succeeded."""
    return "HEALTHY" if _stays(writer, case) else "SUCCESS"


def _may_end(writer: str, case: Case) -> tuple[Edit, ...]:
    """ECS takes SUCCESS for no essential container: the task would end with it."""
    container = at(case.value, writer)
    is_free = _stays(writer, case) or container.get("essential") is False
    return () if is_free else (Put(f"{writer}/essential", False),)


def _stays(writer: str, case: Case) -> bool:
    container = at(case.value, writer)
    return "healthCheck" in container and not _INJECTOR.search(str(container.get("image")))


def _set_not_essential(finding: Finding, _: Case) -> Plan | None:
    container = _match(_CONTAINER, finding.at)
    return None if container is None else Plan((Put(f"{container}/essential", False),))


def _set_read_only(finding: Finding, _: Case) -> Plan | None:
    item = _match(_ITEM, finding.at)
    return None if item is None else Plan((Put(f"{item}/readOnly", True),))


def _set_task_scope(finding: Finding, case: Case) -> Plan | None:
    volume = _match(_VOLUME, finding.at)
    if volume is None:
        return None
    configuration = f"{volume}/dockerVolumeConfiguration"
    edits: list[Edit] = [Put(f"{configuration}/scope", "task")]
    if "autoprovision" in (at(case.value, configuration) or {}):
        # Valid only for a shared volume.
        edits.append(Remove(f"{configuration}/autoprovision"))
    return Plan(tuple(edits))


def _encrypt_efs(finding: Finding, _: Case) -> Plan | None:
    volume = _match(_VOLUME, finding.at)
    return None if volume is None else Plan((Put(f"{volume}/efsVolumeConfiguration/transitEncryption", "ENABLED"),))


def _protect_efs(finding: Finding, case: Case) -> Plan | None:
    volume = _match(_VOLUME, finding.at)
    if volume is None:
        return None
    efs = f"{volume}/efsVolumeConfiguration"
    edits = (Put(f"{efs}/transitEncryption", "ENABLED"), Put(f"{efs}/authorizationConfig/iam", "ENABLED"))
    # IAM authorization takes a task role.
    return Plan((*edits, *_task_role(case)), left=("permit the task role elasticfilesystem:ClientMount",))


def _stored(edits: tuple[Edit, ...], made: Parameter, case: Case) -> Plan:
    left = (f"store the value, a new one, as {made.name}: the one that was sent has been in a pipeline in clear",)
    return Plan(
        (*edits, *_execution_role(case)),
        proposals.read_parameter(case.setting, made),
        (made.command(),),
        (*left, *_role_left(case)),
    )


def _proposal(finding: Finding, case: Case) -> Parameter | None:
    name = finding.place.name
    return proposals.parameter(case.setting, str(name)) if _is_shown(name) else None


def _execution_role(case: Case) -> tuple[Edit, ...]:
    if not case.defines or case.value.get("executionRoleArn"):
        return ()
    return (Put(_EXECUTION_ROLE, proposals.role_arn(case.setting, "execution")),)


def _task_role(case: Case) -> tuple[Edit, ...]:
    if not case.defines or case.value.get("taskRoleArn"):
        return ()
    return (Put(_TASK_ROLE, proposals.role_arn(case.setting, "task")),)


def _role_left(case: Case) -> tuple[str, ...]:
    return (_FILL_IN_ROLE,) if _execution_role(case) else ()


def _writers_for(reader: str, case: Case) -> list[str]:
    """The places of the containers that write to a volume which `reader` mounts; the injector's alone, if it is one."""
    own = at(case.value, reader) or {}
    wanted = {mount.get("sourceVolume") for mount in own.get("mountPoints") or []}
    found = [
        f"/containerDefinitions/{index}"
        for index, container in enumerate(case.value.get("containerDefinitions") or [])
        if container is not own
        and any(
            mount.get("sourceVolume") in wanted and not mount.get("readOnly")
            for mount in container.get("mountPoints") or []
        )
    ]
    injectors = [place for place in found if _INJECTOR.search(str(at(case.value, f"{place}/image")))]
    return injectors or found


def _position(name: str, case: Case) -> str | None:
    containers = case.value.get("containerDefinitions") or []
    found = (index for index, container in enumerate(containers) if container.get("name") == name)
    index = next(found, None)
    return None if index is None else f"/containerDefinitions/{index}"


def _is_reference(pointer: str, case: Case) -> bool:
    """True where a reference stands that ECS can resolve and that may be shown, so that it is no secret itself."""
    found = (reference for reference in case.references if reference["pointer"] == pointer)
    return any(r["problem"] is None and _is_shown(r["resource"]) for r in found)


def _is_shown(name: str | None) -> bool:
    return name is not None and not name.startswith("<")


def _match(pattern: re.Pattern[str], pointer: str) -> str | None:
    match = pattern.match(pointer)
    return match.group(1) if match else None


_MENDERS: Mapping[str, Callable[[Finding, Case], Plan | None]] = {
    "move-to-secrets": _move_to_secrets,
    "move-to-secret-options": _move_to_secret_options,
    "move-reference-to-secrets": _move_reference_to_secrets,
    "remove": _remove,
    "remove-item": _remove_item,
    "remove-from-environment": _remove_from_environment,
    "replace-by-placeholder": _replace_by_placeholder,
    "use-task-role": _use_task_role,
    "add-execution-role": _add_execution_role,
    "add-task-role": _add_task_role,
    "add-splunk-token": _add_splunk_token,
    "wait-for-sidecar": _wait_for_sidecar,
    "set-not-essential": _set_not_essential,
    "set-read-only": _set_read_only,
    "set-task-scope": _set_task_scope,
    "encrypt-efs": _encrypt_efs,
    "protect-efs": _protect_efs,
}
