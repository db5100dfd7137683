"""The page of several services on one pool."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.planner.pages import parts
from simulator.planner.sensitivity import sensitivity
from simulator.planner.serving.pool_report import COLUMNS, alone, rows, sentences
from simulator.planner.serving.service_pool import ServicePool
from simulator.results.report import Grid, Reason, Report, Section, Tile


def pool_report(found: ServicePool) -> Report:
    """Return the page of several services on one pool."""
    decision, proof, played, binding = sentences(found)
    return Report(
        title=f"{found.scenario.name}: pool",
        kicker=parts.kicker(found.scenario),
        decision=decision,
        detail=played,
        tiles=(
            Tile(label="price", value=f"{found.pool.price:,.2f} {found.unit}"),
            Tile(label="nodes", value=f"{sum(found.pool.nodes.values())}"),
            Tile(label="services", value=f"{len(found.rates)}"),
        ),
        reasons=(
            Reason(head="Why this one", text=proof),
            Reason(head="What binds", text=binding),
            Reason(head="How sure", text="What a slot takes is a steady rate by the model of the engine's steps."),
        ),
        sections=tuple(_sections(found)),
        footer=parts.foot(found.scenario),
    )


def _sections(found: ServicePool) -> Iterator[Section]:
    yield Section(title="The decision", grids=(Grid.of(COLUMNS, rows(found)),))
    grid = Grid.of(("one kind alone", "price"), list(alone(found)))
    yield Section(title="What else was close", text=("By the same rates.",), grids=(grid,))
    rates = [(one.option.model, one.option.kind, one.option.width, one.option.rate) for one in found.options]
    yield Section(title="What a slot takes", grids=(Grid.of(("service", "kind", "tp", "requests per s"), rates),))
    yield parts.flips(sensitivity(found), text="The programme was solved again with other traffic or fewer kinds.")
    yield parts.asked(found.scenario)
