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
    container, made = _match(_CONTAINER, finding.at), _proposal(finding, case)
    if container is None or made is None:
        return None
    name = str(finding.place.name)
    gone = _variables(container, finding, case)
    if _has(f"{container}/secrets", name, case):
        return Plan(gone, left=(f"{name} stands under secrets already: see that it is the right one",))
    return _stored((Append(f"{container}/secrets", {"name": name, "valueFrom": made.value_from}), *gone), made, case)


def _move_to_secret_options(finding: Finding, case: Case) -> Plan | None:
    configuration, made = _match(_LOG_CONFIGURATION, finding.at), _proposal(finding, case)
    if configuration is None or made is None:
        return None
    name, options = str(finding.place.name), f"{configuration}/secretOptions"
    if _has(options, name, case):
        return Plan((Remove(finding.at),), left=(f"{name} stands under secretOptions already: see that it is right",))
    return _stored((Append(options, {"name": name, "valueFrom": made.value_from}), Remove(finding.at)), made, case)


def _add_splunk_token(finding: Finding, case: Case) -> Plan | None:
    configuration = _match(_LOG_CONFIGURATION, finding.at)
    made = proposals.parameter(case.setting, _SPLUNK_TOKEN, _owner(finding, case))
    if configuration is None or made is None:
        return None
    option = {"name": _SPLUNK_TOKEN, "valueFrom": made.value_from}
    return _stored((Append(f"{configuration}/secretOptions", option),), made, case)


def _move_reference_to_secrets(finding: Finding, case: Case) -> Plan | None:
    container, name = _match(_CONTAINER, finding.at), finding.place.name
    if container is None or not _is_shown(name) or not _is_reference(finding.at, case):
        return None
    gone = _variables(container, finding, case)
    if _has(f"{container}/secrets", str(name), case):
        return Plan(gone, left=(f"{name} stands under secrets already: see that it is the right one",))
    # The ARN is the caller's, so the patch says where it stands and not what it is.
    secret = Append(f"{container}/secrets", {"name": name, "valueFrom": ""}, (("valueFrom", finding.at),))
    return Plan((secret, *gone, *_execution_role(case)), left=_role_left(case))


def _variables(container: str, finding: Finding, case: Case) -> tuple[Edit, ...]:
    """Take away what stands at the finding and every other variable of its name, which ECS would not take beside it."""
    item = _match(_ITEM, finding.at)
    variables = at(case.value, f"{container}/environment") or []
    name = next((v.get("name") for i, v in enumerate(variables) if f"{container}/environment/{i}" == item), None)
    same = [i for i, variable in enumerate(variables) if name is not None and variable.get("name") == name]
    return tuple(Remove(place) for place in dict.fromkeys([str(item), *(f"{container}/environment/{i}" for i in same)]))


def _has(pointer: str, name: str, case: Case) -> bool:
    return any(item.get("name") == name for item in at(case.value, pointer) or [])


def _remove(finding: Finding, _: Case) -> Plan:
    return Plan((Remove(finding.at),))


def _remove_host_path(finding: Finding, case: Case) -> Plan | None:
    """A volume of the injector's alone: what another container keeps there may be all that it has."""
    volume = _match(_VOLUME, finding.at)
    name = at(case.value, f"{volume}/name")
    users = [place for place in _containers(case) if name in _volumes_of(place, case)]
    is_ours = volume is not None and any(_is_injector(place, case) for place in users)
    return Plan((Remove(f"{volume}/host"),)) if is_ours else None


def _remove_item(finding: Finding, _: Case) -> Plan | None:
    item = _match(_ITEM, finding.at)
    return None if item is None else Plan((Remove(item),))


