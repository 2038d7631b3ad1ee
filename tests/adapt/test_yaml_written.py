"""YAML that is written is read again as what it was, by version 1.2 and by readers of 1.1."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.project.samples import unhurried

from ecs_admission.adapt.yaml12 import read_yaml, write_yaml

ODD = [
    "", " ", "~", "null", "Null", "true", "True", "yes", "no", "on", "OFF", "y", "12", "012", "0o17", "0x1F", "1e3",
    "1E5", "12e03", "+1", "-1", ".5", "1.", "+.5", "1_000", "12:30", "1:2:3", ".inf", "-.INF", ".nan", "2026-10-31",
    "2026-10-31T12:00:00Z", "=", "<<", "*a", "&a", "!x", "- a", "a: b", "a #b", "#", "'", '"', "%", "@", "`", "{", "[",
    "|", ">", "?", "? a", "---", "...", "a\nb", "a\n", "\na", " a", "a ", "\t", "a\tb", "\x85", "a\u2028b", "\u2029",
    "\ufeff", "\xa0", "\u00e4\u4e2d\U0001f511", "\x7f", "\x01", "a" * 300, "word " * 60, "${A}", "{{a}}",
    "0" * 30, "9" * 30,
]  # fmt: skip
"""Texts that some version of YAML takes for something else, or cannot hold as they are."""


@pytest.mark.parametrize("text", ODD)
def test_a_text_stays_a_text(text: str) -> None:
    for value in (text, [text], {"a": text, "b": [{"c": text}]}):
        written = write_yaml(value)
        assert read_yaml(written) == value
        assert yaml.safe_load(written) == value


@pytest.mark.parametrize("text", [text for text in ODD if text != "<<"])
def test_a_key_stays_a_text(text: str) -> None:
    assert read_yaml(write_yaml({text: 1})) == {text: 1}


@pytest.mark.parametrize(
    "value", [0, -1, 10**17, 1.5, 1e20, -0.25, 1e-9, True, False, None, [], {}, [[]], [{}], {"a": {}}]
)
def test_other_values_stay_what_they_are(value: Any) -> None:
    read = read_yaml(write_yaml({"a": value}))["a"]
    assert (read, type(read)) == (value, type(value))


def test_the_order_of_keys_stays() -> None:
    assert list(read_yaml(write_yaml({"z": 1, "a": 2, "m": 3}))) == ["z", "a", "m"]


def test_what_is_there_twice_is_written_twice() -> None:
    part = {"x": ["y"]}
    written = write_yaml({"a": part, "b": part, "c": part["x"]})
    assert read_yaml(written) == {"a": part, "b": part, "c": ["y"]}


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20) | st.sampled_from(ODD)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts.filter(lambda t: t != "<<"), inner, max_size=3),
    max_leaves=10,
)


@unhurried
@given(value=values)
def test_whatever_it_is_it_is_read_again(value: Any) -> None:
    assert read_yaml(write_yaml({"a": value})) == {"a": value}
