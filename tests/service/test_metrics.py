"""The metrics of a running service: scraped as Prometheus does, from every process that counts."""

from __future__ import annotations

import http.client
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ecs_admission import metrics
from tests.service.canaries import Canaries, full_input
from tests.service.conftest import COMPLIANT, leaky
from tests.service.running_service import (
    COMMAND,
    OPERATION,
    REVIEWS,
    RunningService,
    free_port,
    run_service,
    wait_until,
)


@dataclass(frozen=True, slots=True)
class Measured:
    """A service with its metrics."""

    service: RunningService
    port: int

    def scrape(self, accept: str = "") -> str:
        """What Prometheus gets."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/metrics", headers={"Accept": accept} if accept else {})
            answer = connection.getresponse()
            assert answer.status == 200
            return answer.read().decode()
        finally:
            connection.close()

    def samples(self) -> Mapping[tuple[str, frozenset[tuple[str, str]]], float]:
        """The same as samples."""
        return {
            (sample.name.removeprefix(metrics.PREFIX), frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.scrape())
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        return self.samples().get((name, frozenset(labels.items())), 0.0)

    def total(self, name: str) -> float:
        return sum(value for (found, _), value in self.samples().items() if found == name)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    port = free_port()
    with run_service(
        tmp_path_factory.mktemp("measured"), metrics_bind=f"127.0.0.1:{port}", seal_seconds="1", log_level="debug"
    ) as service:
        measured = Measured(service, port)
        wait_until(lambda: answers(port), "the exporter answers")
        yield measured


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("HEAD", "/metrics")
        return connection.getresponse().status == 200
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()


def folder_of(service: RunningService) -> Path:
    """Where its processes count."""
    (exporter,) = service.companions("metrics")
    variables = Path(f"/proc/{exporter}/environ").read_bytes().split(b"\0")
    return next(Path(each.partition(b"=")[2].decode()) for each in variables if b"PROMETHEUS_MULTIPROC_DIR" in each)


def test_reviews_of_all_workers_are_counted(measured: Measured) -> None:
    before = measured.total("decisions_total")
    for _ in range(6):
        assert measured.service.post(f"{OPERATION}?environment=prod", COMPLIANT).status == 200
        assert measured.service.post(f"{OPERATION}?environment=prod", leaky()).status == 403
    assert measured.total("decisions_total") == before + 12
    assert measured.value("decisions_total", outcome="denied", reason="NonCompliant", environment="prod") >= 6
    assert measured.value("rule_decisions_total", rule="plaintext/field", effect="denied", environment="prod") >= 6
    assert measured.value("step_seconds_count", step="record") >= 12
    assert measured.value("http_requests_total", route="admission.operations", status="4xx") >= 6
    assert (measured.value("workers"), measured.value("threads")) == (2, 16)


def test_what_is_no_http_is_counted(measured: Measured) -> None:
    before = measured.value("http_broken_requests_total")
    measured.service.send(b"NONSENSE\r\n\r\n")
    assert measured.value("http_broken_requests_total") == before + 1


def test_every_sample_is_one_of_the_catalogue(measured: Measured) -> None:
    measured.service.post(f"{OPERATION}?environment=prod", leaky())
    measured.service.get("/nowhere")
    wait_until(lambda: measured.total("sealer_turns_total") > 0, "the sealer had a turn")
    declared = {
        sample.removeprefix(metrics.PREFIX): metric for metric in metrics.CATALOGUE for sample in metric.sample_names
    }
    seen = set()
    for (name, labels), _ in measured.samples().items():
        metric = declared[name]
        seen.add(metric.name)
        values = dict(labels)
        values.pop("le", None)
        assert values.keys() == {label.name for label in metric.labels}
        for label in metric.labels:
            assert label.bounded_by or values[label.name] in label.values
    assert {metric.name for metric in metrics.CATALOGUE} - seen == {
        metrics.EXCEPTION_EXPIRY.name,
        metrics.CERTIFICATE_EXPIRY.name,
    }


def test_help_and_type_are_those_of_the_catalogue(measured: Measured) -> None:
    families = {family.name: family for family in text_string_to_metric_families(measured.scrape())}
    for metric in metrics.CATALOGUE:
        family = families.get(metric.name) or families.get(metric.name.removesuffix("_total"))
        if family is not None:
            assert (family.documentation, family.type) == (metric.help, metric.kind)


def test_openmetrics_is_spoken_to_who_asks_for_it(measured: Measured) -> None:
    assert measured.scrape("application/openmetrics-text; version=1.0.0").endswith("# EOF\n")


def test_the_port_has_nothing_else_and_repeats_nothing(measured: Measured) -> None:
    word = secrets.token_hex(12)
    for method, path in (("GET", f"/{word}"), ("POST", "/metrics"), (word.upper(), f"/{word}"), ("HEAD", f"/{word}")):
        connection = http.client.HTTPConnection("127.0.0.1", measured.port, timeout=10)
        connection.request(method, path, headers={"X-Word": word})
        answer = connection.getresponse()
        assert answer.status in (404, 501)
        told = answer.read().decode() + str(answer.getheaders())
        connection.close()
        assert word not in told.lower()
    assert word not in measured.service.stderr.read_text().lower()


def test_no_literal_becomes_a_label_and_no_word_of_a_caller_a_series(measured: Measured) -> None:
    def several(word: str, canaries: Canaries) -> None:
        service = measured.service
        service.post(f"/v1/operations/{word}?environment={word}&cluster={word}&actor={word}", {"family": word})
        service.post(f"{OPERATION}?environment={word}", COMPLIANT | {"family": word})
        service.post(f"{OPERATION}?environment=prod", full_input("RegisterTaskDefinition", canaries.value))
        service.call(word[:8].upper(), f"/{word}?{word}", headers={"Authorization": word, "traceparent": word})
        service.post(REVIEWS, {"kind": word, "request": {"uid": word, "operation": word}})

    canaries = Canaries()
    several(canaries.word(), canaries)
    before = len(measured.samples())
    for _ in range(20):
        several(canaries.word(), canaries)
    scraped = measured.scrape()
    assert canaries.found_in(scraped.encode()) == []
    assert len(measured.samples()) == before
    for path in folder_of(measured.service).iterdir():
        assert canaries.found_in(path.read_bytes()) == []


def test_500_families_environments_and_operations_make_no_series(measured: Measured) -> None:
    service = measured.service
    service.post(f"{OPERATION}?environment=somewhere", COMPLIANT)
    service.post("/v1/operations/Something?environment=somewhere", COMPLIANT)
    before = len(measured.samples())
    for number in range(250):
        service.post(f"{OPERATION}?environment=somewhere-{number}", COMPLIANT | {"family": f"family-{number}"})
        service.post(f"/v1/operations/Operation{number}?environment=other-{number}", {})
    assert len(measured.samples()) == before


def test_a_worker_that_is_replaced_takes_no_count_along(measured: Measured) -> None:
    service = measured.service
    for _ in range(4):
        service.post(f"{OPERATION}?environment=prod", COMPLIANT)
    decisions, starts = measured.total("decisions_total"), measured.total("worker_starts_total")
    folder, revision = folder_of(service), service.get("/readyz").json["revision"]
    for worker in service.workers():
        os.kill(worker, signal.SIGTERM if worker % 2 else signal.SIGKILL)
    wait_until(lambda: measured.total("worker_starts_total") >= starts + 2, "workers were started")
    wait_until(lambda: measured.value("workers") == 2, "both of them serve")
    assert measured.total("decisions_total") == decisions
    wait_until(lambda: measured.value("policies_info", revision=revision) == 2, "both of them say by what they judge")
    # The files of those that are gone became one of each kind.
    assert len(list(folder.glob("counter_*.db"))) <= 4
    assert len(list(folder.glob("gauge_livesum_*.db"))) == 2


def test_the_exporter_is_started_again(measured: Measured) -> None:
    (exporter,) = measured.service.companions("metrics")
    os.kill(exporter, signal.SIGKILL)
    wait_until(lambda: measured.service.companions("metrics") not in ([], [exporter]), "there is another one")
    wait_until(lambda: answers(measured.port), "it answers")


def test_the_folder_is_private_and_goes_with_the_service(tmp_path: Path) -> None:
    port = free_port()
    with run_service(tmp_path, metrics_bind=f"127.0.0.1:{port}", workers="1") as service:
        wait_until(lambda: len(service.companions("metrics")) == 1, "the exporter runs")
        folder = folder_of(service)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o077 for path in folder.iterdir()} == {0}
        wait_until(lambda: answers(port), "the exporter answers")
        service.stop()
        assert not folder.exists()
        assert not answers(port)


def test_a_sealer_by_itself_serves_its_own(tmp_path: Path, measured: Measured) -> None:
    port = free_port()
    environment = dict(measured.service.environment) | {"ECS_ADMISSION_METRICS_BIND": f"127.0.0.1:{port}"}
    with open(tmp_path / "stderr", "wb") as err:
        sealer = subprocess.Popen([COMMAND, "log", "seal"], env=environment, stderr=err)
    try:
        wait_until(lambda: answers(port), "it answers")
        alone = Measured(measured.service, port)
        wait_until(lambda: alone.value("sealer_turns_total", result="waited") > 0, "it had a turn: another one leads")
        names = {name for name, _ in alone.samples()}
        assert "log_sealing_lag_seconds" in names
        assert "decisions_total" not in names
    finally:
        sealer.terminate()
        sealer.wait(timeout=30)
    assert not answers(port)


def test_a_sealer_whose_address_is_taken_seals_without(tmp_path: Path, measured: Measured) -> None:
    with open(tmp_path / "stderr", "wb") as err:
        sealer = subprocess.Popen([COMMAND, "log", "seal"], env=measured.service.environment, stderr=err)
    try:
        wait_until(lambda: b"there are no metrics" in (tmp_path / "stderr").read_bytes(), "it says so")
        assert sealer.poll() is None
    finally:
        sealer.terminate()
        assert sealer.wait(timeout=30) == 0


def test_policies_that_are_refused_are_told_until_they_are_mended(tmp_path: Path) -> None:
    data = tmp_path / "layer" / "exceptions" / "data.yaml"
    data.parent.mkdir(parents=True)
    data.write_text("items: []\n")
    port = free_port()
    with run_service(
        tmp_path / "service", metrics_bind=f"127.0.0.1:{port}", workers="1", policies=str(tmp_path / "layer"),
        policies_poll_seconds="0.1",
    ) as service:  # fmt: skip
        wait_until(lambda: answers(port), "the exporter answers")
        measured = Measured(service, port)
        wait_until(lambda: measured.value("workers") == 1, "the worker serves")
        assert (measured.value("policies_refused"), measured.value("tripwires_failing")) == (0, 0)
        data.write_text("items: [nonsense]\n")
        wait_until(lambda: measured.value("policies_refused") == 1, "it is told")
        assert measured.value("policies_refusals_total") >= 1
        data.write_text("items: []\n")
        wait_until(lambda: measured.value("policies_refused") == 0, "it is told that it is mended")
