"""How the replicas of a training step came to the same weights: figures, sentences and a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.foundation.units import show
from simulator.results.style import cycle_color, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Synchronization:
    """The exchange of a step.

    Attributes:
        kind: what the exchange is, in words.
        exchange_s: seconds of it per step, hidden or not, compressing included.
        all_reduce_s: what an uncompressed all-reduce over all replicas takes instead.
        sent: bytes that one replica sends per step, in the mean.
        compress_s: seconds of a step that go into compressing.
        every: steps between two exchanges of all.
        servers: parameter servers; 0: none.
        updates_per_s: that the servers take in; 0 without servers.
        bound_per_s: the most that servers and workers allow.
        server_busy: share of the time that the servers send and receive.
        staleness: updates of others that a gradient does not know when it is added -> share of the gradients; empty if
            nothing was played.
    """

    kind: str
    exchange_s: float
    all_reduce_s: float
    sent: float
    compress_s: float = 0.0
    every: int = 1
    servers: int = 0
    updates_per_s: float = 0.0
    bound_per_s: float = 0.0
    server_busy: float = 0.0
    staleness: Mapping[int, float] = field(default_factory=dict)

    @property
    def mean_staleness(self) -> float:
        """Updates that a gradient is late, in the mean."""
        return sum(late * share for late, share in self.staleness.items())

    def metrics(self) -> dict[str, float]:
        """Figures for the table of the result, units in their names."""
        found = {"exchange_s": self.exchange_s, "all_reduce_s": self.all_reduce_s, "sent_bytes": self.sent}
        if self.compress_s:
            found["compress_s"] = self.compress_s
        if self.servers:
            found |= {"updates_per_s": self.updates_per_s, "updates_bound_per_s": self.bound_per_s,
                      "server_busy_fraction": self.server_busy}  # fmt: skip
        if self.staleness:
            found["staleness_mean"] = self.mean_staleness
        return found

    def facts(self) -> dict[str, Any]:
        """Everything as plain data."""
        return asdict(self) | {"staleness": {str(late): share for late, share in self.staleness.items()}}

    def sentences(self) -> Iterator[str]:
        """What to say about it."""
        yield (
            f"Replicas come together by {self.kind}: {show(self.exchange_s, 'time')} per step, where an all-reduce of "
            f"everything would take {show(self.all_reduce_s, 'time')}."
        )
        if self.servers:
            who = "The server takes" if self.servers == 1 else "The servers take"
            yield (
                f"{who} {self.updates_per_s:.4g} updates/s of the {self.bound_per_s:.4g} that servers and workers "
                f"allow, busy {self.server_busy:.0%} of the time."
            )
        if self.mean_staleness:
            yield f"A gradient is {self.mean_staleness:.3g} updates late in the mean, {max(self.staleness)} at most."


def plot_staleness(found: Synchronization) -> tuple[Figure, Any]:
    """Draw the share of pushes by how many updates of others came between."""
    late = np.array(list(found.staleness))
    with styled():
        figure, axes = new_figure(6.0, 3.4)
        axes.bar(late, [100 * share for share in found.staleness.values()], color=cycle_color(0), width=0.9)
        axes.axvline(found.mean_staleness, color=cycle_color(5), linestyle="--", label="mean")
        axes.set_xlabel("updates of others that a gradient does not know")
        axes.set_ylabel("% of gradients")
        axes.set_title(f"Staleness: {found.kind}")
        axes.legend()
    return figure, axes
