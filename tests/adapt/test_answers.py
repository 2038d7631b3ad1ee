"""What AWS added to an answer is searched like the rest, and a finding points at it where it was submitted."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.bypass.answers import answer, described, metadata
from tests.project.samples import denials, github_token

from ecs_admission.adapt.submission import read_operation
from ecs_admission.model import Outcome, UserInfo
from ecs_admission.review import Reviewer

TOKEN = github_token()
FIRST = list(described())
AFTER_HEADERS = len(metadata()["ResponseMetadata"])


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (described(registeredBy=TOKEN), "/registeredBy"),
        (answer(described(registeredBy=TOKEN)), "/taskDefinition/registeredBy"),
        (answer(described(status=TOKEN)), "/taskDefinition/status"),
        (answer(described(compatibilities=["EC2", TOKEN])), "/taskDefinition/compatibilities/1"),
        (
            answer(described(requiresAttributes=[{"name": "a", "targetId": TOKEN}])),
            "/taskDefinition/requiresAttributes/0/<1>",
        ),
        (metadata(x=TOKEN), f"/ResponseMetadata/<{AFTER_HEADERS}>"),
        (metadata(**{TOKEN: None}), f"/ResponseMetadata/<{AFTER_HEADERS}>"),
        (answer(failures=[{"arn": "a", "reason": TOKEN}]), "/failures/0/<1>"),
        (described(**{TOKEN: None}), f"/<{len(FIRST)}>"),
        (answer(described(**{TOKEN: None})), f"/taskDefinition/<{len(FIRST)}>"),
        (answer(**{TOKEN: None}), "/<3>"),
    ],
)
def test_a_secret_is_denied_where_it_stands(reviewer: Reviewer, document: Any, place: str) -> None:
    assert denials(reviewer, document) == {("plaintext/field", place)}


@pytest.mark.parametrize("document", [described(registeredBy=TOKEN), answer(**{TOKEN: None}), metadata(x=TOKEN)])
def test_what_the_hint_says_leads_to_an_allow(reviewer: Reviewer, document: Any) -> None:
    def outcome(submitted: Any) -> Outcome:
        return reviewer.review(
            lambda: read_operation("RegisterTaskDefinition", orjson.dumps(submitted), ()),
            operation=None,
            user=UserInfo("pipeline"),
            enforcement_point="test",
        ).decision.outcome

    mended = {name: item for name, item in document.items() if TOKEN not in (name, item)}
    if "ResponseMetadata" in mended:
        mended["ResponseMetadata"] = answer()["ResponseMetadata"]
    assert [outcome(document), outcome(mended)] == [Outcome.DENIED, Outcome.ALLOWED]
