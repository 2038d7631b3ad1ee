"""The folder in which processes count: private, new with each start, and gone with the last that used it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from ecs_admission import metrics_folder
from ecs_admission.exporter import WorkerMetrics
from ecs_admission.metrics_folder import VARIABLE, MetricsFolder, ended_files, make_folder, process_of, shared_folder

COUNT = """
import os, sys
from ecs_admission.metering import Meters
from ecs_admission.observation import Recorded, WorkerStarted
meters = Meters("worker")
meters(WorkerStarted(8))
for _ in range(3):
    meters(Recorded("decision", is_durable=True))
print(os.getpid())
"""


@pytest.fixture(autouse=True)
def _in_memory_of_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_folder, "_MEMORY", tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def folder() -> Iterator[MetricsFolder]:
    made = make_folder()
    yield made
    made.close()


def count_in(folder: MetricsFolder) -> int:
    """Have a process count there and end; its id."""
    environment = dict(os.environ) | {VARIABLE: str(folder.path)}
    done = subprocess.run([sys.executable, "-c", COUNT], env=environment, capture_output=True, check=True)
    return int(done.stdout)


def samples(folder: MetricsFolder) -> dict[str, float]:
    return {
        sample.name + "".join(sample.labels.values()): sample.value
        for family in WorkerMetrics(folder.path).collect()
        for sample in family.samples
    }


def test_it_is_private_and_named_to_children(folder: MetricsFolder) -> None:
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert shared_folder() == folder.path
    folder.close()
    assert not folder.path.exists()
    assert shared_folder() is None


def test_a_fork_does_not_remove_it(folder: MetricsFolder) -> None:
    MetricsFolder(folder.path, folder.lock, folder.owner + 1).close()
    assert folder.path.exists()


def test_what_a_killed_service_left_is_removed_and_what_is_in_use_is_not(tmp_path: Path, folder: MetricsFolder) -> None:
    left = tmp_path / "ecs-admission-metrics-left"
    left.mkdir(mode=0o700)
    (left / "in-use").touch()
    (left / "counter_1.db").touch()
    strange, link = tmp_path / "ecs-admission-metrics-strange", tmp_path / "ecs-admission-metrics-link"
    strange.mkdir()
    link.symlink_to(tmp_path)
    second = make_folder()
    assert not left.exists()
    assert folder.path.exists()
    assert strange.exists()
    assert link.is_symlink()
    second.close()


def test_without_room_in_memory_it_is_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(metrics_folder, "_MEMORY", Path("/nowhere/at/all"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = make_folder()
    assert made.path.parent == tmp_path
    made.close()


@pytest.mark.parametrize(
    ("name", "process"),
    [("counter_12.db", 12), ("gauge_livesum_7.db", 7), ("policies_9.json", 9), ("in-use", None), ("counter_x.db", None),
     ("policies_9.draft", None)],
)  # fmt: skip
def test_files_are_known_by_their_process(name: str, process: int | None) -> None:
    assert process_of(Path(name)) == process


def test_counts_of_processes_that_are_gone_are_kept_and_their_files_are_not(folder: MetricsFolder) -> None:
    for number in range(1, 4):
        count_in(folder)
        found = samples(folder)
        assert found["ecs_admission_records_totaldecision"] == 3 * number
        assert found["ecs_admission_worker_starts_total"] == number
        assert "ecs_admission_threads" not in found
    assert {path.name for path in folder.path.iterdir()} == {"in-use", "counter_0.db", "histogram_0.db"}
    assert list(ended_files(folder.path)) == []


def test_a_file_that_a_killed_process_did_not_finish_is_given_up(folder: MetricsFolder) -> None:
    process = count_in(folder)
    file = folder.path / f"counter_{process}.db"
    content = bytearray(file.read_bytes())
    content[8:12] = (2**30).to_bytes(4, "little")
    file.write_bytes(content)
    assert "ecs_admission_records_totaldecision" not in samples(folder)
    assert not file.exists()


def test_what_a_process_said_of_itself_goes_with_it(folder: MetricsFolder) -> None:
    document = orjson.dumps({
        "revision": "r", "since": 1, "isRefused": False, "isWaiting": False, "isFit": True, "weakened": 0,
        "exceptions": 0, "nextExpiry": None,
    })  # fmt: skip
    (folder.path / f"policies_{os.getpid()}.json").write_bytes(document)
    (folder.path / f"policies_{count_in(folder)}.json").write_bytes(document)
    (folder.path / f"policies_{os.getppid()}.json").write_bytes(b"{")
    assert samples(folder)["ecs_admission_policies_infor"] == 1
