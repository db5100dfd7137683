"""Parts of a page that tell of one simulated training step: its figures, where its time, memory and money go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simulator.foundation.units import GIGA, HOUR, TERA, show
from simulator.planner.pages import parts
from simulator.results.report import Grid, Reason, Section, Tile, picture
from simulator.results.result import Result
from simulator.results.step_parts import MEANINGS

#: USD of a ledger from which on cents are not told
_WHOLE: Final = 1e4


def tiles(result: Result) -> Iterator[Tile]:
    """Yield the figures that are read first."""
    m, band = result.metrics, result.band
    note = parts.band_note(band)
    if "time_to_train_s" in m:
        yield Tile(label="the whole run", value=show(m.get("run_time_s", m["time_to_train_s"]), "time", 3), note=note)
    cost = m.get("run_cost_usd", m.get("cost_usd"))
    if cost is not None:
        yield Tile(label="its cost", value=f"{cost:,.0f} USD", note=f"{m['usd_per_hour']:,.0f} USD an hour")
    yield Tile(label="a step", value=show(m["step_time_s"], "time", 3), note=note)
    yield Tile(
        label="use of the devices (MFU)",
        value=f"{m['mfu']:.1%}",
        note=f"{m['flop_per_s_per_device'] / TERA:.4g} TFLOP/s each",
    )
    unit = result.unit
    yield Tile(label=f"{unit} per second", value=f"{m[f'{unit}_per_s']:,.0f}", note="whole cluster")
    yield Tile(
        label="memory of the fullest device",
        value=f"{m['memory_bytes'] / GIGA:.1f} GB",
        note=f"of {m['memory_limit_bytes'] / GIGA:.1f} GB",
    )


def bounds(result: Result) -> Iterator[Reason]:
    """Yield what a step waits for most, and what would help."""
    first, seconds = max(result.parts.items(), key=lambda part: part[1])
    yield Reason(head="Bottleneck", text=f"{first}, {seconds / result.step_time:.0%} of a step: {MEANINGS[first]}.")
    helps = next((line for line in result.explain().splitlines() if line.startswith("Ten per cent")), "")
    if helps:
        yield Reason(head="What would help", text=helps)


def time_section(result: Result) -> Section:
    """Return where the time of a step goes."""
    ranked = sorted(result.parts.items(), key=lambda part: -part[1])
    rows = [
        (name, show(seconds, "time", 3), f"{seconds / result.step_time:.1%}", MEANINGS[name])
        for name, seconds in ranked
        if seconds > 0
    ]
    return Section(
        title="Where a step's time goes",
        grids=(Grid.of(("part", "time", "share", "meaning"), rows),),
        pictures=(picture(result.plot.waterfall(), "Where the step's time goes"),),
    )


def money_section(result: Result) -> Section:
    """Return the cost ledger: the whole run by cause where its end is asked for, else a step by part."""
    rate = result.metrics.get("usd_per_hour")
    known = "What the nodes cost is not known." if rate is None else f"The nodes cost {rate:,.2f} USD an hour."
    drawn = None
    if result.run is not None:
        title = "Where the run's time and money go"
        spent = [(name, seconds, meaning) for name, seconds, _, _, meaning in result.run.rows() if seconds > 0]
        drawn = picture(result.plot.run(), "Where the run's time goes")
    else:
        title = "Where a step's money goes"
        spent = [(name, seconds, MEANINGS[name]) for name, seconds in result.parts.items() if seconds > 0]
    total = sum(seconds for _, seconds, _ in spent)
    rows = [_spent(*one, total, rate) for one in (*spent, ("together", total, ""))]
    columns = ("cause", "time", "share", *(() if rate is None else ("USD",)), "meaning")
    return Section(
        title=title,
        text=(known,),
        pictures=(() if drawn is None else (drawn,)),
        grids=(Grid.of(columns, rows, marked=len(rows) - 1),),
    )


def _spent(name: str, seconds: float, meaning: str, total: float, usd_per_hour: float | None) -> tuple[str, ...]:
    digits = 0 if usd_per_hour is not None and total / HOUR * usd_per_hour >= _WHOLE else 2
    money = () if usd_per_hour is None else (f"{seconds / HOUR * usd_per_hour:,.{digits}f}",)
    return (name, show(seconds, "time", 3), f"{seconds / total:.1%}", *money, meaning)
