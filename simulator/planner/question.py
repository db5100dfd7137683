"""What the planner is asked: one training job on one kind of machine, with everything that pricing needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.costs.compute import Machine
from simulator.costs.memory import usable_memory
from simulator.costs.network import AnalyticNetwork
from simulator.foundation.errors import InputError
from simulator.planner.constraints import Setting
from simulator.planner.space import Space, space_of
from simulator.profiles.framework import Framework
from simulator.scenario import Scenario
from simulator.scenario.train import TrainWorkload
from simulator.topology.cluster import Cluster
from simulator.topology.scaleup import devices_per_node
from simulator.workload.jobs.training import TrainingJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One training job that is to be split over a cluster of equal devices.

    Attributes:
        scenario: where the question stands.
        workload: the entry of it that is to be planned.
        capacity: bytes that tensors can take on one device.
        choices: axes that are narrowed, by name.
    """

    scenario: Scenario
    workload: TrainWorkload
    cluster: Cluster
    machine: Machine
    network: AnalyticNetwork
    capacity: float
    choices: Mapping[str, tuple[Any, ...]]

    @property
    def job(self) -> TrainingJob:
        """What is trained."""
        return self.workload.job

    @property
    def framework(self) -> Framework:
        """The software that runs it."""
        return self.workload.framework

    @property
    def devices(self) -> int:
        """Devices of the cluster; every plan uses all of them."""
        return self.cluster.devices

    @property
    def scaleup(self) -> int:
        """Devices that reach each other by the links inside a node or scale-up domain."""
        node = self.cluster.groups[0][0]
        return max(self.cluster.scale_ups[0].size, devices_per_node(node))

    @property
    def setting(self) -> Setting:
        """What constraints know; TP beyond the scale-up domain is allowed where its degrees were chosen by name."""
        return Setting(job=self.job, scaleup=self.devices if "tp" in self.choices else self.scaleup)

    def space(self) -> Space:
        """Return every plan; raises :class:`InputError` if no choice of degrees divides the devices."""
        return space_of(self.job, self.devices, self.choices)


def question_of(scenario: Scenario, workload: str | None = None) -> Question:
    """Return the question of a scenario's training workload, by id (None: its only one).

    Raises:
        InputError: no such workload or not one alone, devices of several kinds, or a device without a needed figure.
    """
    found = [entry for entry in scenario.workloads if isinstance(entry, TrainWorkload)]
    chosen = [entry for entry in found if workload in (None, entry.id)]
    if len(chosen) != 1:
        ids = ", ".join(entry.id for entry in found) or "none"
        raise InputError(f"the planner needs one training workload; this scenario has: {ids}.")
    cluster = scenario.cluster
    if not cluster.homogeneous:
        raise InputError("the planner needs nodes of one kind; this cluster mixes several.")
    entry, device = chosen[0], scenario.groups[0].device
    choices: dict[str, tuple[Any, ...]] = dict(scenario.plan.choices)
    if entry.micro_batch is not None:
        choices.setdefault("micro", (entry.micro_batch,))
    return Question(
        scenario=scenario,
        workload=entry,
        cluster=cluster,
        machine=Machine.of(device, entry.job.precision),
        network=AnalyticNetwork.of(cluster.tiers),
        capacity=usable_memory(device),
        choices=choices,
    )
