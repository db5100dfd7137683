from __future__ import annotations

import numpy as np
import pytest

from simulator.planner.pareto import front


def _beaten(row: np.ndarray, other: np.ndarray) -> bool:
    return bool((other <= row).all() and (other < row).any())


@pytest.mark.parametrize("start", range(0, 300, 100))
def test_the_front_is_what_comparing_every_pair_leaves(start: int) -> None:
    for seed in range(start, start + 100):
        draw = np.random.default_rng(seed)
        table = draw.integers(0, 6, (int(draw.integers(1, 30)), int(draw.integers(1, 5)))).astype(float)
        by_hand = {tuple(row) for row in table if not any(_beaten(row, other) for other in table)}
        found = front(table)
        assert {tuple(row) for row in table[found]} == by_hand
        assert len(found) == len(by_hand)  # of equal rows one stands for all
        assert [tuple(row) for row in table[found]] == sorted(by_hand)


def test_of_equal_rows_the_first_stands_and_unknown_values_are_left_out() -> None:
    assert front([[2.0, 1.0], [1.0, 2.0], [1.0, 2.0], [float("nan"), 0.0]]).tolist() == [1, 0]
