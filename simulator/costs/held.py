"""How many parameters one rank holds, of a layer and of its stage."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.mapping.plan import SCHEDULES, PlanTable
from simulator.mapping.program import Program

Floats = NDArray[np.float64]


def mean_parameters(program: Program) -> tuple[Floats, Floats]:
    """Return dense and expert parameters of the mean layer on one rank, per layout."""

    def mean(name: str) -> Floats:
        total = sum((getattr(block, name) * block.count for block in program.blocks), np.zeros(len(program.local)))
        return np.asarray(total / program.layers)[program.layout_local]

    return mean("parameters"), mean("expert_parameters")


def held_parameters(program: Program) -> tuple[Floats, Floats]:
    """Return dense and expert parameters of one rank of the fullest stage, before sharding over DP, per layout."""
    dense, expert = mean_parameters(program)
    model = program.job.model
    rows = model.vocab * model.hidden / program.layouts.tp
    single = program.layouts.pp == 1
    ends = np.where(single, rows * (1.0 if model.tied_embeddings else 2.0), rows)
    inner = program.stage_layers[:, 1]
    edge = np.minimum(program.stage_layers[:, 0], program.stage_layers[:, 2])
    return np.maximum(inner * dense, edge * dense + ends), inner * expert


def copies(table: PlanTable) -> Floats:
    """Return how many copies of its share of the model a rank holds: two under DualPipe, which runs both ways."""
    return np.where(table.schedule == SCHEDULES.index("dualpipe"), 2.0, 1.0)
