"""An OPA server that follows the service: it gets what the service merged, judges by it, and rolls with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.engines.bundles.released import public_key_file, released
from tests.engines.layers import folder
from tests.engines.opa_server import follow_service
from tests.service.conftest import COMPLIANT, leaky
from tests.service.running_service import OPERATION, RunningService, run_service, wait_until

pytestmark = [pytest.mark.opa, pytest.mark.service]

SOFT = "lab: {profile: baseline, actions: {plaintext/environment: warn}}\n"


def following(service: RunningService, **bundle: Any) -> dict[str, Any]:
    """The configuration of an OPA server that follows a service, as the documentation shows it."""
    described = {"service": "admission", "resource": "v1/bundles/policies.tar.gz"} | bundle
    polling = {"min_delay_seconds": 1, "max_delay_seconds": 1}
    return {
        "services": {"admission": {"url": service.url}},
        "bundles": {"policies": described | {"polling": polling}},
        "keys": {"policies": {"key": public_key_file().read_text(), "algorithm": "ES256"}},
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for this module, short enough for the path of a socket."""
    return tmp_path_factory.mktemp("opa")


@pytest.fixture(scope="module")
def service(place: Path) -> Iterator[RunningService]:
    """A service over a layer of data, whose engine is an OPA server that starts after it and follows it."""
    layer = folder(place / "layer", {"config/words/data.yaml": "secret: [sesame]\n"})
    settings = {"policies": str(layer), "policies_poll_seconds": "0.1"}
    with run_service(place, engine="opa", opa_url=f"unix://{place}/opa.sock", **settings) as running:
        ready = running.get("/readyz")
        assert [ready.status, ready.json["checks"]["policies"]] == [503, "Unfit"]
        with follow_service(place / "opa.sock", place, following(running)):
            wait_until(lambda: all(running.get("/readyz").status == 200 for _ in range(4)), "both workers are ready")
            yield running


def revision_of(service: RunningService, document: Any, environment: str = "prod") -> tuple[int, str]:
    answer = service.post(f"{OPERATION}?environment={environment}", document)
    return answer.status, answer.json.get("response", {}).get("auditAnnotations", {}).get("policy-revision", "")


def sesame() -> dict[str, Any]:
    """Denied by the words of the layer alone."""
    container = {**COMPLIANT["containerDefinitions"][0], "environment": [{"name": "SESAME", "value": "Orange-7-Boat"}]}
    return {**COMPLIANT, "containerDefinitions": [container]}


def test_it_judges_by_what_the_service_merged(service: RunningService) -> None:
    revision = service.get("/readyz").json["revision"]
    assert revision_of(service, COMPLIANT) == (200, revision)
    assert revision_of(service, leaky()) == (403, revision)
    assert revision_of(service, sesame()) == (403, revision)


def test_it_follows_an_activation_and_every_answer_has_a_revision(service: RunningService, place: Path) -> None:
    before = service.get("/readyz").json["revision"]
    folder(place / "layer", {"config/environments/data.yaml": SOFT})
    answers: list[tuple[int, str]] = []

    def rolled() -> bool:
        answers.append(revision_of(service, leaky_variable(), "lab"))
        return answers[-1][0] == 200

    wait_until(rolled, "the softer policies judge")
    after = answers[-1][1]
    # No answer in between was another than one of these two, and none was undecided.
    assert {status for status, _ in answers} <= {200, 403}
    assert [revision for status, revision in answers if status == 403] == [before] * (len(answers) - 1)
    assert after not in ("", before)
    activated = "SELECT count(*) FROM entries WHERE kind = 'policy_activate'"

    def both_follow() -> bool:
        assert revision_of(service, leaky_variable(), "lab") == (200, after)
        return service.rows(activated) == [(2,)]

    wait_until(both_follow, "both workers have judged by them")
    assert service.log_problems() == []


def leaky_variable() -> dict[str, Any]:
    container = {**COMPLIANT["containerDefinitions"][0], "environment": [{"name": "DB_PASSWORD", "value": "Orange-7"}]}
    return {**COMPLIANT, "containerDefinitions": [container]}


def test_an_opa_verifies_what_was_signed(tmp_path: Path) -> None:
    """With the key of whoever built the bundle; one with another key gets none."""
    bundle = tmp_path / "policies.tar.gz"
    bundle.write_bytes(released(7))
    signed = {"resource": "v1/bundles/signed/policies.tar.gz", "signing": {"keyid": "policies"}}
    settings = {"engine": "opa", "policies": str(bundle), "workers": "1"}
    with run_service(tmp_path, opa_url=f"unix://{tmp_path}/opa.sock", **settings) as running:
        with follow_service(tmp_path / "opa.sock", tmp_path, following(running, **signed)):
            wait_until(lambda: running.get("/readyz").status == 200, "OPA has verified the bundle")
            assert revision_of(running, leaky())[0] == 403
        assert running.get("/v1/bundles/signed/policies.tar.gz").body == bundle.read_bytes()
        (tmp_path / "opa.sock").unlink(missing_ok=True)
        unsigned = following(running, signing={"keyid": "policies"})
        log = tmp_path / "opa.log"
        with follow_service(tmp_path / "opa.sock", tmp_path, unsigned):
            wait_until(lambda: b"signatures" in log.read_bytes(), "OPA has refused the bundle that nobody signed")
        assert orjson.loads(running.get("/readyz").body)["status"] == "not ready"
