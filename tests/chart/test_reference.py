"""Each value is explained and typed, and the image is the one that the chart expects."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tools.chart_docs import descriptions, readme, schema, values

from tests.chart.rendering import CHART, GOOD, ROOT, helm, render

TEXT = (CHART / "values.yaml").read_text()
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def test_every_value_has_a_comment_and_every_comment_a_value() -> None:
    described = descriptions(TEXT)
    assert set(described) == {path for path, _ in values(yaml.safe_load(TEXT), described)}


def test_the_readme_and_the_schema_say_what_the_comments_say() -> None:
    page = (CHART / "README.md").read_text()
    assert readme(page, TEXT) == page, "run: python -m tools.chart_docs --write"
    assert schema(json.loads(json.dumps(SCHEMA)), TEXT) == SCHEMA, "run: python -m tools.chart_docs --write"


def test_the_schema_has_every_value_and_no_other() -> None:
    def paths(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        for name, each in node.get("properties", {}).items():
            yield (*path, name)
            yield from paths(each, (*path, name))

    def given(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        for name, each in node.items():
            yield (*path, name)
            if isinstance(each, dict) and (*path, name) not in described:
                yield from given(each, (*path, name))

    described = descriptions(TEXT)
    assert set(given(yaml.safe_load(TEXT))) == set(paths(SCHEMA)) - {("global",)}


def test_the_defaults_fit_the_schema() -> None:
    jsonschema.validate(yaml.safe_load(TEXT), SCHEMA, cls=jsonschema.Draft202012Validator)


def test_no_part_of_the_schema_lets_anything_in() -> None:
    def open_parts(node: Any, path: str = "") -> Iterator[str]:
        if isinstance(node, dict):
            if node.get("type") == "object" and node.get("additionalProperties", True) is True:
                yield path
            for name, each in node.items():
                yield from open_parts(each, f"{path}/{name}")

    assert [] == list(open_parts(SCHEMA))


def test_the_user_the_program_and_the_folders_are_those_of_the_image() -> None:
    image = (ROOT / "Dockerfile").read_text()
    container = render("postgresql-values.yaml").container("ecs-admission")
    security = container.pod["securityContext"]
    assert f"USER {security['runAsUser']}:{security['runAsGroup']}" in image
    assert f"ENTRYPOINT {json.dumps(container.spec['command'])}" in image
    assert f"CMD {json.dumps(container.spec['args'])}" in image
    data = container.environment["ECS_ADMISSION_DATA_DIR"]
    assert f"ECS_ADMISSION_DATA_DIR={data}" in image
    assert data in {mount["mountPath"] for mount in container.spec["volumeMounts"]}
    # The rules are compiled in the image, at a place that no volume covers.
    cache = re.search(r"KF_RULE_CACHE_DIR=(/opt/\S+)", image)
    assert cache is not None
    assert not any(cache[1].startswith(mount["mountPath"]) for mount in container.spec["volumeMounts"])


def test_the_chart_and_the_program_have_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert f'\nversion = "{chart["appVersion"]}"\n' in (ROOT / "pyproject.toml").read_text()


@pytest.fixture(scope="session")
def chart_of_notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart with its notes as an object: Helm shows them only where there is a cluster."""
    copy = tmp_path_factory.mktemp("notes") / "ecs-admission"
    shutil.copytree(CHART, copy)
    notes = (copy / "templates/NOTES.txt").read_text()
    (copy / "templates/_notes.tpl").write_text(f'{{{{- define "notes" -}}}}{notes}{{{{- end -}}}}')
    (copy / "templates/notes.yaml").write_text('kind: Notes\ntext: {{ include "notes" . | quote }}\n')
    return copy


@pytest.mark.parametrize("values", GOOD)
def test_the_notes_name_what_was_made(values: str, chart_of_notes: Path) -> None:
    options = ("--namespace", "admission", "--show-only", "templates/notes.yaml", "--values", CHART / "ci" / values)
    done = helm("template", "release", chart_of_notes, *options)
    assert done.returncode == 0, done.stderr
    notes = yaml.safe_load(done.stdout)["text"]
    named = set(re.findall(r"deployment/(\S+)", notes))
    assert {each["metadata"]["name"] for each in render(values).of("Deployment")} == named
    assert "tokens create" in notes
    assert ("Nobody is woken" in notes) == (values != "opa-values.yaml")
