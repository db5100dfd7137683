"""What feeding and saving do to a training step: the account that ``rackcast run`` and ``explain`` tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from simulator.costs.mends import Mend
from simulator.foundation.units import show

#: stage of a loader -> what people call the bottleneck
RESOURCES: Final[dict[str, str]] = {
    "storage": "disk",
    "requests": "disk",
    "network": "network",
    "decode": "CPU decode",
    "workers": "loader workers",
    "cache": "cache",
    "host": "host link",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """Checkpoints of a training job.

    Attributes:
        bytes: of one: weights and optimizer state.
        write_s: of one, alone on its storage and links.
        read_s: to load it again after a failure.
        visible_s: what it adds to each step, in the mean.
        again_s: of work that a failure undoes in the mean: half of what lies between two.
        shared: whether it lies on the storage that the data are read from.
    """

    bytes: float
    every_steps: int
    mode: str
    write_s: float
    read_s: float
    visible_s: float
    again_s: float
    shared: bool

    @property
    def restart_s(self) -> float:
        """What a failure costs in the mean, detection and new nodes apart: reading the state back, and work again."""
        return self.read_s + self.again_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeding:
    """A training step beside its input and output.

    Attributes:
        alone_s: of the step that waits for neither data nor checkpoints.
        load_s: that the slowest stage of the loaders needs for one step; 0 without a ``data`` block.
        stall_s: that every device waits for data in a step, slowest loader counted.
        shards_s: by which the largest shard lengthens a step.
        imbalance: largest shard over the mean one.
        stage: the slowest stage, a name of :data:`simulator.costs.input.STAGES`; empty if no step waits.
        mends: the cheapest changes that end the stall.
        bytes_per_step: read from the storage in a step, over all readers.
        local_share: of these bytes, from the drives of the node that reads; the rest crosses the network.
        readers: ranks that read, one per data-parallel replica.
        overlapped: whether loading goes on while the step computes.
        saving: None without a ``checkpoint`` block.
    """

    alone_s: float
    load_s: float
    stall_s: float
    shards_s: float
    imbalance: float
    stage: str
    mends: tuple[Mend, ...]
    bytes_per_step: float
    local_share: float
    readers: int
    overlapped: bool
    saving: Saving | None

    @property
    def parts(self) -> dict[str, float]:
        """Seconds that the step takes longer, by why."""
        saving = self.saving.visible_s if self.saving else 0.0
        return {"shards": self.shards_s, "data": self.stall_s, "checkpoint": saving}

    @property
    def step_s(self) -> float:
        """The whole step."""
        return self.alone_s + sum(self.parts.values())

    @property
    def network_bytes(self) -> float:
        """Bytes of a step that are read over the network."""
        return self.bytes_per_step * (1.0 - self.local_share)

    @property
    def bottleneck(self) -> str:
        """Disk, network, CPU decode, cache, ...; ``none`` if no step waits."""
        return RESOURCES[self.stage] if self.stage else "none"

    @property
    def summary(self) -> str:
        """In half a line."""
        waits = f"{self.stall_s / self.step_s:.1%} of the step waits for data (bottleneck: {self.bottleneck})"
        saves = f"{self.saving.visible_s / self.step_s:.1%} for checkpoints" if self.saving else ""
        return ", ".join(text for text in (waits if self.readers else "", saves) if text)

    def metrics(self) -> dict[str, float]:
        """Figures for the table of the result, units in their names."""
        waits = sum(self.parts.values())
        found = {
            "data_stall_s": self.stall_s, "data_stall_fraction": self.stall_s / self.step_s,
            "device_idle_fraction": waits / self.step_s, "shard_imbalance": self.imbalance,
            "storage_read_bytes_per_s": self.bytes_per_step / self.step_s,
        }  # fmt: skip
        if self.readers:
            found |= {"local_read_share": self.local_share, "network_read_bytes_per_step": self.network_bytes}
        if self.saving:
            found |= {"checkpoint_bytes": self.saving.bytes, "checkpoint_write_s": self.saving.write_s,
                      "checkpoint_read_s": self.saving.read_s, "restart_s": self.saving.restart_s}  # fmt: skip
        return found

    def facts(self) -> dict[str, Any]:
        """Everything as plain data."""
        return asdict(self) | {"step_s": self.step_s, "bottleneck": self.bottleneck}

    def gains(self, alone: Mapping[str, float]) -> dict[str, float]:
        """What ten per cent more of each resource still saves: a faster step meets its data and its checkpoints."""
        room = max(0.0, self.alone_s - self.load_s) if self.overlapped else self.alone_s
        return {name: min(share * self.alone_s, room) / self.step_s for name, share in alone.items()}

    def sentences(self) -> Iterator[str]:
        """What to say about it."""
        if self.readers:
            yield from self._about_data()
        if self.saving:
            yield self._about_saving(self.saving)
            yield self._about_restart(self.saving)

    def _about_data(self) -> Iterator[str]:
        if self.stage:
            yield (
                f"Devices wait {show(self.stall_s, 'time')} of each step ({self.stall_s / self.step_s:.1%}) for data; "
                f"the bottleneck is {self.bottleneck} ({self.stage})."
            )
        else:
            yield f"No step waits for data: {self.readers} loaders need {show(self.load_s, 'time')} for a batch."
        if self.local_share > 0:
            yield (
                f"{self.local_share:.0%} of the reads stay on the node's own drives; "
                f"{show(self.network_bytes, 'bytes')} of each step cross the network."
            )
        if self.shards_s > 0:
            yield f"The largest shard is {self.imbalance:.2f}x the mean one; every step waits for it."
        for mend in self.mends:
            left = f"each step waits {show(mend.stall_s, 'time')}" if mend.stall_s > 0 else "no step waits for data"
            yield f"Cheapest mend: {mend.action} ({mend.kind}); then {left}."

    def _about_saving(self, saving: Saving) -> str:
        return (
            f"A checkpoint of {show(saving.bytes, 'bytes')} every {saving.every_steps} steps takes "
            f"{show(saving.write_s, 'time')} to write ({saving.mode}); "
            + (
                f"it adds {show(saving.visible_s, 'time')} to each step, in the mean."
                if saving.visible_s
                else "it fits beside the steps."
            )
        )

    def _about_restart(self, saving: Saving) -> str:
        where = "the storage of the data, over the same links" if saving.shared else "its storage"
        return (
            f"A restart reads it back from {where} in {show(saving.read_s, 'time')} and repeats "
            f"{show(saving.again_s, 'time')} of work in the mean."
        )
