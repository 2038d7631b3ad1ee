"""No way to hide a literal that we could think of leads to an allow, or leaves the literal in an answer or a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

import orjson
import pytest

from ecs_admission.adapt.submission import read_operation, read_review
from ecs_admission.decision_log.entries import EntryDraft
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.model import Decision, Outcome, UserInfo
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision
from tests.bypass import answers, commands, documents, encodings, names, structures, suppressions
from tests.bypass.hiding import REGISTER, Secrets, Submission, Ways, submission, task
from tests.detection.judges import KingfisherAlone

THEMES: Mapping[str, Ways] = {
    module.__name__.rpartition(".")[2]: module.WAYS
    for module in (suppressions, names, encodings, commands, structures, documents, answers)
}
WAYS: Ways = {f"{theme}: {name}": make for theme, ways in THEMES.items() for name, make in ways.items()}
ABOUT_LITERALS = ("plaintext/", "logging/", "bounds/", "registries/credentials-in-image")


class Judge:
    """The whole pipeline in process, keeping what the record would keep."""

    def __init__(self, revision: Revision) -> None:
        self.kept: list[EntryDraft] = []
        self._reviewer = Reviewer(
            revision, inventory=NoInventory(), recorder=self.kept.append, on_error=_fail, clock=lambda: 1_790_000_000.0
        )

    def judge(self, sent: Submission) -> tuple[Decision, bytes]:
        """The decision, and everything that leaves the process: the answer and the record."""
        read = (
            (lambda: read_review(sent.body))
            if sent.is_review
            else (lambda: read_operation(REGISTER, sent.body, sent.parameters))
        )
        answer = self._reviewer.review(read, operation=REGISTER, user=UserInfo("bypass"), enforcement_point="test")
        draft = self.kept.pop()
        return answer.decision, b"\n".join((orjson.dumps(answer.response), draft.body or b"", repr(draft).encode()))


def _fail(error: Exception) -> None:
    raise error


@pytest.fixture(scope="module")
def judge(revision: Revision) -> Judge:
    return Judge(revision)


def test_the_request_around_the_literals_is_allowed(judge: Judge) -> None:
    decision, _ = judge.judge(submission(task()))
    assert decision.outcome is Outcome.ALLOWED


@pytest.mark.parametrize("told", answers.HONEST)
def test_what_aws_answers_is_allowed_without_a_finding_or_a_notice(judge: Judge, told: str) -> None:
    sent = replace(submission(answers.HONEST[told]), parameters=(("environment", "prod"),))
    decision, _ = judge.judge(sent)
    assert (decision.outcome, decision.findings, decision.notices) == (Outcome.ALLOWED, (), ())


@pytest.mark.parametrize("way", WAYS)
def test_a_hidden_literal_is_denied_or_refused(judge: Judge, way: str) -> None:
    secrets = Secrets(Random(way))
    decision, left = judge.judge(submission(WAYS[way](secrets)))
    assert decision.outcome in (Outcome.DENIED, Outcome.INVALID)
    if decision.outcome is Outcome.DENIED:
        rules = {finding.rule for finding in decision.denials}
        assert any(rule.startswith(ABOUT_LITERALS) for rule in rules), rules
    assert [trace for trace in secrets.traces() if trace.encode() in left] == []


def test_the_set_is_as_large_as_promised() -> None:
    assert sum(len(ways) for theme, ways in THEMES.items() if theme != "suppressions") >= 400
    assert len(suppressions.COMMENTS) >= 30


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("*.py")), ids=lambda path: path.name)
def test_no_scanner_takes_a_file_of_this_set_for_a_leak(path: Path) -> None:
    assert [False] == KingfisherAlone().flagged([path.read_text()])
