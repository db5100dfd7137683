"""What more of each resource would buy: the step priced again in closed form with one resource ten per cent larger.

Of every kind of training: another exchange of gradients is priced anew too. More memory buys nothing by itself; it buys
the fastest plan of the same layout that fits then and did not fit before: less recomputation, larger micro-batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from simulator.costs.compute import Machine
from simulator.costs.conditions import at_host_speed, at_speed, with_bandwidth
from simulator.costs.memory import usable_memory
from simulator.costs.mixed import estimate_replicas
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.mapping.lowering import lower_job
from simulator.mapping.plan import RECOMPUTE, Plan, PlanTable
from simulator.mapping.unfolding import Condition, ReplicaClass, replica_classes
from simulator.results.feeding import Feeding
from simulator.scenario import Scenario
from simulator.scenario.train import TrainWorkload
from simulator.scenario.train_input import Store
from simulator.scenario.train_sync import ParameterServers
from simulator.simulation.balanced import balanced
from simulator.simulation.feeding import feeding_of
from simulator.simulation.lanes import stage_bytes
from simulator.simulation.setting import Setting
from simulator.simulation.synchronizing import exchanged
from simulator.topology.tiers import Tier

Marks = Mapping[int, Condition]

MORE: Final = 1.1  # how much larger a resource is made
#: what is asked of every job, and of one that keeps something outside its devices
RESOURCES: Final = ("arithmetic", "memory_bandwidth", "host", "scaleup", "scaleout")
OUTSIDE: Final = ("host_link", "host_memory", "drives")


def gains_of(workload: TrainWorkload, setting: Setting, plan: Plan, marks: Marks) -> dict[str, float]:
    """Return the share of the step time that ten per cent more of each resource saves.

    Shares and stage lengths that are left to the machines' speed follow it.

    Returns:
        By resource: those of :data:`RESOURCES` and, of a job that offloads, :data:`OUTSIDE`; ``servers`` of parameter
        servers; ``memory_capacity``; and ``kind N`` for machines of kind N alone on a mixed cluster.
    """

    def step(changed: Setting, job: TrainWorkload = workload) -> float:
        followed = balanced(plan, job.by_speed, changed, marks)
        return closed_form(job, changed, followed, replica_classes(followed, marks))

    now = step(setting)
    found = {name: step(faster(setting, name)) for name in _asked(setting)}
    for number in range(len(setting.kinds)):
        found[f"kind {number}"] = step(_one_faster(setting, number))
    if isinstance(workload.sync, ParameterServers):
        wider = replace(workload.sync, bandwidth=workload.sync.bandwidth * MORE)
        found["servers"] = step(setting, replace(workload, sync=wider))
    found["memory_capacity"] = _with_more_memory(workload, setting, plan, replica_classes(plan, marks), now)
    return {name: max(now - then, 0.0) / now for name, then in sorted(found.items())}


def feeding_gains(
    scenario: Scenario, workload: TrainWorkload, setting: Setting, plan: Plan, feeding: Feeding
) -> dict[str, float]:
    """Return the share of a fed step that ten per cent more of its storage, and of its loaders' cores, saves."""
    closed = replace(scenario, run=replace(scenario.run, fidelity="estimate"))

    def added(job: TrainWorkload) -> float:
        found = feeding_of(closed, job, setting, plan, alone=feeding.alone_s)
        return 0.0 if found is None else sum(found.parts.values())

    now, found = added(workload), {"storage": added(_wider_storage(workload))}
    if workload.data is not None:
        loader = workload.data.loader
        more = replace(workload.data, loader=replace(loader, cores=loader.cores * MORE))
        found["loaders"] = added(replace(workload, data=more))
    return {name: max(now - then, 0.0) / feeding.step_s for name, then in found.items()}


def _wider_storage(workload: TrainWorkload) -> TrainWorkload:
    """Return the job on storage that reads and writes faster, and answers more requests."""

    def wider(store: Store) -> Store:
        system = store.system
        rates = ("read_bandwidth", "write_bandwidth", "read_rate", "write_rate", "stream_bandwidth")
        more: dict[str, Any] = {name: getattr(system, name) * MORE for name in rates}
        return replace(store, system=replace(system, **more))

    data, saved = workload.data, workload.checkpoint
    return replace(
        workload,
        data=None if data is None else replace(data, store=wider(data.store)),
        checkpoint=None if saved is None else replace(saved, store=wider(saved.store)),
    )


