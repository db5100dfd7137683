"""``rackcast plan`` of several services on one pool of machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.cli.decision import Decision, Shown

if TYPE_CHECKING:
    from simulator.planner.serving.service_pool import ServicePool


def decision(found: ServicePool) -> Decision:
    """Return which model stands where as it is shown."""
    from simulator.planner.serving.pool_report import COLUMNS, alone, rows, sentences

    table = rows(found)
    return Decision(
        facts=found.facts(),
        sentences=list(sentences(found)),
        columns=COLUMNS,
        rows=table,
        shown=[
            Shown(columns=COLUMNS, rows=table, title="what stands where, and the requests per second that it can take"),
            Shown(columns=("one kind alone", "price"), rows=list(alone(found)), title="instead"),
        ],
    )
