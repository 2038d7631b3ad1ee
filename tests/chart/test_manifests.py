"""What the chart renders to is what Kubernetes and its operators accept."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.chart.rendering import CHART, GOOD, Object, helm, render
from tests.chart.schemas import OPERATOR_SCHEMAS

KUBERNETES = ("1.29", "1.37")
"""The oldest that Chart.yaml allows, and the newest that there is a schema of."""


@pytest.mark.parametrize("values", GOOD)
def test_helm_finds_nothing_wrong(values: str) -> None:
    done = helm("lint", "--strict", "--quiet", CHART, "--values", CHART / "ci" / values)
    assert (0, "") == (done.returncode, done.stdout.replace("==> Linting", "").replace(str(CHART), "").strip())


@pytest.mark.parametrize("values", GOOD)
@pytest.mark.parametrize("version", KUBERNETES)
def test_every_object_fits_the_schema_of_kubernetes(values: str, version: str) -> None:
    for each in render(values).objects:
        if each["apiVersion"].startswith("monitoring.coreos.com/"):
            jsonschema.validate(each, OPERATOR_SCHEMAS[each["kind"]])
        else:
            kubernetes_validate.validate(dict(each), version, strict=True)


def test_the_oldest_kubernetes_is_the_one_that_is_tested() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert f">={KUBERNETES[0]}.0-0" == chart["kubeVersion"]


@pytest.mark.parametrize("values", GOOD)
def test_nothing_is_defined_twice(values: str) -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in render(values).objects]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("values", GOOD)
def test_selectors_select_the_pods_of_their_own(values: str) -> None:
    rendered = render(values)
    pods = {name: pod["metadata"]["labels"] for name, pod in rendered.pods()}

    def selected(labels: Object) -> set[str]:
        return {name for name, own in pods.items() if labels.items() <= own.items()}

    for each in rendered.of("Deployment"):
        assert {f"Deployment {each['metadata']['name']}"} == selected(each["spec"]["selector"]["matchLabels"])
    service = {f"Deployment {rendered.name}"}
    assert service == selected(rendered.one("Service")["spec"]["selector"])
    assert service == selected(rendered.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"])
    spread = rendered.one("Deployment")["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert [service] * 2 == [selected(each["labelSelector"]["matchLabels"]) for each in spread]


@pytest.mark.parametrize("values", GOOD)
def test_every_mount_has_a_volume_and_every_volume_a_mount(values: str) -> None:
    for owner, pod in render(values).pods():
        spec = pod["spec"]
        containers = [*spec.get("initContainers", []), *spec["containers"]]
        mounted = {mount["name"] for each in containers for mount in each["volumeMounts"]}
        assert mounted == {volume["name"] for volume in spec["volumes"]}, owner
        for each in containers:
            places = [mount["mountPath"] for mount in each["volumeMounts"]]
            assert len(set(places)) == len(places), owner


@pytest.mark.parametrize("values", GOOD)
def test_every_config_map_of_ours_is_there_with_the_files_that_are_mounted(values: str) -> None:
    rendered = render(values)
    ours = {each["metadata"]["name"]: each["data"] for each in rendered.of("ConfigMap")}
    for _, pod in rendered.pods():
        volumes = {volume["name"]: volume["configMap"] for volume in pod["spec"]["volumes"] if "configMap" in volume}
        for volume in volumes.values():
            if volume["name"].startswith(rendered.name):
                assert ours[volume["name"]]
        for container in pod["spec"].get("initContainers", []):
            for mount in container["volumeMounts"]:
                if "subPath" in mount:
                    assert mount["subPath"] in ours[volumes[mount["name"]]["name"]]


def test_a_change_of_what_is_read_at_the_start_rolls_the_pods() -> None:
    def annotations(*options: str) -> Any:
        return render("opa-values.yaml", *options).one("Deployment")["spec"]["template"]["metadata"]["annotations"]

    before = annotations()
    for name, option in (
        ("checksum/authentication", "authentication.rules=# jwks_uri cluster.json https://admission.example.com"),
        ("checksum/opa", "opa.pollSeconds=7"),
    ):
        assert re.fullmatch("[0-9a-f]{64}", before[name])
        assert annotations("--set", option)[name] != before[name]


@pytest.mark.parametrize("values", GOOD)
def test_secrets_are_named_and_never_made(values: str) -> None:
    rendered = render(values)
    assert [] == rendered.of("Secret")
    for container in rendered.containers():
        for name, value in container.environment.items():
            if "URL" in name and "OPA" not in name:
                assert value.startswith("secret "), name
