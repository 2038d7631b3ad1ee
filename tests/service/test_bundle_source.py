"""The service follows a signed bundle at a URL, keeps what was good, and goes back when an operator says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.bundles.released import public_key_file, released, revision_of
from tests.engines.remote_server import BundleServer, serving_bundles
from tests.service.running_service import RunningService, run_command, run_service, wait_until

pytestmark = pytest.mark.service

SECOND: dict[str, Any] = {"accounts": {"111122223333": "dev"}}


@pytest.fixture(scope="module")
def server() -> Iterator[BundleServer]:
    with serving_bundles() as running:
        yield running


def settings(server: BundleServer) -> dict[str, str]:
    return {
        "policies": server.url,
        "policies_key_file": str(public_key_file()),
        "policies_poll_seconds": "0.1",
        "workers": "1",
        "sealer": "off",
    }


def revision(service: RunningService) -> str:
    found: str = service.get("/readyz").json["revision"]
    return found


def test_it_follows_goes_back_and_outlives_its_source(server: BundleServer, tmp_path: Path) -> None:
    server.content = released(5)
    first, second = revision_of(5), revision_of(7, **SECOND)
    with run_service(tmp_path, **settings(server)) as service:
        assert (service.get("/readyz").status, revision(service)) == (200, first)
        told = run_command("policies", "rollback", "--reason", "x", environment=service.environment)
        assert (told.returncode, "an older bundle was never active here" in told.stderr) == (2, True)
        server.content = released(7, **SECOND)
        wait_until(lambda: revision(service) == second, "the newer bundle judges")
        back = run_command("policies", "rollback", "--reason", "too strict", environment=service.environment)
        assert (back.returncode, back.stdout) == (0, f"serial 5, {first}, judges until there is one over 7\n")
        wait_until(lambda: revision(service) == first, "the older bundle judges again")
    kinds = service.rows("SELECT kind FROM entries WHERE kind LIKE 'policy%' ORDER BY time")
    assert [kind for (kind,) in kinds] == ["policy_activate", "policy_rollback", "policy_activate"]
    # What an operator decided lasts, although the source is down and the folder does not know of it any more.
    server.content = None
    (tmp_path / "data" / "policies" / "highest.json").unlink()
    with run_service(tmp_path, **settings(server)) as service:
        assert (service.get("/readyz").status, revision(service)) == (200, first)
        assert "the last good bundle judges, serial 5" in service.get("/readyz").json["refused"]["reason"]
        server.content = released(6)
        wait_until(lambda: "refused" not in service.get("/readyz").json, "the source is back")
        assert revision(service) == first
        undone = run_command("policies", "rollback", "--to", "7", "--reason", "mended", environment=service.environment)
        assert undone.returncode == 0
        wait_until(lambda: revision(service) == second, "the newer bundle judges again")
    assert service.log_problems() == []


def test_without_any_bundle_there_is_no_start(server: BundleServer, tmp_path: Path) -> None:
    server.content = released(5, is_signed=False)
    environment = {"PATH": "/usr/bin", "HOME": str(tmp_path), "ECS_ADMISSION_DATA_DIR": str(tmp_path / "data")} | {
        f"ECS_ADMISSION_{name.upper()}": value for name, value in settings(server).items()
    }
    told = run_command("serve", environment=environment)
    assert (told.returncode, f"{server.url}: the bundle is not signed" in told.stderr) == (2, True)
