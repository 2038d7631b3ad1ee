"""No older bundle judges unasked, and a rollback is for the bundle it names and until something newer comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.errors import PolicyError
from ecs_admission.serials import History, Mark, Rollback, check_serial, later
from tests.project.samples import unhurried

FIVE, SEVEN, NINE = (Mark(serial, f"r{serial}") for serial in (5, 7, 9))
BACK = Rollback("e1", SEVEN, FIVE)


def may(mark: Mark, history: History) -> bool:
    try:
        check_serial(mark, history)
    except PolicyError:
        return False
    return True


@pytest.mark.parametrize(
    ("mark", "history", "expected"),
    [
        (FIVE, History(), True),
        (SEVEN, History(FIVE), True),
        (SEVEN, History(SEVEN), True),
        (FIVE, History(SEVEN), False),
        (Mark(7, "other"), History(SEVEN), False),
        (FIVE, History(SEVEN, BACK), True),
        (Mark(5, "other"), History(SEVEN, BACK), False),
        (Mark(6, "r6"), History(SEVEN, BACK), False),
        (SEVEN, History(SEVEN, BACK), False),
        (Mark(8, "r8"), History(SEVEN, BACK), True),
        # Something newer has been active since.
        (FIVE, History(NINE, BACK), False),
        (NINE, History(NINE, BACK), True),
        # Back to what was left: another rollback, to the highest itself.
        (SEVEN, History(SEVEN, Rollback("e2", SEVEN, SEVEN)), True),
        # The folder was emptied, and the log still knows.
        (FIVE, History(None, BACK), True),
        (Mark(6, "r6"), History(None, BACK), False),
    ],
)
def test_which_bundle_may_judge(mark: Mark, history: History, expected: bool) -> None:
    assert may(mark, history) is expected


def test_why_not_is_told_with_what_to_do() -> None:
    for mark, history, told in (
        (FIVE, History(SEVEN), "serial 5 is older than 7, which was active: `policies rollback` goes back"),
        (Mark(7, "x"), History(SEVEN), "serial 7 was that of other policies: build them with a larger --serial"),
        (SEVEN, History(SEVEN, BACK), "serial 7 is not 5, which was rolled back to, and not higher than 7"),
    ):
        with pytest.raises(PolicyError) as caught:
            check_serial(mark, history)
        assert told in str(caught.value)


marks = st.builds(Mark, st.integers(1, 5), st.sampled_from(["a", "b"]))


@unhurried
@given(highest=marks, others=st.lists(marks))
def test_without_a_rollback_the_highest_never_falls(highest: Mark, others: list[Mark]) -> None:
    history = History(highest)
    for mark in others:
        if may(mark, history):
            assert mark.serial > history.highest.serial or mark == history.highest  # type: ignore[union-attr]
            history = History(later(history.highest, mark))
