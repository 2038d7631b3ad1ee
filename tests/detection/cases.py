"""What a case is, and the request that holds one value in one field.

A field is a name of `PLACES`, such as `environment` or `logOption:splunk`; each place builds a request that is harmless
but for the value given to it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from random import Random
from typing import Any

from tests.detection.values import Values

JSON = dict[str, Any]
Words = Sequence[str]
Value = str | Words
REGISTER = "RegisterTaskDefinition"
ACCOUNT = "111122223333"
REGION = "eu-west-1"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/orders:1.4.2"
ROLE = f"arn:aws:iam::{ACCOUNT}:role"
SECRET_ARN = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret"
_SHOWN = 90
_WORD_AT_END = re.compile(r"[A-Za-z0-9+!]+$")
_WORD_AT_START = re.compile(r"^[A-Za-z0-9+!=]+")
PARAMETER_ARN = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter"


class Hot(str):
    """The word of a command, or the item of a list, that holds the secret."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One request. `pointers` are where a secret must be reported; none where nothing may be."""

    kind: str
    field: str
    name: str
    document: JSON = dataclasses.field(repr=False)
    pointers: tuple[str, ...] = ()
    operation: str = REGISTER

    def __str__(self) -> str:
        return f"{self.kind} | {self.field} | {self.name}"


@dataclass(frozen=True, slots=True)
class Built:
    """A request and the pointers to what was put into it."""

    document: JSON
    pointers: tuple[str, ...]
    operation: str = REGISTER


Place = Callable[[str, Value], Built]
Row = tuple[str, str, str, Callable[[Values], Value]]
"""Kind, field, name, and how the value is made."""


def secret_cases(rows: Sequence[Row], seed: int) -> list[Case]:
    """The cases of a table of secrets, the same for a seed."""
    cases = []
    for number, (kind, where, name, make) in enumerate(rows):
        value, other = (make(Values(Random(f"{seed}/{number}/{draw}"))) for draw in ("a", "b"))
        built = build(where, name, value)
        shown = name or _shape(value, other)
        cases.append(Case(kind, where, shown, built.document, built.pointers, built.operation))
    return cases


def _shape(value: Value, other: Value) -> str:
    """What two draws of a value begin and end with alike, cut at the nearest mark: it says nothing of the secret."""
    first, second = (text if isinstance(text, str) else " ".join(text) for text in (value, other))
    before = _alike(first, second)
    after = _alike(first[before:][::-1], second[before:][::-1])
    head = _WORD_AT_END.sub("", first[:before])
    tail = _WORD_AT_START.sub("", first[len(first) - after :])
    return f"{head}...{tail}"[:_SHOWN].replace("\n", " ")


