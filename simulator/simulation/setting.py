"""What a training job runs on and with, as the closed forms need it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from simulator.costs.collectives import fabrics_of
from simulator.costs.compute import Machine
from simulator.costs.conditions import at_speed, with_bandwidth
from simulator.costs.network import AnalyticNetwork
from simulator.costs.programs import times_of
from simulator.costs.step import StepTimes
from simulator.mapping.lowering import AnyProgram
from simulator.mapping.unfolding import Condition
from simulator.profiles.device import Device, peak_for
from simulator.profiles.framework import Framework
from simulator.scenario import Scenario
from simulator.scenario.train import TrainWorkload
from simulator.topology.tiers import Tier
from simulator.workload.jobs.samples import Job

_CALIBRATED: Final = ("calibrated", "measured", "fitted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A job and what it runs on: the slowest device of the cluster, its tiers, the software.

    Attributes:
        peak: dense FLOP/s of all devices together, in the job's precision.
        scaleup: devices of one scale-up domain.
        assumptions: what was taken for granted, in words.
    """

    job: Job
    device: Device
    smallest: Device
    machine: Machine
    framework: Framework
    tiers: tuple[Tier, ...]
    devices: int
    nodes: int
    devices_per_node: int
    scaleup: int
    peak: float
    assumptions: tuple[str, ...]

    def price(self, program: AnyProgram, condition: Condition) -> StepTimes:
        """Return the durations of a program's parts where something is amiss; raises for an unknown tier."""
        machine = at_speed(self.machine, arithmetic=condition.speed, memory=condition.speed)
        tiers = with_bandwidth(self.tiers, dict(condition.links))
        return times_of(program, machine, self.framework, AnalyticNetwork.of(tiers))

    @property
    def sources(self) -> dict[str, str]:
        """What a prediction rests on -> ``calibrated`` or ``assumed``."""
        efficiency = self.machine.efficiency
        found = {f"device class {efficiency.name}": efficiency.origin}
        for tier, fabric in zip(self.tiers, fabrics_of(self.tiers), strict=True):
            found[f"network tier {tier.name}"] = fabric.origin("link_fraction")
        return {name: "calibrated" if origin in _CALIBRATED else "assumed" for name, origin in found.items()}


def setting_of(scenario: Scenario, workload: TrainWorkload) -> Setting:
    """Return the setting of a training job; raises :class:`InputError` for a figure that no source gives.

    On a mixed cluster every device is taken to be as slow as the slowest and as small as the smallest: replicas of
    equal shares wait for each other in each step.
    """
    job, cluster = workload.job, scenario.cluster
    peaks = [(peak_for(group.device, job.precision.peak), group) for group in scenario.groups]
    slowest = min(peaks, key=lambda found: found[0])[1]
    smallest = min(scenario.groups, key=lambda group: group.device.memory_limit_bytes or 0.0)
    mixed = len({group.device.name for group in scenario.groups}) > 1
    taken = (f"every device works at the pace of the slowest, {slowest.device.name}.",) if mixed else ()
    return Setting(
        job=job,
        device=slowest.device,
        smallest=smallest.device,
        machine=replace(Machine.of(slowest.device, job.precision), offload=workload.offload),
        framework=workload.framework,
        tiers=cluster.tiers,
        devices=scenario.devices,
        nodes=cluster.nodes,
        devices_per_node=slowest.node.device_count,
        scaleup=min(one.size for one in cluster.scale_ups),
        peak=sum(peak * group.devices for peak, group in peaks),
        assumptions=(*taken, *(f"{text.rstrip('.')}." for text in cluster.assumptions)),
    )
