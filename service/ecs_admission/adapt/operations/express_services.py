"""The operations of Express Mode, in which ECS registers the task definition by itself: no other call shows it."""

from __future__ import annotations

from ecs_admission.adapt.operations.operation import Operation

CREATE_EXPRESS_GATEWAY_SERVICE = Operation(
    "CreateExpressGatewayService",
    resource="expressgatewayservices",
    kind="ExpressGatewayService",
    verbs=frozenset({"CREATE"}),
)
UPDATE_EXPRESS_GATEWAY_SERVICE = Operation(
    "UpdateExpressGatewayService",
    resource="expressgatewayservices",
    kind="ExpressGatewayService",
    verbs=frozenset({"UPDATE"}),
)
