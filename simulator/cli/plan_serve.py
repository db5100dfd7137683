"""``rackcast plan`` of a service: the cheapest machines that keep its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.cli.decision import Decision, Shown

if TYPE_CHECKING:
    from simulator.planner.serving.service_plan import ServicePlan


def decision(found: ServicePlan) -> Decision:
    """Return a service's plan as it is shown."""
    from simulator.planner.serving.service_report import COLUMNS, SHOWN, rows, sentences, shown

    title = f"least {found.objective}, one row per machine, layout and format"
    return Decision(
        facts=found.facts(),
        sentences=sentences(found),
        columns=COLUMNS,
        rows=rows(found),
        shown=[Shown(columns=SHOWN, rows=shown(found), title=title)],
    )
