"""Secrets in what AWS adds to its answers, and in names without a value. Nothing of either is ever sent to AWS."""

from __future__ import annotations

from typing import Any

from tests.bypass.hiding import JSON, Ways, environment, task, variables

REQUEST_ID = "8c2f6d0e-5b1a-4c3d-9e7f-0a1b2c3d4e5f"

# Whatever AWS names after a secret store, and names of families that a person would give one.
_ATTRIBUTES = (
    "com.amazonaws.ecs.capability.docker-remote-api.1.29",
    "com.amazonaws.ecs.capability.ecr-auth",
    "com.amazonaws.ecs.capability.logging-driver.awslogs",
    "com.amazonaws.ecs.capability.task-iam-role",
    "ecs.capability.docker-plugin.rexray/ebs:latest",
    "ecs.capability.efsAuth",
    "ecs.capability.env-files.s3",
    "ecs.capability.execution-role-ecr-pull",
    "ecs.capability.private-registry-authentication.secretsmanager",
    "ecs.capability.secrets.asm.bootstrap.log-driver",
    "ecs.capability.secrets.asm.environment-variables",
    "ecs.capability.secrets.ssm.environment-variables",
)
_REGISTRANTS = (
    "arn:aws:iam::111122223333:root",
    "arn:aws:iam::111122223333:user/ci/github-token-rotation",
    "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_AdministratorAccess_0a1b2c3d4e5f6789/jane@example.com",
    "arn:aws:sts::111122223333:assumed-role/cdk-hnb659fds-cfn-exec-role-111122223333-eu-west-1/AWSCloudFormation",
    "arn:aws:sts::111122223333:assumed-role/deploy/botocore-session-1714557600",
    "arn:aws:sts::111122223333:assumed-role/deploy/i-0abcd1234ef567890",
    "arn:aws-cn:sts::111122223333:assumed-role/terraform/terraform-20240501120000123400000001",
)


def described(family: str = "orders", **members: Any) -> JSON:
    """A task definition as AWS describes it; `members` replace or join what it added."""
    added = {
        "taskDefinitionArn": f"arn:aws:ecs:eu-west-1:111122223333:task-definition/{family}:42",
        "revision": 42,
        "status": "ACTIVE",
        "requiresAttributes": [{"name": name} for name in _ATTRIBUTES],
        "placementConstraints": [],
        "compatibilities": ["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"],
        "registeredAt": "2024-05-01T12:00:00.123000+02:00",
        "registeredBy": "arn:aws:iam::111122223333:user/deploy",
    }
    return {**task({"environment": [], "mountPoints": []}), "family": family, **added, **members}


def answer(definition: JSON | None = None, **beside: Any) -> JSON:
    """The whole answer, as boto3 hands it on."""
    headers = {
        "x-amzn-requestid": REQUEST_ID,
        "content-type": "application/x-amz-json-1.1",
        "content-length": "1527",
        "date": "Wed, 01 May 2024 10:00:00 GMT",
        "connection": "keep-alive",
    }
    metadata = {"RequestId": REQUEST_ID, "HTTPStatusCode": 200, "HTTPHeaders": headers, "RetryAttempts": 0}
    return {"taskDefinition": definition or described(), "tags": [], "ResponseMetadata": metadata, **beside}


def metadata(**members: Any) -> JSON:
    """An answer whose metadata holds these members."""
    whole = answer()
    return {**whole, "ResponseMetadata": {**whole["ResponseMetadata"], **members}}


HONEST: dict[str, JSON] = {
    "the answer of boto3": answer(),
    "the answer of the CLI": {"taskDefinition": described(), "tags": [{"key": "team", "value": "orders"}]},
    "the task definition of an answer": described(),
    "a task definition that is no longer used": answer(
        described(status="INACTIVE", registeredAt=1714557600.123, deregisteredAt=1714557700, deleteRequestedAt=None)
    ),
    "attributes with nulls": answer(
        described(requiresAttributes=[{"name": name, "value": None, "targetId": None} for name in _ATTRIBUTES])
    ),
    "attributes of a type": described(
        requiresAttributes=[{"name": name, "targetType": "container-instance"} for name in _ATTRIBUTES]
    ),
    "a failure": answer(
        failures=[{"arn": "arn:aws:ecs:eu-west-1:111122223333:task-definition/a", "reason": "MISSING"}]
    ),
    "nulls of AWS's own": {
        **answer(described(cpu=None, registeredBy=None, requiresAttributes=None)),
        "tags": None,
        "failures": None,
        "ResponseMetadata": None,
    },
    **{f"the family {family}": answer(described(family)) for family in ("db-password", "api-token", "my-secrets")},
    **{f"registered by {by.rpartition(':')[2]}": answer(described(registeredBy=by)) for by in _REGISTRANTS},
}
"""What AWS answers, and nothing more."""

