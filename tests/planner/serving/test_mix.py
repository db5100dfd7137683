from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

from simulator.foundation.errors import Infeasible
from simulator.planner.serving.mix import cheapest_mix


def _problem(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[int]]:
    draw = np.random.default_rng(seed)
    kinds, classes = int(draw.integers(1, 4)), int(draw.integers(1, 4))
    capacity = draw.uniform(0.5, 8.0, (kinds, classes)) * (draw.random((kinds, classes)) > 0.15)
    return (
        draw.uniform(0.5, 10.0, kinds),
        capacity,
        draw.uniform(0.2, 6.0, classes),
        draw.integers(0, 6, kinds).tolist(),
    )


def _serves(nodes: tuple[int, ...], capacity: np.ndarray, rates: np.ndarray) -> bool:
    """Return whether so many nodes of each kind serve the rates: shares y of each class by each kind, by an LP."""
    kinds, classes = capacity.shape
    work = np.divide(rates, capacity, out=np.zeros_like(capacity), where=capacity > 0)
    bounds = [(0.0, 1.0 if capacity[m, k] > 0 else 0.0) for m in range(kinds) for k in range(classes)]
    load = np.zeros((kinds, kinds * classes))
    whole = np.zeros((classes, kinds * classes))
    for m, k in product(range(kinds), range(classes)):
        load[m, m * classes + k] = work[m, k]
        whole[k, m * classes + k] = 1.0
    found = linprog(np.zeros(kinds * classes), A_ub=load, b_ub=np.array(nodes, float), A_eq=whole,
                    b_eq=np.ones(classes), bounds=bounds)  # fmt: skip
    return bool(found.status == 0)


@pytest.mark.parametrize("start", range(0, 200, 50))
def test_the_mix_is_as_cheap_as_trying_every_number_of_every_kind(start: int) -> None:
    answered = 0
    for seed in range(start, start + 50):
        prices, capacity, rates, most = _problem(seed)
        tried = product(*(range(count + 1) for count in most))
        costs = sorted((float(np.dot(nodes, prices)), nodes) for nodes in tried)
        best = next((cost for cost, nodes in costs if _serves(nodes, capacity, rates)), None)
        if best is None:
            with pytest.raises(Infeasible):
                _ = cheapest_mix(prices, capacity, rates, most)
            continue
        answered += 1
        assert cheapest_mix(prices, capacity, rates, most).price == pytest.approx(best, rel=1e-7), seed
    assert answered >= 10


def test_every_class_is_served_and_no_node_does_more_than_it_can() -> None:
    for seed in range(40):
        prices, capacity, rates, _ = _problem(seed)
        if not (capacity > 0).any(axis=0).all():
            continue
        found = cheapest_mix(prices, capacity, rates)
        assert found.rates.sum(axis=0) == pytest.approx(rates)
        assert (found.rates[capacity <= 0] == 0).all()
        busy = np.divide(found.rates, capacity, out=np.zeros_like(capacity), where=capacity > 0).sum(axis=1)
        assert (busy <= np.array(found.nodes) + 1e-6).all()
        assert found.price == pytest.approx(float(np.dot(found.nodes, prices)))


def test_each_class_goes_where_it_is_cheapest() -> None:
    """Two kinds, each twice as good at one class: by hand one node of each, 2 USD, while one kind alone needs 3."""
    capacity, rates = np.array([[2.0, 1.0], [1.0, 2.0]]), [2.0, 2.0]
    assert cheapest_mix([1.0, 1.0], capacity, rates).nodes == (1, 1)
    assert cheapest_mix([1.0, 9.0], capacity, rates).nodes == (3, 0)


def test_too_few_nodes_are_told_what_they_serve() -> None:
    with pytest.raises(Infeasible, match=r"serve 50.0% of the rates") as caught:
        _ = cheapest_mix([1.0], np.array([[2.0]]), [4.0], [1])
    assert caught.value.relaxation.startswith("2 times the nodes")


def test_a_class_that_nothing_serves_is_named() -> None:
    with pytest.raises(Infeasible, match="serves the classes 1"):
        _ = cheapest_mix([1.0], np.array([[2.0, 0.0]]), [1.0, 1.0])
