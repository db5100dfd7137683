"""What is to be started: a decided training job or service, as launch files need it."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.costs.host import Offload
from simulator.foundation.errors import InputError
from simulator.mapping.plan import Plan
from simulator.scenario import Scenario
from simulator.scenario.serve import ServeWorkload
from simulator.scenario.train import TrainWorkload
from simulator.simulation import chosen_workload
from simulator.topology.scaleup import devices_per_node
from simulator.workload.jobs.training import TrainingJob


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOrder:
    """A training job and its decision, on nodes of one size.

    Attributes:
        domain: devices of one scale-up domain (a node, a rack or a slice).
        offload: what lies outside the devices; None for nothing.
    """

    name: str
    job: TrainingJob
    plan: Plan
    nodes: int
    devices_per_node: int
    domain: int
    offload: Offload | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOrder:
    """A service as its scenario decides it, on nodes of the given numbers of devices."""

    name: str
    workload: ServeWorkload
    replicas: int
    devices_per_node: tuple[int, ...]


Order = TrainOrder | ServeOrder


def order_of(scenario: Scenario, *, plan: Plan | None = None, workload: str | None = None) -> Order:
    """Return what a scenario decides.

    Args:
        plan: the decision of a training job whose scenario takes none.
        workload: its id, where there are several.

    Raises:
        InputError: nothing is decided, another kind of workload, or nodes of several sizes.
    """
    chosen = chosen_workload(scenario, workload)
    if isinstance(chosen, ServeWorkload):
        return _serve_order(scenario, chosen)
    if not isinstance(chosen, TrainWorkload):
        raise InputError(f"workload {chosen.id!r} is neither trained nor served; there is nothing to start.")
    if not isinstance(chosen.job, TrainingJob):
        raise InputError(
            f"{chosen.job.model.name} is a network on samples; launch files are known of transformers only."
        )
    decided = plan or chosen.plan
    if decided is None:
        raise InputError(f"nothing is decided for {chosen.id!r}; set its parallelism, or plan it first.")
    sizes = {devices_per_node(group.node) for group in scenario.groups}
    if len(sizes) > 1:
        raise InputError(f"nodes of {', '.join(map(str, sorted(sizes)))} devices; torchrun starts as many on each.")
    return TrainOrder(
        name=scenario.name,
        job=chosen.job,
        plan=decided,
        nodes=sum(group.count for group in scenario.groups),
        devices_per_node=sizes.pop(),
        domain=min(domain.size for domain in scenario.cluster.scale_ups),
        offload=chosen.offload,
    )


def _serve_order(scenario: Scenario, workload: ServeWorkload) -> ServeOrder:
    whole = scenario.devices // workload.layout.devices
    sizes = tuple(sorted({devices_per_node(group.node) for group in scenario.groups}))
    return ServeOrder(name=scenario.name, workload=workload, devices_per_node=sizes,
                      replicas=whole if workload.count is None else workload.count)  # fmt: skip


def refusals_of_offload(order: TrainOrder) -> list[str]:
    """Return what an engine whose file says nothing of host memory cannot do."""
    if order.offload is None:
        return []
    parts = ("optimizer", order.offload.optimizer), ("weights", order.offload.parameters), (
        "activations", order.offload.activations)  # fmt: skip
    return [f"{', '.join(name for name, place in parts if place)} outside of the devices (deepspeed says it)"]


def refusals_of_stages(order: TrainOrder) -> list[str]:
    """Return what no launch file that is written here says: stages of unequal length, another order of ranks."""
    plan, found = order.plan, []
    if len(set(plan.layers_per_stage)) > 1:
        found.append(f"stages of {', '.join(map(str, plan.layers_per_stage))} layers (its flags cut evenly)")
    if plan.order != "tp-cp-dp-pp":
        found.append(f"the order of ranks {plan.order} (its default is tp-cp-dp-pp)")
    return found
