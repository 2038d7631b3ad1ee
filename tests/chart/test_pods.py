"""Each pod is as tight as the restricted Pod Security Standard asks, and a bit more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chart.rendering import GOOD, Container, Object, render

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
"""Types of volumes that the restricted standard allows."""


def departures(pod: Object) -> Iterator[str]:
    """What the restricted standard of Kubernetes forbids or misses in a pod.

    https://kubernetes.io/docs/concepts/security/pod-security-standards/
    """
    security = pod.get("securityContext", {})
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(name):
            yield name
    if security.get("sysctls") or security.get("seLinuxOptions") or security.get("windowsOptions"):
        yield "securityContext"
    for volume in pod.get("volumes", []):
        if not volume.keys() - {"name"} <= VOLUMES:
            yield f"volume {volume['name']}"
    for container in [*pod.get("initContainers", []), *pod["containers"], *pod.get("ephemeralContainers", [])]:
        own, name = container.get("securityContext", {}), container["name"]
        if own.get("privileged") or own.get("procMount", "Default") != "Default" or own.get("seLinuxOptions"):
            yield f"{name}: privileged"
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"{name}: allowPrivilegeEscalation"
        capabilities = own.get("capabilities", {})
        if "ALL" not in capabilities.get("drop", []) or set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
            yield f"{name}: capabilities"
        if not own.get("runAsNonRoot", security.get("runAsNonRoot")):
            yield f"{name}: runAsNonRoot"
        if own.get("runAsUser", security.get("runAsUser", 1)) == 0:
            yield f"{name}: runAsUser"
        if own.get("seccompProfile", security.get("seccompProfile", {})).get("type") not in {
            "RuntimeDefault",
            "Localhost",
        }:
            yield f"{name}: seccompProfile"
        if any("hostPort" in port for port in container.get("ports", [])):
            yield f"{name}: hostPort"


@pytest.mark.parametrize("values", GOOD)
def test_every_pod_keeps_the_restricted_standard(values: str) -> None:
    assert [] == [(owner, each) for owner, pod in render(values).pods() for each in departures(pod["spec"])]


def test_the_check_of_the_standard_finds_what_is_missing() -> None:
    pod = {"hostPID": True, "volumes": [{"name": "x", "hostPath": {}}], "containers": [{"name": "c"}]}
    assert [
        "hostPID", "volume x", "c: allowPrivilegeEscalation", "c: capabilities", "c: runAsNonRoot", "c: seccompProfile",
    ] == list(departures(pod))  # fmt: skip


@pytest.mark.parametrize("values", GOOD)
def test_no_pod_writes_to_its_image_or_knows_the_cluster(values: str) -> None:
    for owner, pod in render(values).pods():
        assert pod["spec"]["automountServiceAccountToken"] is False, owner
        # A Service called ecs-admission would be ECS_ADMISSION_SERVICE_HOST, a setting that there is not.
        assert pod["spec"]["enableServiceLinks"] is False, owner
    for container in render(values).containers():
        assert container.spec["securityContext"]["readOnlyRootFilesystem"] is True, container.owner
        resources = container.spec["resources"]
        assert {"cpu", "memory"} <= resources["requests"].keys(), container.owner
        assert "memory" in resources["limits"], container.owner


@pytest.mark.parametrize("values", GOOD)
def test_keys_are_for_the_user_alone_and_lie_on_no_volume_of_the_log(values: str) -> None:
    for container in render(values).containers():
        volumes = {volume["name"]: volume for volume in container.pod["volumes"]}
        mounts = {mount["mountPath"]: mount for mount in container.spec["volumeMounts"]}
        for name, path in container.environment.items():
            if not name.endswith("_KEY_FILE") or name == "ECS_ADMISSION_POLICIES_KEY_FILE":  # public keys
                continue
            folder, _, _ = path.rpartition("/")
            volume = volumes[mounts[folder]["name"]]
            assert mounts[folder]["readOnly"] is True
            assert 0o400 == volume["projected"]["defaultMode"]
            assert 65532 == container.pod["securityContext"]["fsGroup"]
            files = [item["path"] for source in volume["projected"]["sources"] for item in source["secret"]["items"]]
            assert path.rpartition("/")[2] in files


def keys_of(container: Container) -> set[str]:
    """The names of the key files that a container can read."""
    mounted = {mount["name"] for mount in container.spec["volumeMounts"]}
    return {
        item["path"]
        for volume in container.pod["volumes"]
        if "projected" in volume and volume["name"] in mounted
        for source in volume["projected"]["sources"]
        for item in source.get("secret", {"items": []})["items"]
    }


@pytest.mark.parametrize("values", ["postgresql-values.yaml", "opa-values.yaml"])
def test_nobody_has_a_key_or_a_role_of_another(values: str) -> None:
    rendered = render(values)
    service, sealer, migration = (rendered.container(name) for name in ("ecs-admission", "sealer", "migration"))
    assert {"fingerprint.key", "signing.key", "tokens.key"} == keys_of(service)
    assert {"sealer.key"} == keys_of(sealer)
    assert set() == keys_of(migration)
    urls = [each.environment["ECS_ADMISSION_DATABASE_URL"] for each in (service, sealer, migration)]
    urls.append(service.environment["ECS_ADMISSION_DATABASE_READ_URL"])
    assert 4 == len(set(urls))
    accounts = {each.pod.get("serviceAccountName") for each in (service, sealer, migration)}
    assert {rendered.name, f"{rendered.name}-sealer", None} == accounts


@pytest.mark.parametrize("values", ["postgresql-values.yaml", "opa-values.yaml"])
def test_one_sealer_seals_and_ends_before_the_next_begins(values: str) -> None:
    sealer = render(values).one("Deployment", "-sealer")["spec"]
    assert (1, {"type": "Recreate"}) == (sealer["replicas"], sealer["strategy"])


def test_the_volume_of_sqlite_is_one_pods_at_a_time() -> None:
    rendered = render("sqlite-values.yaml", "--set", "replicas=3")
    service = rendered.one("Deployment")["spec"]
    assert (1, {"type": "Recreate"}) == (service["replicas"], service["strategy"])
    [claim] = rendered.of("PersistentVolumeClaim")
    assert ["ReadWriteOncePod"] == claim["spec"]["accessModes"]
    assert [] == rendered.of("Job")
    assert {"ecs-admission"} == {container.spec["name"] for container in rendered.containers()}


def test_a_roll_takes_no_pod_before_the_next_is_ready() -> None:
    service = render("postgresql-values.yaml").one("Deployment")["spec"]
    assert {"maxUnavailable": 0, "maxSurge": 1} == service["strategy"]["rollingUpdate"]


def test_the_migration_comes_first() -> None:
    annotations = render("postgresql-values.yaml").one("Job", "-migration")["metadata"]["annotations"]
    assert "pre-install,pre-upgrade" == annotations["helm.sh/hook"]


def test_the_sidecar_has_nothing_but_the_credential_for_its_bundle() -> None:
    sidecar = render("opa-values.yaml").container("opa")
    assert set() == keys_of(sidecar)
    mounted = {mount["name"] for mount in sidecar.spec["volumeMounts"]}
    assert {"opa-config", "opa-socket", "opa-credential"} == mounted
    [volume] = [each for each in sidecar.pod["volumes"] if each["name"] == "opa-credential"]
    [source] = volume["projected"]["sources"]
    assert "https://admission.example.com" == source["serviceAccountToken"]["audience"]
    assert "opa-credential" not in {
        mount["name"] for mount in render("opa-values.yaml").container("ecs-admission").spec["volumeMounts"]
    }


def test_the_credential_can_be_a_secret_instead() -> None:
    options = ("--set", "opa.credential.audience=,opa.credential.secretName=opa-token")
    sidecar = render("opa-values.yaml", *options).container("opa")
    assert {"token"} == keys_of(sidecar)
