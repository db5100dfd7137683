"""``rackcast plan`` of a service with ``plan.mix``: the cheapest fleet of several kinds of machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.cli import output

if TYPE_CHECKING:
    from simulator.planner.serving.service_mix import FleetMix
    from simulator.scenario import Scenario


def plan_mix(
    scenario: Scenario, objective: str | None, workload: str | None, out: Path | None, *, as_json: bool, as_csv: bool
) -> None:
    """Plan, write and print a mixed fleet; raises as :func:`cheapest_fleet`."""
    from simulator.foundation.errors import InputError
    from simulator.foundation.files import canonical_json, write_atomic
    from simulator.planner.serving.pricing import service_question
    from simulator.planner.serving.service_mix import cheapest_fleet
    from simulator.simulation import chosen_workload

    if (objective or scenario.plan.objective or "cost") != "cost":
        raise InputError("plan.mix looks for the least cost; leave the objective out.")
    found = cheapest_fleet(service_question(scenario, chosen_workload(scenario, workload), "cost"))
    document = {**found.facts(), "scenario": scenario.name, "explanation": list(_sentences(found))}
    rows = found.rows()
    table = [tuple(row.values()) for row in rows]
    if out is not None:
        written = write_atomic(out / "plan.json", canonical_json(output.envelope(document)))
        output.note(f"wrote {written.name} to {out}")
    if as_json:
        output.json_document(document)
    elif as_csv:
        output.csv(tuple(rows[0]), table)
    else:
        for text in _sentences(found):
            output.line(text)
        output.table(tuple(rows[0]), table, title="the fleet, and the requests per second of each group that it serves")


def _sentences(found: FleetMix) -> Iterator[str]:
    taken = [
        f"{nodes} x {one.machine.node.name}"
        for one, nodes in zip(found.deployments, found.mix.nodes, strict=True)
        if nodes
    ]
    yield f"Take {' and '.join(taken)}: {found.mix.price:,.2f} USD/h."
    yield (
        f"Played on {len(found.attainments)} draws of the traffic, each kind on its own share of every group, "
        f"{min(found.attainments):.1%} or more of the requests keep the limits"
        + (f"; rates were lowered {found.lowered} times to get there." if found.lowered else ".")
    )
    alone = [f"{name} {'cannot' if price is None else f'{price:,.2f} USD/h'}" for name, price in found.alone()]
    yield f"By the same rates each kind alone would cost: {', '.join(alone)}."
