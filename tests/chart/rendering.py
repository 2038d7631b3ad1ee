"""The chart as Helm renders it: each values file once, since a process takes a tenth of a second."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "ecs-admission"
GOOD = sorted(path.name for path in (CHART / "ci").glob("*.yaml"))
RELEASE = "release"
_NO_PROGRAM = 3

Object = Mapping[str, Any]


def helm_program() -> str:
    """The path of the pinned Helm. Without one the test is skipped, but fails where CI=true."""
    status, path, told = _find_helm()
    if status == 0:
        return path
    if status == _NO_PROGRAM and os.environ.get("CI") != "true":
        pytest.skip(told)
    pytest.fail(told)


@functools.cache
def _find_helm() -> tuple[int, str, str]:
    found = subprocess.run([ROOT / "tools" / "helm"], capture_output=True, text=True, check=False)
    return found.returncode, found.stdout.strip(), found.stderr.strip().rpartition("\n")[2]


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Helm, which asks no cluster and no repository for what is done here."""
    return subprocess.run([helm_program(), *arguments], capture_output=True, text=True, check=False, cwd=ROOT)


@dataclass(frozen=True)
class Container:
    """A container of a rendered pod, and where it stands."""

    owner: str
    component: str
    spec: Object
    pod: Object

    @property
    def environment(self) -> dict[str, str]:
        """Its variables. What a Secret will hold is `secret NAME/KEY` here."""
        variables = {}
        for variable in self.spec.get("env", []):
            source = variable.get("valueFrom", {}).get("secretKeyRef")
            variables[variable["name"]] = (
                variable["value"] if source is None else f"secret {source['name']}/{source['key']}"
            )
        return variables


class Rendered:
    """The objects of a release."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.objects: list[Object] = [each for each in yaml.safe_load_all(text) if each is not None]

    def of(self, kind: str) -> list[Object]:
        """All objects of a kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str, suffix: str = "") -> Object:
        """The object of a kind whose name is that of the release, and what follows."""
        [found] = [each for each in self.of(kind) if each["metadata"]["name"] == f"{self.name}{suffix}"]
        return found

    @property
    def name(self) -> str:
        """What all names begin with."""
        return min((each["metadata"]["name"] for each in self.of("Deployment")), key=len)

    def pods(self) -> Iterator[tuple[str, Object]]:
        """Every template of a pod, with the name of what makes it."""
        for each in self.objects:
            if each["kind"] in {"Deployment", "Job", "StatefulSet", "DaemonSet", "CronJob"}:
                yield f"{each['kind']} {each['metadata']['name']}", each["spec"]["template"]

    def containers(self) -> Iterator[Container]:
        """Every container, those that run first included."""
        for owner, pod in self.pods():
            component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
            for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
                yield Container(owner, component, container, pod["spec"])

    def container(self, name: str) -> Container:
        """The container of this name."""
        [found] = [each for each in self.containers() if each.spec["name"] == name]
        return found


@functools.cache
def render(values: str, *options: str) -> Rendered:
    """What a values file of the chart's `ci/` renders to, with further options of `helm template`."""
    done = helm("template", RELEASE, CHART, "--namespace", "admission", "--values", CHART / "ci" / values, *options)
    assert done.returncode == 0, done.stderr
    return Rendered(done.stdout)


def refusal(values: str | None, *options: str) -> list[str]:
    """What `helm template` says to values that are not to be had, a problem a line."""
    given = () if values is None else ("--values", CHART / "ci" / values)
    done = helm("template", RELEASE, CHART, *given, *options)
    assert done.returncode != 0, "these values are accepted"
    return [line.strip() for line in done.stderr.splitlines()]
