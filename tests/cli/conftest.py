"""What tests of the commands share: files, no settings of the machine, and a pipeline that is already there."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ecs_admission.model import JSONObject


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ECS_ADMISSION_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes], str]:
    def write_(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write_


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, reviewer: Any) -> None:
    """Judge with the pipeline that the session has already built."""
    from ecs_admission.adapt.submission import read_operation
    from ecs_admission.model import UserInfo

    def advisory_judge(
        _: Sequence[Path], operation: str, pairs: list[tuple[str, str]]
    ) -> Callable[[bytes], JSONObject]:
        def judge(content: bytes) -> JSONObject:
            answer = reviewer.review(
                lambda: read_operation(operation, content, pairs),
                operation=operation, user=UserInfo("system:local"), enforcement_point="check",
            )  # fmt: skip
            return dict(answer.response)

        return judge

    monkeypatch.setattr("ecs_admission.advisory.advisory_judge", advisory_judge)
