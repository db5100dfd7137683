"""Student's intervals: the textbook's numbers, and how often they hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulator.foundation.randomness import Streams
from simulator.results.interval import interval_of, intervals_of


def test_three_runs_have_the_textbook_interval() -> None:
    found = interval_of([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    assert found.half == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)  # t(0.975, 2 degrees of freedom)
    assert (found.least, found.most, found.runs) == (1.0, 3.0, 3)


def test_one_run_has_no_interval_and_none_no_mean() -> None:
    assert math.isnan(interval_of([5.0]).half)
    assert math.isnan(interval_of([float("nan")]).mean)


def test_a_figure_that_a_run_lacks_is_missing_there_only() -> None:
    found = intervals_of([{"a": 1.0, "b": 2.0}, {"a": 3.0}])
    assert (found["a"].runs, found["b"].runs) == (2, 1)


def test_19_of_20_intervals_hold_the_true_mean() -> None:
    draws = Streams(7)["normal"].normal(3.0, 2.0, (4000, 5))
    held = np.mean([abs(found.mean - 3.0) <= found.half for found in map(interval_of, draws)])
    assert held == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 4000))
