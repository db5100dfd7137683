"""Most probable constants against closed forms of the posterior."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.validation.descent import Knob
from simulator.validation.shrinkage import Prior, most_probable

ONE, OTHER = Knob("class", "one", ("share",)), Knob("class", "other", ("share",))


@dataclass(frozen=True)
class Row:
    """A row that wants a constant to be so much."""

    source: str
    knob: Knob
    wanted: float

    def error(self, constants):
        return log(constants[self.knob] / self.wanted)

    def shows(self, knob):
        return knob == self.knob


def scaled(constants, knob, factor):
    return {**constants, knob: constants[knob] * factor}


def found(rows, priors, start=1.0):
    return most_probable(rows, priors, dict.fromkeys(priors, start), scaled)


def rows_of(*wanted, knob=ONE, source="a"):
    return [Row(source, knob, one) for one in wanted]


def test_a_constant_that_no_row_shows_keeps_its_middle():
    kept = found(rows_of(2.0), {ONE: Prior(width=1.0), OTHER: Prior(width=1.0)}, start=0.7)
    assert kept[OTHER] == pytest.approx(0.7)


@given(st.floats(0.5, 2.0), st.floats(0.2, 0.5))
def test_rows_that_agree_are_followed_where_the_prior_is_wide(wanted, width):
    rows = rows_of(wanted) + rows_of(wanted, source="b") + rows_of(wanted, source="c")
    assert found(rows, {ONE: Prior(width=width)})[ONE] == pytest.approx(wanted, rel=0.05)


def test_a_narrow_prior_stays_where_it_is():
    assert found(rows_of(2.0), {ONE: Prior(width=0.01)})[ONE] == pytest.approx(1.0, rel=0.05)


@given(st.floats(0.6, 1.6), st.sampled_from([0.1, 0.3, 1.0]))
def test_an_unseen_constant_takes_its_familys_part_of_what_a_relative_shows(wanted, family_width):
    # d = own + shared with own^2 / w^2 + shared^2 / f^2 least: the family has f^2 / (f^2 + w^2) of d
    prior = Prior(width=0.3, family="kin", family_width=family_width)
    both = found([row for s in "abcdefgh" for row in rows_of(wanted, source=s)], {ONE: prior, OTHER: prior})
    part = family_width**2 / (family_width**2 + 0.3**2)
    assert log(both[OTHER]) == pytest.approx(part * log(both[ONE]), abs=1e-6)


def test_one_row_far_off_pulls_no_harder_than_one_a_little_off():
    near, far = (found(rows_of(*[1.0] * 9, off), {ONE: Prior(width=1.0)})[ONE] for off in (1.5, 15.0))
    assert far == pytest.approx(near, rel=0.02)
    assert far == pytest.approx(1.0, rel=0.02)


def test_a_publication_of_many_rows_weighs_as_much_as_one_of_few():
    rows = rows_of(*[exp(0.2)] * 100) + rows_of(exp(-0.2), source="b")
    assert found(rows, {ONE: Prior(width=1.0)})[ONE] == pytest.approx(1.0, abs=0.01)
