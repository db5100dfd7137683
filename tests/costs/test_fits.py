from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.costs.fits import require_fit
from simulator.costs.memory import usable_memory
from simulator.foundation.errors import Infeasible
from simulator.mapping.plan import Plan
from simulator.profiles.catalogue import load_catalogue
from simulator.profiles.framework import framework_named
from simulator.topology import Fabric, build_cluster
from simulator.workload.jobs.training import TrainingJob
from simulator.workload.models.library import load_model
from simulator.workload.models.transformer import Transformer

CATALOGUE = load_catalogue()
DEVICE = CATALOGUE.devices["nvidia-a100-sxm4-80gb"]
FRAMEWORK = framework_named("megatron-lm")


def job(model: str, batch: int) -> TrainingJob:
    shape = load_model(model)
    assert isinstance(shape, Transformer)
    return TrainingJob(model=shape, seq_len=2048, global_batch=batch)


def account(demand: TrainingJob, plan: Plan) -> dict[str, float]:
    node = CATALOGUE.nodes["dgx-a100-640gb"]
    count = -(-plan.ranks // node.device_count)
    cluster = build_cluster(nodes=[(node, DEVICE, count)], fabric=Fabric(), links=CATALOGUE.links)
    return require_fit(demand, plan, device=DEVICE, tiers=cluster.tiers, framework=FRAMEWORK)


def changed(plan: Plan, relaxation: str) -> Plan:
    """Apply what a relaxation says, on as many ranks and for the same global batch."""
    changes: dict[str, object] = {}
    for change in relaxation.split(", "):
        name, _, text = change.partition(": ")
        changes[name] = True if text == "true" else int(text) if text.isdigit() else text
    new = replace(plan, **changes)  # type: ignore[arg-type]
    dp = plan.ranks // (new.tp * new.cp * new.pp)
    return replace(new, dp=dp, micro_batches=plan.global_batch // (dp * new.micro_batch))


def test_what_fits_is_accounted_for_by_part() -> None:
    parts = account(job("gpt3-175b", 64), Plan(tp=8, pp=16, dp=1, micro_batches=64, sequence_parallel=True))
    assert sum(parts.values()) <= usable_memory(DEVICE)
    assert parts["weights"] > 2 * 175e9 / 128 * 0.95


@pytest.mark.parametrize(
    "plan",
    [
        Plan(tp=8, pp=2, dp=8, micro_batches=8),
        Plan(tp=8, pp=4, dp=4, micro_batches=16),
        Plan(tp=8, pp=8, dp=2, micro_batch=16, micro_batches=2),
        Plan(tp=4, pp=8, dp=4, micro_batch=4, micro_batches=4),
    ],
)
def test_the_relaxation_that_is_offered_does_fit(plan: Plan) -> None:
    demand = job("gpt3-175b", plan.global_batch)
    with pytest.raises(Infeasible) as caught:
        account(demand, plan)
    relaxed = changed(plan, caught.value.relaxation)
    assert relaxed.ranks == plan.ranks
    assert relaxed.global_batch == plan.global_batch
    assert sum(account(demand, relaxed).values()) <= usable_memory(DEVICE)


def test_the_account_of_what_does_not_fit_adds_up() -> None:
    with pytest.raises(Infeasible) as caught:
        account(job("gpt3-175b", 8), Plan(tp=8, micro_batches=8))
    held = dict(caught.value.account)
    total, usable = held.pop("total"), held.pop("usable")
    assert sum(held.values()) == pytest.approx(total, rel=1e-12)
    assert total > usable == usable_memory(DEVICE)
    assert caught.value.binding == "memory"


def test_where_no_change_helps_more_devices_are_asked_for() -> None:
    with pytest.raises(Infeasible) as caught:
        account(job("gpt3-175b", 8), Plan(tp=8, micro_batches=8))
    assert caught.value.relaxation == "more devices, or devices with more memory"


def test_one_change_is_offered_where_one_is_enough() -> None:
    with pytest.raises(Infeasible) as caught:
        account(job("gpt3-175b", 64), Plan(tp=8, pp=4, dp=2, micro_batches=32))
    assert "," not in caught.value.relaxation
