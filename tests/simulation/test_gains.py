"""What ten per cent more of each resource buys, of every kind of training."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.scenario import load_scenario
from simulator.simulation import simulate

SCENARIOS = Path(__file__).parents[2] / "scenarios"
#: scenario -> resources that only it is asked about
ASKED = {
    "train-heterogeneous": {"kind 0", "kind 1"},
    "train-ps-vs-ring": {"servers"},
    "train-offload": {"host_link", "host_memory"},
    "train-diloco-wan": set(),
    "train-data-checkpoint": {"storage", "loaders"},
    "train-uneven-stages": set(),
}


@pytest.mark.parametrize("name", ASKED)
def test_gains_lie_between_nothing_and_their_tenth_and_every_resource_is_explained(name):
    result = simulate(load_scenario(SCENARIOS / f"{name}.yaml"))
    assert {"arithmetic", "memory_bandwidth", "host", "memory_capacity"} | ASKED[name] <= set(result.gains)
    for resource, gain in result.gains.items():
        assert 0.0 <= gain <= (1.0 if resource == "memory_capacity" else 1.0 / 11.0 + 1e-9), resource
    told = result.explain()
    assert "Ten per cent more of each would save" in told
    if result.hardware.kinds:
        assert f"the speed of {result.hardware.kinds[0]} alone" in told


def test_servers_that_bind_are_what_helps():
    gains = simulate(load_scenario(SCENARIOS / "train-ps-vs-ring.yaml")).gains
    assert max(gains, key=gains.get) == "servers"


def test_more_memory_buys_the_plan_that_just_does_not_fit():
    """Recomputation is left out where a little more memory lets its activations in, and nothing where they fit."""
    layout = "workloads[0].parallelism={tp: 4, pp: 4, zero: 1, sequence_parallel: true, recompute: full}"
    roomy = simulate(load_scenario(SCENARIOS / "train-uneven-stages.yaml", [layout]))
    assert roomy.gains["memory_capacity"] == 0.0
