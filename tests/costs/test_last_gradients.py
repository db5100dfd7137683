"""What of the exchange of gradients a backward pass cannot hide: the embedding's, which are whole when it ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.costs.compute import Machine
from simulator.costs.step import price
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
    """A network on which a gigabyte takes a microsecond: any backward pass is long enough to hide it."""

    def time(self, operation, size, group):
        return np.where(operation == "all_gather", 0.0, size * 1e-15)


def exchange(vocab: int, framework=WHOLE, **plan: int):
    """Return parameters, and shown and hidden seconds, of GPT-3 1.3B with another vocabulary on eight devices."""
    cluster = build_cluster(nodes=[(CATALOGUE.nodes["dgx-a100-640gb"], A100, 1)], links=CATALOGUE.links,
                            fabric=Fabric(shape="fat-tree"))  # fmt: skip
    model = replace(load_model("gpt3-1.3b"), vocab=vocab, learned_positions=False)
    layout = Plan(dp=8, micro_batch=1, **plan)
    job = TrainingJob(model=model, seq_len=2048, global_batch=layout.global_batch)
    program = lower(job, PlanTable.of([layout]), cluster.tiers)
    times = price(program, Machine.of(A100, job.precision), framework, Counting())
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
