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


def stage_parameters(program: Program) -> tuple[Floats, Floats]:
    """Return dense and expert parameters of one rank of each column of stages, before sharding over DP, per layout.

    The embedding is counted on the first stage and the head on the last, each a matrix of its own where they differ.
    """
    dense, expert = mean_parameters(program)
    return program.stage_layers * dense[:, None] + _ends(program), program.stage_layers * expert[:, None]


def held_parameters(program: Program) -> tuple[Floats, Floats]:
    """Return the most dense and the most expert parameters that a rank of any stage holds, per layout."""
    dense, expert = stage_parameters(program)
    return np.asarray(dense.max(axis=1)), np.asarray(expert.max(axis=1))


def _ends(program: Program) -> Floats:
    """Return parameters of the embedding and the head on one rank of each column of stages."""
    model = program.job.model
    rows = model.vocab * model.hidden / program.layouts.tp
    held = np.zeros_like(program.stage_layers)
    held[:, 0] = held[:, -1] = rows
    single = program.layouts.pp == 1
    return np.where(single[:, None], (rows * (1.0 if model.tied_embeddings else 2.0))[:, None], held)


def copies(table: PlanTable) -> Floats:
    """Return how many copies of its share of the model a rank holds: two under DualPipe, which runs both ways."""
    return np.where(table.schedule == SCHEDULES.index("dualpipe"), 2.0, 1.0)
