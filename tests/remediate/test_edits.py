"""One patch for many edits: each place means what it meant before the first of them."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.remediate.edits import Append, Edit, Put, Remove, at, patch


def mended(value: Any, *edits: Edit) -> Any:
    return jsonpatch.apply_patch(value, list(patch(edits, value, str)))


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([], {"a": [1, 2, 3], "m": {"k/~": "x"}}),
        ([Remove("/a/0")], {"a": [2, 3], "m": {"k/~": "x"}}),
        ([Remove("/a/0"), Remove("/a/2")], {"a": [2], "m": {"k/~": "x"}}),
        ([Remove("/a/0"), Put("/a/2", 9)], {"a": [2, 9], "m": {"k/~": "x"}}),
        ([Remove("/a"), Remove("/a/2")], {"m": {"k/~": "x"}}),
        ([Remove("/m/k~1~0")], {"a": [1, 2, 3], "m": {}}),
        ([Put("/m/k~1~0", "y")], {"a": [1, 2, 3], "m": {"k/~": "y"}}),
        ([Put("/b", 1), Put("/b", 2)], {"a": [1, 2, 3], "b": 1, "m": {"k/~": "x"}}),
        ([Put("/b/c/d", 1), Put("/b/c/e", 2)], {"a": [1, 2, 3], "b": {"c": {"d": 1, "e": 2}}, "m": {"k/~": "x"}}),
        ([Append("/a", {"n": 1})], {"a": [1, 2, 3, {"n": 1}], "m": {"k/~": "x"}}),
        ([Append("/l", {"n": 1}), Append("/l", {"n": 2})],
         {"a": [1, 2, 3], "l": [{"n": 1}, {"n": 2}], "m": {"k/~": "x"}}),
        ([Append("/l", {"n": 1}), Append("/l", {"n": 1})], {"a": [1, 2, 3], "l": [{"n": 1}], "m": {"k/~": "x"}}),
        ([Append("/l", {"n": ""}, (("n", "/a/1"),)), Remove("/a/1")],
         {"a": [1, 3], "l": [{"n": 2}], "m": {"k/~": "x"}}),
        (
            [Append("/l", {"n": 0}), Append("/l", {"n": ""}, (("n", "/m/k~1~0"),))],
            {"a": [1, 2, 3], "l": [{"n": 0}, {"n": "x"}], "m": {"k/~": "x"}},
        ),
    ],
)  # fmt: skip
def test_edits_are_made_together(edits: list[Edit], expected: Any) -> None:
    assert mended({"a": [1, 2, 3], "m": {"k/~": "x"}}, *edits) == expected


def test_a_null_list_is_as_good_as_none() -> None:
    assert jsonpatch.apply_patch({"l": None}, list(patch([Append("/l", {"n": 1})], {}, str))) == {"l": [{"n": 1}]}


@pytest.mark.parametrize(
    ("pointer", "expected"), [("", {"a": [{"b": 1}]}), ("/a/0/b", 1), ("/a/1", None), ("/x/y", None)]
)
def test_what_stands_at_a_place(pointer: str, expected: Any) -> None:
    assert at({"a": [{"b": 1}]}, pointer) == expected


@given(st.lists(st.integers(), max_size=8), st.sets(st.integers(0, 7)), st.lists(st.integers(), max_size=3))
def test_what_is_removed_goes_and_what_is_appended_stays(
    items: list[int], removed: set[int], appended: list[int]
) -> None:  # fmt: skip
    value = {"l": list(items)}
    untouched = copy.deepcopy(value)
    gone = {index for index in removed if index < len(items)}
    edits: list[Edit] = [Remove(f"/l/{index}") for index in sorted(gone)]
    edits += [Append("/l", {"n": number, "i": i}) for i, number in enumerate(appended)]
    kept = [item for index, item in enumerate(items) if index not in gone]
    assert mended(value, *edits)["l"] == [*kept, *({"n": number, "i": i} for i, number in enumerate(appended))]
    assert value == untouched
