"""What the tests of the real service share."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from tests.engines.opa_server import serve_bundle
from tests.service.running_service import RunningService, run_service

BUNDLE = Path(str(resources.files("ecs_admission") / "pack" / "policies.tar.gz"))

COMPLIANT: dict[str, Any] = {
    "family": "web",
    "containerDefinitions": [
        {"name": "app", "image": "nginx:1.27", "environment": [{"name": "LOG_LEVEL", "value": "info"}]}
    ],
}


def leaky() -> dict[str, Any]:
    """A task definition that is denied for several reasons."""
    return {
        "family": "web",
        "containerDefinitions": [
            {
                "name": "app",
                "image": "nginx:1.27",
                "environment": [{"name": "DB_PASSWORD", "value": secrets.token_urlsafe(24)}],
                "command": ["serve", f"--api-token={secrets.token_urlsafe(24)}"],
                "secrets": [{"name": "API_KEY", "valueFrom": "arn:aws:secretsmanager:nowhere"}],
            }
        ],
    }


@pytest.fixture(scope="session", params=["embedded", pytest.param("opa", marks=pytest.mark.opa)])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that tests may not harm, with each engine; it logs everything that it can."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "embedded":
        with run_service(folder, engine="embedded", log_level="debug") as running:
            yield running
        return
    log = folder / "opa.log"
    with (
        serve_bundle(BUNDLE, log=log, options=("--set=decision_logs.console=true",)) as opa,
        run_service(folder, engine="opa", opa_url=opa.url, log_level="debug") as running,
    ):
        yield running
