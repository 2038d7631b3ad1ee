"""Alerts, dashboard and documents name what the catalogue declares, and all of it is explained."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools.metric_docs import pages

from ecs_admission.metrics import CATALOGUE, Metric

ROOT = Path(__file__).resolve().parent.parent
FILES = ROOT / "helm" / "ecs-admission" / "files"
RUNBOOKS = ROOT / "docs" / "how-to" / "runbooks"
OF_THE_SCRAPE = {"namespace", "job", "instance", "le"}
_NAME = re.compile(r"\becs_admission_\w+")
_SELECTOR = re.compile(r"\b(ecs_admission_\w+)\{([^}]*)\}")
_GROUPING = re.compile(r"\b(?:by|ignoring|on|without) \(([^)]*)\)")

SAMPLES: dict[str, Metric] = {sample: metric for metric in CATALOGUE for sample in metric.sample_names}


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> Any:
    return json.loads((FILES / "dashboard.json").read_text())


def expressions() -> Iterator[tuple[str, str]]:
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_an_expression_names_metrics_and_labels_that_exist(where: str, expression: str) -> None:
    used = [SAMPLES[name] for name in _NAME.findall(expression)]
    assert used
    labels = {label.name: label for metric in used for label in metric.labels}
    for grouped in _GROUPING.findall(expression):
        assert {name.strip() for name in grouped.split(",")} - OF_THE_SCRAPE <= labels.keys()
    for name, selector in _SELECTOR.findall(expression):
        own = {label.name: label for label in SAMPLES[name].labels}
        for label, value in re.findall(r'(\w+)\s*(?:=|!=|=~|!~)\s*"([^"]*)"', selector):
            assert label in OF_THE_SCRAPE or not own[label].values or value in own[label].values


def test_every_metric_is_on_the_dashboard_or_in_an_alert() -> None:
    told = {SAMPLES[name] for _, expression in expressions() for name in _NAME.findall(expression)}
    unused = {metric.name for metric in CATALOGUE if metric not in told}
    assert unused == {
        "ecs_admission_build_info", "ecs_admission_log_digests", "ecs_admission_policies_activations_total",
        "ecs_admission_policies_refusals_total", "ecs_admission_policies_weakened",
        "ecs_admission_sealer_entries_total", "ecs_admission_sealer_turns_total",
    }  # fmt: skip


def test_every_alert_says_how_grave_it_is_and_has_its_page() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names)
    index = (RUNBOOKS / "README.md").read_text()
    for rule in alerts():
        name, severity = rule["alert"], rule["labels"]["severity"]
        assert rule["annotations"].keys() == {"summary", "runbook"}
        assert severity in ("critical", "warning", "info")
        assert rule["annotations"]["runbook"] == f"docs/how-to/runbooks/{name}.md"
        page = (RUNBOOKS / f"{name}.md").read_text()
        assert [line for line in page.splitlines() if line.startswith("#")] == [
            f"# {name}", "## What it means", "## How to see", "## What to do",
        ]  # fmt: skip
        assert f"Severity: {severity}." in page
        assert f"| [{name}]({name}.md) | {severity} |" in index
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {*names, "README"}


def test_runbooks_name_metrics_that_exist() -> None:
    for path in (*RUNBOOKS.glob("*.md"), ROOT / "docs" / "how-to" / "monitor.md"):
        assert set(_NAME.findall(path.read_text())) <= SAMPLES.keys() | {metric.name for metric in CATALOGUE}, path.name


def test_the_dashboard_can_be_imported() -> None:
    document = dashboard()
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= document.keys()
    ids = [panel["id"] for panel in document["panels"]]
    assert len(set(ids)) == len(ids)
    variables = {f"${variable['name']}" for variable in document["templating"]["list"]}
    own = {"$__rate_interval", "$__range", "$__all", "${datasource}"}
    text = (FILES / "dashboard.json").read_text()
    assert set(re.findall(r"\$\{?\w+\}?", text)) <= variables | own
    for panel in document["panels"]:
        assert panel["type"] in ("row", "stat", "table", "timeseries")
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel.get("targets", ()))


@pytest.mark.parametrize("page", list(pages()), ids=lambda path: path.name)
def test_the_documents_are_what_the_code_declares(page: Path) -> None:
    assert page.read_text() == pages()[page], "run: make docs"


def test_every_metric_is_documented_once() -> None:
    text = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    for metric in CATALOGUE:
        assert text.count(f"| `{metric.name}` | {metric.kind} |") == 1


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool: Debian has it in prometheus")
def test_prometheus_can_read_the_alerts() -> None:
    done = subprocess.run(["promtool", "check", "rules", FILES / "alerts.yaml"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
