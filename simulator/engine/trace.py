"""What the engine writes down: who did what from when to when, in ticks of the clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Record(NamedTuple):
    """One piece of work of one stage of one class of replicas; ``micro_batch`` and ``chunk`` are -1 where none is.

    ``kind`` is forward, backward, weights (weight gradients as a pass of their own), boundary, gradients,
    gradients-hidden (beside backward passes), optimizer, offload or host.
    """

    replica: int  # position in ``Trace.replicas``
    stage: int
    kind: str
    micro_batch: int
    chunk: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Everything that happened in one step, by replica, stage and time; hidden gradients overlap with passes.

    Attributes:
        replicas: (name, how many replicas behave like it) of each class of data-parallel replicas.
        stages: of the pipeline.
        end: tick at which the step is over for all.
    """

    records: tuple[Record, ...]
    replicas: tuple[tuple[str, int], ...]
    stages: int
    end: int

    def busy(self, replica: int, stage: int, *kinds: str) -> int:
        """Return the ticks that a stage spent on some kinds of work."""
        return sum(
            record.end - record.start
            for record in self.records
            if record.replica == replica and record.stage == stage and record.kind in kinds
        )
