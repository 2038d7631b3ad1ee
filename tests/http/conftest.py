"""The Flask application over the real pipeline, recording into a real decision log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from flask.testing import FlaskClient

from ecs_admission.decision_log.keys import make_signing_key
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.engines.bundles.served import ServedBundle
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.http import create_flask
from ecs_admission.http.bundles import ServedPolicies
from ecs_admission.journal import node_entry
from ecs_admission.model import Standing, new_decision_id
from ecs_admission.project.fingerprints import FingerprintKey
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision

LOG_KEY = make_signing_key()
"""The signing key of the log."""

NOW = 1_790_000_000.25
"""What the service's clock says in these tests."""

SERVED = ServedPolicies(ServedBundle(b"merged", "0" * 64), ServedBundle(b"signed", "1" * 64))
"""What stands for the bundles where they are not what is tested."""

Serve: TypeAlias = Callable[..., FlaskClient]

COMPLIANT: dict[str, Any] = {
    "family": "web",
    "containerDefinitions": [
        {"name": "app", "image": "nginx:1.27", "environment": [{"name": "LOG_LEVEL", "value": "info"}]}
    ],
}


def leaky(value: str) -> dict[str, Any]:
    """A task definition that is denied because one variable holds `value`."""
    container = {"name": "app", "image": "nginx:1.27", "environment": [{"name": "DB_PASSWORD", "value": value}]}
    return {"family": "web", "containerDefinitions": [container]}


@pytest.fixture
def log(tmp_path: Path, revision: Revision) -> Iterator[DecisionLog]:
    """An empty decision log."""
    opened = DecisionLog.open(
        f"sqlite:///{tmp_path / 'decisions.sqlite3'}",
        writer=new_decision_id(),
        start=node_entry("node_start", "embedded", revision.id),
        log_key=LOG_KEY,
        timeout_seconds=10.0,
    )
    yield opened
    opened.close()


@pytest.fixture
def serve(log: DecisionLog, key: FingerprintKey) -> Serve:
    """A client of the application that judges by the revision given."""

    def serve(revision: Revision, standing: Callable[[], Standing] = Standing) -> FlaskClient:
        def fail(error: Exception) -> None:
            raise error

        reviewer = Reviewer(
            revision,
            inventory=NoInventory(),
            recorder=lambda draft: log.append(draft, deadline_seconds=10.0),
            on_error=fail,
            clock=lambda: NOW,
        )
        return create_flask(
            reviewer, log.reader, standing=standing, served=lambda: SERVED, fingerprint_keys=[key]
        ).test_client()

    return serve


@pytest.fixture
def client(serve: Serve, revision: Revision) -> FlaskClient:
    """A client of the application that judges by the revision that ships."""
    return serve(revision)
