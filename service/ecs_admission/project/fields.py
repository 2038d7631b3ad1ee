"""Where strings stand in a request, and what becomes of each: one table, one row per location.

A row makes what stands there a literal, which is replaced and scanned; an identifier, which is shown where it fits the
grammar given, does not look random and no detector knows it, and is a literal otherwise; or a reference, which is
parsed. A location in no row is a literal too. A test holds the table to the API's own model, so that a member which an
update of the SDK brings has to be given a row.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from ecs_admission.adapt.shapes import Shape
from ecs_admission.project.references import (
    ParsedReference,
    parse_configuration_file,
    parse_credential_spec,
    parse_credentials_arn,
    parse_credentials_parameter,
    parse_environment_file,
    parse_security_option,
    parse_value_from,
)

NAME = re.compile(r"[A-Za-z0-9._/-]{1,128}")
ARN = re.compile(
    r"[A-Za-z0-9_-]{1,128}|arn:aws[a-z-]{0,20}:[a-z0-9-]{1,30}:[a-z0-9-]{0,30}:[0-9]{0,12}:[A-Za-z0-9_./:+=,@-]{1,256}"
)
REVISION = re.compile(rf"[A-Za-z0-9_-]{{1,255}}:[0-9]{{1,10}}|{ARN.pattern}")
IMAGE = re.compile(
    r"[A-Za-z0-9._/-]{1,255}(?::[0-9]{1,5}/[A-Za-z0-9._/-]{1,255})?(?::[A-Za-z0-9._-]{1,128})?(?:@sha256:[0-9a-f]{64})?"
)
SIZE = re.compile(r"[0-9.]{1,10} ?(?:[vV][cC][pP][uU]|[gGmM][bB])?")
ID = re.compile(r"(?:fs|fsap|sg|snap|subnet)-(?:[0-9a-f]{8}|[0-9a-f]{17})")

_WITH_HASHES = frozenset({IMAGE, ID})
"""Grammars of texts that hold a commit, a digest or an id of AWS's own making, which look random and are not."""

Parser = Callable[[str], ParsedReference | None]
"""Reads a reference; None for a text that is meant as something else there, and so is a literal."""


class Treatment(Enum):
    """What becomes of what stands at a location."""

    LITERAL = "a string that is replaced and scanned"
    IDENTIFIER = "a string that is shown where it fits a grammar"
    REFERENCE = "a string that is parsed"
    ENVIRONMENT = "a list of names and values, of which only the names are kept"
    CONTAINER = "an object that findings in it are reported for"


@dataclass(frozen=True, slots=True)
class Row:
    """A location and what becomes of what stands there.

    `at` is written in members of the API's input, with `[]` for each item of a list, `{}` for each value of a map and
    `{x}` for that of key `x`. `<container>` stands for each of `CONTAINERS`, and `...` for whatever comes before: such
    a row holds wherever a location ends so, unless a longer row does. `field` is the word that a finding is reported
    with, the member's own name by default. `named_by` is the member beside it that says what the value is called,
    `../name` the one beside the object around it. `is_argument` marks lists in which one item may name the next, as
    `--token`, `x` do. `reason` says why an identifier may be shown. What is `out_of_place` is no member of the API.
    """

    at: str
    treatment: Treatment
    field: str | None = None
    grammar: re.Pattern[str] | None = None
    parse: Parser | None = None
    named_by: str | None = None
    is_argument: bool = False
    reason: str | None = None
    out_of_place: bool = False


CONTAINERS = ("containerDefinitions[]", "overrides.containerOverrides[]", "primaryContainer")

ENUMERATION = "one of the words that AWS allows there"
_SUBJECT = "what the request is about, which auditors ask for"
_LABEL = "the name that rules and people know a part of the request by"
_WHERE = "where something is mounted or kept, which rules judge"
_AWS_RESOURCE = "the address of a resource, which is no credential"


