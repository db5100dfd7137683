"""Plans with their price: the one way from a table of plans to step times, their parts and the memory account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.costs.estimate import StepEstimate, estimate
from simulator.costs.memory import MemoryAccount
from simulator.costs.programs import memory_of, times_of
from simulator.mapping.lowering import lower_job
from simulator.mapping.plan import PlanTable
from simulator.planner.question import Question

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """Plans and what they take; one entry per plan everywhere."""

    table: PlanTable
    estimate: StepEstimate
    memory: MemoryAccount

    def __len__(self) -> int:
        return len(self.table)

    def take(self, rows: Ints) -> Priced:
        """Return the chosen plans, in the order of ``rows``."""
        parts = {name: values[rows] for name, values in self.estimate.parts.items()}
        held = {name: values[rows] for name, values in self.memory.parts.items()}
        return Priced(table=self.table.take(rows), estimate=StepEstimate(step=self.estimate.step[rows], parts=parts),
                      memory=MemoryAccount(parts=held))  # fmt: skip

    @staticmethod
    def join(pieces: Sequence[Priced]) -> Priced:
        """Return all plans of some pieces (at least one), in order."""

        def joined(columns: Sequence[dict[str, Floats]]) -> dict[str, Floats]:
            return {name: np.concatenate([column[name] for column in columns]) for name in columns[0]}

        step = np.concatenate([piece.estimate.step for piece in pieces])
        parts = joined([piece.estimate.parts for piece in pieces])
        memory = MemoryAccount(parts=joined([piece.memory.parts for piece in pieces]))
        return Priced(
            table=PlanTable.join([piece.table for piece in pieces]),
            estimate=StepEstimate(step=step, parts=parts),
            memory=memory,
        )


def price_table(table: PlanTable, question: Question) -> Priced:
    """Return the plans of a table with their prices, whether or not they fit the memory."""
    setting = question.setting
    program = lower_job(question.job, table, setting.tiers)
    times = times_of(program, setting.machine, setting.framework, question.network)
    step = estimate(times, table, nodes=float(setting.nodes))
    held = memory_of(program, setting.framework, setting.machine.offload)
    return Priced(table=table, estimate=step, memory=held)
