"""What a training job runs on and with, as the closed forms need it: one kind of machine, or several."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from simulator.costs.collectives import fabrics_of
from simulator.costs.compute import Machine
from simulator.costs.conditions import at_speed, with_bandwidth
from simulator.costs.mixed import slowest_of
from simulator.costs.network import AnalyticNetwork
from simulator.costs.programs import times_of
from simulator.costs.step import StepTimes
from simulator.foundation.errors import InputError
from simulator.mapping.lowering import AnyProgram, lower_job
from simulator.mapping.unfolding import HEALTHY, Condition, ReplicaClass
from simulator.profiles.device import Device, peak_for, sparse_speed
from simulator.profiles.framework import Framework
from simulator.scenario import Scenario
from simulator.scenario.train import TrainWorkload
from simulator.topology.scaleup import devices_per_node
from simulator.topology.tiers import Tier
from simulator.workload.jobs.samples import Job

_CALIBRATED: Final = ("calibrated", "measured", "fitted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of machine in a cluster of several.

    Attributes:
        node: name of the node.
        first, count: the number of its first device, and how many there are.
        tiers: the network as its devices see it.
    """

    node: str
    device: Device
    machine: Machine
    first: int
    count: int
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A job and what it runs on: the slowest device of the cluster, its tiers, the software.

    Attributes:
        kinds: of machine, in the order of their devices' numbers, where there are several; else none.
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
    kinds: tuple[Kind, ...] = ()

    @property
    def name(self) -> str:
        """Name of the device, or of all kinds and how many of each."""
        if not self.kinds:
            return self.device.name
        return " + ".join(f"{kind.count} x {kind.device.name}" for kind in self.kinds)

    def price(self, program: AnyProgram, condition: Condition) -> StepTimes:
        """Return the durations of a program's parts on some machines, where something may be amiss.

        Each kind of machine sees the network in its own way, which places the groups of ranks anew. Raises for an
        unknown tier.
        """
        if not condition.machines:
            return self._priced(program, self.machine, self.tiers, condition)
        kinds = [self.kinds[number] for number in condition.machines]
        return slowest_of(
            [
                self._priced(lower_job(self.job, program.table, kind.tiers), kind.machine, kind.tiers, condition)
                for kind in kinds
            ]
        )

    def price_replicas(self, program: AnyProgram, classes: Iterable[ReplicaClass]) -> dict[Condition, StepTimes]:
        """Return the durations under each condition that replicas meet, and where nothing is amiss."""
        conditions = {condition for one in classes for condition in one.conditions} | {HEALTHY}
        return {condition: self.price(program, condition) for condition in conditions}

    def _priced(
        self, program: AnyProgram, machine: Machine, tiers: tuple[Tier, ...], condition: Condition
    ) -> StepTimes:
        machine = at_speed(machine, arithmetic=condition.speed, memory=condition.speed)
        names = {tier.name for tier in tiers}
        narrowed = {name: factor for name, factor in condition.links if name in names or not self.kinds}
        return times_of(program, machine, self.framework, AnalyticNetwork.of(with_bandwidth(tiers, narrowed)))

    def devices_of(self, condition: Condition) -> tuple[Device, ...]:
        """Return the devices under a stage."""
        if not condition.machines:
            return (self.smallest,)
        return tuple(self.kinds[number].device for number in condition.machines)

    @property
    def sources(self) -> dict[str, str]:
        """What a prediction rests on -> ``calibrated`` or ``assumed``."""
        machines = [kind.machine for kind in self.kinds] or [self.machine]
        found = {f"device class {one.efficiency.name}": one.efficiency.origin for one in machines}
        for tier, fabric in zip(self.tiers, fabrics_of(self.tiers), strict=True):
            found[f"network tier {tier.name}"] = fabric.origin("link_fraction")
        return {name: "calibrated" if origin in _CALIBRATED else "assumed" for name, origin in found.items()}


def _machine(device: Device, workload: TrainWorkload) -> Machine:
    return replace(Machine.of(device, workload.job.precision), offload=workload.offload,
                   sparse=_sparse(device, workload.job), rounded=workload.job.thrift.rounded)  # fmt: skip


def _sparse(device: Device, job: Job) -> float:
    """Return how much faster matrix units are on 2:4 weights; raises :class:`InputError` if no source gives it."""
    if job.thrift.pattern != "2:4":
        return 1.0
    faster = sparse_speed(device, job.precision.peak)
    if faster is None:
        raise InputError(f"no source says that {device.name!r} skips 2:4 zeros in {job.precision.peak}. Write "
                         "'pattern: unstructured', which gains no speed, or another device or precision.")  # fmt: skip
    return faster


def setting_of(scenario: Scenario, workload: TrainWorkload) -> Setting:
    """Return the setting of a training job; raises :class:`InputError` for a figure that no source gives.

    Where one figure must stand for a mixed cluster, it is that of the slowest device, and of the smallest memory.
    """
    job, cluster = workload.job, scenario.cluster
    peaks = [(peak_for(group.device, job.precision.peak), group) for group in scenario.groups]
    slowest = min(peaks, key=lambda found: found[0])[1]
    smallest = min(scenario.groups, key=lambda group: group.device.memory_limit_bytes or 0.0)
    return Setting(
        job=job,
        device=slowest.device,
        smallest=smallest.device,
        machine=_machine(slowest.device, workload),
        framework=workload.framework,
        tiers=cluster.tiers,
        devices=scenario.devices,
        nodes=cluster.nodes,
        devices_per_node=slowest.node.device_count,
        scaleup=min(one.size for one in cluster.scale_ups),
        peak=sum(peak * group.devices for peak, group in peaks),
        assumptions=tuple(f"{text.rstrip('.')}." for text in cluster.assumptions),
        kinds=() if cluster.homogeneous else _kinds(scenario, workload),
    )


def _kinds(scenario: Scenario, workload: TrainWorkload) -> tuple[Kind, ...]:
    """Return the kinds of machine of a mixed cluster."""
    cluster = scenario.cluster
    found = []
    for number, (node, device, count) in enumerate(cluster.groups):
        machine = _machine(device, workload)
        found.append(Kind(node=node.name, device=device, machine=machine, first=cluster.start(number).device,
                          count=devices_per_node(node) * count, tiers=cluster.tiers_of(number)))  # fmt: skip
    return tuple(found)