def _literal(
    at: str, field: str | None = None, *, named_by: str | None = None, is_argument: bool = False
) -> Row:  # fmt: skip
    return Row(at, Treatment.LITERAL, field, named_by=named_by, is_argument=is_argument)


def _identifier(at: str, grammar: re.Pattern[str], reason: str) -> Row:
    return Row(at, Treatment.IDENTIFIER, grammar=grammar, reason=reason)


def _word(at: str) -> Row:
    return Row(at, Treatment.IDENTIFIER, grammar=NAME, reason=ENUMERATION)


def _reference(
    at: str, field: str, parse: Parser, *, named_by: str | None = None, out_of_place: bool = False
) -> Row:  # fmt: skip
    return Row(at, Treatment.REFERENCE, field, parse=parse, named_by=named_by, out_of_place=out_of_place)


_ANYWHERE_ROWS = (
    _identifier("...tags[].key", NAME, _LABEL),
    _literal("...tags[].value", "tag", named_by="key"),
    Row("...environment", Treatment.ENVIRONMENT),
    _identifier("...environment[].name", NAME, _LABEL),
    _literal("...environment[].value", "environment", named_by="name"),
    # An entry of environment has no valueFrom; what stands there all the same is reported as a reference out of place.
    _reference("...environment[].valueFrom", "environment", parse_value_from, named_by="name", out_of_place=True),
    _reference("...environmentFiles[].value", "environmentFiles", parse_environment_file),
    _word("...environmentFiles[].type"),
    _identifier("...secrets[].name", NAME, _LABEL),
    _reference("...secrets[].valueFrom", "secrets", parse_value_from, named_by="name"),
    _reference(
        "...repositoryCredentials.credentialsParameter", "repositoryCredentials", parse_credentials_parameter
    ),
    _word("...logConfiguration.logDriver"),
    _literal("...logConfiguration.options{}", "logOption"),
    _identifier("...logConfiguration.secretOptions[].name", NAME, _LABEL),
    _reference("...logConfiguration.secretOptions[].valueFrom", "secretOptions", parse_value_from, named_by="name"),
    _word("...resourceRequirements[].type"),
    _literal("...resourceRequirements[].value", "resourceRequirement", named_by="type"),
    _word("...placementConstraints[].type"),
    _literal("...placementConstraints[].expression", "placementConstraint"),
    _word("...placementStrategy[].type"),
    _identifier("...placementStrategy[].field", NAME, _LABEL),
    _identifier("...capacityProviderStrategy[].capacityProvider", NAME, _AWS_RESOURCE),
    _identifier("...subnets[]", ID, _AWS_RESOURCE),
    _identifier("...securityGroups[]", ID, _AWS_RESOURCE),
    _word("...awsvpcConfiguration.assignPublicIp"),
)  # fmt: skip

