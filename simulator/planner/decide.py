"""One door to the planner: a scenario's question is answered by the search for its kind.

A training job is split over a given cluster, or gets its cluster too; a service gets the machines of one kind, or a mix
of several kinds; many jobs get their nodes; demands that come and go get regions and ways to pay; several
services get their places on one pool of machines.
"""

from __future__ import annotations

from collections.abc import Callable

from simulator.foundation.errors import InputError
from simulator.planner.capacity.capacity_plan import CapacityPlan, recommend_capacity
from simulator.planner.mixed import recommend_mixed
from simulator.planner.placing.placement_plan import PlacementPlan, recommend_placement
from simulator.planner.recommendation import Recommendation, recommend
from simulator.planner.search import Watch
from simulator.planner.serving.pricing import service_question
from simulator.planner.serving.scaling_plan import ScalingPlan, recommend_scaling
from simulator.planner.serving.service_mix import FleetMix, cheapest_fleet
from simulator.planner.serving.service_plan import ServicePlan, recommend_service
from simulator.planner.serving.service_pool import ServicePool, recommend_pool
from simulator.planner.training_cluster import ClusterPlan, asks_for_a_cluster, recommend_cluster
from simulator.planner.workshop import Workshop
from simulator.scenario import Scenario
from simulator.scenario.capacity import CapacityWorkload
from simulator.scenario.place import PlaceWorkload
from simulator.scenario.serve import ServeWorkload
from simulator.scenario.train import TrainWorkload
from simulator.simulation import chosen_workload

#: an answer of any kind
Answer = (
    Recommendation | ClusterPlan | ServicePlan | FleetMix | PlacementPlan | CapacityPlan | ServicePool | ScalingPlan
)


def decide(
    scenario: Scenario,
    *,
    objective: str | None = None,
    confirm: int | None = None,
    top: int | None = None,
    workload: str | None = None,
    watch: Watch | None = None,
    progress: Callable[[int, int], None] | None = None,
    workshop: Workshop | None = None,
) -> Answer:
    """Return the planner's answer to a scenario's question.

    Args:
        objective: a name; None for the scenario's.
        confirm: layouts of a training job that are played; None for the scenario's number.
        top: how many runner-ups are named; None for the scenario's number.
        workload: its id, where the scenario has several.
        watch: wraps the pieces of a search over layouts, for a progress bar.
        progress: is told how many runs a search over deployments has spent, of how many at most.
        workshop: does the runs of a search; None: here, and nothing is kept.

    Raises:
        InputError: an unknown objective, or a question that cannot be asked.
        Infeasible: nothing does; with the reasons and the smallest relaxations.
    """
    if (
        workload is None
        and len(scenario.workloads) > 1
        and all(isinstance(one, ServeWorkload) for one in scenario.workloads)
    ):
        if confirm is not None:
            raise InputError("--confirm is for training plans; services are played on plan.seeds draws.")
        return recommend_pool(scenario, objective=objective, workshop=workshop)
    entry = chosen_workload(scenario, workload)
    if isinstance(entry, (PlaceWorkload, CapacityWorkload)) and workshop is not None:
        raise InputError(
            "jobs are placed and capacity is chosen by an exact programme; nothing is played that workers could do or "
            "a store could keep. Leave --store, --jobs and --backend out."
        )
    if isinstance(entry, PlaceWorkload):
        if objective is not None or confirm is not None:
            raise InputError("jobs are placed by their value, and not played; leave --objective and --confirm out.")
        return recommend_placement(scenario, entry)
    if isinstance(entry, CapacityWorkload):
        if confirm is not None:
            raise InputError("capacity is chosen by an exact programme and not played; leave --confirm out.")
        return recommend_capacity(scenario, entry, objective=objective)
    if not isinstance(entry, ServeWorkload):
        if asks_for_a_cluster(scenario):
            return recommend_cluster(scenario, objective=objective, confirm=confirm, top=top, workload=workload,
                                     workshop=workshop)  # fmt: skip
        if isinstance(entry, TrainWorkload) and not scenario.cluster.homogeneous:
            return recommend_mixed(scenario, objective=objective, confirm=confirm, top=top, workload=workload,
                                   workshop=workshop)  # fmt: skip
        return recommend(scenario, objective=objective, confirm=confirm, top=top, workload=workload, watch=watch,
                         workshop=workshop)  # fmt: skip
    return _service(scenario, entry, objective=objective, confirm=confirm, top=top, progress=progress,
                    workshop=workshop)  # fmt: skip


def _service(
    scenario: Scenario,
    entry: ServeWorkload,
    *,
    objective: str | None,
    confirm: int | None,
    top: int | None,
    progress: Callable[[int, int], None] | None,
    workshop: Workshop | None,
) -> ServicePlan | FleetMix | ScalingPlan:
    """Return the answer for one service: bounds of its autoscaler, machines of one kind, or a mix."""
    if confirm is not None:
        raise InputError("--confirm is for training plans; a service's runs are plan.simulations.")
    if entry.scale is not None:
        return recommend_scaling(scenario, entry, objective=objective, workshop=workshop)
    if not scenario.plan.mix:
        return recommend_service(scenario, objective=objective, top=top, workload=entry.id, progress=progress,
                                 workshop=workshop)  # fmt: skip
    if (objective or scenario.plan.objective or "cost") != "cost":
        raise InputError("plan.mix looks for the least cost; leave the objective out.")
    return cheapest_fleet(service_question(scenario, entry, "cost", workshop=workshop))
