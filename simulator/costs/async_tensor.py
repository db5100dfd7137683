"""Async tensor parallelism: collectives of sequence parallelism cut into pieces that travel beside the products.

An all-gather before a product, or a reduce-scatter after one, goes round the tp ranks in tp pieces; while one piece is
multiplied the next is on its way (Wang et al. 2023, ASPLOS, doi 10.1145/3567955.3567959; torchtitan's async TP,
Transformer Engine's userbuffers). A rank begins with the piece that it has: with G seconds of products and C of a
collective, T = G / tp + (tp - 1) max(G / tp, C / (tp - 1)), never less than either and never more than both. The
pieces' products fill the device less well, which is charged; where that costs more than it hides, nothing is cut.
Left out: compute units and bandwidth that the copies take.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulator.costs.compute import Machine, backward_times, forward_time
from simulator.mapping.program import LocalBlock
from simulator.mapping.split import LocalProduct

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Products:
    """Seconds of products that collectives can run beside: whole, and in as many pieces as there are ranks."""

    whole: Floats
    pieces: Floats

    def seen(self, exchange: Floats, ranks: Ints) -> Floats:
        """Return the seconds that a collective of ``exchange`` seconds still adds to these products."""
        cut = np.maximum(exchange - self.whole * (1.0 - 1.0 / ranks), 0.0) + self.pieces - self.whole
        return np.minimum(exchange, np.maximum(cut, 0.0))


def products_beside(block: LocalBlock, machine: Machine, ranks: Ints) -> dict[tuple[str, bool], Products]:
    """Return the products beside which a block's all-gathers and reduce-scatters can run, by (operation, backward).

    Forward, what is gathered feeds the products cut by columns, and the sums of those cut by rows are scattered. In the
    backward pass gradients are gathered for the products cut by rows, the input again for the weight gradients of the
    others, and the input gradients of those are scattered.
    """
    columns, rows = _parts(block, inner=False), _parts(block, inner=True)

    def forward(parts: list[LocalProduct]) -> Floats:
        return sum((forward_time(part, machine) for part in parts), np.zeros(len(ranks)))

    def inputs(parts: list[LocalProduct]) -> Floats:
        return sum((backward_times(part, machine)[0] for part in parts), np.zeros(len(ranks)))

    def weights(parts: list[LocalProduct]) -> Floats:
        return sum((backward_times(part, machine)[1] for part in parts), np.zeros(len(ranks)))

    again = weights(columns)
    cut_columns, cut_rows = _cut(columns, ranks), _cut(rows, ranks)
    return {
        ("all_gather", False): Products(whole=forward(columns), pieces=ranks * forward(cut_columns)),
        ("reduce_scatter", False): Products(whole=forward(rows), pieces=ranks * forward(cut_rows)),
        ("all_gather", True): Products(whole=inputs(rows) + again, pieces=ranks * inputs(cut_rows) + again),
        ("reduce_scatter", True): Products(whole=inputs(columns), pieces=ranks * inputs(cut_columns)),
    }


def _parts(block: LocalBlock, *, inner: bool) -> list[LocalProduct]:
    return [
        part
        for part in block.operators
        if isinstance(part, LocalProduct) and part.weight and not part.grouped and part.inner == inner
    ]


def _cut(parts: list[LocalProduct], ranks: Ints) -> list[LocalProduct]:
    """Return the products over one rank's share of the rows."""
    return [replace(part, m=part.m / ranks) for part in parts]