_CONTAINER_ROWS = (
    Row("<container>", Treatment.CONTAINER),
    _identifier("<container>.name", NAME, _LABEL),
    _identifier("<container>.image", IMAGE, _SUBJECT),
    _literal("<container>.command[]", is_argument=True),
    _literal("<container>.entryPoint[]", is_argument=True),
    _literal("<container>.healthCheck.command[]", "healthCheck", is_argument=True),
    _literal("<container>.links[]"),
    _word("<container>.portMappings[].protocol"),
    _word("<container>.portMappings[].appProtocol"),
    _identifier("<container>.portMappings[].name", NAME, _LABEL),
    _identifier("<container>.portMappings[].containerPortRange", NAME, _WHERE),
    _identifier("<container>.mountPoints[].sourceVolume", NAME, _LABEL),
    _identifier("<container>.mountPoints[].containerPath", NAME, _WHERE),
    _identifier("<container>.volumesFrom[].sourceContainer", NAME, _LABEL),
    _identifier("<container>.dependsOn[].containerName", NAME, _LABEL),
    _word("<container>.dependsOn[].condition"),
    _word("<container>.versionConsistency"),
    _word("<container>.ulimits[].name"),
    _literal("<container>.linuxParameters.capabilities.add[]"),
    _literal("<container>.linuxParameters.capabilities.drop[]"),
    _literal("<container>.linuxParameters.devices[].hostPath"),
    _literal("<container>.linuxParameters.devices[].containerPath"),
    _word("<container>.linuxParameters.devices[].permissions[]"),
    _literal("<container>.linuxParameters.tmpfs[].containerPath"),
    _literal("<container>.linuxParameters.tmpfs[].mountOptions[]", "tmpfs"),
    _literal("<container>.hostname"),
    _literal("<container>.user"),
    _literal("<container>.workingDirectory"),
    _literal("<container>.dnsServers[]"),
    _literal("<container>.dnsSearchDomains[]"),
    _literal("<container>.extraHosts[].hostname"),
    _literal("<container>.extraHosts[].ipAddress"),
    _literal("<container>.dockerLabels{}", "dockerLabel"),
    _reference("<container>.dockerSecurityOptions[]", "dockerSecurityOptions", parse_security_option),
    _reference("<container>.credentialSpecs[]", "credentialSpecs", parse_credential_spec),
    _identifier("<container>.systemControls[].namespace", NAME, _LABEL),
    _literal("<container>.systemControls[].value", "systemControl", named_by="namespace"),
    _word("<container>.firelensConfiguration.type"),
    _literal("<container>.firelensConfiguration.options{}", "firelensOption"),
    # A file on the container's own disk is none: it is a literal like any other option.
    _reference(
        "<container>.firelensConfiguration.options{config-file-value}", "firelensOption", parse_configuration_file
    ),
    _identifier("<container>.awsLogsConfiguration.logGroup", NAME, _AWS_RESOURCE),
    _identifier("<container>.awsLogsConfiguration.logStreamPrefix", NAME, _LABEL),
)  # fmt: skip

_TASK_ROWS = (
    _identifier("family", NAME, _SUBJECT),
    _identifier("taskRoleArn", ARN, _AWS_RESOURCE),
    _identifier("executionRoleArn", ARN, _AWS_RESOURCE),
    _identifier("cpu", SIZE, _SUBJECT),
    _identifier("memory", SIZE, _SUBJECT),
    _word("networkMode"),
    _word("pidMode"),
    _word("ipcMode"),
    _word("requiresCompatibilities[]"),
    _word("runtimePlatform.cpuArchitecture"),
    _word("runtimePlatform.operatingSystemFamily"),
    _word("proxyConfiguration.type"),
    _identifier("proxyConfiguration.containerName", NAME, _LABEL),
    _identifier("proxyConfiguration.properties[].name", NAME, _LABEL),
    _literal("proxyConfiguration.properties[].value", "proxyProperty", named_by="name"),
    _literal("inferenceAccelerators[].deviceName"),
    _literal("inferenceAccelerators[].deviceType"),
    _word("trustedExecutionConfiguration.isolationMode"),
    _literal("trustedExecutionConfiguration.attestationPolicy"),
    _identifier("volumes[].name", NAME, _LABEL),
    _identifier("volumes[].host.sourcePath", NAME, _WHERE),
    _word("volumes[].logDriverVolumeConfiguration.driver"),
    _word("volumes[].dockerVolumeConfiguration.scope"),
    _identifier("volumes[].dockerVolumeConfiguration.driver", NAME, _LABEL),
    _literal("volumes[].dockerVolumeConfiguration.driverOpts{}", "driverOption"),
    _literal("volumes[].dockerVolumeConfiguration.labels{}", "volumeLabel"),
    _identifier("volumes[].efsVolumeConfiguration.fileSystemId", ID, _AWS_RESOURCE),
    _identifier("volumes[].efsVolumeConfiguration.rootDirectory", NAME, _WHERE),
    _word("volumes[].efsVolumeConfiguration.transitEncryption"),
    _identifier("volumes[].efsVolumeConfiguration.authorizationConfig.accessPointId", ID, _AWS_RESOURCE),
    _word("volumes[].efsVolumeConfiguration.authorizationConfig.iam"),
    _identifier("volumes[].s3filesVolumeConfiguration.fileSystemArn", ARN, _AWS_RESOURCE),
    _identifier("volumes[].s3filesVolumeConfiguration.accessPointArn", ARN, _AWS_RESOURCE),
    _identifier("volumes[].s3filesVolumeConfiguration.rootDirectory", NAME, _WHERE),
    _identifier("volumes[].fsxWindowsFileServerVolumeConfiguration.fileSystemId", ID, _AWS_RESOURCE),
    _literal("volumes[].fsxWindowsFileServerVolumeConfiguration.rootDirectory"),
    _reference(
        "volumes[].fsxWindowsFileServerVolumeConfiguration.authorizationConfig.credentialsParameter",
        "fsxCredentials",
        parse_credentials_arn,
    ),
    _literal("volumes[].fsxWindowsFileServerVolumeConfiguration.authorizationConfig.domain", "fsxDomain"),
)

