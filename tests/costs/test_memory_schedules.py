"""What pipeline schedules hold: copies of the weights, and micro-batches in flight."""

from __future__ import annotations

import pytest

from simulator.mapping.plan import Plan
from tests.costs.test_memory import memory


def part(name: str, schedule: str, **keys) -> float:
    plan = Plan(**{"tp": 8, "pp": 8, "dp": 4, "micro_batches": 16, "schedule": schedule} | keys)
    found = memory("gpt3-175b", plan, seq_len=2048, framework="megatron-lm", count=32)
    return float(found.parts[name][0])


@pytest.mark.parametrize("zero", [0, 1])
def test_dualpipe_holds_two_copies_whose_sharded_state_is_held_once(zero):
    """arXiv 2412.19437, table 2: parameters 2x."""
    for name in ("weights", "gradients"):
        assert part(name, "dualpipe", zero=zero) == pytest.approx(2 * part(name, "1f1b", zero=zero))
    state = part("optimizer", "dualpipe", zero=zero) / part("optimizer", "1f1b", zero=zero)
    assert state == pytest.approx(1 if zero else 2)


@pytest.mark.parametrize(("vpp", "whole"), [(1, 0.0), (2, 1.0), (4, 0.5)])
def test_under_zero_2_two_chunks_of_gradients_are_whole_and_the_rest_is_sharded(vpp, whole):
    every, found = (part("gradients", "1f1b", pp=4, dp=8, vpp=vpp, zero=zero) for zero in (1, 2))
    assert found / every == pytest.approx(whole + (1 - whole) / 8)


def test_zero_bubble_holds_what_1f1b_does_and_dualpipe_a_micro_batch_more():
    """arXiv 2412.19437, table 2: activations PP and PP + 1."""
    plain = part("activations", "1f1b")
    assert part("activations", "zb-h1") == pytest.approx(plain, rel=0.01)  # of the stage that also holds the head
    assert part("activations", "dualpipe") == pytest.approx(plain * 9 / 8, rel=0.01)
