"""The bench's own parts: that its bodies are what they claim, and that its report does not flatter."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import goals, load, processes, report, targets
from bench.bodies import SIZES, Size, request_body, task_definition

from ecs_admission.adapt.submission import read_operation
from ecs_admission.model import UserInfo
from ecs_admission.review import Reviewer

ROOT = Path(__file__).resolve().parents[1]
SECRET_WORDS = {"password", "passwd", "pwd", "secret", "token", "key", "auth", "credential", "credentials", "private"}
SMALL = Size(1, 10)


def cell(target: str, *, p50: float, size: Size = SMALL, leaky: bool = False, connections: int = 1) -> load.Cell:
    """A measurement with one step of half its time."""
    case = load.Case(size, leaky, connections)
    return load.Cell(
        case, target, 2000, 100, p50, p50 * 2, 1000 / p50, {} if target == "bare" else {"project": p50 * 500}
    )


def results(*cells: load.Cell, megabytes: float = 100.0, check: float = 0.3) -> report.Results:
    """What a run with these measurements hands to the report."""
    verdicts = goals.judge(list(cells), {"embedded": megabytes}, check)
    memory = {"embedded": {"VmRSS": megabytes, "VmHWM": megabytes}}
    return report.Results(
        "python -m bench.run", "2026-01-01", {"OPA": "1"}, list(cells), memory, (check, check), verdicts
    )


class Judge(BaseHTTPRequestHandler):
    """Answers like the service: 403 for a body with a command line that holds a key, and a log of two decisions."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Judge a body."""
        allowed = b"--api-key=" not in self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200 if allowed else 403, {"response": {"allowed": allowed}})

    def do_GET(self) -> None:
        """List decisions; the third is older than the cell, which made two."""
        timings = ({"project": 10, "record": 5}, {"project": 30, "record": 5}, {"project": 900})
        self.answer(200, {"items": [{"outcome": "denied", "timings": each} for each in timings]})

    def answer(self, status: int, body: dict[str, Any]) -> None:
        """Send JSON."""
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name of the overridden parameter
        """Stay silent."""