_LAUNCH_ROWS = (
    _identifier("cluster", ARN, _SUBJECT),
    _identifier("taskDefinition", REVISION, _SUBJECT),
    _word("launchType"),
    _identifier("platformVersion", NAME, _SUBJECT),
    _word("...propagateTags"),
    _literal("group"),
    _literal("referenceId"),
    _literal("startedBy"),
    _literal("clientToken"),
    _literal("containerInstances[]"),
    _identifier("overrides.taskRoleArn", ARN, _AWS_RESOURCE),
    _identifier("overrides.executionRoleArn", ARN, _AWS_RESOURCE),
    _identifier("overrides.cpu", SIZE, _SUBJECT),
    _identifier("overrides.memory", SIZE, _SUBJECT),
    _literal("overrides.inferenceAcceleratorOverrides[].deviceName"),
    _literal("overrides.inferenceAcceleratorOverrides[].deviceType"),
    _identifier("volumeConfigurations[].name", NAME, _LABEL),
    _identifier("volumeConfigurations[].managedEBSVolume.kmsKeyId", ARN, _AWS_RESOURCE),
    _identifier("volumeConfigurations[].managedEBSVolume.roleArn", ARN, _AWS_RESOURCE),
    _identifier("volumeConfigurations[].managedEBSVolume.snapshotId", ID, _AWS_RESOURCE),
    _identifier("volumeConfigurations[].managedEBSVolume.volumeType", NAME, _LABEL),
    _word("volumeConfigurations[].managedEBSVolume.filesystemType"),
    _word("volumeConfigurations[].managedEBSVolume.tagSpecifications[].resourceType"),
)

