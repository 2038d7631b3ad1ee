"""What the tests of the documentation share."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.docs.pages import ROOT
from tests.service.running_service import OPERATION, RunningService, free_port, run_service, wait_until


@pytest.fixture(scope="session")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The service that pages talk to, with two decisions in its log and digests of them."""
    metrics = free_port()
    folder = tmp_path_factory.mktemp("documented")
    with run_service(folder, seal_seconds="1", metrics_bind=f"127.0.0.1:{metrics}") as running:
        for name in ("clean", "leaky"):
            body = (ROOT / f"examples/{name}-task-definition.json").read_bytes()
            running.call("POST", f"{OPERATION}?environment=prod", body)
        wait_until(lambda: bool(running.rows("SELECT 1 FROM digests")), "a digest is made")
        wait_until(lambda: _listens(metrics), "the metrics are served")
        yield running


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