def _alike(first: str, second: str) -> int:
    """How many characters two texts begin with in common."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def benign_cases(rows: Sequence[tuple[str, str, str, Value]]) -> list[Case]:
    """The cases of a table of harmless values: kind, field, name, value."""
    cases = []
    for kind, where, name, value in rows:
        built = build(where, name, value)
        shown = name or (value if isinstance(value, str) else " ".join(value))
        cases.append(Case(kind, where, shown[:_SHOWN], built.document, (), built.operation))
    return cases


def build(where: str, name: str, value: Value) -> Built:
    """The request that holds `value` at `where`. Raises KeyError for an unknown field."""
    head, _, variant = where.partition(":")
    if head == "logOption":
        return _log_option(variant, name, value)
    if head in _OPERATIONS:
        return _OPERATIONS[head](name, value)
    return PLACES[head](name, value)


def neutral() -> JSON:
    """A valid task definition with nothing to report."""
    return _task({"environment": [{"name": "PORT", "value": "8080"}]})


def _task(members: Mapping[str, Any] | None = None, **task: Any) -> JSON:
    container = {"name": "app", "image": IMAGE, "essential": True, "cpu": 256, "memory": 512, **(members or {})}
    return {
        "family": "orders",
        "executionRoleArn": f"{ROLE}/orders-execution",
        "taskRoleArn": f"{ROLE}/orders-task",
        "containerDefinitions": [container],
        **task,
    }


def _text(value: Value) -> str:
    assert isinstance(value, str)
    return value


def _token(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _in_container(member: str, make: Callable[[str, Value], tuple[Any, str]]) -> Place:
    def place(name: str, value: Value) -> Built:
        inner, below = make(name, value)
        return Built(_task({member: inner}), (f"/containerDefinitions/0/{member}{below}",))

    return place


def _in_task(member: str, make: Callable[[str, Value], tuple[Any, str]]) -> Place:
    def place(name: str, value: Value) -> Built:
        inner, below = make(name, value)
        return Built(_task(**{member: inner}), (f"/{member}{below}",))

    return place


def _words(member: str) -> Place:
    """A list of words, of which those that are `Hot` are reported. A text is a list of one word."""

    def place(_: str, value: Value) -> Built:
        words = [Hot(value)] if isinstance(value, str) else list(value)
        outer, _slash, inner = member.partition("/")
        members = {outer: {inner: words}} if inner else {outer: words}
        hot = [i for i, word in enumerate(words) if isinstance(word, Hot)]
        return Built(_task(members), tuple(f"/containerDefinitions/0/{member}/{i}" for i in hot))

    return place


def _shell_check(_: str, value: Value) -> Built:
    words = ["CMD-SHELL", Hot(value)] if isinstance(value, str) else list(value)
    return _words("healthCheck/command")("", words)


def _volume(member: str) -> Place:
    def place(name: str, value: Value) -> Built:
        given = {"name": value} if member == "name" else {}
        driver: JSON = {"scope": "shared", "autoprovision": True, "driver": "local"}
        if member in ("driverOpts", "labels"):
            driver[member] = {name: value}
            below = f"dockerVolumeConfiguration/{member}/{_token(name)}"
        elif member == "driver":
            driver["driver"] = value
            below = "dockerVolumeConfiguration/driver"
        else:
            below = member
        volume = {"name": "data", "dockerVolumeConfiguration": driver, **given}
        return Built(_task(volumes=[volume]), (f"/volumes/0/{below}",))

    return place


def _efs(_: str, value: Value) -> Built:
    efs = {"fileSystemId": "fs-0a1b2c3d", "rootDirectory": value, "transitEncryption": "ENABLED"}
    volume = {"name": "data", "efsVolumeConfiguration": efs}
    return Built(_task(volumes=[volume]), ("/volumes/0/efsVolumeConfiguration/rootDirectory",))


def _fsx(name: str, value: Value) -> Built:
    authorization = {"credentialsParameter": f"{SECRET_ARN}:fsx-AbCdEf", "domain": "corp.example.com", name: value}
    fsx = {
        "fileSystemId": "fs-0123456789abcdef0",
        "rootDirectory": "share",
        "authorizationConfig": authorization,
    }
    volume = {"name": "data", "fsxWindowsFileServerVolumeConfiguration": fsx}
    pointer = f"/volumes/0/fsxWindowsFileServerVolumeConfiguration/authorizationConfig/{name}"
    return Built(_task(volumes=[volume]), (pointer,))


_LOG_BASES: Mapping[str, JSON] = {
    "awslogs": {"awslogs-group": "/ecs/orders", "awslogs-region": REGION, "awslogs-stream-prefix": "app"},
    "splunk": {"splunk-url": "https://splunk.example.com:8088"},
    "gelf": {"gelf-address": "udp://logs.example.com:12201"},
    "syslog": {"syslog-address": "tcp://logs.example.com:514"},
    "fluentd": {"fluentd-address": "logs.example.com:24224"},
    "awsfirelens": {"Name": "http", "Host": "logs.example.com", "Port": "443", "tls": "on"},
    "json-file": {"max-size": "10m"},
    "journald": {},
}
_ROUTER = {
    "name": "log_router",
    "image": "public.ecr.aws/aws-observability/aws-for-fluent-bit:2.32.0",
    "essential": True,
    "memory": 64,
    "firelensConfiguration": {"type": "fluentbit"},
}


def _log_option(driver: str, name: str, value: Value) -> Built:
    configuration: JSON = {"logDriver": driver, "options": {**_LOG_BASES[driver], name: value}}
    if driver == "splunk" and name != "splunk-token":
        configuration["secretOptions"] = [{"name": "splunk-token", "valueFrom": f"{SECRET_ARN}:splunk-AbCdEf"}]
    document = _task({"logConfiguration": configuration})
    if driver == "awsfirelens":
        document["containerDefinitions"].append(dict(_ROUTER))
    return Built(document, (f"/containerDefinitions/0/logConfiguration/options/{_token(name)}",))


def _secret_option(name: str, value: Value) -> Built:
    document = _log_option("awsfirelens", "Format", "json").document
    configuration = document["containerDefinitions"][0]["logConfiguration"]
    configuration["secretOptions"] = [{"name": name, "valueFrom": value}]
    return Built(document, ("/containerDefinitions/0/logConfiguration/secretOptions/0/valueFrom",))


def _firelens(name: str, value: Value) -> Built:
    document = _log_option("awsfirelens", "Format", "json").document
    router = document["containerDefinitions"][1]
    router["firelensConfiguration"] = {"type": "fluentbit", "options": {name: value}}
    return Built(document, (f"/containerDefinitions/1/firelensConfiguration/options/{_token(name)}",))


def _environment_name(name: str, value: Value) -> Built:
    document = _task({"environment": [{"name": value, "value": name}]})
    return Built(document, tuple(f"/containerDefinitions/0/environment/0/{member}" for member in ("name", "value")))


def _system_control(name: str, value: Value) -> Built:
    controls = [{"namespace": name, "value": value}]
    return Built(_task({"systemControls": controls}), ("/containerDefinitions/0/systemControls/0/value",))


def _proxy(name: str, value: Value) -> Built:
    properties = [{"name": "ProxyIngressPort", "value": "15000"}, {"name": name, "value": value}]
    proxy = {"type": "APPMESH", "containerName": "app", "properties": properties}
    return Built(_task(proxyConfiguration=proxy), ("/proxyConfiguration/properties/1/value",))


def _unknown(name: str, value: Value) -> Built:
    return Built(_task({name: value}), (f"/containerDefinitions/0/{_token(name)}",))


def _unknown_nested(name: str, value: Value) -> Built:
    return Built(_task(extensions={"x": [{name: value}]}), (f"/extensions/x/0/{_token(name)}",))


def _run_task(name: str, value: Value) -> Built:
    override = {"name": "app", "environment": [{"name": name, "value": value}]}
    document = {"taskDefinition": "orders:7", "cluster": "main", "overrides": {"containerOverrides": [override]}}
    return Built(document, ("/overrides/containerOverrides/0/environment/0/value",), "RunTask")


def _run_task_command(_: str, value: Value) -> Built:
    words = [Hot(value)] if isinstance(value, str) else list(value)
    override = {"name": "app", "command": words}
    document = {"taskDefinition": "orders:7", "cluster": "main", "overrides": {"containerOverrides": [override]}}
    hot = [i for i, word in enumerate(words) if isinstance(word, Hot)]
    return Built(document, tuple(f"/overrides/containerOverrides/0/command/{i}" for i in hot), "RunTask")


def _execute_command(_: str, value: Value) -> Built:
    document = {"cluster": "main", "task": "0123456789abcdef0123456789abcdef", "interactive": True, "command": value}
    return Built(document, ("/command",), "ExecuteCommand")


def _tag_resource(name: str, value: Value) -> Built:
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/main/orders"
    return Built({"resourceArn": arn, "tags": [{"key": name, "value": value}]}, ("/tags/0/value",), "TagResource")


def _hook_details(name: str, value: Value) -> Built:
    hook = {
        "hookTargetArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:check",
        "roleArn": f"{ROLE}/hook",
        "lifecycleStages": ["POST_SCALE_UP"],
        "hookDetails": {name: value},
    }
    document = {
        "serviceName": "orders",
        "cluster": "main",
        "taskDefinition": "orders:7",
        "deploymentConfiguration": {"lifecycleHooks": [hook]},
    }
    pointer = f"/deploymentConfiguration/lifecycleHooks/0/hookDetails/{_token(name)}"
    return Built(document, (pointer,), "CreateService")


_OPERATIONS: Mapping[str, Place] = {
    "runTask.environment": _run_task,
    "runTask.command": _run_task_command,
    "executeCommand.command": _execute_command,
    "tagResource.tag": _tag_resource,
    "createService.hookDetails": _hook_details,
}


PLACES: Mapping[str, Place] = {
    "environment": _in_container("environment", lambda n, v: ([{"name": n, "value": v}], "/0/value")),
    "environmentName": _environment_name,
    "command": _words("command"),
    "entryPoint": _words("entryPoint"),
    "healthCheck": _shell_check,
    "dockerLabel": _in_container("dockerLabels", lambda n, v: ({n: v}, "/" + _token(n))),
    "dockerLabelKey": _in_container("dockerLabels", lambda n, v: ({_text(v): n}, "/<0>")),
    "firelensOption": _firelens,
    "secretOption": _secret_option,
    "secrets": _in_container("secrets", lambda n, v: ([{"name": n, "valueFrom": v}], "/0/valueFrom")),
    "environmentFile": _in_container("environmentFiles", lambda _, v: ([{"type": "s3", "value": v}], "/0/value")),
    "repositoryCredentials": _in_container(
        "repositoryCredentials", lambda _, v: ({"credentialsParameter": v}, "/credentialsParameter")
    ),
    "image": _in_container("image", lambda _, v: (v, "")),
    "hostname": _in_container("hostname", lambda _, v: (v, "")),
    "user": _in_container("user", lambda _, v: (v, "")),
    "workingDirectory": _in_container("workingDirectory", lambda _, v: (v, "")),
    "links": _in_container("links", lambda _, v: ([v], "/0")),
    "dnsSearchDomain": _in_container("dnsSearchDomains", lambda _, v: ([v], "/0")),
    "dnsServer": _in_container("dnsServers", lambda _, v: ([v], "/0")),
    "extraHost": _in_container("extraHosts", lambda _, v: ([{"hostname": v, "ipAddress": "10.0.0.7"}], "/0/hostname")),
    "extraHostAddress": _in_container(
        "extraHosts", lambda _, v: ([{"hostname": "db", "ipAddress": v}], "/0/ipAddress")
    ),
    "secretName": _in_container(
        "secrets", lambda _, v: ([{"name": v, "valueFrom": f"{SECRET_ARN}:prod/db-AbCdEf"}], "/0/name")
    ),
    "volumesFrom": _in_container("volumesFrom", lambda _, v: ([{"sourceContainer": v}], "/0/sourceContainer")),
    "systemControl": _system_control,
    "dockerSecurityOption": _in_container("dockerSecurityOptions", lambda _, v: ([v], "/0")),
    "credentialSpec": _in_container("credentialSpecs", lambda _, v: ([v], "/0")),
    "tmpfsMountOption": _in_container(
        "linuxParameters",
        lambda _, v: (
            {"tmpfs": [{"containerPath": "/run", "size": 64, "mountOptions": [v]}]},
            "/tmpfs/0/mountOptions/0",
        ),
    ),
    "device": _in_container("linuxParameters", lambda _, v: ({"devices": [{"hostPath": v}]}, "/devices/0/hostPath")),
    "mountPoint": _in_container(
        "mountPoints", lambda _, v: ([{"sourceVolume": "data", "containerPath": v}], "/0/containerPath")
    ),
    "portName": _in_container("portMappings", lambda _, v: ([{"containerPort": 8080, "name": v}], "/0/name")),
    "containerName": _in_container("name", lambda _, v: (v, "")),
    "unknown": _unknown,
    "unknownNested": _unknown_nested,
    "family": _in_task("family", lambda _, v: (v, "")),
    "tag": _in_task("tags", lambda n, v: ([{"key": n, "value": v}], "/0/value")),
    "tagKey": _in_task("tags", lambda n, v: ([{"key": v, "value": n}], "/0/key")),
    "volumeDriverOpt": _volume("driverOpts"),
    "volumeLabel": _volume("labels"),
    "volumeDriver": _volume("driver"),
    "volumeName": _volume("name"),
    "volumeHostPath": _in_task(
        "volumes", lambda _, v: ([{"name": "data", "host": {"sourcePath": v}}], "/0/host/sourcePath")
    ),
    "efsRootDirectory": _efs,
    "fsxAuthorization": _fsx,
    "proxyProperty": _proxy,
    "placementExpression": _in_task(
        "placementConstraints", lambda _, v: ([{"type": "memberOf", "expression": v}], "/0/expression")
    ),
    "accelerator": _in_task(
        "inferenceAccelerators", lambda _, v: ([{"deviceName": "device_1", "deviceType": v}], "/0/deviceType")
    ),
    "attestationPolicy": _in_task(
        "trustedExecutionConfiguration",
        lambda _, v: ({"isolationMode": "SHARED", "attestationPolicy": v}, "/attestationPolicy"),
    ),
}