_SERVICE_ROWS = (
    _identifier("serviceName", NAME, _SUBJECT),
    _identifier("service", ARN, _SUBJECT),
    _identifier("role", ARN, _AWS_RESOURCE),
    _word("availabilityZoneRebalancing"),
    _word("schedulingStrategy"),
    _word("deploymentController.type"),
    _identifier("loadBalancers[].loadBalancerName", NAME, _AWS_RESOURCE),
    _identifier("loadBalancers[].containerName", NAME, _LABEL),
    _identifier("...targetGroupArn", ARN, _AWS_RESOURCE),
    _identifier("...advancedConfiguration.alternateTargetGroupArn", ARN, _AWS_RESOURCE),
    _identifier("...advancedConfiguration.productionListenerRule", ARN, _AWS_RESOURCE),
    _identifier("...advancedConfiguration.testListenerRule", ARN, _AWS_RESOURCE),
    _identifier("...advancedConfiguration.roleArn", ARN, _AWS_RESOURCE),
    _identifier("serviceRegistries[].registryArn", ARN, _AWS_RESOURCE),
    _identifier("serviceRegistries[].containerName", NAME, _LABEL),
    _word("deploymentConfiguration.strategy"),
    _word("deploymentConfiguration.deploymentCircuitBreaker.thresholdConfiguration.type"),
    _word("deploymentConfiguration.earlySuccessCriteria.sourceServiceRevisionCleanup"),
    _literal("deploymentConfiguration.alarms.alarmNames[]"),
    _word("deploymentConfiguration.lifecycleHooks[].targetType"),
    _identifier("deploymentConfiguration.lifecycleHooks[].hookTargetArn", ARN, _AWS_RESOURCE),
    _identifier("deploymentConfiguration.lifecycleHooks[].roleArn", ARN, _AWS_RESOURCE),
    _word("deploymentConfiguration.lifecycleHooks[].lifecycleStages[]"),
    # Free JSON, sent to the hook: all strings in it are literals, its keys as well.
    _literal("deploymentConfiguration.lifecycleHooks[].hookDetails"),
    _word("deploymentConfiguration.lifecycleHooks[].timeoutConfiguration.action"),
    # The proxy that ECS adds to each task is a container, and this is all there is of its definition.
    Row("serviceConnectConfiguration", Treatment.CONTAINER),
    _identifier("serviceConnectConfiguration.namespace", ARN, _AWS_RESOURCE),
    _identifier("serviceConnectConfiguration.services[].portName", NAME, _LABEL),
    _identifier("serviceConnectConfiguration.services[].discoveryName", NAME, _LABEL),
    _identifier("serviceConnectConfiguration.services[].clientAliases[].dnsName", NAME, _LABEL),
    _identifier("serviceConnectConfiguration.services[].clientAliases[].testTrafficRules.header.name", NAME, _LABEL),
    _literal(
        "serviceConnectConfiguration.services[].clientAliases[].testTrafficRules.header.value.exact",
        "testTrafficHeader",
        named_by="../name",
    ),
    _identifier(
        "serviceConnectConfiguration.services[].tls.issuerCertificateAuthority.awsPcaAuthorityArn", ARN, _AWS_RESOURCE
    ),
    _identifier("serviceConnectConfiguration.services[].tls.kmsKey", ARN, _AWS_RESOURCE),
    _identifier("serviceConnectConfiguration.services[].tls.roleArn", ARN, _AWS_RESOURCE),
    _word("serviceConnectConfiguration.accessLogConfiguration.format"),
    _word("serviceConnectConfiguration.accessLogConfiguration.includeQueryParameters"),
    _word("serviceConnectConfiguration.containerConfigurations[].logLevel"),
    _identifier("vpcLatticeConfigurations[].roleArn", ARN, _AWS_RESOURCE),
    _identifier("vpcLatticeConfigurations[].portName", NAME, _LABEL),
    _identifier("gatewayConnectors[].portName", NAME, _LABEL),
    _word("gatewayConnectors[].healthCheck.healthCheckProtocol"),
    _literal("gatewayConnectors[].healthCheck.healthCheckPath"),
    _literal("gatewayConnectors[].healthCheck.matcher.httpCode"),
    _literal("gatewayConnectors[].healthCheck.matcher.grpcCode"),
    _word("gatewayConnectors[].filters.accessTypes[]"),
    _identifier("monitoring.metricConfigurations[].metricNames[]", NAME, _LABEL),
)

_EXPRESS_ROWS = (
    _identifier("serviceArn", ARN, _SUBJECT),
    _identifier("taskDefinitionArn", REVISION, _SUBJECT),
    _identifier("infrastructureRoleArn", ARN, _AWS_RESOURCE),
    _literal("healthCheckPath"),
    _word("cpuArchitecture"),
    _word("scalingTarget.autoScalingMetric"),
)

_OTHER_ROWS = (
    # What a session runs is kept by CloudTrail, and by the session's own log.
    _literal("command", "sessionCommand"),
    _identifier("container", NAME, _LABEL),
    _literal("task"),
    _identifier("resourceArn", ARN, _SUBJECT),
)

ROWS = (*_ANYWHERE_ROWS, *_CONTAINER_ROWS, *_TASK_ROWS, *_LAUNCH_ROWS, *_SERVICE_ROWS, *_EXPRESS_ROWS, *_OTHER_ROWS)
"""The table. No operation has another meaning for a location than the others, so there is one for all of them."""


