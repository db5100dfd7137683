"""Stages of a pipeline as columns: the first, an inner and the last one, or each stage by itself.

Prices of stages are arrays with one row per plan and one column per kind of stage. Plans that are cut as evenly as may
be need three columns however deep they are: first, inner, last. Plans that name the layers of their stages have a
column per stage. Three columns of a pipeline of three stages are both.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.mapping.plan import PlanTable

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: columns of plans that are cut evenly: the first stage, an inner one, the last
FOLDED: Final = 3


def column_of(stage: int, stages: int, columns: int) -> int:
    """Return the column in which a stage stands.

    >>> [column_of(stage, 5, 3) for stage in range(5)], [column_of(stage, 5, 5) for stage in range(5)]
    ([0, 1, 1, 1, 2], [0, 1, 2, 3, 4])
    """
    if columns == stages:
        return stage
    return 0 if stage == 0 else 2 if stage == stages - 1 else 1


def seats(stages: Ints, columns: int) -> Ints:
    """Return how many stages stand in each column, shape (P, columns), of pipelines of ``stages`` stages."""
    if columns != FOLDED:
        return np.ones((len(stages), columns), dtype=np.int64)
    one = np.ones_like(stages)
    return np.stack([one, np.maximum(stages - 2, 0), (stages > 1) * one], axis=1)


def places(stages: Ints, columns: int) -> Ints:
    """Return the first stage that stands in each column, shape (P, columns); columns of no stage repeat the last."""
    if columns != FOLDED:
        return np.broadcast_to(np.arange(columns), (len(stages), columns))
    return np.stack([np.zeros_like(stages), np.minimum(1, stages - 1), stages - 1], axis=1)


def mirrored(values: Floats) -> Floats:
    """Return the values of the stages that are as far from the other end of the pipeline."""
    return values[:, ::-1]


def stage_layers(table: PlanTable, layers: int) -> Floats:
    """Return layers of each column of stages of each plan (as shares of all layers).

    Where stages are not named, every chunk of an inner stage holds ceil(L / (pp * vpp)) layers. Where that does not use
    all, the last and then the first stage hold fewer: they also carry the head and the embedding, as uneven placements
    in practice do.
    """
    chunks = table.pp * table.vpp
    inner = np.ceil(layers / chunks) * table.vpp
    missing = inner * table.pp - layers
    last = np.maximum(inner - np.ceil(missing / 2), 0.0)
    first = np.maximum(layers - inner * (table.pp - 2) - last, 0.0)
    single, double = table.pp == 1, table.pp == 2
    first = np.where(single, layers, np.where(double, layers - last, first))
    last = np.where(single, layers, last)
    inner = np.where(single | double, np.maximum(first, last), inner)
    even = np.stack([first, inner, last], axis=1)
    named = table.layers_per_stage
    if not named.shape[1]:
        return even
    stages = named.shape[1]
    unfolded = even[:, [column_of(stage, stages, FOLDED) for stage in range(stages)]]
    explicit = named.max(axis=1, keepdims=True) > 0
    return np.where(explicit, named.astype(float), unfolded)
