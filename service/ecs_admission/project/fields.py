"""Where strings stand in a request, and what becomes of each: one row per location.

A string in no row is a literal: it is replaced and scanned. A row makes it an identifier, which is shown where it fits
the grammar given and no detector fires on it, or a reference, which is parsed. Locations are written in members of the
API's own input, `[]` for each item of a list and `{}` for each value of a map.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ecs_admission.adapt.shapes import Shape

NAME = re.compile(r"[A-Za-z0-9._/-]{1,128}")
ARN = re.compile(
    r"[A-Za-z0-9_-]{1,128}|arn:aws[a-z-]{0,20}:[a-z0-9-]{1,30}:[a-z0-9-]{0,30}:[0-9]{0,12}:[A-Za-z0-9_./:+=,@-]{1,256}"
)
IMAGE = re.compile(
    r"[A-Za-z0-9._/-]{1,255}(?::[0-9]{1,5}/[A-Za-z0-9._/-]{1,255})?(?::[A-Za-z0-9._-]{1,128})?(?:@sha256:[0-9a-f]{64})?"
)
SIZE = re.compile(r"[0-9.]{1,10} ?(?:[vV][cC][pP][uU]|[gGmM][bB])?")

IDENTIFIERS: Mapping[str, re.Pattern[str]] = {
    "family": NAME,
    "taskRoleArn": ARN,
    "executionRoleArn": ARN,
    "networkMode": NAME,
    "pidMode": NAME,
    "ipcMode": NAME,
    "cpu": SIZE,
    "memory": SIZE,
    "requiresCompatibilities[]": NAME,
    "runtimePlatform.cpuArchitecture": NAME,
    "runtimePlatform.operatingSystemFamily": NAME,
    "tags[].key": NAME,
    "proxyConfiguration.type": NAME,
    "proxyConfiguration.containerName": NAME,
    "proxyConfiguration.properties[].name": NAME,
    "placementConstraints[].type": NAME,
    "volumes[].name": NAME,
    "volumes[].host.sourcePath": NAME,
    "volumes[].dockerVolumeConfiguration.scope": NAME,
    "volumes[].dockerVolumeConfiguration.driver": NAME,
    "volumes[].efsVolumeConfiguration.fileSystemId": NAME,
    "volumes[].efsVolumeConfiguration.rootDirectory": NAME,
    "volumes[].efsVolumeConfiguration.transitEncryption": NAME,
    "volumes[].efsVolumeConfiguration.authorizationConfig.accessPointId": NAME,
    "volumes[].efsVolumeConfiguration.authorizationConfig.iam": NAME,
    "volumes[].fsxWindowsFileServerVolumeConfiguration.fileSystemId": NAME,
    "containerDefinitions[].name": NAME,
    "containerDefinitions[].image": IMAGE,
    "containerDefinitions[].portMappings[].protocol": NAME,
    "containerDefinitions[].portMappings[].name": NAME,
    "containerDefinitions[].portMappings[].appProtocol": NAME,
    "containerDefinitions[].portMappings[].containerPortRange": NAME,
    "containerDefinitions[].environment[].name": NAME,
    "containerDefinitions[].environmentFiles[].type": NAME,
    "containerDefinitions[].mountPoints[].sourceVolume": NAME,
    "containerDefinitions[].mountPoints[].containerPath": NAME,
    "containerDefinitions[].volumesFrom[].sourceContainer": NAME,
    "containerDefinitions[].secrets[].name": NAME,
    "containerDefinitions[].dependsOn[].containerName": NAME,
    "containerDefinitions[].dependsOn[].condition": NAME,
    "containerDefinitions[].versionConsistency": NAME,
    "containerDefinitions[].ulimits[].name": NAME,
    "containerDefinitions[].logConfiguration.logDriver": NAME,
    "containerDefinitions[].logConfiguration.secretOptions[].name": NAME,
    "containerDefinitions[].systemControls[].namespace": NAME,
    "containerDefinitions[].resourceRequirements[].type": NAME,
    "containerDefinitions[].firelensConfiguration.type": NAME,
}

REFERENCES: Mapping[str, str] = {
    "containerDefinitions[].secrets[].valueFrom": "secrets",
    "containerDefinitions[].logConfiguration.secretOptions[].valueFrom": "secretOptions",
    "containerDefinitions[].repositoryCredentials.credentialsParameter": "repositoryCredentials",
    "containerDefinitions[].environmentFiles[].value": "environmentFiles",
    # An entry of environment has no valueFrom; what stands there all the same is reported as a reference out of place.
    "containerDefinitions[].environment[].valueFrom": "environment",
}

# The field a literal is reported under, where it is not simply the member's own name.
FIELD_NAMES: Mapping[str, str] = {
    "containerDefinitions[].environment[].value": "environment",
    "containerDefinitions[].healthCheck.command[]": "healthCheck",
    "containerDefinitions[].dockerLabels{}": "dockerLabel",
    "containerDefinitions[].logConfiguration.options{}": "logOption",
    "containerDefinitions[].firelensConfiguration.options{}": "firelensOption",
    "containerDefinitions[].systemControls[].value": "systemControl",
    "containerDefinitions[].resourceRequirements[].value": "resourceRequirement",
    "containerDefinitions[].linuxParameters.tmpfs[].mountOptions[]": "tmpfs",
    "volumes[].dockerVolumeConfiguration.driverOpts{}": "driverOption",
    "volumes[].dockerVolumeConfiguration.labels{}": "volumeLabel",
    "volumes[].fsxWindowsFileServerVolumeConfiguration.authorizationConfig.credentialsParameter": "fsxCredentials",
    "volumes[].fsxWindowsFileServerVolumeConfiguration.authorizationConfig.domain": "fsxDomain",
    "placementConstraints[].expression": "placementConstraint",
    "proxyConfiguration.properties[].value": "proxyProperty",
    "tags[].value": "tag",
}

# The member beside a literal that says what the literal is called.
NAMED_BY: Mapping[str, str] = {
    "containerDefinitions[].environment[]": "name",
    "containerDefinitions[].secrets[]": "name",
    "containerDefinitions[].logConfiguration.secretOptions[]": "name",
    "containerDefinitions[].systemControls[]": "namespace",
    "containerDefinitions[].resourceRequirements[]": "type",
    "proxyConfiguration.properties[]": "name",
    "tags[]": "key",
}

ARGUMENTS = frozenset(
    {
        "containerDefinitions[].command[]",
        "containerDefinitions[].entryPoint[]",
        "containerDefinitions[].healthCheck.command[]",
    }
)
"""Lists in which one item may name the next, as `--token`, `x` do."""


@dataclass(frozen=True, slots=True)
class Node:
    """A location of the request with what the tables say of it, compiled once per operation."""

    location: str
    field: str
    kind: str
    identifier: re.Pattern[str] | None = None
    reference: str | None = None
    named_by: str | None = None
    arguments: bool = False
    members: Mapping[str, Node] = dataclasses.field(default_factory=dict)
    item: Node | None = None


def compile_node(shape: Shape, location: str = "", member: str = "request") -> Node:
    """The tree of nodes of an operation's input."""
    members = {
        name: compile_node(inner, f"{location}.{name}" if location else name, name)
        for name, inner in shape.members.items()
    }
    extra = [path for path in REFERENCES if path.startswith(f"{location}.") and "." not in path[len(location) + 1 :]]
    for path in extra:
        name = path.rpartition(".")[2]
        if shape.kind == "structure" and name not in members:
            members[name] = Node(path, REFERENCES[path], "string", reference=REFERENCES[path])
    item = None
    if shape.item is not None:
        suffix = "{}" if shape.kind == "map" else "[]"
        item = compile_node(shape.item, location + suffix, member)
    return Node(
        location=location,
        field=FIELD_NAMES.get(location, member),
        kind=shape.kind,
        identifier=IDENTIFIERS.get(location),
        reference=REFERENCES.get(location),
        named_by=NAMED_BY.get(location),
        arguments=f"{location}[]" in ARGUMENTS,
        members=members,
        item=item,
    )
