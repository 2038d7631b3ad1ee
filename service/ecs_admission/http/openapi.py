"""`GET /openapi.json`: the contract as OpenAPI 3.1. Kept by hand in `openapi.yaml`; tests hold it to the routes."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any

import yaml
from flask import Blueprint, Response

from ecs_admission.http.answers import json_answer


def blueprint() -> Blueprint:
    """The route of the description."""
    routes = Blueprint("openapi", __name__)

    @routes.get("/openapi.json")
    def openapi() -> Response:
        return json_answer(description())

    return routes


@lru_cache(maxsize=1)
def description() -> dict[str, Any]:
    """The OpenAPI document."""
    text = (resources.files("ecs_admission.http") / "openapi.yaml").read_text("utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document
