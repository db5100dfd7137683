"""The pictures of a training result: timeline of the step, memory bars, layout map, waterfall."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simulator.engine.clock import to_seconds
from simulator.engine.trace import Record
from simulator.results.lanes_plot import plot_lanes
from simulator.results.layout_plot import Seat, plot_layout
from simulator.results.memory_plot import MemoryBar, plot_memory
from simulator.results.spans import Span
from simulator.results.step_parts import INPUT_PARTS, PARTS
from simulator.results.style import save
from simulator.results.synchronization import plot_staleness
from simulator.results.timeline_plot import plot_timeline
from simulator.results.waterfall_plot import Part, plot_waterfall
from simulator.results.whole_run import plot_ledger

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from simulator.results.result import Result

#: kind of record -> (its kind of span, its name in a bar)
_SHOWN: Final = {
    "forward": ("forward", "F"),
    "backward": ("backward", "B"),
    "weights": ("weights", "W"),
    "boundary": ("communication", "send"),
    "gradients": ("communication", "gradients"),
    "gradients-hidden": ("communication", "gradients"),
    "optimizer": ("optimizer", "update"),
    "offload": ("communication", "offload"),
    "host": ("other", "host"),
}

_MOST_SEATS: Final = 4096  # a map shows the first replicas; more seats would not be drawn


def spans_of(result: Result) -> tuple[Span, ...]:
    """Return what was played as spans, a lane per class of replicas and stage; none for an estimate."""
    if result.trace is None:
        return ()
    several = len(result.trace.replicas) > 1
    lanes = [name for name, _ in result.trace.replicas]
    return tuple(_span(record, f"{lanes[record.replica]}, " if several else "") for record in result.trace.records)


def _span(record: Record, prefix: str) -> Span:
    kind, word = _SHOWN[record.kind]
    numbered = record.kind in ("forward", "backward", "weights")
    chunk = "abcdefghijklmnopqrstuvwxyz"[record.chunk % 26] if record.chunk > 0 else ""
    name = f"{word}{record.micro_batch}{chunk}" if numbered else word
    return Span(lane=f"{prefix}stage {record.stage}", name=name, kind=kind, start_s=to_seconds(record.start),
                end_s=to_seconds(record.end))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pictures:
    """Draws one result; every method returns (figure, axes)."""

    result: Result

    def timeline(self) -> tuple[Figure, Any]:
        """Draw the step, a lane per stage; only played results have one."""
        assert self.result.trace is not None, "an estimate has no timeline"
        return plot_timeline(spans_of(self.result), title=f"One step of {self.result.scenario}")

    def memory(self) -> tuple[Figure, Any]:
        """Draw what fills the fullest device."""
        bar = MemoryBar(name="fullest device", parts=self.result.memory, capacity=self.result.memory_limit)
        return plot_memory([bar])

    def layout(self) -> tuple[Figure, Any]:
        """Draw where the ranks sit."""
        return plot_layout(seats_of(self.result))

    def lanes(self) -> tuple[Figure, Any]:
        """Draw which stage of which replicas works how long, and waits for the rest."""
        return plot_lanes(self.result.lanes, self.result.step_time)

    def waterfall(self) -> tuple[Figure, Any]:
        """Draw where the step's time goes."""
        parts = [Part(name=name, seconds=seconds, kind=(PARTS | INPUT_PARTS)[name])
                 for name, seconds in self.result.parts.items() if seconds > 0]  # fmt: skip
        return plot_waterfall(parts)

    def staleness(self) -> tuple[Figure, Any]:
        """Draw how late gradients reach parameter servers that were played."""
        assert self.result.synchronization is not None, "an all-reduce is never late"
        return plot_staleness(self.result.synchronization)

    def run(self) -> tuple[Figure, Any]:
        """Draw where the time of the whole run goes."""
        assert self.result.run is not None, "nobody asks for the end of this run"
        return plot_ledger(self.result.run)

    def save_all(self, folder: Path) -> list[Path]:
        """Write every picture that this result has as PNG; return the paths."""
        drawn = {"memory": self.memory, "layout": self.layout, "waterfall": self.waterfall}
        if self.result.hardware.kinds or self.result.plan.layers_per_stage:
            drawn["lanes"] = self.lanes
        if self.result.trace is not None:
            drawn["timeline"] = self.timeline
        if self.result.synchronization is not None and self.result.synchronization.staleness:
            drawn["staleness"] = self.staleness
        if self.result.run is not None:
            drawn["run"] = self.run
        return [save(draw()[0], folder / f"{name}.png") for name, draw in sorted(drawn.items())]


def seats_of(result: Result) -> list[Seat]:
    """Return where the ranks of the first replicas sit: rank r on device r, in the order of ``mapping.plan``."""
    plan, per_node = result.plan, result.hardware.devices_per_node
    inside = plan.tp * plan.cp
    replicas = max(1, min(plan.dp, _MOST_SEATS // (inside * plan.pp)))
    seats = []
    for stage in range(plan.pp):
        for replica in range(replicas):
            for tensor in range(inside):
                rank = plan.first_rank(stage, replica) + tensor
                seats.append(Seat(rank=rank, node=rank // per_node, slot=rank % per_node, tensor=tensor % plan.tp,
                                  pipeline=stage, data=replica))  # fmt: skip
    return seats
