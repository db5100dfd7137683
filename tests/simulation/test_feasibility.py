from __future__ import annotations

import pytest

from simulator.costs.memory import CONTEXT_BYTES, usable_memory
from simulator.costs.relaxation import Relaxation, smallest_relaxation
from simulator.foundation.errors import Infeasible
from simulator.mapping.plan import Plan
from simulator.profiles.catalogue import load_catalogue
from simulator.profiles.framework import framework_named
from simulator.simulation.feasibility import MORE, fitting_memory
from simulator.topology import Fabric, Tier, build_cluster
from simulator.workload.jobs.training import TrainingJob
from simulator.workload.models.library import load_model
from simulator.workload.models.transformer import Transformer

CATALOGUE = load_catalogue()
DEVICE = CATALOGUE.devices["nvidia-a100-sxm4-80gb"]
LIMIT = usable_memory(DEVICE)
FRAMEWORK = framework_named("megatron-lm")

TOO_LARGE = [
    Plan(tp=8, pp=2, dp=8, micro_batches=8),
    Plan(tp=8, pp=4, dp=4, micro_batches=16),
    Plan(tp=8, pp=8, dp=2, micro_batch=16, micro_batches=2),
    Plan(tp=4, pp=8, dp=4, micro_batch=4, micro_batches=4),
]


def job(batch: int) -> TrainingJob:
    shape = load_model("gpt3-175b")
    assert isinstance(shape, Transformer)
    return TrainingJob(model=shape, seq_len=2048, global_batch=batch)


def tiers(plan: Plan) -> tuple[Tier, ...]:
    node = CATALOGUE.nodes["dgx-a100-640gb"]
    count = -(-plan.ranks // node.device_count)
    return build_cluster(nodes=[(node, DEVICE, count)], fabric=Fabric(), links=CATALOGUE.links).tiers


def account(plan: Plan) -> dict[str, float]:
    return fitting_memory(job(plan.global_batch), plan, DEVICE, FRAMEWORK, tiers(plan))


def relaxed(plan: Plan, limit: float = LIMIT) -> Relaxation | None:
    return smallest_relaxation(job(plan.global_batch), plan, FRAMEWORK, tiers(plan), limit)


def test_what_fits_is_accounted_for_by_part() -> None:
    parts = account(Plan(tp=8, pp=16, dp=1, micro_batches=64, sequence_parallel=True))
    assert sum(parts.values()) <= LIMIT
    assert parts["weights"] > 2 * 175e9 / 128 * 0.95


@pytest.mark.parametrize("plan", TOO_LARGE)
def test_the_relaxation_fits_on_as_many_ranks_and_for_the_same_batch(plan: Plan) -> None:
    found = relaxed(plan)
    assert found is not None
    assert (found.plan.ranks, found.plan.global_batch) == (plan.ranks, plan.global_batch)
    assert sum(account(found.plan).values()) == pytest.approx(found.needed)
    assert found.needed <= LIMIT


@pytest.mark.parametrize("plan", TOO_LARGE)
def test_the_relaxation_is_offered_with_the_account(plan: Plan) -> None:
    found = relaxed(plan)
    assert found is not None
    with pytest.raises(Infeasible) as caught:
        account(plan)
    assert found.text in caught.value.relaxation


@pytest.mark.parametrize("plan", TOO_LARGE)
def test_more_memory_never_asks_for_more_changes(plan: Plan) -> None:
    changes = [len(found.changes) if (found := relaxed(plan, share * LIMIT)) else 99 for share in (0.5, 0.8, 1.0, 2.0)]
    assert changes == sorted(changes, reverse=True)


def test_the_account_of_what_does_not_fit_adds_up() -> None:
    with pytest.raises(Infeasible) as caught:
        account(Plan(tp=8, micro_batches=8))
    held = dict(caught.value.account)
    needed, limit = held.pop("needed"), held.pop("limit")
    assert sum(held.values()) == pytest.approx(needed, rel=1e-12)
    assert needed > limit == LIMIT


def test_where_no_three_changes_are_enough_none_is_offered() -> None:
    assert relaxed(Plan(tp=8, micro_batches=8)) is None
    with pytest.raises(Infeasible) as caught:
        account(Plan(tp=8, micro_batches=8))
    assert caught.value.relaxation == MORE


def test_one_change_is_offered_where_one_is_enough() -> None:
    found = relaxed(Plan(tp=8, pp=4, dp=4, micro_batches=16))
    assert found is not None
    assert len(found.changes) == 1


def test_memory_beside_the_cores_holds_no_process() -> None:
    inside = CATALOGUE.devices["graphcore-bow-ipu"]
    assert usable_memory(inside) == pytest.approx(0.97 * inside.require("memory_bytes"))  # fragmentation alone
    limit = DEVICE.memory_limit_bytes
    assert limit is not None
    assert usable_memory(DEVICE) == pytest.approx(0.97 * (limit - CONTEXT_BYTES))
