"""What the planner is asked: one training job on one cluster, with everything that pricing needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.costs.memory import usable_memory
from simulator.costs.network import AnalyticNetwork
from simulator.costs.passes import attention_kernel
from simulator.foundation.errors import InputError
from simulator.planner.constraints import Bounds
from simulator.planner.space import DEGREES, OPTIONS, WITHIN, Space, space_of
from simulator.scenario import Scenario
from simulator.scenario.train import TrainWorkload
from simulator.simulation import chosen_workload
from simulator.simulation.setting import Setting, setting_of
from simulator.topology.scaleup import devices_per_node
from simulator.workload.jobs.samples import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One training job that is to be split over a cluster.

    Attributes:
        scenario, workload: where the question stands.
        setting: what the job runs on and with.
        network: prices what is sent.
        capacity: bytes that tensors can take on the smallest device.
        choices: axes that are narrowed, by name.
    """

    scenario: Scenario
    workload: TrainWorkload
    setting: Setting
    network: AnalyticNetwork
    capacity: float
    choices: Mapping[str, tuple[Any, ...]]

    @property
    def job(self) -> Job:
        """What is trained."""
        return self.setting.job

    @property
    def bounds(self) -> Bounds:
        """What constraints know; what is unusual is allowed where its axis was chosen by name."""
        nodes = (devices_per_node(node) for node, _, _ in self.scenario.cluster.groups)
        inside = min(max(one.size, node) for one, node in zip(self.scenario.cluster.scale_ups, nodes, strict=True))
        return Bounds(
            job=self.job,
            scaleup=self.setting.devices if "tp" in self.choices else inside,
            fused=attention_kernel(self.setting.framework, self.job.precision) != "unfused",
            pipelined_sharding="zero" in self.choices,
        )

    def space(self) -> Space:
        """Return every plan; raises :class:`InputError` if no choice of degrees divides the devices."""
        return space_of(self.job, self.setting.devices, self.choices)


def question_of(scenario: Scenario, workload: str | None = None) -> Question:
    """Return the question of a scenario's training workload, by id (None: its only workload).

    Raises:
        InputError: no such workload, one that is no training, or a device without a figure that pricing needs.
    """
    entry = chosen_workload(scenario, workload)
    if not isinstance(entry, TrainWorkload):
        raise InputError(f"the planner splits training jobs; the workload {entry.id!r} is none.")
    axes = {*DEGREES, *WITHIN, *OPTIONS, "micro"}
    choices = {name: values for name, values in scenario.plan.choices.items() if name in axes}
    if entry.micro_batch is not None:
        choices.setdefault("micro", (entry.micro_batch,))
    setting = setting_of(scenario, entry)
    return Question(
        scenario=scenario,
        workload=entry,
        setting=setting,
        network=AnalyticNetwork.of(setting.tiers),
        capacity=usable_memory(setting.smallest),
        choices=choices,
    )