def expand(row: Row) -> Iterator[str]:
    """The locations that a row is written for, or the one ending that all of its locations have."""
    if row.at.startswith("<container>"):
        yield from (container + row.at.removeprefix("<container>") for container in CONTAINERS)
    else:
        yield row.at.removeprefix("...")


_EXACT = {at: row for row in ROWS if not row.at.startswith("...") for at in expand(row)}
_ENDINGS = {at: row for row in ROWS if row.at.startswith("...") for at in expand(row)}
# What a structure or a map may hold by a name that the API's model does not give it.
_EXTRA_MEMBERS = frozenset(row.at.rpartition(".")[2] for row in ROWS if row.out_of_place)
_EXTRA_KEYS = frozenset(key for row in ROWS for key in re.findall(r"\{([^}]+)\}$", row.at))


def find_row(location: str) -> Row | None:
    """The row of a location: its own, or else the one with the longest ending of it."""
    row = _EXACT.get(location)
    start = 0
    while row is None and start >= 0:
        row = _ENDINGS.get(location[start:])
        start = location.find(".", start) + 1 or -1
    return row


@dataclass(frozen=True, slots=True)
class Node:
    """A location of the request with what the table says of it, compiled once per operation.

    `members` are a structure's, and those keys of a map that have a row of their own.
    """

    location: str
    field: str
    kind: str
    identifier: re.Pattern[str] | None = None
    with_hashes: bool = False
    reference: Parser | None = None
    named_by: str | None = None
    arguments: bool = False
    is_container: bool = False
    is_environment: bool = False
    members: Mapping[str, Node] = dataclasses.field(default_factory=dict)
    item: Node | None = None


def compile_node(shape: Shape, location: str = "", member: str = "request") -> Node:
    """The tree of nodes of an operation's input."""
    row = find_row(location) or Row(location, Treatment.LITERAL)
    members = {
        name: compile_node(inner, f"{location}.{name}" if location else name, name)
        for name, inner in shape.members.items()
    }
    item, arguments = None, False
    if shape.kind == "structure":
        extra = {name: find_row(f"{location}.{name}") for name in _EXTRA_MEMBERS - members.keys()}
        members |= {name: _node(found, f"{location}.{name}", name) for name, found in extra.items() if found}
    elif shape.item is not None:
        inside = f"{location}{{}}" if shape.kind == "map" else f"{location}[]"
        item = compile_node(shape.item, inside, member)
        found = find_row(inside)
        arguments = found is not None and found.is_argument
        if shape.kind == "map":
            extra = {key: find_row(f"{location}{{{key}}}") for key in _EXTRA_KEYS}
            members = {key: _node(found, f"{location}{{{key}}}", member) for key, found in extra.items() if found}
    return dataclasses.replace(
        _node(row, location, member),
        kind=shape.kind,
        named_by=_name_beside(location, shape),
        arguments=arguments,
        members=members,
        item=item,
    )


def _node(row: Row, location: str, member: str) -> Node:
    return Node(
        location=location,
        field=row.field or member,
        kind="string",
        identifier=row.grammar,
        with_hashes=row.grammar in _WITH_HASHES,
        reference=row.parse,
        is_container=row.treatment is Treatment.CONTAINER,
        is_environment=row.treatment is Treatment.ENVIRONMENT,
    )


def _name_beside(location: str, shape: Shape) -> str | None:
    """The member of an object that names what else is in it, or in the objects that it holds."""
    for name, inner in shape.members.items():
        at = f"{location}.{name}" if location else name
        row = find_row(at)
        if row is not None and row.named_by is not None and "/" not in row.named_by:
            return row.named_by
        for deeper in inner.members:
            row = find_row(f"{at}.{deeper}")
            if row is not None and row.named_by is not None and row.named_by.startswith("../"):
                return row.named_by.removeprefix("../")
    return None
