"""The page of a simulated training step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simulator.foundation.units import GIGA, show
from simulator.planner.pages import parts, step
from simulator.results.report import Grid, Reason, Report, Section, picture
from simulator.results.result import Result
from simulator.scenario import Scenario
from simulator.study.pages.heads import kept, kicker


def training_page(scenario: Scenario, result: Result, missed: Sequence[str]) -> Report:
    """Return the page of a step, and of the run around it where its end is asked for."""
    plan = result.plan
    degrees = [
        f"{name.upper()} {degree}" for name in ("tp", "cp", "dp", "pp", "ep") if (degree := getattr(plan, name)) > 1
    ]
    played = "played by the engine" if result.trace is not None else "by the closed form"
    return Report(
        title=f"{scenario.name}: a training step",
        kicker=kicker(scenario),
        decision=f"{result.job.model.name} on {result.hardware.named}: {show(result.step_time, 'time')} a step.",
        detail=f"{', '.join([*degrees, f'micro-batch {plan.micro_batch}', f'{plan.global_batch} samples a step'])}; "
        f"{result.hardware.framework}; {played}.",
        tiles=tuple(step.tiles(result)),
        reasons=(*step.bounds(result), *_kept(scenario, missed),
                 Reason(head="How sure", text=parts.trust(result.label, result.band))),
        sections=tuple(_sections(scenario, result)),
        footer=parts.foot(scenario),
    )  # fmt: skip


def _kept(scenario: Scenario, missed: Sequence[str]) -> Iterator[Reason]:
    slo = scenario.slo
    if slo.finish_s is not None or slo.cost_usd is not None or missed:
        yield kept(missed)


def _sections(scenario: Scenario, result: Result) -> Iterator[Section]:
    yield Section(title="In words", text=tuple(result.explain().splitlines()))
    yield step.time_section(result)
    if result.trace is not None:
        drawn = picture(result.plot.timeline(), "A step, a lane per stage")
        yield Section(title="The step over time", pictures=(drawn,))
    held = [(name, f"{size / GIGA:.2f}", f"{size / result.memory_limit:.1%}") for name, size in result.memory.items()]
    yield Section(
        title="What fills the memory",
        grids=(Grid.of(("part of the fullest device", "GB", "of what tensors can take"), held),),
        pictures=(picture(result.plot.memory(), "Memory of the fullest device, by part"),),
    )
    if result.run is not None or "usd_per_hour" in result.metrics:
        yield step.money_section(result)
    if result.hardware.kinds or plan_is_uneven(result):
        drawn = picture(result.plot.lanes(), "Which stage of which replicas works how long, and waits for the rest")
        yield Section(title="Who works and who waits", pictures=(drawn,))
    if result.synchronization is not None and result.synchronization.staleness:
        drawn = picture(result.plot.staleness(), "How late gradients reach the parameter servers")
        yield Section(title="How late gradients are", pictures=(drawn,))
    ranks = picture(result.plot.layout(), "Ranks on devices, coloured by pipeline stage")
    yield Section(title="Where the ranks sit", pictures=(ranks,))
    if result.assumptions:
        yield Section(title="Taken for granted", text=result.assumptions)
    yield parts.asked(scenario)


def plan_is_uneven(result: Result) -> bool:
    """Return whether stages hold layers of their own numbers."""
    return bool(result.plan.layers_per_stage)
