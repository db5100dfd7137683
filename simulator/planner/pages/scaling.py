"""The page of the bounds of an autoscaler."""

from __future__ import annotations

from simulator.planner.pages import parts
from simulator.planner.sensitivity import sensitivity
from simulator.planner.serving.scaling_plan import ScalingPlan
from simulator.planner.serving.scaling_report import COLUMNS, SHOWN, rows, sentences, shown
from simulator.results.report import Grid, Reason, Report, Section, Tile


def scaling_report(found: ScalingPlan) -> Report:
    """Return the page of the bounds of an autoscaler."""
    told = list(sentences(found))
    chosen = found.chosen
    return Report(
        title=f"{found.scenario.name}: autoscaler",
        kicker=parts.kicker(found.scenario),
        decision=told[0],
        detail=told[-3],
        tiles=(
            Tile(label=found.objective, value=f"{chosen.value:,.4g} {found.unit}", note="over the traffic"),
            Tile(label="replica-hours", value=f"{chosen.replica_hours:.3g}"),
            Tile(label="requests inside the limits", value=f"{min(chosen.attainments):.1%}", note="worst draw"),
        ),
        reasons=(
            Reason(head="Why this one", text=told[-1]),
            Reason(head="What binds", text=told[-2]),
            Reason(head="How sure", text=parts.trust(chosen.result.label, chosen.result.band)),
        ),
        sections=(
            Section(title="The decision", grids=(Grid.of(SHOWN, shown(found)),)),
            Section(title="What else was close", grids=(Grid.of(COLUMNS, rows(found)),)),
            parts.flips(sensitivity(found), text="Other bounds, played on the same draws."),
            parts.asked(found.scenario),
        ),
        footer=parts.foot(found.scenario),
    )