def closed_form(workload: TrainWorkload, setting: Setting, plan: Plan, classes: tuple[ReplicaClass, ...]) -> float:
    """Return the seconds of a step without data and checkpoints, by the closed form."""
    program = lower_job(setting.job, PlanTable.of([plan]), setting.tiers)
    times = setting.price_replicas(program, classes)
    found = exchanged(workload.sync, setting, program, plan, times, classes, played=False, streams=Streams(0))
    step = estimate_replicas(plan, classes, found.times, nodes=float(setting.nodes))
    return sum(found.parts({name: float(seconds[0]) for name, seconds in step.parts.items()}).values())


def _asked(setting: Setting) -> Iterator[str]:
    outer = any(tier.span > setting.scaleup for tier in setting.tiers)
    for name in RESOURCES:
        if name != "scaleout" or outer:
            yield name
    offload = setting.machine.offload
    if offload is not None:
        yield from (name for name in OUTSIDE if name != "drives" or offload.drive_read)


def faster(setting: Setting, resource: str) -> Setting:
    """Return the setting with ten per cent more of a resource on all its machines."""
    if resource == "host":
        return replace(setting, framework=at_host_speed(setting.framework, MORE))
    kinds = tuple(
        replace(kind, machine=_machine(kind.machine, resource), tiers=_tiers(setting, kind.tiers, resource))
        for kind in setting.kinds
    )
    return replace(setting, machine=_machine(setting.machine, resource), kinds=kinds,
                   tiers=_tiers(setting, setting.tiers, resource))  # fmt: skip


def _one_faster(setting: Setting, number: int) -> Setting:
    kinds = [
        replace(kind, machine=at_speed(kind.machine, arithmetic=MORE, memory=MORE)) if place == number else kind
        for place, kind in enumerate(setting.kinds)
    ]
    return replace(setting, kinds=tuple(kinds))


def _machine(machine: Machine, resource: str) -> Machine:
    if resource == "arithmetic":
        return at_speed(machine, arithmetic=MORE)
    if resource == "memory_bandwidth":
        return at_speed(machine, memory=MORE)
    offload = machine.offload
    if offload is None or resource not in OUTSIDE:
        return machine
    if resource == "host_link":
        return replace(machine, offload=replace(offload, link=offload.link * MORE))
    if resource == "host_memory":
        return replace(machine, offload=replace(offload, host_bandwidth=offload.host_bandwidth * MORE))
    return replace(machine, offload=replace(offload, drive_read=offload.drive_read * MORE,
                                            drive_write=offload.drive_write * MORE))  # fmt: skip


def _tiers(setting: Setting, tiers: tuple[Tier, ...], resource: str) -> tuple[Tier, ...]:
    if resource not in ("scaleup", "scaleout"):
        return tiers
    inside = resource == "scaleup"
    return with_bandwidth(tiers, {tier.name: MORE for tier in tiers if (tier.span <= setting.scaleup) == inside})


def _with_more_memory(
    workload: TrainWorkload, setting: Setting, plan: Plan, classes: tuple[ReplicaClass, ...], now: float
) -> float:
    """Return the step of the best plan that ten per cent more memory lets in, as much below the best that fits now."""
    inside, beyond = now, now
    for other in _hungrier(plan):
        fill = _filled(setting, other, classes)
        if fill > MORE:
            continue
        seconds = closed_form(workload, setting, other, classes)
        beyond = min(beyond, seconds)
        inside = min(inside, seconds) if fill <= 1.0 else inside
    return now - (inside - beyond)


def _hungrier(plan: Plan) -> Iterator[Plan]:
    """Yield plans of the same layout that hold more: less is recomputed, or micro-batches are twice as large."""
    for kind in RECOMPUTE[: RECOMPUTE.index(plan.recompute)]:
        yield replace(plan, recompute=kind)
    halved = [share // 2 for share in plan.shares or (plan.micro_batches,)]
    if all(share % 2 == 0 for share in plan.shares or (plan.micro_batches,)):
        try:
            yield replace(plan, micro_batch=2 * plan.micro_batch, micro_batches=max(halved),
                          shares=tuple(halved) if plan.shares else ())  # fmt: skip
        except InputError:  # DualPipe wants as many micro-batches as there were
            return


def _filled(setting: Setting, plan: Plan, classes: Sequence[ReplicaClass]) -> float:
    """Return the memory of the fullest stage, over what tensors can take on the device under it."""
    held = stage_bytes(setting, plan.of_share(plan.micro_batches))
    return max(
        held[stage] / min(map(usable_memory, setting.devices_of(condition)))
        for one in classes
        for stage, condition in enumerate(one.conditions)
    )
