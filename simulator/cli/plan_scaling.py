"""``rackcast plan`` of a service that scales: the bounds of its autoscaler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.cli.decision import Decision, Shown

if TYPE_CHECKING:
    from simulator.planner.serving.scaling_plan import ScalingPlan


def decision(found: ScalingPlan) -> Decision:
    """Return the bounds as they are shown."""
    from simulator.planner.serving.scaling_report import COLUMNS, SHOWN, rows, sentences, shown

    title = f"least {found.objective} and TTFT: bounds that none beats in both, and the best fixed fleet"
    return Decision(
        facts=found.facts(),
        sentences=list(sentences(found)),
        columns=COLUMNS,
        rows=rows(found),
        shown=[Shown(columns=SHOWN, rows=shown(found), title=title)],
    )
