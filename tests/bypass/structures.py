"""Secrets where no value is expected: keys, names, unknown members, wrappers, other entries, too many of them."""

from __future__ import annotations

import json

from tests.bypass.hiding import SECRET_ARN, Secrets, Ways, environment, task, variables


def _beside(**members: object) -> dict[str, object]:
    return {**task(), **members}


def _entries(s: Secrets, key: str) -> object:
    return [{"name": "DB_PASSWORD", key: s.password()}]


_ENTRY_KEYS = (
    "val",
    "Value",
    "VALUE",
    "value ",
    " value",
    "val\u200bue",
    "v\u0430lue",
    "values",
    "default",
    "data",
    "x",
)

WAYS: Ways = {
    **{
        f"an entry with `{key!a}`": lambda s, key=key: variables({"name": "DB_PASSWORD", key: s.password()})
        for key in _ENTRY_KEYS
    },
    "an entry of key and value": lambda s: variables({"key": "DB_PASSWORD", "value": s.password()}),
    "an entry of Key and Value": lambda s: variables({"Key": "DB_PASSWORD", "Value": s.password()}),
    "an entry of Name and value": lambda s: variables({"Name": "DB_PASSWORD", "value": s.password()}),
    "an entry of a map": lambda s: variables({"DB_PASSWORD": s.password()}),
    "an entry of a string": lambda s: variables(f"DB_PASSWORD={s.password()}"),
    "an entry in a list": lambda s: variables([{"name": "DB_PASSWORD", "value": s.password()}]),
    "an entry with an empty value and another": lambda s: variables(
        {"name": "DB_PASSWORD", "value": "", "override": s.password()}
    ),
    "an entry with a null value and another": lambda s: variables(
        {"name": "DB_PASSWORD", "value": None, "valueFromFile": {"inline": s.password()}}
    ),
    "an entry with valueFrom": lambda s: variables({"name": "DB_PASSWORD", "valueFrom": s.password()}),
    "an entry with valueFrom of a token": lambda s: variables({"name": "X", "valueFrom": s.token()}),
    "an entry with an object": lambda s: variables(
        {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"literal": s.password()}}}
    ),
    "an entry with a list of values": lambda s: variables({"name": "DB_PASSWORD", "values": ["", s.password()]}),
    "environment as a map": lambda s: task({"environment": {"DB_PASSWORD": s.password()}}),
    "environment as text": lambda s: task({"environment": f"DB_PASSWORD={s.password()}"}),
    "Environment": lambda s: task({"Environment": _entries(s, "value")}),
    "environment with a space": lambda s: task({"environment ": _entries(s, "value")}),
    "environment with a zero width space": lambda s: task({"environ\u200bment": _entries(s, "value")}),
    "environment with a look-alike": lambda s: task({"\u0435nvironment": _entries(s, "value")}),
    "environment with a full-width letter": lambda s: task({"\uff45nvironment": _entries(s, "value")}),
    "env": lambda s: task({"env": _entries(s, "value")}),
    "env as a map": lambda s: task({"env": {"DB_PASSWORD": s.password()}}),
    "envVars as text": lambda s: task({"envVars": f"DB_PASSWORD={s.password()}"}),
    "container_definitions": lambda s: _beside(container_definitions=[{"environment": _entries(s, "value")}]),
    "ContainerDefinitions": lambda s: _beside(ContainerDefinitions=[{"environment": _entries(s, "value")}]),
    "containerDefinitions with an invisible letter": lambda s: _beside(
        **{"container\u2060Definitions": [{"environment": _entries(s, "value")}]}
    ),
    "containers": lambda s: _beside(containers=[{"env": _entries(s, "value")}]),
    "initContainers": lambda s: _beside(initContainers=[{"env": _entries(s, "value")}]),
    "sidecars in an unknown member of a container": lambda s: task(
        {"sidecars": [{"env": {"DB_PASSWORD": s.password()}}]}
    ),
    "containers as a map": lambda s: {
        "family": "a",
        "containerDefinitions": {"app": {"environment": _entries(s, "value")}},
    },
    "overrides": lambda s: _beside(overrides={"containerOverrides": [{"environment": _entries(s, "value")}]}),
    "x-secrets": lambda s: _beside(**{"x-secrets": {"db": s.token()}}),
    "an unknown member named password": lambda s: _beside(password=s.password()),
    "an unknown member deep down": lambda s: _beside(a={"b": [{"c": {"password": {"d": [s.password()]}}}]}),
    "an unknown member with name and value": lambda s: _beside(settings=[{"name": "PASSWORD", "value": s.password()}]),
    "an unknown member with JSON": lambda s: _beside(settings=json.dumps({"password": s.password()})),
    "a key of an unknown member": lambda s: _beside(settings={s.token(): True}),
    "a key of an unknown member with null": lambda s: _beside(settings={s.token(): None}),
    "an unknown member that is the secret": lambda s: _beside(**{s.token(): 1}),
    "an assignment as a key": lambda s: _beside(settings={f"password={s.password()}": True}),
    "a key of a label": lambda s: task({"dockerLabels": {s.token(): "1"}}),
    "a label": lambda s: task({"dockerLabels": {"com.example.password": s.password()}}),
    "an assignment as the key of a label": lambda s: task({"dockerLabels": {f"password={s.password()}": "1"}}),
    "a key of an option": lambda s: task({"logConfiguration": {"logDriver": "awslogs", "options": {s.token(): "1"}}}),
    "an option": lambda s: task(
        {"logConfiguration": {"logDriver": "splunk", "options": {"splunk-token": s.password()}}}
    ),
    "a misspelled option": lambda s: task(
        {"logConfiguration": {"logDriver": "splunk", "options": {"Splunk_Token": s.password()}}}
    ),
    "an option of an unknown driver": lambda s: task(
        {"logConfiguration": {"logDriver": "x", "options": {"token": s.password()}}}
    ),
    "a header in an option": lambda s: task(
        {
            "logConfiguration": {
                "logDriver": "awsfirelens",
                "options": {"Header": f"Authorization Basic {s.encoded('a:' + s.password())}"},
            }
        }
    ),
    "a path in an option": lambda s: task(
        {
            "logConfiguration": {
                "logDriver": "awsfirelens",
                "options": {"URI": f"/services/collector?token={s.password()}"},
            }
        }
    ),
    "the name of a secret option": lambda s: task(
        {"logConfiguration": {"logDriver": "splunk", "secretOptions": [{"name": s.token(), "valueFrom": SECRET_ARN}]}}
    ),
    "a reference that is the secret": lambda s: task({"secrets": [{"name": "DB_PASSWORD", "valueFrom": s.token()}]}),
    "a reference that is a password": lambda s: task({"secrets": [{"name": "DB_PASSWORD", "valueFrom": s.password()}]}),
    "a reference that assigns": lambda s: task({"secrets": [{"name": "X", "valueFrom": f"password={s.password()}"}]}),
    "an ARN whose key is the secret": lambda s: task(
        {"secrets": [{"name": "DB_PASSWORD", "valueFrom": f"{SECRET_ARN}:{s.token()}::"}]}
    ),
    "an ARN whose name is the secret": lambda s: task(
        {"secrets": [{"name": "X", "valueFrom": f"arn:aws:secretsmanager:eu-west-1:111122223333:secret:{s.token()}"}]}
    ),
    "an ARN whose version is the secret": lambda s: task(
        {"secrets": [{"name": "X", "valueFrom": f"{SECRET_ARN}::{s.token()}:"}]}
    ),
    "a secret with a value beside the reference": lambda s: task(
        {"secrets": [{"name": "DB_PASSWORD", "valueFrom": SECRET_ARN, "value": s.password()}]}
    ),
    "a secret with a default": lambda s: task(
        {"secrets": [{"name": "DB_PASSWORD", "valueFrom": SECRET_ARN, "default": s.password()}]}
    ),
    "registry credentials that are the secret": lambda s: task(
        {"repositoryCredentials": {"credentialsParameter": s.token()}}
    ),
    "registry credentials with a password": lambda s: task(
        {"repositoryCredentials": {"credentialsParameter": SECRET_ARN, "password": s.password()}}
    ),
    "an environment file that is the secret": lambda s: task(
        {"environmentFiles": [{"type": "s3", "value": s.token()}]}
    ),
    "an environment file with a URL": lambda s: task(
        {"environmentFiles": [{"type": "s3", "value": f"https://app:{s.password()}@example.com/a.env"}]}
    ),
    "the family": lambda s: {**task(), "family": s.token()},
    "the family after a name": lambda s: {**task(), "family": f"orders-{s.token()}"},
    "the name of a container": lambda s: task({"name": s.token()}),
    "the name of a volume": lambda s: task(volumes=[{"name": s.key_id()}]),
    "a path of the host": lambda s: task(volumes=[{"name": "a", "host": {"sourcePath": f"/run/{s.token()}"}}]),
    "an option of a volume": lambda s: task(
        volumes=[
            {"name": "a", "dockerVolumeConfiguration": {"driverOpts": {"o": f"username=a,password={s.password()}"}}}
        ]
    ),
    "a label of a volume": lambda s: task(
        volumes=[{"name": "a", "dockerVolumeConfiguration": {"labels": {"a": s.token()}}}]
    ),
    "the driver of a volume": lambda s: task(
        volumes=[{"name": "a", "dockerVolumeConfiguration": {"driver": s.token()}}]
    ),
    "the key of a tag": lambda s: task(tags=[{"key": s.token(), "value": "1"}]),
    "the value of a tag": lambda s: task(tags=[{"key": "password", "value": s.password()}]),
    "a tag with Key and Value": lambda s: task(tags=[{"Key": "password", "Value": s.password()}]),
    "tags as a map": lambda s: task(tags={"password": s.password()}),
    "the image": lambda s: task({"image": f"app:{s.password()}@registry.example.com/orders:1"}),
    "the tag of the image": lambda s: task({"image": f"nginx:{s.token()}"}),
    "a role": lambda s: task(taskRoleArn=s.token()),
    "the user": lambda s: task({"user": s.token()}),
    "the working directory": lambda s: task({"workingDirectory": f"/{s.token()}"}),
    "the name of the host": lambda s: task({"hostname": s.token()}),
    "an extra host": lambda s: task({"extraHosts": [{"hostname": s.token(), "ipAddress": "10.0.0.1"}]}),
    "a link": lambda s: task({"links": [f"db:{s.token()}"]}),
    "a system control": lambda s: task({"systemControls": [{"namespace": "net.a", "value": s.token()}]}),
    "an option of tmpfs": lambda s: task(
        {
            "linuxParameters": {
                "tmpfs": [{"containerPath": "/a", "size": 1, "mountOptions": [f"password={s.password()}"]}]
            }
        }
    ),
    "a placement constraint": lambda s: task(
        placementConstraints=[{"type": "memberOf", "expression": f"a == {s.token()}"}]
    ),
    "a property of the proxy": lambda s: task(
        proxyConfiguration={"containerName": "app", "properties": [{"name": "password", "value": s.password()}]}
    ),
    "a dependency": lambda s: task({"dependsOn": [{"containerName": s.token(), "condition": "START"}]}),
    "a credential spec": lambda s: task({"credentialSpecs": [f"credentialspec:{s.token()}"]}),
    "a security option": lambda s: task({"dockerSecurityOptions": [f"label:{s.token()}"]}),
    "cpu": lambda s: task(cpu=s.token()),
    "memory": lambda s: task(memory=s.token()),
    "an attribute with a number": lambda s: task({"cpu": s.token()}),
    "a wrapper beside members": lambda s: {"taskDefinition": task(), **environment(("DB_PASSWORD", s.password()))},
    "a wrapper around a harmless one beside the real": lambda s: {
        **environment(("DB_PASSWORD", s.password())),
        "taskDefinition": task(),
    },
    "a wrapper in a wrapper": lambda s: {
        "taskDefinition": {"taskDefinition": environment(("DB_PASSWORD", s.password()))}
    },
    "a wrapper": lambda s: {"taskDefinition": environment(("DB_PASSWORD", s.password())), "tags": []},
    "TaskDefinition": lambda s: {"TaskDefinition": environment(("DB_PASSWORD", s.password())), **task()},
    "a wrapper with an unknown member beside": lambda s: {
        "taskDefinition": task(),
        "extra": {"password": s.password()},
    },
    "a wrapper with tags": lambda s: {"taskDefinition": task(), "tags": [{"key": "password", "value": s.password()}]},
    "a wrapper that is null": lambda s: {"taskDefinition": None, **environment(("DB_PASSWORD", s.password()))},
    "a wrapper that is text": lambda s: {"taskDefinition": json.dumps(environment(("DB_PASSWORD", s.password())))},
    "a wrapper of requests": lambda s: {"requests": [environment(("DB_PASSWORD", s.password()))]},
    "CloudFormation": lambda s: {"Resources": {"A": {"Properties": environment(("DB_PASSWORD", s.password()))}}},
    "the arguments of a CLI": lambda s: {"cliInputJson": environment(("DB_PASSWORD", s.password())), **task()},
    "a read-only member in another spelling": lambda s: task(RegisteredBy=s.token()),
    "the second container": lambda s: {
        "family": "a",
        "containerDefinitions": [
            *task()["containerDefinitions"],
            *environment(("P_TOKEN", s.password()))["containerDefinitions"],
        ],
    },
    "two containers of one name": lambda s: {
        "family": "a",
        "containerDefinitions": [
            *task()["containerDefinitions"],
            *environment(("P_TOKEN", s.password()))["containerDefinitions"],
        ]
        * 2,
    },
    "the last of 300 signalled": lambda s: environment(
        *((f"P{n}_PASSWORD", "${P}") for n in range(300)), ("DB_PASSWORD", s.password())
    ),
    "the first of 300 signalled": lambda s: environment(
        ("DB_PASSWORD", s.password()), *((f"P{n}_PASSWORD", "${P}") for n in range(300))
    ),
    "the last of 300 found": lambda s: environment(
        *((f"P{n}_PASSWORD", s.keep(f"{n:03}{s.random.getrandbits(60):x}")) for n in range(300)), ("DB", s.token())
    ),
    "the last of 300 harmless findings": lambda s: environment(
        *((f"P{n}_PASSWORD", f"arn:aws:s3:::bucket-{n}") for n in range(300)), ("DB_PASSWORD", s.password())
    ),
    "the last of 600 references": lambda s: task(
        {
            "secrets": [{"name": f"S{n}", "valueFrom": f"/orders/s{n}"} for n in range(600)],
            "environment": [{"name": "DB_PASSWORD", "value": s.password()}],
        }
    ),
    "the last of 6000 variables": lambda s: environment(
        *((f"A{n}", "b") for n in range(6000)), ("DB_PASSWORD", s.password())
    ),
    "the last of 6000 labels": lambda s: task(
        {"dockerLabels": {**{f"a{n}": "b" for n in range(6000)}, "password": s.password()}}
    ),
    "the last of 6000 containers": lambda s: {
        "family": "a",
        "containerDefinitions": [
            *({"name": f"c{n}", "image": "nginx"} for n in range(6000)),
            *environment(("DB_PASSWORD", s.password()))["containerDefinitions"],
        ],
    },
    "behind 3000 parts": lambda s: environment(
        ("A", " ".join(f"password{n}=${{A}}" for n in range(3000))), ("B", f"x password={s.password()}")
    ),
    "behind 3000 unknown members": lambda s: _beside(
        x={f"a{n}": "b" for n in range(3000)}, y={"password": s.password()}
    ),
}
