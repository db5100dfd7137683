"""What of the exchange of gradients passes cannot hide, and how often ZeRO-2 makes it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs.compute import Machine
from simulator.costs.gradients import in_a_row, rounds
from simulator.costs.step import price
from simulator.mapping.pipeline import schedule_of
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.program import lower
from simulator.profiles.catalogue import load_catalogue
from simulator.profiles.framework import framework_named
from simulator.topology.build import build_cluster
from simulator.topology.fabric import Fabric
from simulator.workload.jobs.training import TrainingJob
from simulator.workload.models.library import load_model
from simulator.workload.models.parameters import count_parameters

CATALOGUE = load_catalogue()
A100 = CATALOGUE.devices["nvidia-a100-sxm4-80gb"]
WHOLE = replace(framework_named("pytorch"), bucket_bytes=0.0)


class Counting:
    """A network without gathers; where a gigabyte takes a microsecond any backward pass is long enough to hide it."""

    def __init__(self, scale):
        self.scale = scale

    def time(self, operation, size, group):
        return np.where(operation == "all_gather", 0.0, size * self.scale)


def exchange(vocab: int, framework=WHOLE, scale=1e-15, **plan):
    """Return parameters, and shown and hidden seconds, of GPT-3 1.3B with another vocabulary on eight replicas."""
    layout = Plan(dp=8, micro_batch=1, **plan)
    cluster = build_cluster(nodes=[(CATALOGUE.nodes["dgx-a100-640gb"], A100, layout.pp)], links=CATALOGUE.links,
                            fabric=Fabric(shape="fat-tree"))  # fmt: skip
    model = replace(load_model("gpt3-1.3b"), vocab=vocab, learned_positions=False)
    job = TrainingJob(model=model, seq_len=2048, global_batch=layout.global_batch)
    program = lower(job, PlanTable.of([layout]), cluster.tiers)
    times = price(program, Machine.of(A100, job.precision), framework, Counting(scale))
    return count_parameters(model), float(times.gradients[0]), float(times.gradients_hidden[0])


@pytest.mark.parametrize("vocab", [1000, 50_000, 500_000])
def test_the_embedding_s_share_is_never_hidden(vocab):
    counts, shown, hidden = exchange(vocab)
    total = shown + hidden
    share = counts.embedding / counts.total
    assert shown / total == pytest.approx(share + (1 - share) * 0.1, rel=0.02)


def test_a_framework_that_waits_shows_all_of_it():
    _, shown, hidden = exchange(50_000, replace(WHOLE, overlaps_gradients=False))
    assert hidden == 0
    assert shown == pytest.approx(sum(exchange(50_000)[1:]))


@pytest.mark.parametrize("micro_batches", [2, 8])
def test_of_an_exchange_in_every_micro_batch_only_the_last_has_nothing_beside_it(micro_batches):
    counts, shown, hidden = exchange(500_000, zero=2, micro_batches=micro_batches)
    late = counts.embedding / counts.total / micro_batches
    assert shown / (shown + hidden) == pytest.approx(late + (1 - late) * 0.1, rel=0.02)


@given(
    schedule=st.sampled_from(["gpipe", "1f1b"]), pp=st.sampled_from([2, 4]), vpp=st.sampled_from([1, 2, 3]),
    m=st.integers(1, 12),
)  # fmt: skip
@settings(derandomize=True, max_examples=60, deadline=None)
def test_passes_of_one_chunk_come_in_rows_as_long_as_the_schedule_plays_them(schedule, pp, vpp, m):
    plan = Plan(pp=pp, vpp=vpp, micro_batches=m, schedule=schedule, zero=2)
    backward = [action for action in schedule_of(plan)(0, pp, m, vpp) if action.backward]
    turns = [place for place, action in enumerate(backward) if place == 0 or action.chunk != backward[place - 1].chunk]
    table = PlanTable.of([plan])
    if vpp == 1:
        assert (in_a_row(table)[0], rounds(table)[0]) == (1, m)
    else:
        assert in_a_row(table)[0] == turns[1] - turns[0]
        assert rounds(table)[0] * vpp == len(turns)


@pytest.mark.parametrize(
    ("zero", "schedule", "times"), [(0, "1f1b", 1), (1, "1f1b", 1), (2, "1f1b", 4), (2, "gpipe", 1)]
)
def test_zero_2_scatters_once_for_each_row_of_micro_batches_through_a_chunk(zero, schedule, times):
    once = exchange(1000, pp=2, vpp=2, micro_batches=8, schedule=schedule)
    found = exchange(1000, pp=2, vpp=2, micro_batches=8, schedule=schedule, zero=zero)
    assert sum(found[1:]) == pytest.approx(times * sum(once[1:]))


@pytest.mark.parametrize("vpp", [2, 4, 12])
def test_the_more_chunks_the_more_passes_hide_an_exchange_that_outlasts_them(vpp):
    """All chunks but the last travel beside the passes of two micro-batches, one a stage; the last beside its own."""
    one, found = (exchange(1000, scale=1.0, pp=2, vpp=chunks, micro_batches=4) for chunks in (1, vpp))
    assert found[2] / one[2] == pytest.approx((vpp - 1) / vpp * 2 + 1 / vpp)
    assert sum(found[1:]) == pytest.approx(sum(one[1:]))
