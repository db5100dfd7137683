"""A service's plan in sentences and rows."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.foundation.units import KILO
from simulator.planner.serving.cheapest import Trial, fresh_draw
from simulator.planner.serving.pricing import REASONS
from simulator.planner.serving.service_plan import ServicePlan, decision, short

#: columns of figures; ``value`` is the objective's
COLUMNS = (
    "rank", "node", "nodes", "replicas", "prefill", "tp", "pp", "ep", "precision", "max_num_seqs",
    "max_num_batched_tokens", "value", "unit", "margin", "attainment_worst_draw", "attainment_fresh_draw",
    "ttft_p95_ms", "tpot_p95_ms", "usd_per_mtok",
)  # fmt: skip

#: columns for people
SHOWN = ("deployment", "price", "worse by", "kept by", "TTFT p95 (ms)", "TPOT p95 (ms)", "busy")


def rows(found: ServicePlan) -> list[tuple[object, ...]]:
    """Return the chosen deployment and the runner-ups as rows of :data:`COLUMNS`."""
    return [_row(found, rank, one) for rank, one in enumerate((found.chosen, *found.runner_ups), start=1)]


def _row(found: ServicePlan, rank: int, one: Trial) -> tuple[object, ...]:
    metrics = one.metrics
    return (rank, *decision(one).values(), one.cost, found.unit, one.cost / found.chosen.cost - 1.0,
            min(one.attainments), fresh_draw(one.attainments), metrics["ttft_p95_ms"], metrics["tpot_p95_ms"],
            metrics.get("usd_per_mtok"))  # fmt: skip


def shown(found: ServicePlan) -> list[tuple[object, ...]]:
    """Return the chosen deployment and the runner-ups as rows of :data:`SHOWN`."""
    table: list[tuple[object, ...]] = []
    for number, one in enumerate((found.chosen, *found.runner_ups)):
        metrics = one.metrics
        worse = f"{one.cost / found.chosen.cost - 1.0:.1%}" if number else "chosen"
        table.append((short(one), f"{one.cost:,.2f} {found.unit}", worse, f"{min(one.attainments):.1%}",
                      f"{metrics['ttft_p95_ms']:.0f}", f"{metrics['tpot_p95_ms']:.1f}",
                      f"{metrics['busy_fraction']:.0%}"))  # fmt: skip
    return table


def sentences(found: ServicePlan) -> list[str]:
    """Return the plan in sentences, the decision first."""
    return [*_decision(found), *_bottleneck(found), *_bounds(found)]


def _decision(found: ServicePlan) -> Iterator[str]:
    best, draws = found.chosen, len(found.chosen.attainments)
    yield f"Take {short(best)}: {best.cost:,.2f} {found.unit}."
    yield from best.result.summary.splitlines()
    yield (
        f"On {draws} draw{'s' if draws > 1 else ''} of the traffic {min(best.attainments):.1%} or more of the requests "
        f"keep the limits ({found.workload.attainment:.1%} wanted); a fresh draw is expected to attain "
        f"{fresh_draw(best.attainments):.1%} or more with 95 %. Step times are {best.result.label}."
    )


def _bottleneck(found: ServicePlan) -> Iterator[str]:
    steady = found.chosen.priced.steady
    dense, context, prompt = steady.shares
    yield (
        f"At the most that a replica takes, a step of {steady.tokens:.0f} tokens lasts {steady.step_s * KILO:.1f} ms: "
        f"matrix products and exchanges {dense:.0%}, reading the cache {context:.0%}, "
        f"attention of prompts {prompt:.0%}."
    )


def _bounds(found: ServicePlan) -> Iterator[str]:
    yield f"Binding constraint: {found.binding}."
    if found.margin is not None:
        yield f"The best other kind ({short(found.runner_ups[0])}) is {found.margin:.1%} dearer."
    proved = "none that could be cheaper is untried" if not found.untried else f"{found.untried} might be cheaper still"
    yield f"{found.considered:,} deployments were looked at with {found.runs:,} runs of the engine; {proved}."
    rejected = "; ".join(f"{REASONS[name]} ({count:,})" for name, count in found.rejected.items() if count)
    if rejected:
        yield f"Left out: {rejected}."
