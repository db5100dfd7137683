from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.costs.tenure import break_even, committed_usd, owned_usd_per_s
from simulator.foundation.units import HOUR, YEAR

RATES = st.floats(0.01, 100.0)


@given(RATES, RATES, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_at_break_even_both_ways_cost_the_same_and_above_it_the_committed_one_less(
    committed: float, hourly: float, part: float, busy: float
) -> None:
    running = part * hourly * 0.99
    even = float(break_even(committed, hourly, running))
    assert committed + even * running == pytest.approx(even * hourly)
    assert (committed + busy * running < busy * hourly) == (busy > even) or busy == pytest.approx(even, rel=1e-6)


def test_a_way_that_saves_nothing_by_the_hour_never_breaks_even() -> None:
    assert break_even(1.0, [2.0, 3.0], 3.0).tolist() == [np.inf, np.inf]


@pytest.mark.parametrize(("horizon", "terms"), [(0.5, 1), (1.0, 1), (1.01, 2), (3.0, 3)])
def test_whole_terms_are_paid(horizon: float, terms: int) -> None:
    assert committed_usd(2.0, YEAR, horizon * YEAR) == pytest.approx(2.0 * YEAR * terms)


def test_an_owned_machine_costs_its_price_over_its_life() -> None:
    rate = float(owned_usd_per_s(300_000.0, 5 * YEAR, 2.0 / HOUR))
    assert rate * 5 * YEAR == pytest.approx(300_000.0 + 2.0 * 5 * 8760)
