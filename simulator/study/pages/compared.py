"""The page of answers side by side: what changed, what of it may be chance, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from simulator import __version__
from simulator.foundation.units import GIGA, show
from simulator.results.memory_plot import MemoryBar, plot_memory
from simulator.results.report import Grid, Picture, Reason, Report, Section, Tile, number, picture
from simulator.results.step_parts import INPUT_PARTS, PARTS
from simulator.results.waterfall_plot import Part, plot_waterfall
from simulator.study.bundles import Bundle
from simulator.study.difference import Change, Difference, difference

#: figures that are read first, by what an answer has, and how they are called
_FIRST: Final = {
    "step_time_s": "a step", "mfu": "use of the devices (MFU)", "tokens_per_s": "tokens per second",
    "samples_per_s": "samples per second", "memory_bytes": "memory of the fullest device",
    "time_to_train_s": "the whole run", "cost_usd": "its cost (USD)", "ttft_p95_ms": "TTFT p95 (ms)",
    "tpot_p95_ms": "TPOT p95 (ms)", "latency_p95_ms": "whole answer p95 (ms)", "attainment": "inside the limits",
    "requests_per_s": "requests per second", "usd_per_mtok": "USD per million tokens", "epoch_time_s": "an epoch",
    "makespan_s": "until all is done", "usd_per_hour": "USD an hour",
}  # fmt: skip
_TILES: Final = 8

#: a figure as it is shown: name, a value for each answer, the change, the change as a share, what is said of chance
Row = Sequence[object]


def compare_page(bundles: Sequence[Bundle], rows: Sequence[Row], heads: Sequence[str]) -> Report:
    """Return the page of two answers or more.

    Args:
        bundles: the answers.
        rows: figures as people read them: the name, a value for each answer, the change of the last against the first,
            that as a share, and what is said of chance.
        heads: headings of the rows.
    """
    first, last = bundles[0], bundles[-1]
    told = difference(first, last)
    moved = [row for row in rows if row[-2] not in (None, "", "+0.0%", "-0.0%")]
    return Report(
        title=f"{first.name} against {last.name}",
        kicker=f"rackcast compare · {', '.join(one.name for one in bundles)}",
        decision=_headline(rows, last.name) or f"{len(moved)} of {len(rows)} figures differ.",
        detail=f"{len(moved)} of {len(rows)} figures differ between {first.name} and {last.name}.",
        tiles=tuple(_tiles(rows, len(bundles))),
        reasons=tuple(_reasons(told, rows)),
        sections=tuple(_sections(bundles, told, rows, heads)),
        footer=(f"rackcast {__version__}", *(_origin(one) for one in bundles)),
    )


def _headline(rows: Sequence[Row], last: str) -> str:
    """Say what became of the figure that is read first."""
    for name, called in _FIRST.items():
        for row in rows:
            if row[0] == name and row[-2]:
                return f"{called.capitalize()}: {_text(row[1])} became {_text(row[-4])} in {last} ({row[-2]})."
    return ""


def _tiles(rows: Sequence[Row], answers: int) -> Iterator[Tile]:
    found = {str(row[0]): row for row in rows}
    for name in [name for name in _FIRST if name in found][:_TILES]:
        row = found[name]
        chance = f"; {row[-1]} of the seeds" if row[-1] else ""
        yield Tile(
            label=_FIRST[name], value=_text(row[answers]), note=f"was {_text(row[1])}, {row[-2] or 'same'}{chance}"
        )


def _text(value: object) -> str:
    return number(value) if isinstance(value, (int, float)) else str(value)


def _reasons(told: Difference, rows: Sequence[Row]) -> Iterator[Reason]:
    if told.causes:
        some = "; ".join(f"{one.name}: {one.a} became {one.b}" for one in told.causes[:3])
        more = f", and {len(told.causes) - 3} more" if len(told.causes) > 3 else ""
        yield Reason(head="Cause", text=f"{some}{more}.")
    elif told.unknown:
        yield Reason(head="Cause", text=f"{'; '.join(told.unknown)}.")
    else:
        yield Reason(head="Cause", text="none; version, scenario and parts are the same.")
    if told.decision:
        changed = ", ".join(f"{one.name} {one.a} became {one.b}" for one in told.decision[:6])
        yield Reason(head="The decision", text=f"{changed}.")
    if any(row[-1] for row in rows):
        noise = sum(row[-1] == "noise" for row in rows)
        yield Reason(head="How sure", text=f"both are means over several seeds; {noise} changes may be chance.")


def _sections(
    bundles: Sequence[Bundle], told: Difference, rows: Sequence[Row], heads: Sequence[str]
) -> Iterator[Section]:
    if told.causes or told.decision:
        grids = [_changes(name, changes) for name, changes in (("cause", told.causes), ("decision", told.decision))
                 if changes]  # fmt: skip
        yield Section(title="What was changed", grids=tuple(grids))
    cells = [["" if value is None else value if isinstance(value, (int, float)) else str(value) for value in row]
             for row in rows]  # fmt: skip
    told_of_seeds = any(row[-1] for row in rows)
    shown = cells if told_of_seeds else [row[:-1] for row in cells]
    yield Section(title="Figures", grids=(Grid.of(tuple(heads if told_of_seeds else heads[:-1]), shown),))
    yield from _steps(bundles)
    yield from _memory(bundles)


def _changes(name: str, changes: Sequence[Change]) -> Grid:
    return Grid.of((name, "before", "after"), [(one.name, str(one.a), str(one.b)) for one in changes])


def _steps(bundles: Sequence[Bundle]) -> Iterator[Section]:
    """Yield where the time of a step goes in each answer, where all are of training."""
    parts = [_numbers(one.facts.get("parts_s")) for one in bundles]
    if not all(parts):
        return
    known = {name for one in parts for name, seconds in one.items() if seconds}
    names = [*(name for name in PARTS | INPUT_PARTS if name in known), *sorted(known - set(PARTS | INPUT_PARTS))]
    rows = [(name, *(show(one[name], "time", 3) if one.get(name) else "0" for one in parts)) for name in names]
    longest = max(sum(one.values()) for one in parts)
    yield Section(
        title="Where a step's time goes",
        grids=(Grid.of(("part", *(one.name for one in bundles)), rows),),
        pictures=tuple(
            _waterfall(bundle.name, {name: one[name] for name in names if one.get(name)}, longest)
            for bundle, one in zip(bundles, parts, strict=True)
        ),
    )


def _waterfall(name: str, parts: Mapping[str, float], longest: float) -> Picture:
    kinds = PARTS | INPUT_PARTS
    shown = [Part(name=part, seconds=seconds, kind=kinds.get(part, "other")) for part, seconds in parts.items()]
    return picture(plot_waterfall(shown, title=name, widest=longest), f"Where the step of {name} goes")


def _memory(bundles: Sequence[Bundle]) -> Iterator[Section]:
    """Yield what fills a device in each answer, where all tell."""
    held = [_numbers(one.facts.get("memory_bytes")) for one in bundles]
    if not all(held):
        return
    room = [float(one.figures.get("memory_limit_bytes") or sum(parts.values())) for one, parts in
            zip(bundles, held, strict=True)]  # fmt: skip
    bars = [MemoryBar(name=one.name, parts=parts, capacity=most)
            for one, parts, most in zip(bundles, held, room, strict=True)]  # fmt: skip
    names = list(dict.fromkeys(name for one in held for name in one))
    rows = [(name, *(f"{one.get(name, 0.0) / GIGA:.2f}" for one in held)) for name in names]
    yield Section(
        title="What fills a device, in GB",
        grids=(Grid.of(("part", *(one.name for one in bundles)), rows),),
        pictures=(picture(plot_memory(bars), "Memory of a device, by part"),),
    )


def _numbers(value: Any) -> dict[str, float]:
    """Return the numbers of a mapping of an answer by name; none where it is no mapping."""
    if not isinstance(value, Mapping):
        return {}
    return {str(name): float(one) for name, one in value.items() if isinstance(one, (int, float))}


def _origin(one: Bundle) -> str:
    return f"{one.name}: rackcast {one.facts.get('tool_version')}, scenario sha256 {one.facts.get('scenario_sha256')}"
