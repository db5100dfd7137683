"""From a step to a run: evaluations, checkpoints, failures and stages around it, played and in closed form."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from simulator.costs.estimate import estimate
from simulator.costs.reliability import cluster_mtbf, daly_interval, expected_time, lost_per_failure
from simulator.costs.step import StepTimes
from simulator.engine.training.elastic import Elastic, play_elastic
from simulator.engine.training.whole_run import Course, Faults, Played, play_run
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.mapping.plan import Plan, PlanTable
from simulator.results.feeding import Feeding
from simulator.results.whole_run import StageEnd, WholeRun
from simulator.scenario.train import TrainWorkload
from simulator.scenario.train_run import NodeFaults
from simulator.simulation.feeding import checkpoint_times
from simulator.simulation.setting import Setting

#: part of a step -> cause in the ledger of a run
_CAUSE: Final = {
    "compute": "compute", "recompute": "compute", "optimizer": "compute", "exchange": "communication",
    "boundary": "communication", "gradients": "communication",
}  # fmt: skip
#: parts of a step that a forward pass knows
_PASSES: Final = ("compute", "exchange", "host", "boundary", "bubble", "stragglers")


def decided_interval(workload: TrainWorkload, setting: Setting, step_s: float) -> TrainWorkload:
    """Return the workload with the steps between its checkpoints, if they are to be found: Daly's interval.

    An asynchronous checkpoint holds nothing up, so that the next begins when it is written.

    Raises:
        InputError: nothing is said of failures, which decide it.
    """
    saved = workload.checkpoint
    if saved is None or saved.every_steps is not None:
        return workload
    if workload.around.faults is None:
        raise InputError(
            f"workload {workload.id!r}: the best checkpoint interval rests on failures; write them, as in "
            "'faults: {node_mtbf: 6300 h}', or a number of steps."
        )
    write, _ = checkpoint_times(saved, workload.job, setting.nodes)
    mtbf = mtbf_of(workload.around.faults, setting.nodes)
    best = write if saved.mode == "async" else float(daly_interval(write, mtbf))
    return replace(workload, checkpoint=replace(saved, every_steps=max(1, math.ceil(best / step_s - 0.5))))


def whole_run(
    workload: TrainWorkload,
    setting: Setting,
    plan: Plan,
    *,
    parts: Mapping[str, float],
    times: StepTimes,
    feeding: Feeding | None,
    usd_per_s: float | None,
    streams: Streams,
    paces: Sequence[float] = (),
) -> WholeRun | None:
    """Return the run around a step; None if nobody asks for its end.

    Args:
        parts: seconds of a step by where they go, data and checkpoints included.
        times: of the parts of a healthy step, for the share of its forward passes, and for its length with fewer
            replicas.
        paces: of each stage, its step's time over that of the job; empty: all steps are alike.

    Raises:
        InputError: no replicas to go on with; or failures come so often between saved states that the run would not
            end.
    """
    if workload.steps is None:
        return None
    around, plain = workload.around, {name: seconds for name, seconds in parts.items() if name != "checkpoint"}
    stages = tuple(zip(_stage_ends(workload), paces, strict=True)) if paces else ()
    course = replace(_course(workload, feeding, plain, times), paces=stages)
    faults = None if around.faults is None else _faults(workload, setting, feeding)
    count = 1 if around.faults is None else around.faults.runs
    played = _played(course, faults, _elastic(workload, setting, plan, times, feeding),
                     [streams.child(f"run {number}")["failures"] for number in range(count)])  # fmt: skip
    ends = np.array([one.time_s for one in played])
    segments, mtbf = np.diff(course.reached_s()), None if faults is None else faults.mtbf
    expected = course.startup_s + (
        float(segments.sum()) if faults is None else expected_time(segments, faults.mtbf, faults.restart)
    )
    nodes = setting.nodes + (0 if around.faults is None else around.faults.spares)
    return WholeRun(
        runs=count, ledger=_ledger(played, plain), time_s=float(ends.mean()),
        low_s=float(np.percentile(ends, 10)), high_s=float(np.percentile(ends, 90)),
        expected_s=None if course.lag_s or (around.faults and around.faults.elastic) else expected,
        failures=float(np.mean([one.failures for one in played])), mtbf_s=mtbf, interval_s=_interval(feeding, plain),
        best_interval_s=_best(workload, setting), stages=_stages(workload, course, played, segments, mtbf),
        usd_per_s=None if usd_per_s is None else usd_per_s * nodes / setting.nodes,
    )  # fmt: skip


def _played(
    course: Course, faults: Faults | None, elastic: Elastic | None,
    draws: list[np.random.Generator],
) -> list[Played]:  # fmt: skip
    if faults is None or elastic is None:
        return [play_run(course, faults, rng) for rng in draws]
    return [play_elastic(course, faults, elastic, rng) for rng in draws]


def _elastic(
    workload: TrainWorkload, setting: Setting, plan: Plan, times: StepTimes, feeding: Feeding | None
) -> Elastic | None:
    """Return how the run shrinks; None if it does not. A lost node takes all replicas along of which it holds a part.

    Two lost nodes are taken to hold parts of different replicas.
    """
    faults = workload.around.faults
    if faults is None or not faults.elastic:
        return None
    if plan.dp == 1:
        raise InputError("faults.strategy elastic-dp goes on with fewer replicas; this plan has one (dp=1).")
    apart = plan.first_rank(0, 1)  # ranks from one replica to the next
    each, units = max(1, setting.devices_per_node // apart), plan.global_batch // plan.micro_batch
    left = plan.dp - each * np.arange(-(-plan.dp // each))
    left = left[left > 0]
    table = PlanTable.of([plan.of_share(plan.micro_batches)]).take(np.zeros(len(left), dtype=np.int64))
    steps = np.broadcast_to(estimate(times, table.change(micro_batches=-(-units // left))).step, left.shape)
    keeps, saving = plan.zero == 0, None if feeding is None else feeding.saving
    read = 0.0 if keeps or saving is None else saving.read_s
    return Elastic(pace=(steps / steps[0]).tolist(), nodes=setting.nodes, regroup=faults.regroup + read, keeps=keeps)


def _course(workload: TrainWorkload, feeding: Feeding | None, plain: Mapping[str, float], times: StepTimes) -> Course:
    around, step_s = workload.around, sum(plain.values())
    saving = feeding.saving if feeding is not None else None
    assert workload.steps is not None
    steps = math.ceil(workload.steps - 1e-9)
    marks = set(_stage_ends(workload)) | {steps}
    if saving is not None:
        marks |= set(range(saving.every_steps, steps, saving.every_steps))
    visible = 0.0 if saving is None else saving.visible_s * saving.every_steps
    lag = 0.0 if saving is None or saving.mode == "sync" else max(0.0, saving.write_s - visible)
    evaluation = around.evaluation
    return Course(
        saved_at=tuple(sorted(marks)), step_s=step_s, save_s=visible, lag_s=lag, startup_s=around.startup,
        evaluate_every=evaluation.every if evaluation else 0,
        evaluate_s=evaluation.samples / workload.job.global_batch * _forward_s(plain, times) if evaluation else 0.0,
    )  # fmt: skip


def _forward_s(plain: Mapping[str, float], times: StepTimes) -> float:
    """Seconds of the forward passes of one global batch: their share of what a step's passes take."""
    ahead, back = float(times.forward.mean()), float((times.backward - times.recomputed).mean())
    return ahead / (ahead + back) * sum(plain.get(name, 0.0) for name in _PASSES)


