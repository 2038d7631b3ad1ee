"""What an operator sees and is woken by, as the chart hands it to Prometheus and Grafana."""

from __future__ import annotations

import json
from typing import Any

import yaml

from tests.chart.rendering import CHART, Object, render

EVERYTHING = "opa-values.yaml"


def pods_with(labels: Object) -> set[str]:
    """The components whose pods have these labels."""
    pods = (pod["metadata"]["labels"] for _, pod in render(EVERYTHING).pods())
    return {own["app.kubernetes.io/component"] for own in pods if labels.items() <= own.items()}


def test_service_and_sealer_are_scraped_through_a_service_of_its_own() -> None:
    rendered = render(EVERYTHING)
    service = rendered.one("Service", "-metrics")
    assert "None" == service["spec"]["clusterIP"]
    assert {"service", "sealer"} == pods_with(service["spec"]["selector"])
    [port] = service["spec"]["ports"]
    for name in ("ecs-admission", "sealer"):
        container = rendered.container(name)
        ports = {each["name"]: each["containerPort"] for each in container.spec["ports"]}
        assert ports[port["targetPort"]] == port["port"] == 9464
        assert container.environment["ECS_ADMISSION_METRICS_BIND"] == f"0.0.0.0:{port['port']}"
    monitor = rendered.one("ServiceMonitor")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [port["name"]] == [each["port"] for each in monitor["spec"]["endpoints"]]
    assert "prometheus" == monitor["metadata"]["labels"]["release"]
    assert rendered.one("Service")["metadata"]["labels"].items() & {("app.kubernetes.io/component", "metrics")} == set()


def test_the_alerts_are_those_of_the_file_and_say_which_environment() -> None:
    rule: Any = render(EVERYTHING).one("PrometheusRule")
    alerts = yaml.safe_load((CHART / "files/alerts.yaml").read_text())
    for group in alerts["groups"]:
        for each in group["rules"]:
            if "alert" in each:
                each["labels"] = {**each.get("labels", {}), "environment": "prod"}
    assert alerts["groups"] == rule["spec"]["groups"]


def test_the_dashboard_is_the_file_and_is_found_by_its_label() -> None:
    dashboard = render(EVERYTHING).one("ConfigMap", "-dashboard")
    assert "1" == dashboard["metadata"]["labels"]["grafana_dashboard"]
    [content] = dashboard["data"].values()
    assert json.loads((CHART / "files/dashboard.json").read_text()) == json.loads(content)


def test_nothing_of_an_operator_is_made_unless_it_is_asked_for() -> None:
    kinds = {each["kind"] for each in render("postgresql-values.yaml").objects}
    assert set() == kinds & {"ServiceMonitor", "PrometheusRule", "HorizontalPodAutoscaler", "Ingress"}
