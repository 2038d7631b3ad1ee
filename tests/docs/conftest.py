"""What the tests of the documentation share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.docs.pages import ROOT
from tests.service.running_service import OPERATION, RunningService, run_service, wait_until


@pytest.fixture(scope="session")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The service that pages talk to, with two decisions in its log and digests of them."""
    with run_service(tmp_path_factory.mktemp("documented"), seal_seconds="1") as running:
        for name in ("clean", "leaky"):
            body = (ROOT / f"examples/{name}-task-definition.json").read_bytes()
            running.call("POST", f"{OPERATION}?environment=prod", body)
        wait_until(lambda: bool(running.rows("SELECT 1 FROM digests")), "a digest is made")
        yield running