def _stage_ends(workload: TrainWorkload) -> list[int]:
    """Steps after which each stage ends."""
    ends = np.cumsum([stage.steps for stage in workload.around.stages])
    return [max(1, math.ceil(end - 1e-9)) for end in ends.tolist()]


def _faults(workload: TrainWorkload, setting: Setting, feeding: Feeding | None) -> Faults:
    faults = workload.around.faults
    assert faults is not None
    read = feeding.saving.read_s if feeding is not None and feeding.saving is not None else 0.0
    return Faults(mtbf=mtbf_of(faults, setting.nodes), restart=faults.restart + read, spares=faults.spares,
                  repair=faults.repair, domain=faults.domain,
                  domain_share=domain_share(faults, setting.nodes))  # fmt: skip


def mtbf_of(faults: NodeFaults, nodes: int) -> float:
    """Return the seconds between failures of any of so many nodes, or of any domain of them."""
    alone = float(cluster_mtbf(faults.node_mtbf, nodes))
    return 1.0 / (1.0 / alone + nodes / faults.domain / faults.domain_mtbf)


def domain_share(faults: NodeFaults, nodes: int) -> float:
    """Return the share of the failures that take a whole domain."""
    return mtbf_of(faults, nodes) * nodes / faults.domain / faults.domain_mtbf


def _interval(feeding: Feeding | None, plain: Mapping[str, float]) -> float | None:
    if feeding is None or feeding.saving is None:
        return None
    return feeding.saving.every_steps * sum(plain.values())


def _best(workload: TrainWorkload, setting: Setting) -> float | None:
    saved = workload.checkpoint
    if saved is None or workload.around.faults is None or saved.mode == "async":
        return None
    write, _ = checkpoint_times(saved, workload.job, setting.nodes)
    return float(daly_interval(write, mtbf_of(workload.around.faults, setting.nodes)))


def _ledger(played: list[Played], plain: Mapping[str, float]) -> dict[str, float]:
    """Mean seconds by cause; what steps take is dealt out in proportion to the parts of one."""
    mean = {cause: float(np.mean([one.ledger[cause] for one in played])) for cause in played[0].ledger}
    steps, step = mean.pop("steps"), sum(plain.values())
    dealt = dict.fromkeys(("compute", "communication", "idle"), 0.0)
    for name, seconds in plain.items():
        dealt[_CAUSE.get(name, "idle")] += steps * seconds / step
    order = ("checkpoint", "evaluation", "startup", "lost", "restart", "spares", "degraded")
    return dealt | {cause: mean[cause] for cause in order}


def _stages(
    workload: TrainWorkload, course: Course, played: list[Played], segments: np.ndarray, mtbf: float | None
) -> tuple[StageEnd, ...]:
    """When each stage ends, and what a failure in it undoes: half of what lies between two saved states."""
    found, first = [], 0
    for stage, step in zip(workload.around.stages, _stage_ends(workload), strict=True):
        last = course.saved_at.index(step)
        inside = segments[first : last + 1]
        lost = 0.0 if mtbf is None else float(np.average(lost_per_failure(inside, mtbf), weights=inside))
        end = float(np.mean([one.reached_s[last] for one in played]))
        found.append(StageEnd(name=stage.name, end_s=end, lost_per_failure_s=lost))
        first = last + 1
    return tuple(found)
