"""Optimizers: the state they keep, what an update moves, and the products that one of them makes."""

from __future__ import annotations

import pytest

from simulator.workload.optimizers import optimizers, state_bytes_per_parameter, update_bytes_per_parameter

ROWS, COLUMNS = 1024, 4096
#: rule -> bytes of its own state per parameter of a 1024 x 4096 matrix, bytes that an fp32 update moves beyond
#: gradient (4) and weight (8)
STATE = {
    "sgd": (0, 0), "momentum": (4, 8), "adagrad": (4, 8), "rmsprop": (4, 8), "adadelta": (8, 16), "adam": (8, 16),
    "adamw": (8, 16), "lamb": (8, 16 + 12), "muon": (4, 8 + 8), "adam-8bit": (2 + 2 * 4 / 2048, 4 + 4 * 4 / 2048),
    "adafactor": (4 * (ROWS + COLUMNS) / (ROWS * COLUMNS), 8 * (ROWS + COLUMNS) / (ROWS * COLUMNS) + 12),
}  # fmt: skip


def test_every_rule_has_its_bytes_here() -> None:
    assert set(STATE) == set(optimizers)


@pytest.mark.parametrize("name", STATE)
def test_each_rule_keeps_and_moves_its_own_bytes(name: str) -> None:
    state, moved = STATE[name]
    rule = optimizers[name].on(ROWS, COLUMNS)
    assert state_bytes_per_parameter(rule, weight_bytes=4) == pytest.approx(state)
    assert state_bytes_per_parameter(rule, weight_bytes=2) == pytest.approx(state + 4)
    assert update_bytes_per_parameter(rule, weight_bytes=4, gradient_bytes=4) == pytest.approx(12 + moved)


def test_adam_over_sixteen_bit_weights_keeps_twelve_bytes() -> None:
    assert state_bytes_per_parameter(optimizers["adam"], weight_bytes=2) == 12


def test_one_adam_update_moves_thirty_bytes_per_parameter() -> None:
    assert update_bytes_per_parameter(optimizers["adam"], weight_bytes=2, gradient_bytes=4) == 30


def test_five_iterations_make_the_products_of_muon_and_no_other_rule_makes_any() -> None:
    """4 m^2 n + 2 m^3 FLOP each, over m n parameters; whichever side is longer."""
    expected = 5 * (4 * ROWS**2 * COLUMNS + 2 * ROWS**3) / (ROWS * COLUMNS)
    assert optimizers["muon"].on(ROWS, COLUMNS).products == pytest.approx(expected)
    assert optimizers["muon"].on(COLUMNS, ROWS).products == pytest.approx(expected)
    assert {name for name in optimizers if optimizers[name].on(ROWS, COLUMNS).products} == {"muon"}
