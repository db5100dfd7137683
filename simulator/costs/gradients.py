"""The exchange of gradients over the data-parallel ranks: how often, how long, and what of it the passes hide.

Gradients are exchanged when the last micro-batch has made them, so that they run beside what is left of the backward
passes. Virtual stages leave more of those: under the interleaved schedule the last micro-batches go through one chunk
after another, as many at a time as there are stages, and under breadth-first GPipe all of them do (Lamy-Poirier 2022,
arXiv 2211.05953). A chunk's gradients then travel beside the passes of the chunk after it; only those of the last chunk
have no more than their own pass.

Under ZeRO-2 a rank keeps nothing but its share of the gradients. Micro-batches whose passes through a chunk follow each
other are added up and scattered together (Grattafiori et al. 2024, arXiv 2407.21783, section 3.3.2, who tune how many
follow each other); without virtual stages other passes come between, so that each micro-batch scatters its own.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.held import held_parameters
from simulator.costs.passes import Network
from simulator.mapping.plan import SCHEDULES, PlanTable
from simulator.mapping.program import Program
from simulator.profiles.framework import Framework
from simulator.workload.models.parameters import count_parameters

Floats = NDArray[np.float64]

#: share of a backward pass beside which gradients can be exchanged: the first layer's gradients come last
HIDEABLE: Final = 0.9
#: chunks whose whole gradients a rank holds under ZeRO-2: one that is being added up and one on its way
WHOLE_CHUNKS: Final = 2.0


def in_a_row(table: PlanTable) -> Floats:
    """Return how many micro-batches pass one chunk after each other, per plan; one where no pass changes chunks."""
    m = table.micro_batches
    gpipe = table.schedule == SCHEDULES.index("gpipe")
    return np.maximum(np.where(table.vpp == 1, 1, np.where(gpipe, m, np.minimum(m, table.pp))), 1).astype(float)


def rounds(table: PlanTable) -> Floats:
    """Return how often in a step each chunk's gradients are exchanged, per plan: once, or for each row under ZeRO-2."""
    return np.where(table.zero == 2, np.ceil(table.micro_batches / in_a_row(table)), 1.0)


def whole_share(table: PlanTable) -> Floats:
    """Return the share of a stage's gradients that a rank holds whole although ZeRO-2 shards them, per plan.

    Without virtual stages that is a layer's, which is left out.
    """
    chunks = np.minimum(WHOLE_CHUNKS / table.vpp, 1.0)
    return np.where((table.zero == 2) & (table.vpp > 1), chunks, 0.0)


def exchanged(program: Program, backward: Floats, framework: Framework, network: Network) -> tuple[Floats, Floats]:
    """Return shown and hidden seconds of exchanging gradients (and ZeRO-1/2 weights) over the data-parallel ranks.

    Args:
        program: whose plans are priced.
        backward: seconds of one micro-batch's backward pass through the busiest stage, per plan.
        framework: says whether gradients travel beside passes, how wide and in how many pieces.
        network: they travel on.
    """
    trained, zero, layout = program.job.trained_share, program.table.zero, program.layout_index
    reduced = scattered = gathered = np.zeros(len(program.layouts))
    dense, expert = held_parameters(program)
    for held, group in ((dense, program.groups["dp"]), (expert, program.groups["edp"])):
        if not held.any():
            continue
        gradient = held * framework.gradient_bytes * trained
        weight = held * min(program.job.precision.weight_bytes, 2.0 if framework.gradient_bytes <= 4 else 4.0) * trained
        pieces = buckets(gradient, framework)
        reduced = reduced + pieces * network.time("all_reduce", gradient / pieces, group)
        scattered = scattered + network.time("reduce_scatter", gradient, group)
        gathered = gathered + network.time("all_gather", weight, group)
    times = rounds(program.table)
    sharded = scattered[layout] * times + gathered[layout]
    seconds = np.where(zero == 0, reduced[layout], np.where(zero == 3, 0.0, sharded))
    if not framework.overlaps_gradients:
        return seconds, np.zeros_like(seconds)
    hidden = _hidden(program.table, seconds, times, backward, _last_share(program, dense)[layout])
    return seconds - hidden, hidden


def _hidden(table: PlanTable, seconds: Floats, times: Floats, backward: Floats, last: Floats) -> Floats:
    """Return seconds of an exchange that run beside backward passes.

    Of ``times`` exchanges of each chunk all but the last one have the passes of another chunk, or of another
    micro-batch, beside them. The last one has its own pass, but for the gradients that are whole only when it ends.
    """
    chunks = table.vpp.astype(float)
    each, passed = seconds / (times * chunks), backward / chunks
    others = (times * chunks - 1.0) * np.minimum(each, in_a_row(table) * passed)
    own = np.minimum(np.maximum(each - last * seconds / times, 0.0), passed)
    return np.asarray(HIDEABLE * (others + own))


def _last_share(program: Program, dense: Floats) -> Floats:
    """Return the share of a rank's dense gradients that are whole only when the backward pass ends: the embedding's."""
    rows = count_parameters(program.job.model).embedding / program.layouts.tp
    return np.minimum(1.0, rows / np.maximum(dense, 1.0))


def buckets(size: Floats, framework: Framework) -> Floats:
    """Return in how many exchanges gradients of ``size`` bytes go out, each with its start and its steps."""
    if not framework.bucket_bytes:
        return np.ones_like(size)
    return np.maximum(1.0, np.ceil(size / framework.bucket_bytes))


def copies_agree(program: Program, framework: Framework, network: Network) -> Floats:
    """Return seconds in which the two stages that hold a piece under DualPipe add up its gradients.

    Of its two pieces a stage sends one for the other's sum and gets it back: between the two, a reduce-scatter and an
    all-gather. The sums are then exchanged over the replicas as in any pipeline.
    """
    dual = program.table.schedule == SCHEDULES.index("dualpipe")
    if not dual.any():
        return np.zeros(len(program.table))
    dense, expert = held_parameters(program)
    size = (dense + expert) * framework.gradient_bytes * program.job.trained_share
    once = network.time("send_receive", size, program.groups["pp"])[program.layout_index]
    return np.where(dual, 2.0 * once, 0.0)
