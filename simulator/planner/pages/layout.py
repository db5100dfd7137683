"""The page of a training layout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from simulator.foundation.units import show
from simulator.planner.constraints import REASONS
from simulator.planner.operation import sentences as operation_sentences
from simulator.planner.pages import parts, step
from simulator.planner.recommendation import Recommendation
from simulator.planner.report import SHOWN, candidate, shown
from simulator.planner.sensitivity import sensitivity
from simulator.results.plan_plots import plot_candidates, plot_front
from simulator.results.report import Grid, Reason, Report, Section, picture
from simulator.workload.jobs.samples import Job
from simulator.workload.jobs.training import TrainingJob

#: key of a plan -> what it does, for readers who do not train models
MEANS: Final = {
    "tp": "devices that share each matrix (tensor parallelism)",
    "cp": "devices that share each sequence (context parallelism)",
    "dp": "copies that share the batch (data parallelism)",
    "pp": "stages of the model, one behind the other (pipeline parallelism)",
    "ep": "devices that share the experts (expert parallelism)",
    "vpp": "pieces of the model on each stage (virtual stages)",
    "micro_batch": "samples of one pass",
    "micro_batches": "passes of each copy per step",
    "zero": "what the copies share out: 0 nothing, 1 optimizer, 2 and gradients, 3 and weights (ZeRO)",
    "sequence_parallel": "activations outside of the products are cut over TP too",
    "recompute": "activations that are computed again instead of kept",
    "schedule": "order of the passes in the pipeline",
    "order": "which degrees are inner and outer in the numbers of ranks",
    "layers_per_stage": "layers of each stage; none: as even as may be",
    "shares": "micro-batches of each replica; none: equal",
}


def layout_report(found: Recommendation) -> Report:
    """Return the page of a layout on a given cluster."""
    told = parts.flips(sensitivity(found), text="The search was done again with one figure of the machine changed.")
    return report_with(found, told)


def report_with(found: Recommendation, *flips: Section) -> Report:
    """Return the page of a layout with what is told of other assumptions in its place, or left out."""
    plan, result = found.plan, found.result
    machines = ", ".join(f"{group.count} x {group.node.name}" for group in found.scenario.groups)
    return Report(
        title=f"{found.scenario.name}: training plan",
        kicker=parts.kicker(found.scenario),
        decision=f"Train {result.job.model.name} with {in_short(found)}: {show(result.step_time, 'time')} a step.",
        detail=f"On {machines} ({result.hardware.named}), {result.hardware.framework}; "
        f"{plan.global_batch} samples {_length(result.job)}a step.",
        tiles=tuple(step.tiles(found.result)),
        reasons=tuple(reasons(found)),
        sections=tuple(sections(found, flips)),
        footer=parts.foot(found.scenario),
    )


def _length(job: Job) -> str:
    return f"of {job.seq_len:,} tokens " if isinstance(job, TrainingJob) else ""


def in_short(found: Recommendation) -> str:
    """Return the degrees that are above 1, in the field's words."""
    plan = found.plan
    named = [f"{name.upper()} {value}" for name in ("tp", "cp", "dp", "pp", "ep") if (value := getattr(plan, name)) > 1]
    savers = [f"ZeRO-{plan.zero}"] * (plan.zero > 0) + [f"{plan.recompute} recomputation"] * (plan.recompute != "none")
    return ", ".join([*named, f"micro-batch {plan.micro_batch}", *savers])


def reasons(found: Recommendation) -> Iterator[Reason]:
    """Yield why, for the first screen."""
    yield Reason(
        head="Why this one",
        text=f"Of {found.considered:,} layouts {found.fitting:,} fit; this is the best by {found.objective}"
        + ("" if found.margin is None else f", the best other layout is {found.margin:.1%} worse")
        + ".",
    )
    yield from step.bounds(found.result)
    yield Reason(head="What binds", text=f"{found.binding}.")
    yield Reason(head="How sure", text=parts.trust(found.result.label, found.result.band))


def sections(found: Recommendation, flips: tuple[Section, ...]) -> Iterator[Section]:
    """Yield everything below the first screen."""
    result = found.result
    rows = [(name, value, MEANS[name]) for name, value in asdict(found.plan).items() if value != ()]
    yield Section(title="The decision", grids=(Grid.of(("key", "value", "meaning"), rows),))
    yield step.time_section(result)
    others = (found.chosen, *found.runner_ups)
    capacity = result.memory_limit
    chosen, rest = candidate(found.chosen), [candidate(one) for one in found.runner_ups]
    front = [candidate(one) for one in found.front]
    yield Section(
        title="What else was close",
        text=("The best plan of each other layout; how much worse it is by the objective.",),
        grids=(Grid.of(SHOWN, shown(found), marked=0),),
        pictures=(
            picture(
                plot_front(chosen, rest, front, capacity), "Step time against memory: nothing beats the line in both"
            ),
            picture(plot_candidates([candidate(one) for one in others], capacity), "What fills the memory"),
        ),
    )
    yield Section(
        title="What was left out",
        grids=(parts.rejections(found.rejected, REASONS),),
        text=(f"{found.considered:,} plans were looked at, {found.priced:,} of them priced; {found.fitting:,} fit.",),
    )
    yield from flips
    yield step.money_section(result)
    ranks = picture(result.plot.layout(), "Ranks on devices, coloured by pipeline stage")
    yield Section(title="Where the ranks sit", pictures=(ranks,))
    if operated := tuple(operation_sentences(found.operation)):
        yield Section(title="How to operate the run", text=operated)
    if result.assumptions:
        yield Section(title="Taken for granted", text=result.assumptions)
    yield parts.asked(found.scenario)
