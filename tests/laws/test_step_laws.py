"""Laws of a priced step: what better hardware may and may not do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs.compute import Machine, product_time
from simulator.costs.conditions import at_speed, with_bandwidth
from simulator.costs.estimate import estimate
from simulator.costs.network import AnalyticNetwork
from simulator.costs.step import price
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.program import lower
from simulator.profiles.catalogue import load_catalogue
from simulator.profiles.framework import framework_named
from simulator.topology import Fabric, build_cluster
from simulator.workload.jobs.training import Precision, TrainingJob
from simulator.workload.models.library import load_model

CATALOGUE = load_catalogue()
NODE = CATALOGUE.nodes["dgx-a100-80gb"]
DEVICE = CATALOGUE.devices[NODE.device]
TIERS = build_cluster(nodes=[(NODE, DEVICE, 16)], fabric=Fabric(shape="fat-tree"), links=CATALOGUE.links).tiers
MACHINE = Machine.of(DEVICE, Precision.of("bf16"))
JOB = TrainingJob(model=load_model("gpt3-6.7b"), seq_len=2048, global_batch=512)

PLANS = st.builds(
    lambda tp, pp, zero, recompute: Plan(
        tp=tp, pp=pp, dp=128 // tp // pp, zero=zero, recompute=recompute, micro_batches=512 // (128 // tp // pp)
    ),
    tp=st.sampled_from([1, 2, 8]), pp=st.sampled_from([1, 4, 8]), zero=st.integers(0, 3),
    recompute=st.sampled_from(["none", "full"]),
)  # fmt: skip


def step(plan, machine=MACHINE, tiers=TIERS):
    program = lower(JOB, PlanTable.of([plan]), tiers)
    times = price(program, machine, framework_named("megatron-lm"), AnalyticNetwork.of(tiers))
    return estimate(times, program.table, nodes=16.0)


@given(plan=PLANS, factor=st.floats(1.0, 8.0), resource=st.sampled_from(["arithmetic", "memory", "network"]))
@settings(derandomize=True, max_examples=40, deadline=None)
def test_more_of_any_resource_is_never_slower(plan, factor, resource):
    if resource == "network":
        faster = step(plan, tiers=with_bandwidth(TIERS, {tier.name: factor for tier in TIERS}))
    else:
        faster = step(plan, at_speed(MACHINE, **{resource: factor}))
    assert faster.step[0] <= step(plan).step[0] * (1 + 1e-12)


@given(plan=PLANS)
@settings(derandomize=True, max_examples=20, deadline=None)
def test_the_parts_of_an_estimate_add_up_to_the_step(plan):
    found = step(plan)
    assert sum(found.parts.values())[0] == pytest.approx(found.step[0], rel=1e-12)


def test_twice_the_peak_halves_a_product_that_memory_does_not_bind():
    size = np.array([8192.0])
    unbound = at_speed(MACHINE, memory=1e6)
    once = product_time(size, size, size, np.ones(1), unbound)
    twice = product_time(size, size, size, np.ones(1), at_speed(unbound, arithmetic=2.0))
    assert twice[0] == pytest.approx(once[0] / 2, rel=1e-6)
