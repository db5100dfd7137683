"""The page of a played service."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from simulator.foundation.units import GIGA, KILO
from simulator.planner.pages import parts
from simulator.results.report import Grid, Reason, Report, Section, Tile, picture
from simulator.results.serving import PERCENTILES, ServingResult
from simulator.results.serving_plots import plot_latency, plot_service_timeline
from simulator.scenario import Scenario
from simulator.study.pages.heads import kept, kicker

#: from these shares on, a cache is called full and replicas are called busy
_FULL: Final = 0.9
_BUSY: Final = 0.9
#: a queue that takes more of the time to the first token than this bounds it
_QUEUE: Final = 0.5


def serving_page(scenario: Scenario, result: ServingResult, missed: Sequence[str]) -> Report:
    """Return the page of a service under its traffic."""
    m = result.metrics()
    return Report(
        title=f"{scenario.name}: a service under its traffic",
        kicker=kicker(scenario),
        decision=f"{result.model}: {m['requests_per_s']:.4g} requests/s and {m['output_tokens_per_s']:,.0f} tokens/s "
        f"on {result.replicas} replicas.",
        detail=f"{result.replicas} x {result.devices_per_replica} {result.device}, {result.engine}.",
        tiles=tuple(_tiles(result, m)),
        reasons=(Reason(head="What bounds it", text=_bound(m)), kept(missed),
                 Reason(head="How sure", text=parts.trust(result.label, result.band))),
        sections=tuple(_sections(scenario, result, m)),
        footer=parts.foot(scenario),
    )  # fmt: skip


def _tiles(result: ServingResult, m: dict[str, float]) -> Iterator[Tile]:
    note = parts.band_note(result.band)
    limits = result.limits
    for name, key, limit in (("TTFT", "ttft_p95_ms", limits.ttft_s), ("TPOT", "tpot_p95_ms", limits.tpot_s),
                             ("whole answer", "latency_p95_ms", limits.latency_s)):  # fmt: skip
        bound = f"limit {limit * KILO:g} ms; " if limit is not None else ""
        yield Tile(label=f"{name}, 95th percentile", value=f"{m[key]:,.4g} ms", note=f"{bound}{note}")
    yield Tile(label="inside the limits", value=f"{m['attainment']:.1%}", note=f"{result.wanted_attainment:.1%} wanted")
    if "usd_per_mtok" in m:
        yield Tile(label="per million tokens", value=f"{m['usd_per_mtok']:.2f} USD", note="generated")
    yield Tile(label="busy", value=f"{m['busy_fraction']:.0%}", note="of the time of the replicas")


def _bound(m: dict[str, float]) -> str:
    """Say what holds requests up: a full cache, busy replicas, a queue, or only the work itself."""
    queue, first = m["queueing_mean_ms"], m["ttft_mean_ms"]
    waits = queue / first if first > 0.0 and math.isfinite(queue) else 0.0
    told = (
        f"Replicas are busy for {m['busy_fraction']:.0%} of their time, {m['mean_batch']:.3g} requests in a step; the "
        f"cache is {m['cache_used_mean']:.0%} full in the mean, {m['preemptions']:,.0f} requests were put off for want "
        f"of it. Of the time to the first token {waits:.0%} is waiting in the queue."
    )
    if m["preemptions"] > 0 or m["cache_used_mean"] > _FULL:
        return f"memory for the cache. {told}"
    if waits > _QUEUE:
        return f"the number of replicas: requests queue. {told}"
    if m["busy_fraction"] > _BUSY:
        return f"the time of steps: replicas hardly rest, and requests hardly queue. {told}"
    return f"the work of a request itself; there is room for more of them. {told}"


def _sections(scenario: Scenario, result: ServingResult, m: dict[str, float]) -> Iterator[Section]:
    yield Section(
        title="How requests fare",
        grids=(Grid.of(("", "mean", *(f"p{p:.0f}" for p in PERCENTILES)), list(_percentiles(m)), title="in ms"),),
        pictures=(picture(plot_latency(result), "Share of requests within a time; dashed: the limit"),),
    )
    groups = result.groups_frame()
    if len(groups) > 1:
        shown = ["group", "requests", "attainment", "ttft_p95_ms", "tpot_p95_ms", "latency_p95_ms"]
        rows = [
            (name, f"{count:,}", f"{share:.1%}", *rest)
            for name, count, share, *rest in groups[shown].itertuples(index=False, name=None)
        ]
        heads = ("group", "requests", "inside the limits", "TTFT p95 (ms)", "TPOT p95 (ms)", "answer p95 (ms)")
        yield Section(title="By group", grids=(Grid.of(heads, rows),))
    drawn = picture(plot_service_timeline(result), "Replicas, requests inside and cache over time")
    yield Section(title="Over time", pictures=(drawn,))
    held = [(name, f"{size / GIGA:.2f}") for name, size in result.memory.items()]
    ended = [(name, f"{count:,}") for name, count in result.served.counts().items()]
    yield Section(
        title="Memory, and how requests ended",
        grids=(Grid.of(("memory of a device", "GB"), held), Grid.of(("outcome", "requests"), ended)),
    )
    yield from _money(m)
    yield parts.asked(scenario)


def _percentiles(m: dict[str, float]) -> Iterator[tuple[object, ...]]:
    """Yield a row for each series of times."""
    for key, name in (("queueing", "in the queue"), ("ttft", "to the first token (TTFT)"),
                      ("tpot", "per token after it (TPOT)"), ("latency", "the whole answer")):  # fmt: skip
        if f"{key}_mean_ms" in m:
            yield (name, m[f"{key}_mean_ms"], *(m[f"{key}_p{p:.0f}_ms"] for p in PERCENTILES))


def _money(m: dict[str, float]) -> Iterator[Section]:
    """Yield the cost ledger of what was played: what the replicas work, and what they wait."""
    if "cost_usd" not in m:
        return
    cost, busy = m["cost_usd"], m["busy_fraction"]
    rows = [
        (name, f"{m['replica_hours'] * share:,.3f}", f"{share:.1%}", f"{cost * share:,.2f}", meaning)
        for name, share, meaning in (
            ("at work", busy, "replicas run a step"),
            ("waiting", 1.0 - busy, "no request is there, or the traffic ends"),
            ("together", 1.0, "rent of the replicas while they were up"),
        )
    ]
    yield Section(
        title="What it costs",
        grids=(Grid.of(("cause", "replica hours", "share", "USD", "meaning"), rows, marked=2),),
    )