WAYS: Ways = {
    **{
        f"an answer's {name}": lambda s, name=name: answer(described(**{name: s.token()}))
        for name in ("registeredBy", "status", "registeredAt", "deregisteredAt", "deleteRequestedAt")
    },
    "an answer's registeredBy that assigns": lambda s: answer(described(registeredBy=f"password={s.password()}")),
    "an answer's registeredBy behind an ARN": lambda s: answer(
        described(registeredBy=f"arn:aws:iam::111122223333:user/{s.token()}")
    ),
    "an answer's taskDefinitionArn": lambda s: answer(
        described(taskDefinitionArn=f"arn:aws:ecs:eu-west-1:111122223333:task-definition/{s.token()}:42")
    ),
    "an answer's compatibilities": lambda s: answer(described(compatibilities=["EC2", s.token()])),
    "an answer's compatibilities with an object": lambda s: answer(
        described(compatibilities=[{"password": s.password()}])
    ),
    "the name of a required attribute": lambda s: answer(described(requiresAttributes=[{"name": s.token()}])),
    "the value of a required attribute": lambda s: answer(
        described(requiresAttributes=[{"name": "db-password", "value": s.password()}])
    ),
    "the target of a required attribute": lambda s: answer(
        described(requiresAttributes=[{"name": "a", "targetId": s.token()}])
    ),
    "a key of a required attribute": lambda s: answer(described(requiresAttributes=[{"name": "a", s.token(): None}])),
    "a bare task definition's registeredBy": lambda s: described(registeredBy=s.token()),
    "a bare task definition's status": lambda s: described(status=f"ACTIVE password={s.password()}"),
    "a bare task definition with metadata": lambda s: described(ResponseMetadata={"password": s.password()}),
    "a request with revision and registeredBy": lambda s: task(revision=1, registeredBy=s.token()),
    "a read-only member in another place": lambda s: task({"registeredBy": s.token()}),
    "a read-only member that is null in another spelling": lambda s: task(Registered_By=None, registeredBy=s.token()),
    "metadata": lambda s: metadata(password=s.password()),
    "metadata of a name that says nothing": lambda s: metadata(x=s.token()),
    "metadata's request id": lambda s: metadata(RequestId=s.token()),
    "metadata's headers": lambda s: metadata(HTTPHeaders={"authorization": f"Bearer {s.token()}"}),
    "a key of metadata's headers": lambda s: metadata(HTTPHeaders={s.token(): "1"}),
    "a key of metadata with null": lambda s: metadata(**{s.token(): None}),
    "metadata deep down": lambda s: metadata(a=[{"b": [{"password": {"c": [s.password()]}}]}]),
    "metadata that is a number": lambda s: metadata(dbPassword=int(s.keep("84029155"))),
    "the reason of a failure": lambda s: answer(failures=[{"arn": "x", "reason": f"password={s.password()}"}]),
    "the detail of a failure": lambda s: answer(failures=[{"detail": s.token()}]),
    "a failure that is text": lambda s: answer(failures=[s.token()]),
    "a key of a failure": lambda s: answer(failures=[{s.token(): None}]),
    "a template in a failure": lambda s: answer(failures=[{"reason": "{{ x | default('" + s.password() + "') }}"}]),
    "failures inside and beside": lambda s: answer(described(failures=[s.token()]), failures=[]),
    "a name without a value": lambda s: task(**{s.token(): None}),
    "a name without a value that assigns": lambda s: task(**{f"password={s.password()}": None}),
    "a name without a value in an answer": lambda s: answer(described(**{s.token(): None})),
    "a name without a value beside an answer": lambda s: answer(**{s.token(): None}),
    "a name without a value inside and beside": lambda s: _twice(s.token()),
    "a name without a value beside a wrapper that is null": lambda s: task(taskDefinition=None, **{s.token(): None}),
    "a name without a value in a container": lambda s: task({s.token(): None}),
    "a name without a value in a variable": lambda s: variables({"name": "A", "value": "b", s.token(): None}),
    "a name without a value in a variable of nulls": lambda s: variables(
        {"name": None, "value": None, s.token(): None}
    ),
    "a name without a value in a secret": lambda s: task(
        {"secrets": [{"name": "A", "valueFrom": "/orders/a", s.token(): None}]}
    ),
    "a name without a value in a tag": lambda s: task(tags=[{"key": "a", s.token(): None}]),
    "a name without a value in the options of a log driver": lambda s: task(
        {"logConfiguration": {"logDriver": "awslogs", "options": {s.token(): None}}}
    ),
    "a name without a value behind others": lambda s: task(
        {"memory": None, "cpu": None, "dnsServers": None, "x": None, s.token(): None}
    ),
    "a template in a name without a value": lambda s: task(**{"{{ x | default('" + s.password() + "') }}": None}),
    "half a surrogate pair in a name without a value": lambda s: (
        '{"family": "a", "containerDefinitions": [], "' + s.token() + '\\ud800": null}'
    ),
    "an answer around a variable": lambda s: answer({**described(), **environment(("DB_PASSWORD", s.password()))}),
}


def _twice(key: str) -> JSON:
    return answer(described(**{key: None}), **{key: None})
