"""Who may talk to whom: nobody, save for what is listed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chart.rendering import GOOD, Rendered, render


def policies_of(rendered: Rendered, component: str) -> list[Any]:
    """The network policies of a component's pods, without that which denies everything to all."""
    return [
        each["spec"]
        for each in rendered.of("NetworkPolicy")
        if each["spec"]["podSelector"]["matchLabels"].get("app.kubernetes.io/component") == component
    ]


def ports(rules: list[Any] | None) -> set[int]:
    """All ports of some rules."""
    return {port["port"] for rule in rules or [] for port in rule["ports"]}


@pytest.mark.parametrize("values", GOOD)
def test_every_pod_is_denied_everything_first(values: str) -> None:
    rendered = render(values)
    deny = rendered.one("NetworkPolicy", "-default-deny")["spec"]
    assert {"podSelector", "policyTypes"} == deny.keys()
    assert ["Ingress", "Egress"] == deny["policyTypes"]
    for _, pod in rendered.pods():
        assert deny["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert all(["Ingress", "Egress"] == each["spec"]["policyTypes"] for each in rendered.of("NetworkPolicy"))


@pytest.mark.parametrize("values", GOOD)
def test_each_component_reaches_what_it_needs_and_is_reached_by_whom_it_serves(values: str) -> None:
    rendered = render(values)
    [service] = policies_of(rendered, "service")
    assert {8080, 9464} == ports(service["ingress"])
    assert all(rule["from"] for rule in service["ingress"])
    is_postgresql = values != "sqlite-values.yaml"
    traces = {4318} if values == "opa-values.yaml" else set()
    assert ({53, 443, 5432} | traces if is_postgresql else {53}) == ports(service["egress"])
    if is_postgresql:
        [sealer], [migration] = policies_of(rendered, "sealer"), policies_of(rendered, "migration")
        assert ({9464}, {53, 443, 5432}) == (ports(sealer["ingress"]), ports(sealer["egress"]))
        assert "ingress" not in migration
        assert {53, 5432} == ports(migration["egress"])
    assert all(rule["to"] for each in rendered.of("NetworkPolicy") for rule in each["spec"].get("egress") or [])


def test_callers_and_metrics_come_from_namespaces_of_their_own() -> None:
    [service] = policies_of(render("postgresql-values.yaml"), "service")
    calls, scrapes = service["ingress"]
    assert [{"namespaceSelector": {"matchLabels": {"ecs-admission/client": "true"}}}] == calls["from"]
    assert ({8080}, {9464}) == (ports([calls]), ports([scrapes]))


def test_the_whole_world_is_without_the_metadata_of_the_node() -> None:
    [service] = policies_of(render("opa-values.yaml"), "service")
    [https] = [rule for rule in service["egress"] if ports([rule]) == {443}]
    assert [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}}] == https["to"]


def test_the_migration_may_connect_before_it_starts() -> None:
    rendered = render("postgresql-values.yaml")
    job, policy = rendered.one("Job", "-migration"), rendered.one("NetworkPolicy", "-migration")
    weights = [int(each["metadata"]["annotations"]["helm.sh/hook-weight"]) for each in (policy, job)]
    assert weights[0] < weights[1]
    assert "pre-install,pre-upgrade" == policy["metadata"]["annotations"]["helm.sh/hook"]


def test_without_network_policies_there_is_none() -> None:
    assert [] == render("postgresql-values.yaml", "--set", "networkPolicy.enabled=false").of("NetworkPolicy")
