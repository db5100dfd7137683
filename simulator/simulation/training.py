"""One training step from question to answer: decide, check the memory, lower, price, play, tell."""

from __future__ import annotations

from simulator.costs.estimate import straggling
from simulator.costs.memory import usable_memory
from simulator.costs.mixed import estimate_replicas
from simulator.engine.training.script import write_script
from simulator.engine.training.step import play
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.mapping.lowering import lower_job
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.unfolding import HEALTHY, ReplicaClass, replica_classes
from simulator.results.result import Result
from simulator.results.step_parts import busiest_lane, parts_of_trace, with_stragglers
from simulator.scenario import Scenario
from simulator.scenario.train import TrainWorkload
from simulator.scenario.train_layout import DECIDED
from simulator.simulation.answer import resources_of, training_result
from simulator.simulation.balanced import balanced
from simulator.simulation.feasibility import check_memory
from simulator.simulation.feeding import feeding_of
from simulator.simulation.lanes import check_lanes, lanes_of
from simulator.simulation.marks import marks_of
from simulator.simulation.setting import Setting, setting_of
from simulator.simulation.stages import mean_pace, stage_paces
from simulator.simulation.synchronizing import exchanged
from simulator.simulation.whole_run import decided_interval, whole_run


def simulate_training(scenario: Scenario, workload: TrainWorkload, plan: Plan | None) -> Result:
    """Play one optimizer step of a training job and return what happened; see :func:`simulator.simulation.simulate`."""
    setting = setting_of(scenario, workload)
    marks = marks_of(scenario, setting)
    left = workload.by_speed if plan is None else DECIDED
    plan = balanced(_decided(scenario, workload, plan), left, setting, marks)
    classes = replica_classes(plan, marks)
    memory, limit = _memory(setting, plan, classes)
    program = lower_job(workload.job, PlanTable.of([plan]), setting.tiers)
    times = setting.price_replicas(program, classes)
    in_closed_form = scenario.run.fidelity == "estimate"
    exchange = exchanged(workload.sync, setting, program, plan, times, classes, played=not in_closed_form,
                         streams=Streams(scenario.run.seed))  # fmt: skip
    times = exchange.times
    if in_closed_form:
        trace = None
        found = estimate_replicas(plan, classes, times, nodes=float(setting.nodes))
        parts = {name: float(seconds[0]) for name, seconds in found.parts.items()}
    else:
        trace = play(write_script(plan, classes, times))
        lane = busiest_lane(trace)
        one = classes[lane[0]]
        alone = parts_of_trace(trace, lane, times[one.conditions[lane[1]]], one.micro_batches(plan),
                               dual=plan.schedule == "dualpipe")  # fmt: skip
        parts = with_stragglers(alone, float(straggling(setting.nodes)))
    parts = exchange.parts(parts)
    workload = decided_interval(workload, setting, sum(parts.values()))
    feeding = feeding_of(scenario, workload, setting, plan, alone=sum(parts.values()))
    paces = stage_paces(workload, setting, plan)
    run = whole_run(
        workload, setting, plan, parts=parts | (feeding.parts if feeding else {}), times=times[HEALTHY],
        feeding=feeding, usd_per_s=resources_of(scenario, setting).usd_per_s, streams=Streams(scenario.run.seed),
        paces=paces,
    )  # fmt: skip
    return training_result(
        scenario, workload, setting, plan=plan, classes=classes, memory=memory, limit=limit, parts=parts,
        trace=trace, marks=marks, feeding=feeding, synchronization=exchange.told, run=run,
        lanes=lanes_of(setting, plan, classes, times), pace=mean_pace(workload, paces),
    )  # fmt: skip


def _memory(setting: Setting, plan: Plan, classes: tuple[ReplicaClass, ...]) -> tuple[dict[str, float], float]:
    """Return bytes by part on the fullest device and what tensors can take there; raises :class:`Infeasible`."""
    if setting.kinds:
        return check_lanes(setting, plan, classes)
    return check_memory(setting, plan), usable_memory(setting.smallest)


def _decided(scenario: Scenario, workload: TrainWorkload, plan: Plan | None) -> Plan:
    """Return the plan to play; raises :class:`InputError` if there is none, or none for this scenario."""
    plan = plan or workload.plan
    if plan is None:
        raise InputError(
            f"workload {workload.id!r} is undecided (parallelism: auto). Let `rackcast plan {scenario.path}` choose, "
            "or write the degrees, as in 'parallelism: {tp: 8, pp: 8}' with 'batch: {micro: 1}'."
        )
    if plan.ranks != scenario.devices:
        raise InputError(f"the plan needs {plan.ranks} devices; the cluster has {scenario.devices}.")
    if plan.global_batch != workload.job.global_batch:
        raise InputError(f"the plan makes batches of {plan.global_batch} samples, not {workload.job.global_batch}.")
    if scenario.events and scenario.run.fidelity == "estimate":
        raise InputError("events need time to pass: write 'fidelity: engine' under 'run', or leave them out.")
    return plan
