"""What the objects of the Prometheus operator may hold: only what we use of it, as monitoring.coreos.com/v1 defines it.

Their own schema is a custom resource definition of some ten thousand lines, none of which Kubernetes' schemas have.
https://prometheus-operator.dev/docs/api-reference/api/
"""

from __future__ import annotations

from typing import Any, Final

_TEXT: Final = {"type": "string", "minLength": 1}
_TEXTS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_DURATION: Final = {"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$"}


def _closed(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    properties = required | (optional or {})
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


def _of_operator(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return _closed(
        {
            "apiVersion": {"const": "monitoring.coreos.com/v1"},
            "kind": {"const": kind},
            "metadata": _closed({"name": _TEXT, "labels": _TEXTS}),
            "spec": spec,
        }
    )


_RULE: Final = _closed({"alert": _TEXT, "expr": _TEXT, "labels": _TEXTS, "annotations": _TEXTS}, {"for": _DURATION})
_RECORDING: Final = _closed({"record": _TEXT, "expr": _TEXT}, {"labels": _TEXTS})
_GROUP: Final = _closed(
    {"name": _TEXT, "rules": {"type": "array", "minItems": 1, "items": {"oneOf": [_RULE, _RECORDING]}}},
    {"interval": _DURATION},
)

OPERATOR_SCHEMAS: Final = {
    "PrometheusRule": _of_operator(
        "PrometheusRule", _closed({"groups": {"type": "array", "minItems": 1, "items": _GROUP}})
    ),
    "ServiceMonitor": _of_operator(
        "ServiceMonitor",
        _closed(
            {
                "selector": _closed({"matchLabels": _TEXTS}),
                "endpoints": {
                    "type": "array",
                    "minItems": 1,
                    "items": _closed({"port": _TEXT, "path": _TEXT, "interval": _DURATION}),
                },
            },
            {"jobLabel": _TEXT},
        ),
    ),
}
