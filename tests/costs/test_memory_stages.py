"""The memory account by stage: nothing is lost between stages, and each holds what its schedule has in flight."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs.held import stage_parameters
from simulator.costs.memory import account, in_flight, stage_account
from simulator.mapping.pipeline import most_in_flight, schedule_of
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.program import lower
from simulator.profiles.framework import framework_named
from simulator.workload.jobs.training import TrainingJob
from simulator.workload.models.library import load_model
from simulator.workload.models.parameters import count_parameters
from tests.costs.test_memory import tiers

FRAMEWORK, TIERS = framework_named("megatron-lm"), tiers("dgx-a100-80gb", 4)
LAYERS = 32


def program(**keys):
    plan = Plan(**{"pp": 4, "micro_batches": 8} | keys)
    job = TrainingJob(model=load_model("gpt3-6.7b"), seq_len=2048, global_batch=plan.global_batch)
    return lower(job, PlanTable.of([plan]), TIERS)


@st.composite
def cuts(draw):
    inner = sorted(draw(st.lists(st.integers(1, LAYERS - 1), min_size=3, max_size=3, unique=True)))
    ends = [0, *inner, LAYERS]
    return tuple(after - before for before, after in pairwise(ends))


@given(layers=cuts(), schedule=st.sampled_from(["gpipe", "1f1b", "zb-h1", "dualpipe"]))
@settings(derandomize=True, max_examples=40, deadline=None)
def test_stages_hold_all_parameters_and_the_fullest_is_the_account(layers, schedule):
    found = program(layers_per_stage=layers, schedule=schedule)
    dense, _ = stage_parameters(found)
    model = found.job.model
    tied = model.vocab * model.hidden * model.tied_embeddings  # the head is a matrix of its own on another stage
    assert dense.sum() == pytest.approx(count_parameters(model).total + tied, rel=2e-3)  # positions, biases, norms
    by_stage = stage_account(found, FRAMEWORK)
    assert account(found, FRAMEWORK).total[0] == by_stage.total.max()
    weights, copies = by_stage.parts["weights"].sum(), 2 if schedule == "dualpipe" else 1
    assert weights == pytest.approx(copies * dense.sum() * found.job.precision.weight_bytes, rel=1e-9)


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b", "zb-h1", "dualpipe", "interleaved"])
@pytest.mark.parametrize("m", [8, 16])
def test_each_stage_holds_what_its_schedule_has_in_flight(schedule, m):
    chunks = 2 if schedule == "interleaved" else 1
    name = "1f1b" if schedule == "interleaved" else schedule
    plan = Plan(pp=4, vpp=chunks, micro_batches=m, schedule=name, layers_per_stage=(8, 8, 8, 8))
    held = in_flight(program(vpp=chunks, micro_batches=m, schedule=name, layers_per_stage=(8, 8, 8, 8)))[0]
    most = [most_in_flight(schedule_of(plan), stage, 4, m, chunks) for stage in range(4)]
    assert held == pytest.approx(most)


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b", "zb-h1", "dualpipe"])
def test_equal_layers_by_name_are_the_even_cut(schedule):
    named = account(program(layers_per_stage=(8, 8, 8, 8), schedule=schedule), FRAMEWORK)
    even = account(program(schedule=schedule), FRAMEWORK)
    assert {name: float(held[0]) for name, held in named.parts.items()} == pytest.approx(
        {name: float(held[0]) for name, held in even.parts.items()}
    )


def test_under_1f1b_a_layer_weighs_more_the_earlier_its_stage():
    first, last = (
        stage_account(program(layers_per_stage=cut), FRAMEWORK).parts["activations"][0].max()
        for cut in ((11, 7, 7, 7), (7, 7, 7, 11))
    )
    assert first > last
