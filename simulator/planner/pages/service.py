"""The page of a service."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.foundation.units import GIGA, KILO
from simulator.planner.pages import parts
from simulator.planner.sensitivity import sensitivity
from simulator.planner.serving.cheapest import Trial, fresh_draw
from simulator.planner.serving.pricing import REASONS
from simulator.planner.serving.service_plan import ServicePlan, decision, short
from simulator.planner.serving.service_report import SHOWN, shown
from simulator.results.price_plot import Played, plot_prices
from simulator.results.report import Grid, Reason, Report, Section, Tile, picture
from simulator.results.serving_plots import plot_latency


def service_report(found: ServicePlan) -> Report:
    """Return the page of a service."""
    result = found.chosen.result
    return Report(
        title=f"{found.scenario.name}: serving plan",
        kicker=parts.kicker(found.scenario),
        decision=f"Take {found.chosen.nodes} x {found.chosen.deployment.machine.node.name} for {result.model}: "
        f"{found.chosen.cost:,.2f} {found.unit}.",
        detail=f"{short(found.chosen)}; engine {result.engine}, {result.replicas} x {result.devices_per_replica} "
        f"{result.device}.",
        tiles=tuple(_tiles(found)),
        reasons=tuple(_reasons(found)),
        sections=tuple(_sections(found)),
        footer=parts.foot(found.scenario),
    )


def _tiles(found: ServicePlan) -> Iterator[Tile]:
    m, note = found.chosen.result.metrics(), parts.band_note(found.chosen.result.band)
    yield Tile(label="price", value=f"{found.chosen.cost:,.2f} {found.unit}", note=_monthly(found))
    if "usd_per_mtok" in m:
        yield Tile(label="per million tokens", value=f"{m['usd_per_mtok']:.2f} USD", note="generated")
    yield Tile(
        label="requests inside the limits",
        value=f"{min(found.chosen.attainments):.1%}",
        note=f"worst of {len(found.chosen.attainments)} draws; {found.workload.attainment:.1%} wanted",
    )
    limits = found.workload.limits
    for name, key, limit in (("TTFT", "ttft_p95_ms", limits.ttft_s), ("TPOT", "tpot_p95_ms", limits.tpot_s)):
        bound = f"limit {limit * KILO:g} ms" if limit is not None else "no limit"
        yield Tile(label=f"{name}, 95th percentile", value=f"{m[key]:.4g} ms", note=f"{bound}; {note}")
    yield Tile(label="busy", value=f"{m['busy_fraction']:.0%}", note="of the time of the replicas")


def _monthly(found: ServicePlan) -> str:
    if found.objective != "cost":
        return ""
    return f"{found.chosen.cost * parts.MONTH_HOURS:,.0f} USD in 30 days"


def _reasons(found: ServicePlan) -> Iterator[Reason]:
    margin = "" if found.margin is None else f"; the best other kind costs {found.margin:.1%} more"
    sure = (
        "nothing that could be cheaper is untried" if not found.untried else f"{found.untried} might be cheaper still"
    )
    yield Reason(
        head="Why this one", text=f"The least {found.objective} of {found.considered:,} deployments{margin}; {sure}."
    )
    yield Reason(
        head="Does it hold",
        text=f"Played on {len(found.chosen.attainments)} draws of the traffic; a fresh draw "
        f"is expected to keep the limits for {fresh_draw(found.chosen.attainments):.1%} or more with 95 %.",
    )
    dense, context, prompt = found.chosen.priced.steady.shares
    yield Reason(
        head="Bottleneck",
        text=f"of a step at full load matrix products and exchanges take {dense:.0%}, reading "
        f"the cache {context:.0%}, attention of prompts {prompt:.0%}.",
    )
    yield Reason(head="What would help", text=_help(dense, context, prompt))
    yield Reason(head="What binds", text=f"{found.binding}.")
    yield Reason(head="How sure", text=parts.trust(found.chosen.result.label, found.chosen.result.band))


def _help(dense: float, context: float, prompt: float) -> str:
    """Return what moves the largest part of a step."""
    largest = max((dense, "dense"), (context, "context"), (prompt, "prompt"))[1]
    return {
        "dense": "a narrower number format, faster arithmetic and memory; larger batches share the reading of weights.",
        "context": "more memory bandwidth, or a cache in a narrower format: reading it is what a step waits for.",
        "prompt": "faster arithmetic, shorter prompts, or a cache of their common beginnings.",
    }[largest]


def _sections(found: ServicePlan) -> Iterator[Section]:
    chosen, result = found.chosen, found.chosen.result
    keys = [(name, value) for name, value in decision(chosen).items()]
    memory = [(name, size / GIGA) for name, size in result.memory.items()]
    yield Section(
        title="The decision",
        grids=(
            Grid.of(("key", "value"), keys),
            Grid.of(("memory of a device", "GB"), memory),
        ),
    )
    named = found.runner_ups
    drawn = plot_prices(
        _played(chosen),
        [_played(one) for one in named],
        [_played(one) for one in found.played],
        found.workload.attainment,
        found.unit,
    )
    yield Section(
        title="What else was close",
        text=("The cheapest that keeps the limits of each other machine, layout or format.",),
        grids=(Grid.of(SHOWN, shown(found), marked=0),),
        pictures=(picture(drawn, "Price and share of requests inside the limits of everything that was played"),),
    )
    yield Section(
        title="How requests fare", pictures=(picture(plot_latency(result), "Latency of the requests of a draw"),)
    )
    yield Section(
        title="What was left out",
        text=(f"{found.considered:,} deployments were looked at with {found.runs:,} runs of the engine.",),
        grids=(parts.rejections(found.rejected, REASONS),),
    )
    yield parts.flips(
        sensitivity(found),
        text="Prices at which another machine would win; and the decision played with other traffic.",
    )
    yield from _money(found)
    yield parts.asked(found.scenario)


def _money(found: ServicePlan) -> Iterator[Section]:
    """Yield the cost ledger of an hour and of thirty days: what the replicas work, and what they wait."""
    if found.objective != "cost":
        return
    price, busy = found.chosen.cost, found.chosen.result.metrics()["busy_fraction"]
    rows = [
        (name, f"{share:.1%}", f"{price * share:,.2f}", f"{price * share * parts.MONTH_HOURS:,.0f}", meaning)
        for name, share, meaning in (
            ("at work", busy, "replicas run a step"),
            ("waiting", 1.0 - busy, "no request is there, or the draw ends"),
            ("together", 1.0, "rent of all nodes"),
        )
    ]
    yield Section(
        title="What it costs",
        grids=(Grid.of(("cause", "share", "USD an hour", "USD in 30 days", "meaning"), rows, marked=2),),
    )


def _played(one: Trial) -> Played:
    return Played(name=short(one), price=one.cost, attainment=min(one.attainments), keeps=one.keeps)
