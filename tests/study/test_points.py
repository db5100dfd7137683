from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.foundation.errors import InputError
from simulator.scenario.overrides import parse_override
from simulator.study.points import points_of, read_vary

_LISTS = st.dictionaries(
    st.sampled_from(["a", "b.c", "d[0].e"]),
    st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True),
    min_size=1,
)


@given(_LISTS)
def test_every_combination_is_there_once_and_the_last_key_is_fastest(over):
    points = points_of(over)
    expected = 1
    for values in over.values():
        expected *= len(values)
    assert [point.number for point in points] == list(range(expected))
    seen = [tuple(over[key].index(value) for key, value in point.values.items()) for point in points]
    assert seen == sorted(seen)


@given(st.lists(st.integers(), min_size=1, max_size=5))
def test_in_step_the_nth_values_meet(values):
    points = points_of({"a": values, "b": [-value for value in values]}, zipped=True)
    assert [(p.values["a"], p.values["b"]) for p in points] == [(value, -value) for value in values]


@pytest.mark.parametrize("value", [3, 2.5, True, None, "400 Gb/s", [1, 2], {"tp": 8, "deep": {"x": [1]}}])
def test_what_is_assigned_is_the_value_that_was_given(value):
    (point,) = points_of({"a.b": [value]})
    assert parse_override(point.overrides[0]).value == value


def test_commas_in_brackets_stay():
    assert read_vary("p={tp: 8, pp: 2},{tp: 4, pp: 4}") == ("p", ("{tp: 8, pp: 2}", "{tp: 4, pp: 4}"))
    assert read_vary("p=[1, 2],auto")[1] == ("[1, 2]", "auto")


@pytest.mark.parametrize("text", ["count", "count=", "=1,2", "count=1,,2"])
def test_a_vary_that_says_nothing_is_refused(text):
    with pytest.raises(InputError, match="write KEY=VALUE"):
        read_vary(text)


def test_lists_of_different_lengths_do_not_zip():
    with pytest.raises(InputError, match="a has 2, b has 3"):
        points_of({"a": [1, 2], "b": [1, 2, 3]}, zipped=True)


def test_a_million_points_are_the_most():
    with pytest.raises(InputError, match="at most 1000000"):
        points_of({key: range(1000) for key in ("a", "b", "c")})
