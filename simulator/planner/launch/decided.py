"""What a plan decided, as orders to be started: one for each part that is started by itself.

A layout or a training cluster is one order, a service one; a mix has one for each kind of machine that it takes, a pool
one for each service on each kind of machine. Placements and capacities start nothing: their jobs have plans of their
own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from simulator.foundation.errors import InputError
from simulator.planner.decide import Answer
from simulator.planner.launch.engines import engines, engines_for, launch_files
from simulator.planner.launch.names import label_of
from simulator.planner.launch.order import Order, ServeOrder, TrainOrder, order_of
from simulator.planner.recommendation import Recommendation
from simulator.planner.serving.deployments import Deployment
from simulator.planner.serving.scaling_plan import ScalingPlan
from simulator.planner.serving.service_mix import FleetMix
from simulator.planner.serving.service_plan import ServicePlan
from simulator.planner.serving.service_pool import ServicePool
from simulator.planner.training_cluster import ClusterPlan
from simulator.scenario import Scenario
from simulator.scenario.capacity import CapacityWorkload
from simulator.scenario.place import PlaceWorkload
from simulator.scenario.serve import ServeWorkload
from simulator.scenario.train import TrainWorkload
from simulator.simulation import chosen_workload


def can_start(scenario: Scenario, names: Sequence[str], *, workload: str | None = None) -> None:
    """Raise :class:`InputError` unless a plan of the scenario's question is something that the engines could start.

    Asked before the search; what an engine cannot do of the plan found is told by :func:`decided_files`.
    """
    every = all(isinstance(one, ServeWorkload) for one in scenario.workloads)
    entry = scenario.workloads[0] if every and workload is None else chosen_workload(scenario, workload)
    if isinstance(entry, (PlaceWorkload, CapacityWorkload)):
        what = "where jobs stand" if isinstance(entry, PlaceWorkload) else "what to own, reserve and rent"
        raise InputError(
            f"--emit starts one job or service, and this question is {what}. It can be used on plans of a training job "
            f"({', '.join(engines_for(TrainOrder))}) and of services ({', '.join(engines_for(ServeOrder))})."
        )
    wanted = ServeOrder if isinstance(entry, ServeWorkload) else TrainOrder
    if not names:
        raise InputError(f"--emit names no engine; for this question there are {', '.join(engines_for(wanted))}.")
    for name in names:
        if engines[name].order is not wanted:
            does = "serves" if isinstance(entry, TrainWorkload) else "trains"
            raise InputError(f"--emit {name}: it {does}; for this question there are {', '.join(engines_for(wanted))}.")


def decided_files(found: Answer, names: Sequence[str], *, workload: str | None = None) -> Mapping[str, str]:
    """Return the text of every file that starts what was decided, by its name; parts of a mix in folders of their own.

    Args:
        workload: what was planned, where the scenario has several.

    Raises:
        InputError: the plan uses what an engine cannot do; with every reason.
    """
    files: dict[str, str] = {}
    for folder, order in _orders(found, workload):
        files |= {f"{folder}{name}": text for name, text in launch_files(order, names).items()}
    return files


def _orders(found: Answer, workload: str | None) -> Iterator[tuple[str, Order]]:
    """Yield the folder of each part and its order."""
    match found:
        case Recommendation():
            yield "", order_of(found.scenario, plan=found.plan, workload=found.result.workload)
        case ClusterPlan():
            yield "", order_of(found.plan.scenario, plan=found.plan.plan, workload=found.plan.result.workload)
        case ServicePlan():
            one, nodes = found.chosen.deployment, found.chosen.nodes
            yield "", _order(found.scenario.name, one, found.workload, nodes, nodes * one.replicas_per_node)
        case ScalingPlan():
            yield "", _scaling(found)
        case FleetMix():
            entry = chosen_workload(found.scenario, workload)
            for one, nodes in zip(found.deployments, found.mix.nodes, strict=True):
                if nodes:
                    kind = one.machine.node.name
                    name = label_of(found.scenario.name, kind)
                    yield f"{kind}/", _order(name, one, entry, nodes, nodes * one.replicas_per_node)
        case ServicePool():
            yield from _pool(found)
        case _:
            raise AssertionError(f"{type(found).__name__} starts nothing; asked before the search")


def _order(name: str, one: Deployment, asked: ServeWorkload, nodes: int, replicas: int) -> ServeOrder:
    return ServeOrder(name=name, workload=one.workload(asked, nodes), replicas=replicas,
                      devices_per_node=(one.machine.node.device_count,))  # fmt: skip


def _scaling(found: ScalingPlan) -> Order:
    """Return a service with the bounds that were chosen."""
    scale = found.workload.scale
    assert scale is not None, "planned only for services that scale"
    bounds = {"minimum": found.chosen.minimum, "maximum": found.chosen.maximum}
    order = order_of(found.scenario, workload=found.workload.id)
    assert isinstance(order, ServeOrder), "a service that scales is a service"
    return replace(order, replicas=found.chosen.maximum,
                   workload=replace(order.workload, scale=scale.model_copy(update=bounds)))  # fmt: skip


def _pool(found: ServicePool) -> Iterator[tuple[str, Order]]:
    if found.pool.shared:
        raise InputError(
            "--emit: models take turns on the same devices (plan.share), which none of these engines does by a flag; "
            "plan without plan.share."
        )
    for option, count in found.pool.replicas:
        one = found.stood(option)
        nodes = -(-count // one.deployment.replicas_per_node)
        folder = f"{option.model}/{option.kind}-tp{option.width}/"
        name = label_of(found.scenario.name, option.model, option.kind, f"tp{option.width}")
        yield folder, _order(name, one.deployment, one.question.workload, nodes, count)
