"""What runs beside what: never slower than one after the other, never faster than the longer of the two."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs.async_tensor import Products
from simulator.costs.estimate import estimate
from simulator.costs.network import AnalyticNetwork
from simulator.costs.step import beside, price
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.program import lower
from simulator.profiles.framework import framework_named
from tests.laws.test_step_laws import JOB, MACHINE, TIERS

NONE = replace(framework_named("megatron-lm"), overlaps_gradients=False, overlaps_gathers=False, overlaps_tensor=0.0,
               boundary_exposed=1.0)  # fmt: skip
EACH = {
    "gradients": replace(NONE, overlaps_gradients=True),
    "gathers": replace(NONE, overlaps_gathers=True),
    "share of tensor": replace(NONE, overlaps_tensor=0.5),
    "async tensor": replace(NONE, decomposes_tensor=True),
    "pipeline": replace(NONE, boundary_exposed=0.0),
}
PLANS = st.builds(
    lambda tp, pp, zero: Plan(tp=tp, pp=pp, dp=128 // tp // pp, zero=zero, micro_batches=512 * tp * pp // 128,
                              sequence_parallel=tp > 1),
    tp=st.sampled_from([1, 2, 8]), pp=st.sampled_from([1, 4, 8]), zero=st.integers(0, 3),
)  # fmt: skip


def times(plan, framework, tiers=TIERS):
    program = lower(JOB, PlanTable.of([plan]), tiers)
    return price(program, MACHINE, framework, AnalyticNetwork.of(tiers)), program.table


def step(plan, framework, tiers=TIERS):
    return float(estimate(*times(plan, framework, tiers)).step[0])


def endless(tiers):
    """Return the tiers with so much bandwidth that nothing is waited for but latencies."""
    return tuple(replace(tier, bandwidth=tier.bandwidth * 1e9, port_bandwidth=tier.port_bandwidth * 1e9, latency=0.0)
                 for tier in tiers)  # fmt: skip


@pytest.mark.parametrize("name", EACH)
@given(plan=PLANS)
@settings(derandomize=True, max_examples=25, deadline=None)
def test_overlapped_is_never_slower_and_never_faster_than_computing_alone(name, plan):
    overlapped = step(plan, EACH[name])
    assert overlapped <= step(plan, NONE) * (1 + 1e-12)
    assert overlapped >= step(plan, NONE, endless(TIERS)) * (1 - 1e-9)


@given(plan=PLANS)
@settings(derandomize=True, max_examples=25, deadline=None)
def test_gradients_beside_the_backward_pass_take_at_least_the_longer_of_both(plan):
    alone, _ = times(plan, NONE)
    found, _ = times(plan, EACH["gradients"])
    assert found.gradients + found.gradients_hidden == pytest.approx(alone.gradients)
    backward = found.backward.max(axis=1) * (plan.micro_batches if plan.zero == 2 else 1)
    assert np.all(backward + found.gradients >= np.maximum(backward, alone.gradients) * (1 - 1e-12))


@given(work=st.floats(1e-6, 1.0), exchange=st.floats(0.0, 1.0), ranks=st.integers(1, 16), loss=st.floats(0.0, 0.5))
@settings(derandomize=True, max_examples=200, deadline=None)
def test_pieces_of_a_collective_are_bounded_by_both_and_by_their_sum(work, exchange, ranks, loss):
    found = Products(whole=np.array([work]), pieces=np.array([work * (1 + loss)]))
    together = work + float(found.seen(np.array([exchange]), np.array([ranks]))[0])
    assert max(work, exchange) * (1 - 1e-12) <= together <= (work + exchange) * (1 + 1e-12)
    if not loss:
        piece = work / ranks
        pieces = piece + (ranks - 1) * max(piece, exchange / max(1, ranks - 1))
        assert together == pytest.approx(pieces if ranks > 1 else work + exchange)


@given(exchange=st.floats(0.0, 1.0), work=st.floats(0.0, 1.0))
@settings(derandomize=True, max_examples=100, deadline=None)
def test_gathers_beside_a_pass_are_bounded_by_both_and_by_their_sum(exchange, work):
    together = work + float(beside(np.array([exchange]), np.array([work]))[0])
    assert max(work, exchange) * (1 - 1e-12) <= together <= (work + exchange) * (1 + 1e-12)


def test_async_tensor_parallelism_hides_most_of_what_is_sent_where_products_are_long():
    plan = Plan(tp=4, dp=32, micro_batch=8, micro_batches=2, sequence_parallel=True)
    alone, cut = (times(plan, framework)[0].exchanged[0, 0] for framework in (NONE, EACH["async tensor"]))
    assert 0 <= cut < 0.5 * alone
