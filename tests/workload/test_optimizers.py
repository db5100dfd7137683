"""Optimizers: the state they keep."""

from __future__ import annotations

import pytest

from simulator.workload.optimizers import optimizers, state_bytes_per_parameter, update_bytes_per_parameter


@pytest.mark.parametrize(("name", "extra"), [
    ("sgd", 0), ("momentum", 4), ("adam", 8), ("adagrad", 4), ("rmsprop", 4), ("adadelta", 8),
])  # fmt: skip
def test_each_rule_keeps_its_own_fp32_state(name, extra):
    assert optimizers[name].state_bytes == extra
    assert state_bytes_per_parameter(optimizers[name], weight_bytes=4) == extra


def test_adam_over_sixteen_bit_weights_keeps_twelve_bytes():
    assert state_bytes_per_parameter(optimizers["adam"], weight_bytes=2) == 12


def test_one_adam_update_moves_thirty_bytes_per_parameter():
    assert update_bytes_per_parameter(optimizers["adam"], weight_bytes=2, gradient_bytes=4) == 30
