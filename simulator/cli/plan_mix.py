"""``rackcast plan`` of a service with ``plan.mix``: the cheapest fleet of several kinds of machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simulator.cli.decision import Decision, Shown

if TYPE_CHECKING:
    from simulator.planner.serving.service_mix import FleetMix


def decision(found: FleetMix) -> Decision:
    """Return a mixed fleet as it is shown."""
    rows = found.rows()
    columns, table = tuple(rows[0]), [tuple(row.values()) for row in rows]
    title = "the fleet, and the requests per second of each group that it serves"
    return Decision(
        facts=found.facts(),
        sentences=list(_sentences(found)),
        columns=columns,
        rows=table,
        shown=[Shown(columns=columns, rows=table, title=title)],
    )


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
