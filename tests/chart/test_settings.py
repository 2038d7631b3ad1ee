"""Chart and service cannot drift apart: what the chart sets, the service knows and accepts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from click import Group

from ecs_admission.auth.roles import Role
from ecs_admission.auth.setup import read_setup
from ecs_admission.cli import main
from ecs_admission.decision_log.keys import read_public_key
from ecs_admission.engines.bundles.keys import read_public_keys
from ecs_admission.server import companions, options
from ecs_admission.settings import Settings, is_local, read_settings
from tests.chart.rendering import GOOD, Container, render

PREFIX = "ECS_ADMISSION_"

NOT_FOR_THE_CHART = {
    "tls_client_ca_file": "neither the probes of a node nor the sidecar have a certificate to show",
    "config": "the values are the file: a second place for settings would be one too many",
    "retention_floor_days": "of `ecs-admission log retain`, which runs where the owner's URL is",
}
"""Settings that no values file leads to, and why."""


def settings_of(container: Container, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that the service makes of a container's environment."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)
    for name, value in container.environment.items():
        url = "postgresql://user@db.internal/decisions" if value.startswith("secret ") else value
        if name.startswith(PREFIX):
            monkeypatch.setenv(name, url)
    return read_settings()


def ours(values: str) -> list[Container]:
    """The containers of the image."""
    return [each for each in render(values).containers() if each.spec["name"] != "opa"]


@pytest.mark.parametrize("values", GOOD)
def test_every_variable_is_a_setting_that_parses(values: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for container in ours(values):
        names = {name for name in container.environment if name.startswith(PREFIX)}
        assert set() == names - known, container.owner
        settings_of(container, monkeypatch)


def test_every_setting_can_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    unsafe = ("ephemeralDataDir", "bindWithoutAuthentication", "newFingerprintKey")
    options = ("--set", ",".join(f"unsafe.{name}=true" for name in unsafe))
    containers = [
        each for values in GOOD for each in [*ours(values), render(values, *options).container("ecs-admission")]
    ]
    rendered = {name for container in containers for name in container.environment}
    missing = {name for name in Settings.model_fields if f"{PREFIX}{name.upper()}" not in rendered}
    assert set(NOT_FOR_THE_CHART) == missing


@pytest.mark.parametrize("values", GOOD)
def test_every_command_is_one_of_the_program(values: str) -> None:
    for container in ours(values):
        assert ["/opt/ecs-admission/bin/ecs-admission"] == container.spec["command"]
        command: object = main
        for argument in container.spec["args"]:
            if argument.startswith("--"):
                flags = {flag for each in command.params for flag in each.opts}  # type: ignore[attr-defined]
                assert argument.partition("=")[0] in flags
            else:
                assert isinstance(command, Group)
                command = command.get_command(None, argument)  # type: ignore[arg-type]
                assert command is not None, argument


@pytest.mark.parametrize("values", GOOD)
def test_every_file_that_a_setting_names_is_mounted(values: str) -> None:
    for container in ours(values):
        mounts = {Path(mount["mountPath"]) for mount in container.spec["volumeMounts"]}
        named = [value for value in container.environment.values() if value.startswith("/")]
        named += [part for argument in container.spec["args"] for part in argument.split("=")[1:] if part[0] == "/"]
        for value in named:
            for path in map(Path, value.split(",")):
                assert mounts & {path, *path.parents}, f"{container.owner}: {path}"


@pytest.mark.parametrize("values", GOOD)
def test_ports_and_probes_are_those_of_the_service(values: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = render(values)
    service = rendered.container("ecs-admission")
    settings = settings_of(service, monkeypatch)
    ports = {port["name"]: port["containerPort"] for port in service.spec["ports"]}
    assert int(settings.bind.rpartition(":")[2]) == ports["http"]
    assert not is_local(settings.bind)
    routes = (Path(__file__).parents[2] / "service/ecs_admission/http/health.py").read_text()
    for name, path in (("startup", "/healthz"), ("liveness", "/healthz"), ("readiness", "/readyz")):
        probe = service.spec[f"{name}Probe"]
        scheme = "HTTP" if settings.tls_certificate_file is None else "HTTPS"
        assert {"path": path, "port": "http", "scheme": scheme} == probe["httpGet"]
        assert f'routes.get("{path}")' in routes
    readiness = service.spec["readinessProbe"]
    assert readiness["timeoutSeconds"] > settings.engine_deadline_seconds + settings.record_deadline_seconds
    [port] = rendered.one("Service")["spec"]["ports"]
    assert port["targetPort"] in ports


@pytest.mark.parametrize("given", [(), ("--set-json", "drainSeconds=61.5", "--set", "requestDeadlineSeconds=300")])
def test_a_pod_is_not_killed_while_it_ends(given: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    container = render("sqlite-values.yaml", *given).container("ecs-admission")
    settings = settings_of(container, monkeypatch)
    needed = (
        settings.drain_seconds
        + options(settings)["graceful_timeout"]
        + sum(each.end_seconds for each in companions(settings))
    )
    assert container.pod["terminationGracePeriodSeconds"] > needed


def test_where_the_log_is_a_database_its_keys_and_its_sealer_are_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for values in ("postgresql-values.yaml", "opa-values.yaml"):
        service, sealer = (render(values).container(name) for name in ("ecs-admission", "sealer"))
        assert "off" == settings_of(service, monkeypatch).sealer
        assert settings_of(sealer, monkeypatch).anchor_places
        assert re.search(r"--key=\S+", " ".join(sealer.spec["args"]))


def test_without_anchors_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("--set", "anchors.existingClaim=", "--set", "unsafe.noAnchors=true")
    service = render("sqlite-values.yaml", *options).container("ecs-admission")
    assert () == settings_of(service, monkeypatch).anchor_places


def test_the_rules_of_who_may_call_are_read_as_they_were_written(tmp_path: Path) -> None:
    rendered = render("opa-values.yaml")
    for name, content in rendered.one("ConfigMap", "-authentication")["data"].items():
        (tmp_path / name).write_text(content)
    service = rendered.container("ecs-admission").environment
    rules, _ = read_setup(
        tmp_path / Path(service["ECS_ADMISSION_AUTH_FILE"]).name,
        service["ECS_ADMISSION_TRUSTED_PROXIES"],
        service["ECS_ADMISSION_PROXY_IDENTITY_HEADER"],
    )
    account = rendered.container("ecs-admission").pod["serviceAccountName"]
    subject = {"sub": f"system:serviceaccount:admission:{account}"}
    [grant] = rules.grants("https://kubernetes.default.svc", subject)
    assert {Role.OPERATOR} == grant.roles
    audience = render("opa-values.yaml").container("opa").pod["volumes"]
    assert rules.issuers[1].audience in str(audience)


def test_the_keys_of_the_policies_are_those_of_the_values(tmp_path: Path) -> None:
    rendered = render("opa-values.yaml")
    [(name, content)] = rendered.one("ConfigMap", "-policy-keys")["data"].items()
    given = rendered.container("ecs-admission").environment
    assert Path(given["ECS_ADMISSION_POLICIES_KEY_FILE"]).name == name
    (tmp_path / name).write_text(content)
    assert 2 == len(read_public_keys(tmp_path / name))
    remote, layer = given["ECS_ADMISSION_POLICIES"].split(",")
    assert remote.startswith("s3://")
    assert layer.startswith("/etc/ecs-admission/policies/0/")


@pytest.mark.parametrize("values", ["postgresql-values.yaml", "opa-values.yaml"])
def test_the_sealer_reads_every_public_key_of_the_log(values: str, tmp_path: Path) -> None:
    rendered = render(values)
    files = rendered.one("ConfigMap", "-sealer")["data"]
    arguments = [each.partition("=")[2] for each in rendered.container("sealer").spec["args"] if "=" in each]
    assert set(files) == {Path(each).name for each in arguments}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
        read_public_key(tmp_path / name)


def test_spans_go_where_the_values_say_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    service, quiet = (render(values).container("ecs-admission") for values in ("opa-values.yaml", "sqlite-values.yaml"))
    assert ("otlp", "off") == (settings_of(service, monkeypatch).traces, settings_of(quiet, monkeypatch).traces)
    assert "http://collector.tracing:4318" == service.environment["OTEL_EXPORTER_OTLP_ENDPOINT"]
    assert "deployment.environment.name=prod" == service.environment["OTEL_RESOURCE_ATTRIBUTES"]
    assert not any(name.startswith("OTEL_") for name in quiet.environment)


def test_with_tls_everything_that_asks_the_service_uses_it() -> None:
    rendered = render("opa-values.yaml", "--set", "tls.secretName=admission-tls")
    config = yaml.safe_load(rendered.one("ConfigMap", "-opa")["data"]["config.yaml"])
    assert "https://127.0.0.1:8080" == config["services"]["admission"]["url"]
    assert config["services"]["admission"]["allow_insecure_tls"] is True
    [port] = rendered.one("Service")["spec"]["ports"]
    assert "https" == port["appProtocol"]
    plain = yaml.safe_load(render("opa-values.yaml").one("ConfigMap", "-opa")["data"]["config.yaml"])
    assert "allow_insecure_tls" not in plain["services"]["admission"]
