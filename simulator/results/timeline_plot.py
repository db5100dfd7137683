"""The timeline of a step: a lane per stage, forward and backward passes, communication, and what stands idle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from simulator.foundation.units import MICRO, MILLI
from simulator.results.spans import Span, lanes_of
from simulator.results.style import INK, KINDS, MUTED, color_of, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BODY: Final = (0.12, 0.82)  # lower edge and height of a bar within its lane
_STRIP: Final = (0.12, 0.24)  # of communication: in front of what it overlaps with
_LEAST_LABEL: Final = 0.016  # share of the width that a bar needs to carry its name
_MOST_LABELS: Final = 600
_MOST_EDGES: Final = 40  # bars of one kind on a lane that are set apart by a white edge
_DARK: Final = frozenset({"forward", "optimizer", "other"})  # bars that want white names


def plot_timeline(
    spans: Sequence[Span], *, title: str = "One step", end_s: float | None = None, idle: bool = True
) -> tuple[Figure, Any]:
    """Draw spans over time, one lane per row, the first lane on top.

    Communication is a narrow strip, so that what it hides behind stays visible.

    Args:
        spans: at least one; lanes appear in the order of the sequence.
        end_s: right edge of the time axis (default: the last end).
        idle: whether to shade each whole lane as a bubble first, so that gaps between spans show.

    Returns:
        The figure and its axes; times on the axis are in s, ms or us, whichever fits.
    """
    assert spans, "a timeline needs spans"
    lanes = lanes_of(spans)
    start = min(span.start_s for span in spans)
    end = max(span.end_s for span in spans) if end_s is None else end_s
    unit, scale = _unit(end - start)
    with styled():
        figure, axes = new_figure(11.0, min(14.0, 1.4 + 0.42 * len(lanes)))
        row = {lane: len(lanes) - 1 - number for number, lane in enumerate(lanes)}
        if idle:
            for lane in lanes:
                _bar(axes, [(0.0, (end - start) / scale)], row[lane], "bubble")
        _bars(axes, spans, row, start, scale)
        _labels(axes, spans, row, start, end, scale)
        axes.set(xlim=(0.0, (end - start) / scale), ylim=(0.0, len(lanes)), xlabel=f"time ({unit})")
        axes.set_yticks([row[lane] + 0.5 for lane in lanes], lanes)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_title(title, pad=22)
        _legend(axes, spans, idle=idle)
    return figure, axes


def _unit(length_s: float) -> tuple[str, float]:
    """Return the unit that keeps the axis readable, and its seconds."""
    if length_s >= 1.0:
        return "s", 1.0
    return ("ms", MILLI) if length_s >= MILLI else ("us", MICRO)


def _bars(axes: Any, spans: Sequence[Span], row: dict[str, int], start: float, scale: float) -> None:
    held: defaultdict[tuple[bool, int, str], list[tuple[float, float]]] = defaultdict(list)
    for span in spans:
        where = (span.kind == "communication", row[span.lane], span.kind)  # strips last: they lie in front
        held[where].append(((span.start_s - start) / scale, span.length_s / scale))
    for where in sorted(held):
        _bar(axes, held[where], where[1], where[2])


def _bar(axes: Any, pieces: list[tuple[float, float]], row: int, kind: str) -> None:
    low, height = _STRIP if kind == "communication" else _BODY
    edged = kind not in ("bubble", "communication") and len(pieces) <= _MOST_EDGES
    edge, width = ("white", 0.4) if edged else ("none", 0.0)
    axes.broken_barh(pieces, (row + low, height), facecolor=color_of(kind), edgecolor=edge, linewidth=width)


def _labels(axes: Any, spans: Sequence[Span], row: dict[str, int], start: float, end: float, scale: float) -> None:
    wide = [
        span for span in spans
        if span.name and span.kind not in ("communication", "bubble")
        and span.length_s >= _LEAST_LABEL * max(1.0, len(span.name) / 2.5) * (end - start)
    ]  # fmt: skip
    if len(wide) > _MOST_LABELS:
        return
    for span in wide:
        middle = ((span.start_s + span.end_s) / 2.0 - start) / scale
        color = "white" if span.kind in _DARK else INK
        axes.text(middle, row[span.lane] + 0.6, span.name, ha="center", va="center", fontsize=7, color=color)


def _legend(axes: Any, spans: Sequence[Span], *, idle: bool) -> None:
    from matplotlib.patches import Patch

    found = {span.kind for span in spans} | ({"bubble"} if idle else set())
    known = [kind for kind in KINDS if kind in found] + sorted(found - set(KINDS))
    entries = [Patch(facecolor=color_of(kind), edgecolor=MUTED, linewidth=0.3, label=kind) for kind in known]
    axes.legend(handles=entries, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(entries), borderaxespad=0.2)
