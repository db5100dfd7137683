"""The key ``overlap`` of a training job."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.foundation.errors import InvalidFile
from simulator.scenario import load_scenario
from simulator.simulation import simulate

SCENARIO = Path(__file__).parents[2] / "scenarios" / "train-uneven-stages.yaml"


def framework(overlap):
    return load_scenario(SCENARIO, [f"workloads[0].overlap={overlap}"]).workloads[0].framework


def test_a_key_left_out_leaves_it_to_the_framework():
    own, changed = framework("{}"), framework("{gradients: false, tensor: 0.25, pipeline: true}")
    assert (own.overlaps_gradients, own.boundary_exposed) == (True, 0.15)
    assert (changed.overlaps_gradients, changed.overlaps_tensor, changed.boundary_exposed) == (False, 0.25, 0.0)
    assert changed.overlaps_gathers == own.overlaps_gathers


def test_async_tensor_parallelism_needs_something_to_cut():
    assert framework("{tensor: async}").decomposes_tensor
    with pytest.raises(InvalidFile, match="needs 'sequence_parallel: true'"):
        load_scenario(SCENARIO, ["workloads[0].overlap={tensor: async}",
                                 "workloads[0].parallelism.sequence_parallel=false"])  # fmt: skip


def test_the_step_is_shorter_the_more_runs_beside_it():
    steps = [
        simulate(load_scenario(SCENARIO, [f"workloads[0].overlap={overlap}"])).step_time
        for overlap in (
            "{pipeline: false, gradients: false}",
            "{}",
            "{tensor: async}",
            "{tensor: async, pipeline: true}",
        )
    ]
    assert steps == sorted(steps, reverse=True)
