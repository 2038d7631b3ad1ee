"""Alerts fire for what they are for and stay silent else: promtool judges series that a running service had.

Names, labels and values of all series are those of one scrape. A scenario moves some of them, and must find each.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from ecs_admission.metrics import PREFIX
from tests.service.conftest import COMPLIANT, leaky
from tests.service.running_service import OPERATION, free_port, run_service, wait_until
from tests.service.test_metrics import Measured, answers

ROOT = Path(__file__).resolve().parent.parent.parent
ALERTS = ROOT / "helm" / "ecs-admission" / "files" / "alerts.yaml"
MINUTES = 90
START = datetime(1970, 1, 1, tzinfo=UTC)
"""Of promtool's clock."""

pytestmark = pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool: Debian has it in prometheus")


@dataclass(frozen=True, slots=True)
class Scenario:
    """What moves, by `name` or `name{label=value}`: the values of a minute each, in promtool's notation."""

    alert: str
    moved: Mapping[str, str]
    added: Mapping[str, str] = field(default_factory=dict)


SCENARIOS = (
    Scenario("EcsAdmissionDown", {"workers": f"_x{MINUTES}"}),
    Scenario("EcsAdmissionNotDeciding", {
        "decisions_total{outcome=denied}": "0+60x90", "fail_closed_total{reason=Timeout}": "0+6x90",
    }),
    Scenario("EcsAdmissionFailingOpen", {"fail_open_total{reason=EngineUnavailable}": "0x80 1x10"}),
    Scenario("EcsAdmissionEngineErrors", {
        "decisions_total{outcome=denied}": "0+60x90", "engine_errors_total{kind=wrong-revision}": "0+2x90",
    }),
    Scenario("EcsAdmissionInternalErrors", {"internal_errors_total": "0x80 1x10"}),
    Scenario("EcsAdmissionSlow", {
        f"review_seconds_bucket{{outcome=denied,le={le}}}": "0+60x90" for le in ("3.0", "5.0", "10.0", "30.0", "+Inf")
    }),
    Scenario("EcsAdmissionThreadsBusy", {"threads_busy": "16x90"}),
    Scenario("EcsAdmissionWorkersBreak", {"worker_starts_total": "2+1x90"}),
    Scenario("EcsAdmissionRecordsNotWritten", {"record_failures_total{kind=decision}": "0+1x90"}),
    Scenario("EcsAdmissionLogNotReadable", {"log_readable": "0x90"}),
    Scenario("EcsAdmissionSealingStuck", {"log_sealing_lag_seconds": "0+60x90"}),
    Scenario("EcsAdmissionChainNotSealed", {"sealer_refused_chains": "1x90"}),
    Scenario("EcsAdmissionAnchoringStuck", {"anchor_failing": "1x90", "anchor_waiting_digests": "0+6x90"}),
    Scenario("EcsAdmissionTripwireFailing", {"tripwires_failing": "1x90"}),
    Scenario("EcsAdmissionPoliciesRefused", {"policies_refused": "1x90"}),
    Scenario("EcsAdmissionRevisionMismatch", {"policies_waiting": "1x90"}),
    Scenario("EcsAdmissionRevisionMismatch", {}, added={'policies_info{revision="sha256:0"}': "1x90"}),
    Scenario("EcsAdmissionCertificateExpires", {}, added={
        'tls_certificate_expiry_timestamp_seconds{cluster="a"}': f"{13 * 86400}x90",
    }),
    Scenario("EcsAdmissionExceptionExpires", {"policy_exception_expiry_timestamp_seconds": f"{6 * 86400}x90"}),
)  # fmt: skip


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Sample]]:
    """What a service with an exception said after it had allowed and denied, and had sealed."""
    layer = tmp_path_factory.mktemp("layer")
    (layer / "exceptions").mkdir()
    exception = {
        "id": "reports", "match": {"rule": "logging/secret-option", "family": "reports"}, "reason": "A reason.",
        "owner": "team", "approver": "security", "issue": "https://issues.example.com/1",
        "expires": (datetime.now(UTC) + timedelta(days=60)).date(),
    }  # fmt: skip
    (layer / "exceptions" / "data.yaml").write_text(yaml.safe_dump({"items": [exception]}))
    port = free_port()
    folder = tmp_path_factory.mktemp("alerts")
    with run_service(folder, metrics_bind=f"127.0.0.1:{port}", seal_seconds="1", policies=str(layer)) as service:
        wait_until(lambda: answers(port), "the exporter answers")
        measured = Measured(service, port)
        for _ in range(2):
            service.post(f"{OPERATION}?environment=prod", COMPLIANT)
            service.post(f"{OPERATION}?environment=prod", leaky())
        wait_until(lambda: measured.total("log_digests") > 0, "there is a digest")
        wait_until(lambda: measured.total("sealer_turns_total") > 0, "the sealer had a turn")
        yield [each for family in text_string_to_metric_families(measured.scrape()) for each in family.samples]


def series(sample: Sample) -> str:
    labels = {"namespace": "ecs", "job": "ecs-admission", "instance": "a:9464", **sample.labels}
    written = ", ".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{sample.name}{{{written}}}"


def matches(sample: Sample, pattern: str) -> bool:
    name, _, labels = pattern.rstrip("}").partition("{")
    wanted = dict(each.split("=") for each in labels.split(",")) if labels else {}
    return sample.name == PREFIX + name and wanted.items() <= sample.labels.items()


def value(sample: Sample) -> float:
    """What stays as it is: of a time, so far from the start of promtool's clock as it was from now."""
    return sample.value - time.time() if sample.name.endswith("_timestamp_seconds") else sample.value


def inputs(samples: list[Sample], scenario: Scenario | None) -> list[dict[str, str]]:
    found = {
        series(sample): (value(sample), [p for p in (scenario.moved if scenario else ()) if matches(sample, p)])
        for sample in samples
    }
    moved = {pattern for _, patterns in found.values() for pattern in patterns}
    assert scenario is None or moved == scenario.moved.keys()
    listed = [
        {"series": name, "values": scenario.moved[patterns[0]] if scenario and patterns else f"{steady!r}x{MINUTES}"}
        for name, (steady, patterns) in found.items()
    ]
    for name, values in (scenario.added if scenario else {}).items():
        added = name.replace("{", '{namespace="ecs", job="ecs-admission", instance="b:9464", ')
        listed.append({"series": PREFIX + added, "values": values})
    return listed


def run_promtool(folder: Path, tests: list[dict[str, Any]]) -> None:
    (folder / "test.yaml").write_text(
        yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests})
    )
    done = subprocess.run(["promtool", "test", "rules", folder / "test.yaml"], capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def rules() -> dict[str, Any]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def firing(scenario: Scenario | None) -> dict[str, Any]:
    """That the alert of a scenario fires after an hour and a quarter, and no other does."""
    counts = [
        {
            "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) or vector(0)',
            "eval_time": "85m",
            "exp_samples": [{"labels": "{}", "value": int(scenario is not None and alert == scenario.alert)}],
        }
        for alert in rules()
    ]
    return {"promql_expr_test": counts}


def test_there_is_a_scenario_for_each_alert() -> None:
    assert {scenario.alert for scenario in SCENARIOS} == rules().keys()


def test_alerts_fire_for_what_they_are_for_and_no_other_does(samples: list[Sample], tmp_path: Path) -> None:
    tests = [
        {"name": scenario.alert if scenario else "well", "interval": "1m", "input_series": inputs(samples, scenario)}
        | firing(scenario)
        for scenario in (None, *SCENARIOS)
    ]
    run_promtool(tmp_path, tests)
