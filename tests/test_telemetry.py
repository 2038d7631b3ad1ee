"""Log lines: one JSON object each, of known keys, and nothing that a caller sent."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
import structlog

from ecs_admission.model import Refusal
from ecs_admission.telemetry import KEYS, configure, frames, log_error, log_refusal, log_revision, logger
from tests.project.samples import letters


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    out, err = capsys.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_a_line_is_one_object_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info")
    logger().info("review", outcome="denied", findings=2, rules=["a/b"])
    (line,) = lines(capsys)
    timestamp = line.pop("timestamp")
    assert str(timestamp).endswith("Z")
    assert line == {"event": "review", "level": "info", "outcome": "denied", "findings": 2, "rules": ["a/b"]}


def test_a_value_with_line_breaks_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info")
    logger().info("review", reason='a\nb\r\u2028{"event":"forged"}')
    (line,) = lines(capsys)
    assert line["event"] == "review"


def test_unknown_keys_are_dropped_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info")
    secret = letters(20)
    logger().info("review", outcome="denied", body=secret, password=secret, exc_info=True)
    (line,) = lines(capsys)
    assert secret not in json.dumps(line)
    assert (line["outcome"], line["dropped_keys"]) == ("denied", 3)
    assert line.keys() <= KEYS.keys()


def test_keys_bound_earlier_are_held_to_the_list_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info")
    logger().bind(body=letters(20)).warning("odd")
    (line,) = lines(capsys)
    assert (line["level"], line["dropped_keys"]) == ("warning", 1)


@pytest.mark.parametrize(("level", "events"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_lines_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str], level: str, events: int) -> None:
    configure(level)
    for name in ("debug", "info", "warning", "error"):
        getattr(logger(), name)("x")
    assert len(lines(capsys)) == events


def deep(secret: str, depth: int) -> None:
    if depth:
        deep(secret, depth - 1)
    raise ValueError(secret)


def test_an_error_is_logged_by_its_kind_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info")
    secret = letters(20)
    try:
        try:
            deep(secret, 0)
        except ValueError as inner:
            raise KeyError(secret) from inner
    except KeyError as error:
        log_error(error)
    (line,) = lines(capsys)
    assert (line["event"], line["error"], line["level"]) == ("unexpected error", "KeyError", "error")
    assert secret not in json.dumps(line)
    assert str(line["frames"]).count(os.path.basename(__file__)) == 1


def test_the_last_frames_are_shown_and_no_more() -> None:
    with pytest.raises(ValueError, match="x") as caught:
        deep("x", 30)
    shown = frames(caught.value)
    assert len(shown) == 8
    assert all(frame.endswith(" deep") for frame in shown)


def test_frames_of_an_error_that_was_never_raised_are_none() -> None:
    assert frames(ValueError("x")) == []


def test_a_revision_is_logged_with_what_it_judges_more_mildly(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info")
    log_revision("sha256:1", ("rule a/b is gone", "environment dev: a/c is warn and no longer deny"))
    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["revision"]) == ("policies activated", "info", "sha256:1")
    assert line["weakened"] == ["rule a/b is gone", "environment dev: a/c is warn and no longer deny"]
    assert "dropped_keys" not in line


def test_policies_that_are_refused_are_an_error_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    configure("error")
    log_refusal(Refusal("words/data.yaml:3: expected a list", 1_790_000_000))
    (line,) = lines(capsys)
    assert (line["event"], line["level"]) == ("policies refused", "error")
    assert line["reason"] == "words/data.yaml:3: expected a list"
    assert "dropped_keys" not in line
