"""Reading the parameters of a query."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.decision_log.filters import MAX_VALUES, PARAMETERS, Clause, Filters, read_filters
from ecs_admission.errors import InputError

NOW = 1_790_000_000.5
DAY_US = 86_400_000_000


def read(**parameters: str) -> Filters:
    return read_filters(parameters.items(), now=NOW)


def read_or_error(pairs: list[tuple[str, str]]) -> Filters | InputError:
    try:
        return read_filters(pairs, now=NOW)
    except InputError as error:
        return error


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1e6)


def test_without_parameters_everything_is_asked_for() -> None:
    assert read() == Filters()
    assert Filters().kinds == Clause("kind", ("decision",))


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("web", ("web",), ()),
        ("web,api", ("web", "api"), ()),
        ("!web", (), ("web",)),
        ("!web,!api", (), ("web", "api")),
        ("web,!api", ("web",), ("api",)),
        ("web,web", ("web",), ()),
        (r"a\,b", ("a,b",), ()),
        (r"\!web", ("!web",), ()),
        (r"a\\,b", ("a\\", "b"), ()),
        ("a!b", ("a!b",), ()),
    ],
)
def test_values_have_commas_between_them_and_a_mark_before_those_not_wanted(
    text: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]
) -> None:
    assert read(family=text).clauses == (Clause("family", wanted, unwanted),)


def test_a_parameter_given_again_adds_values() -> None:
    found = read_filters([("family", "web"), ("outcome", "denied"), ("family", "!api,job")], now=NOW)

    assert found.clauses == (Clause("family", ("web", "job"), ("api",)), Clause("outcome", ("denied",)))
    assert found.document() == {"family": ["!api,job", "web"], "outcome": ["denied"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("24h", int(NOW * 1e6) - DAY_US),
        ("7d", int(NOW * 1e6) - 7 * DAY_US),
        ("15m", int(NOW * 1e6) - 900_000_000),
        ("30s", int(NOW * 1e6) - 30_000_000),
        ("2w", int(NOW * 1e6) - 14 * DAY_US),
        ("999999w", 0),
        ("2026-11-24", moment("2026-11-24")),
        ("2026-11-24T13:00:00Z", moment("2026-11-24T13:00:00")),
        ("2026-11-24t13:00:00.25z", moment("2026-11-24T13:00:00") + 250_000),
        ("2026-11-24T13:00:00+02:00", moment("2026-11-24T11:00:00")),
        ("2026-11-24T13:00:00 02:00", moment("2026-11-24T11:00:00")),
        ("2026-11-24T13:00:00-05:30", moment("2026-11-24T18:30:00")),
        ("1900-01-01", 0),
    ],
)
def test_a_time_is_a_moment_or_how_long_ago(text: str, expected: int) -> None:
    assert (read(since=text).since_us, read(until=text).until_us) == (expected, expected)


@pytest.mark.parametrize(
    "text",
    [
        *("", "24", "h", "-1h", "1.5h", "1y", "24 h", "\u0663h", "1790000000", "yesterday"),
        *("2026-13-01", "2026-02-30", "0000-01-01", "2026-11-24T13:00:00", "2026-11-24T13:00Z"),
        *("2026-11-24T25:00:00Z", "2026-11-24T13:00:00+25:00"),
    ],
)
def test_any_other_time_is_refused(text: str) -> None:
    for name in ("since", "until"):
        with pytest.raises(InputError, match=f"^parameter {name} must be a time such as") as caught:
            read(**{name: text})
        assert (caught.value.code, caught.value.status, caught.value.pointer) == ("invalid-parameter", 400, name)


def test_a_period_ends_after_it_begins() -> None:
    with pytest.raises(InputError, match="parameter until must be a time after since"):
        read(since="1h", until="2h")


def test_a_time_given_twice_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        read_filters([("since", "1h"), ("since", "2h")], now=NOW)

    assert (caught.value.code, caught.value.pointer) == ("repeated-parameter", "since")


@pytest.mark.parametrize("name", PARAMETERS)
def test_no_parameter_takes_nothing_or_a_control_character(name: str) -> None:
    for text in ("", "!", "a,", "\x00", "web\n"):
        with pytest.raises(InputError, match=f"^parameter {name} must be ") as caught:
            read(**{name: text})
        assert caught.value.pointer == name


def test_too_many_values_are_refused() -> None:
    with pytest.raises(InputError, match=f"at most {MAX_VALUES} values"):
        read(family=",".join(f"family-{number}" for number in range(MAX_VALUES + 1)))


def test_an_unknown_parameter_is_not_repeated() -> None:
    with pytest.raises(InputError, match="was rule meant") as caught:
        read(rules="x")
    assert caught.value.code == "unknown-parameter"

    with pytest.raises(InputError) as caught:
        read(hunter2hunter2="x")
    assert "hunter2" not in str(caught.value)


@given(st.lists(st.tuples(st.sampled_from([*PARAMETERS, "since", "until"]), st.text(max_size=30)), max_size=4))
def test_reading_gives_filters_or_one_kind_of_error(pairs: list[tuple[str, str]]) -> None:
    found = read_or_error(pairs)

    if isinstance(found, InputError):
        assert found.status == 400
        assert found.code in {"invalid-parameter", "repeated-parameter"}
    else:
        assert all(clause.wanted or clause.unwanted for clause in found.clauses)


def test_queries_are_told_apart_by_what_was_given() -> None:
    keys = {read(family="a").key, read(family="!a").key, read(service="a").key, read(family="a", since="1h").key}

    assert len(keys) == 4
    assert read(family="a", service="b").key == read(service="b", family="a").key


def test_a_record_of_a_query_leaves_out_what_nothing_was_found_by() -> None:
    found = read(family="hunter2", outcome="denied", since="1h")

    assert found.summary(has_results=True) == "family=hunter2 outcome=denied since=1h"
    assert found.summary(has_results=False) == "family=<redacted> outcome=denied since=1h"
    assert read(family="web,hunter2").summary(has_results=True) == "family=<redacted>"
