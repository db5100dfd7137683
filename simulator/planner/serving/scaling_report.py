"""The bounds of an autoscaler in sentences and rows."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.planner.serving.cheapest import fresh_draw
from simulator.planner.serving.scaling_plan import Bounds, ScalingPlan

#: columns of figures, and for people
COLUMNS = ("minimum", "maximum", "value", "unit", "replica_hours", "keeps", "attainment_worst_draw", "ttft_p95_ms")
SHOWN = ("replicas", "over the traffic", "against the best", "kept by", "TTFT p95 (ms)")


def rows(found: ScalingPlan) -> list[tuple[object, ...]]:
    """Return every pair of bounds that was played as rows of :data:`COLUMNS`, the cheapest first."""
    return [
        (one.minimum, one.maximum, one.value, found.unit, one.replica_hours, one.keeps, min(one.attainments),
         one.result.metrics()["ttft_p95_ms"])
        for one in sorted(found.played, key=lambda one: one.value)
    ]  # fmt: skip


def shown(found: ScalingPlan) -> list[tuple[object, ...]]:
    """Return the bounds that none beats in both the objective and TTFT, and the best fixed fleet, for people."""
    pairs = list(found.front)
    if found.fixed is not None and found.fixed not in pairs:
        pairs.append(found.fixed)
    return [_row(found, one) for one in pairs]


def _row(found: ScalingPlan, one: Bounds) -> tuple[object, ...]:
    more = "chosen" if one == found.chosen else f"{one.value / found.chosen.value - 1.0:+.1%}"
    name = f"{one.minimum}, not scaled" if one.fixed else f"{one.minimum} to {one.maximum}"
    return (name, f"{one.value:,.4g} {found.unit}", more, f"{min(one.attainments):.1%}",
            f"{one.result.metrics()['ttft_p95_ms']:.0f}")  # fmt: skip


def sentences(found: ScalingPlan) -> Iterator[str]:
    """Yield the bounds in sentences, the decision first."""
    one, decided = found.chosen, found.decision
    yield (
        f"Let {decided['policy']} keep between {one.minimum} and {one.maximum} replicas: {one.value:,.4g} {found.unit} "
        f"over the traffic, {one.replica_hours:.3g} replica-hours."
    )
    yield from one.result.summary.splitlines()
    if found.fixed is None:
        yield "No fleet that is never scaled keeps the limits."
    else:
        yield (
            f"{found.fixed.minimum} replicas that are never scaled would take {found.fixed.value:,.4g} {found.unit}, "
            f"{found.fixed.value / one.value - 1.0:.1%} more."
        )
    yield f"Binding constraint: {found.binding}."
    yield (
        f"{len(found.played)} pairs of bounds were played in {found.runs} runs on the same draws, {found.excluded} "
        f"cost too much by the replicas that they keep, {found.untried} were not tried; a fresh draw is expected "
        f"to attain {fresh_draw(one.attainments):.1%} or more with 95 %."
    )
