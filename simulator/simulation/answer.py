"""From what was priced and played to a result: rent, power, labels and figures around the parts of a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simulator.costs.passes import attention_kernel
from simulator.costs.rent import power_w, rent_usd_per_s
from simulator.engine.trace import Trace
from simulator.mapping.plan import Plan
from simulator.mapping.unfolding import Condition, ReplicaClass
from simulator.profiles.error_bands import Work, error_band
from simulator.results.feeding import Feeding
from simulator.results.lanes import Lane
from simulator.results.metrics import Resources, training_metrics
from simulator.results.result import Hardware, Result
from simulator.results.synchronization import Synchronization
from simulator.results.whole_run import WholeRun
from simulator.scenario import Scenario
from simulator.scenario.train import TrainWorkload
from simulator.simulation.gains import feeding_gains, gains_of
from simulator.simulation.setting import Setting
from simulator.workload.jobs.samples import Job, SampleJob

#: the kind of work whose measurements a model is held against
_WORK: Final[Mapping[str, Work]] = {
    "decoder": "train",
    "encoder": "train-encoder",
    "encoder-decoder": "train-encoder",
}


def _work(job: Job) -> Work:
    return "train-network" if isinstance(job, SampleJob) else _WORK[job.model.kind]


def training_result(
    scenario: Scenario,
    workload: TrainWorkload,
    setting: Setting,
    *,
    plan: Plan,
    classes: tuple[ReplicaClass, ...],
    memory: Mapping[str, float],
    limit: float,
    parts: Mapping[str, float],
    trace: Trace | None,
    marks: Mapping[int, Condition],
    feeding: Feeding | None = None,
    synchronization: Synchronization | None = None,
    run: WholeRun | None = None,
    pace: float = 1.0,
    lanes: tuple[Lane, ...] = (),
) -> Result:
    """Return the result of one training step; data and checkpoints, if there are any, lengthen it by their parts."""
    if feeding is not None:
        parts = {**parts, **feeding.parts}
    step = sum(parts.values())
    metrics = training_metrics(
        workload.job, plan, resources_of(scenario, setting), step=step, steps=workload.steps, pace=pace,
        attention_repeated=attention_kernel(setting.framework, workload.job.precision) == "unfused",
    )  # fmt: skip
    metrics |= {"bubble_fraction": parts["bubble"] / step, "memory_bytes": sum(memory.values()),
                "memory_limit_bytes": limit}  # fmt: skip
    metrics |= synchronization.metrics() if synchronization else {}
    metrics |= feeding.metrics() if feeding else {}
    metrics |= run.metrics() if run else {}
    sources = setting.sources
    gains = gains_of(workload, setting, plan, marks)
    return Result(
        scenario=scenario.name,
        scenario_sha256=scenario.sha256,
        workload=workload.id,
        fidelity=scenario.run.fidelity,
        hardware=Hardware(
            cluster=scenario.cluster.name,
            device=setting.name,
            devices=setting.devices,
            nodes=setting.nodes,
            devices_per_node=setting.devices_per_node,
            framework=setting.framework.name,
            kinds=tuple(kind.device.name for kind in setting.kinds),
        ),
        job=workload.job,
        plan=plan,
        label="assumed" if "assumed" in sources.values() else "calibrated",
        sources=sources,
        band=error_band(_work(workload.job), setting.machine.efficiency.name),
        metrics=metrics,
        parts=parts,
        memory=memory,
        memory_limit=limit,
        gains=feeding.gains(gains) | feeding_gains(scenario, workload, setting, plan, feeding) if feeding else gains,
        classes=classes,
        assumptions=setting.assumptions,
        trace=trace,
        feeding=feeding,
        synchronization=synchronization,
        run=run,
        lanes=lanes,
    )


def resources_of(scenario: Scenario, setting: Setting) -> Resources:
    """Return what the whole cluster costs and draws; None where one of its groups is not known."""
    wishes = scenario.prices
    rents, powers = [], []
    for group in scenario.groups:
        rent = group.usd_per_s
        if rent is None:
            rent = rent_usd_per_s(scenario.catalogue, group.node, group.price_kind or wishes.kind,
                                  provider=wishes.provider, region=wishes.region)  # fmt: skip
        power = power_w(group.node, group.device)
        rents.append(None if rent is None else rent * group.count)
        powers.append(None if power is None else power * group.count)
    return Resources(devices=setting.devices, peak=setting.peak, usd_per_s=_sum(rents), power_w=_sum(powers),
                     energy_usd_per_j=wishes.energy_usd_per_j)  # fmt: skip


def _sum(amounts: list[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None