def _remove_from_environment(finding: Finding, case: Case) -> Plan | None:
    """Take away the environment variables that have the name which stands at the finding's place."""
    container, name = _match(_CONTAINER, finding.at), at(case.value, finding.at)
    if not isinstance(name, str):
        return None
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
    item = _match(_ITEM, finding.at)
    if finding.place.field not in ("environment", "secrets", "secretOptions"):
        if any(reference["pointer"] == finding.at for reference in case.references):
            return None  # a placeholder would stand where only a reference may
        gone: Edit = Put(finding.at, PLACEHOLDER)
    elif item is None:
        return None
    else:
        gone = Remove(item)
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
        writer = _position(str(entry.get("containerName")), case)
        edit: Edit = Put(finding.at, _condition(writer, case)) if writer is not None else Remove(finding.at)
    else:
        writers = [] if container is None else _writers_for(container, case)
        writer = writers[0] if len(writers) == 1 else None
        # The name is the caller's: it is copied from where it stands.
        wanted = {"containerName": "", "condition": _condition(writer, case) if writer is not None else ""}
        edit = Append(f"{container}/dependsOn", wanted, (("containerName", f"{writer}/name"),))
    freed = None if writer is None else _may_end(writer, case)
    return None if freed is None else Plan((edit, *freed))


def _set_not_essential(finding: Finding, case: Case) -> Plan | None:
    container = _match(_CONTAINER, finding.at)
    freed = None if container is None else _may_end(container, case)
    return Plan(freed) if freed else None


def _condition(writer: str, case: Case) -> str:
    """One that stays is waited for until it is healthy, one that ends until it has succeeded."""
    return "HEALTHY" if _stays(writer, case) else "SUCCESS"


def _may_end(writer: str, case: Case) -> tuple[Edit, ...] | None:
    """What it takes for a writer to be waited for: ECS takes SUCCESS for no essential container.

    None where that is for a person to decide: only the injector is known to end, and some container must be essential.
    """
    if _stays(writer, case) or at(case.value, writer).get("essential") is False:
        return ()
    others = [place for place in _containers(case) if place != writer]
    some_essential = any(at(case.value, place).get("essential", True) for place in others)
    return (Put(f"{writer}/essential", False),) if _is_injector(writer, case) and some_essential else None


def _stays(writer: str, case: Case) -> bool:
    return "healthCheck" in at(case.value, writer) and not _is_injector(writer, case)


def _is_injector(place: str, case: Case) -> bool:
    return _INJECTOR.search(str(at(case.value, f"{place}/image"))) is not None


def _containers(case: Case) -> list[str]:
    return [f"/containerDefinitions/{index}" for index in range(len(case.value.get("containerDefinitions") or []))]


def _volumes_of(place: str, case: Case, *, writable: bool = False) -> set[str]:
    """The names of the volumes that a container mounts, also by way of another one's mounts."""
    container = at(case.value, place) or {}
    sources = [_position(str(item.get("sourceContainer")), case) for item in container.get("volumesFrom") or []]
    holders = [container, *(at(case.value, source) for source in sources if source is not None)]
    mounts = [mount for holder in holders for mount in holder.get("mountPoints") or []]
    return {str(mount.get("sourceVolume")) for mount in mounts if not (writable and mount.get("readOnly"))}


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
    return proposals.parameter(case.setting, str(name), _owner(finding, case)) if _is_shown(name) else None


def _owner(finding: Finding, case: Case) -> str | None:
    """The container whose value it is, where there are several: two may call different things by one name."""
    return finding.place.container if len(_containers(case)) > 1 else None


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
    """The containers that write to a volume which `reader` mounts; the injectors alone, where there are any."""
    wanted = _volumes_of(reader, case)
    found = [p for p in _containers(case) if p != reader and wanted & _volumes_of(p, case, writable=True)]
    return [place for place in found if _is_injector(place, case)] or found


def _position(name: str, case: Case) -> str | None:
    containers = case.value.get("containerDefinitions") or []
    found = (index for index, container in enumerate(containers) if container.get("name") == name)
    index = next(found, None)
    return None if index is None else f"/containerDefinitions/{index}"


def _is_reference(pointer: str, case: Case) -> bool:
    """True where a reference stands that ECS can resolve and that may be shown, so that it is no secret itself."""
    text = at(case.value, pointer)
    found = (reference for reference in case.references if reference["pointer"] == pointer)
    is_bare = isinstance(text, str) and text == text.strip()
    return is_bare and any(r["problem"] is None and _is_shown(r["resource"]) for r in found)


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
    "remove-host-path": _remove_host_path,
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