@pytest.fixture
def service() -> Iterator[targets.Target]:
    """A stand-in for the service on a free port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Judge) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        yield targets.Target(
            "embedded",
            f"{base}/",
            os.getpid(),
            targets._service_body,
            targets._service_allows,
            True,
            f"{base}/v1/decisions",
        )
        server.shutdown()


def fake_wrk(monkeypatch: pytest.MonkeyPatch, **summary: int) -> None:
    """Let the load generator report this without making load."""
    whole = {"requests": 2, "duration": 1_000_000, "p50": 400, "p99": 900, "not_ok": 0, "socket_errors": 0} | summary
    monkeypatch.setattr(load, "_wrk", lambda *_: whole)


class TestBodies:
    @pytest.mark.parametrize(("size", "kilobytes"), list(zip(SIZES, (2, 9, 40, 218), strict=True)), ids=str)
    @pytest.mark.parametrize("leaky", [False, True])
    def test_are_as_large_as_the_table_says(self, size: Size, kilobytes: int, leaky: bool) -> None:
        assert abs(len(request_body(size, leaky=leaky)) / 1000 - kilobytes) < kilobytes * 0.1

    @pytest.mark.parametrize("size", SIZES, ids=lambda size: size.label)
    def test_have_the_shape_they_are_named_after(self, size: Size) -> None:
        containers = json.loads(request_body(size, leaky=True))["containerDefinitions"]
        assert [size.variables] * size.containers == [len(container["environment"]) for container in containers]
        for container in containers:
            names = [each["name"] for each in container["environment"] + container["secrets"]]
            assert len(names) == len(set(names))

    def test_are_the_same_for_one_seed_and_others_for_another(self) -> None:
        assert request_body(SMALL, leaky=True, seed=1) == request_body(SMALL, leaky=True, seed=1)
        assert request_body(SMALL, leaky=True, seed=1) != request_body(SMALL, leaky=True, seed=2)

    @pytest.mark.parametrize("size", SIZES, ids=lambda size: size.label)
    def test_clean_ones_name_no_secret_outside_secrets(self, size: Size) -> None:
        containers: Any = task_definition(size, leaky=False)["containerDefinitions"]
        names = [variable["name"] for container in containers for variable in container["environment"]]
        assert not SECRET_WORDS & {word for name in names for word in name.lower().split("_")}

    @pytest.mark.parametrize("size", SIZES, ids=lambda size: size.label)
    def test_leaky_ones_hold_one_of_each_kind(self, size: Size) -> None:
        text = request_body(size, leaky=True).decode()
        kinds = (
            r'"DB_PASSWORD"',
            r"gh[p]_[A-Za-z0-9]{36}\b",
            r"://storefront:[A-Za-z0-9]{20}@",
            r"\bAK[I]A[A-Z2-7]{16}\b",
        )
        assert [len(re.findall(kind, text)) for kind in (*kinds, r"--api-key=[A-Za-z0-9]{32}")] == [1] * 5

    def test_source_holds_nothing_that_looks_live(self) -> None:
        patterns = re.findall("`(.+)`", (ROOT / "bench/bare_opa/patterns.rego").read_text())[2:-4]
        assert len(patterns) == 14
        source = (ROOT / "bench/bodies.py").read_text()
        assert [found for pattern in patterns for found in re.findall(pattern, source) if "{" not in found] == []


class TestMeasure:
    def test_takes_the_median_of_each_step_over_the_entries_of_the_cell(
        self, service: targets.Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        fake_wrk(monkeypatch, not_ok=2)
        case = load.Case(SMALL, leaky=True, connections=1)
        found = load.measure(service, case, seconds=1, warm_up_seconds=0, folder=tmp_path)
        assert (found.steps, found.p50, found.p99, found.per_second) == ({"project": 10, "record": 5}, 0.4, 0.9, 2.0)

    @pytest.mark.parametrize(
        "summary", [{"not_ok": 1}, {"not_ok": 3}, {"socket_errors": 1, "not_ok": 2}, {"requests": 0}]
    )
    def test_refuses_numbers_that_rest_on_other_answers(
        self, service: targets.Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, summary: dict[str, int]
    ) -> None:
        fake_wrk(monkeypatch, **summary)
        with pytest.raises(targets.WrongAnswerError):
            load.measure(service, load.Case(SMALL, True, 8), seconds=1, warm_up_seconds=0, folder=tmp_path)

    @pytest.mark.parametrize("leaky", [False, True])
    def test_refuses_a_target_with_the_wrong_verdict(
        self, service: targets.Target, tmp_path: Path, leaky: bool
    ) -> None:
        swapped = targets.Target(
            "embedded",
            service.url,
            service.pid,
            lambda size, leaky: request_body(size, leaky=not leaky),
            service.is_allow,
            True,
        )
        with pytest.raises(targets.WrongAnswerError, match="not the verdict"):
            load.measure(swapped, load.Case(SMALL, leaky, 1), seconds=1, warm_up_seconds=0, folder=tmp_path)

    @pytest.mark.parametrize(("status", "allowed"), [(200, False), (403, True), (503, False), (200, None)])
    def test_refuses_an_answer_whose_status_and_body_disagree(self, status: int, allowed: bool | None) -> None:
        answer = json.dumps({"response": {"allowed": allowed}}).encode()
        with pytest.raises(targets.WrongAnswerError):
            targets._service_allows(status, answer)


class TestGoals:
    def test_a_ratio_at_the_goal_is_met_and_above_it_is_missed(self) -> None:
        at = goals.judge([cell("bare", p50=1.0), cell("embedded", p50=2.0)], {}, None)
        above = goals.judge([cell("bare", p50=1.0), cell("embedded", p50=2.01)], {}, None)
        assert [at[0].is_met, above[0].is_met] == [True, False]

    def test_only_one_connection_counts_and_only_beside_bare_opa(self) -> None:
        eight = [cell("bare", p50=1.0, connections=8), cell("embedded", p50=9.0, connections=8)]
        assert goals.judge([*eight, cell("opa", p50=9.0)], {}, None) == []

    @pytest.mark.parametrize(("megabytes", "seconds", "met"), [(200, 0.5, [True, True]), (201, 0.51, [False, False])])
    def test_memory_and_command_line_have_goals(self, megabytes: float, seconds: float, met: list[bool]) -> None:
        assert met == [verdict.is_met for verdict in goals.judge([], {"embedded": megabytes}, seconds)]


class TestReport:
    def test_names_each_goal_that_is_missed(self) -> None:
        page = report.render(results(cell("bare", p50=1.0), cell("embedded", p50=3.0), megabytes=250, check=0.9))
        assert "**3.00 missed**" in page
        assert "0 of the 3 goals that were measured are met" in page
        missed = [line for line in page.splitlines() if line.startswith("- **Not met**")]
        assert len(missed) == 3
        assert "- **Not met**: peak memory of a worker, embedded: 250 MB, goal at most 200 MB." in missed

    def test_says_so_when_all_goals_are_met(self) -> None:
        page = report.render(results(cell("bare", p50=1.0), cell("embedded", p50=1.5)))
        assert "- All 3 goals that this run measured were met." in page
        assert "missed" not in page

    def test_shows_what_lies_outside_the_timed_steps(self) -> None:
        page = report.render(results(cell("bare", p50=1.0), cell("embedded", p50=2.0)))
        assert "| size | project | rest | p50 |" in page
        assert "| 1 x 10 clean | 1000 | 1000 | 2000 |" in page

    def test_tables_are_square(self) -> None:
        page = report.render(
            results(cell("bare", p50=1.0), cell("embedded", p50=2.0), cell("opa", p50=2.0, connections=8))
        )
        tables = re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE)
        for table in tables:
            assert len({line.count("|") for line in table.splitlines()}) == 1, table


class TestProcesses:
    def program(self, code: str, url: str = "http://127.0.0.1:9/") -> processes.Program:
        """A Python program that runs this code."""
        return processes.Program("child", [sys.executable, "-c", code], url, dict(os.environ))

    def test_one_that_ends_early_is_an_error_with_its_last_words(self, tmp_path: Path) -> None:
        with (
            pytest.raises(processes.StartError, match=r"ended with 3; its last output:\nno such engine"),
            processes.running(self.program("print('no such engine', flush=True); raise SystemExit(3)"), tmp_path),
        ):
            pytest.fail("was never ready")

    def test_is_ended_when_the_block_fails(self, service: targets.Target, tmp_path: Path) -> None:
        seen = []
        program = self.program("import time; time.sleep(60)", str(service.decisions_url))

        def fail() -> None:
            with processes.running(program, tmp_path) as pid:
                seen.append(pid)
                raise KeyError

        with pytest.raises(KeyError):
            fail()
        assert not Path(f"/proc/{seen[0]}").exists()

    def test_settings_of_the_service_do_not_reach_what_is_measured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ECS_ADMISSION_ENGINE", "opa")
        assert {
            name: text
            for name, text in targets.clean_environment({"ECS_ADMISSION_BIND": "x"}).items()
            if name.startswith("ECS_ADMISSION_")
        } == {"ECS_ADMISSION_BIND": "x"}


@pytest.mark.opa
@pytest.mark.parametrize("leaky", [False, True])
def test_bare_opa_allows_clean_and_denies_leaky_bodies(tmp_path: Path, leaky: bool) -> None:
    with targets.started(["bare"], targets.SERVICE, tmp_path) as (bare,):
        answers = [bare.is_allow(*processes.ask(bare.url, bare.make_body(size, leaky))) for size in SIZES]
    assert [not leaky] * len(SIZES) == answers


@pytest.mark.parametrize("leaky", [False, True])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_service_gives_the_verdict_of_bare_opa(reviewer: Reviewer, size: Size, leaky: bool) -> None:
    """See the test above for bare OPA's: the bench compares times of equal work only."""
    body = request_body(size, leaky=leaky)
    answer = reviewer.review(
        lambda: read_operation("RegisterTaskDefinition", body, [("environment", "prod")]),
        operation="RegisterTaskDefinition",
        user=UserInfo("bench"),
        enforcement_point="test",
    )
    assert answer.response["allowed"] is not leaky
