"""The step time in closed form: how the parts of a step add up under a pipeline schedule.

GPipe with stages of forward times f_1..f_p, backward times b_1..b_p and m micro-batches takes ``sum(f + b) + (m - 1)
(max f + max b)``, exactly: two flow shops of equal jobs, one after the other. 1F1B is at least as long as each chain of
passes that wait for each other: those that go down to a stage, stay on it, and go back; and those that on the way turn
at the last stage with the first micro-batch, with the last, or with both. For equal stages all are (m + p - 1) w (Huang
et al. 2019; Narayanan et al. 2019). Interleaving v chunks per stage divides the idle part by v (Narayanan et al. 2021,
arXiv 2104.04473, section 2.2). How close: ``tests/engine/training`` holds it against the engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.step import StepTimes, over_stages
from simulator.mapping.plan import SCHEDULES, SPLIT_BACKWARD, PlanTable
from simulator.mapping.stages import FOLDED, mirrored, places, seats

Floats = NDArray[np.float64]

#: spread of equal nodes' step times: identical machines differ by 2 to 3 % (docs/models.md), half of it within a step
NODE_SPREAD: Final = 0.0041


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEstimate:
    """Seconds of one step per plan, and where they go; ``parts`` add up to ``step``."""

    step: Floats
    parts: dict[str, Floats]

    @property
    def bubble_fraction(self) -> Floats:
        """Idle share of the step, from filling and draining the pipeline."""
        return self.parts["bubble"] / self.step


def estimate(times: StepTimes, table: PlanTable, *, nodes: Floats | float = 1.0) -> StepEstimate:
    """Return the step time of every plan.

    Args:
        times: durations of the parts.
        table: the plans.
        nodes: nodes that must wait for each other at the end of a step; the slowest of n equal ones sets the pace.
    """
    m, p, v = table.micro_batches.astype(float), table.pp.astype(float), table.vpp.astype(float)
    work = times.forward + times.backward
    slowest = over_stages(work)
    busy = m * slowest
    everyone = np.sum(seats(table.pp, work.shape[1]) * work, axis=1)
    interleaved = (everyone - slowest) / v + ragged_bubble(m, p, v, slowest, over_stages(times.backward))
    apart = everyone + (m - 1.0) * (over_stages(times.forward) + over_stages(times.backward)) - busy
    in_turn = _longest_chain(times, table) - busy
    gpipe = table.schedule == SCHEDULES.index("gpipe")
    bubble = np.where(v > 1, interleaved, np.where(gpipe, apart, in_turn))
    if (table.schedule >= SPLIT_BACKWARD).any():
        bubble, busy = _split_backward(times, table, bubble, busy)
    boundary = exposed_sends(times, table) * times.boundary
    within = times.exchanged + times.gathered, times.waiting
    busiest = work.argmax(axis=1)[:, None]
    exchanged, launched = (m * np.take_along_axis(seconds, busiest, axis=1)[:, 0] for seconds in within)
    alone = busy + bubble + boundary + times.gradients + times.optimizer + times.offload + times.host
    waiting = alone * straggling(nodes)
    return StepEstimate(
        step=alone + waiting,
        parts={
            "compute": busy - exchanged - launched,
            "exchange": exchanged,
            "host": launched + times.host,
            "bubble": bubble,
            "boundary": boundary,
            "gradients": times.gradients,
            "optimizer": times.optimizer,
            "offload": times.offload,
            "stragglers": waiting,
        },
    )


def _longest_chain(times: StepTimes, table: PlanTable) -> Floats:
    """Return seconds of the longest chain of passes of 1F1B without virtual stages, the sends between them apart.

    A stage before n others does q = min(n, m - 1) further forward passes before its first backward pass comes back, and
    as many backward passes after its last forward pass.
    """
    m, p, columns = table.micro_batches.astype(float), table.pp, times.forward.shape[1]
    # plans last: rows as long as the table are sooner done than rows of a few stages
    forward, backward, stand, first = (
        np.ascontiguousarray(values.T)
        for values in (times.forward, times.backward, seats(p, columns), places(p, columns))
    )
    work = forward + backward
    below = np.cumsum((stand * work)[::-1], axis=0)[::-1]  # of a column and all after it
    everyone, most = below[0], np.zeros(len(p))
    for last in (False, True):  # of the equal stages of a column; a chain grows or shrinks evenly from one to the next
        here = first + (stand - 1) * last
        after = below - np.where(last, stand, 1) * work
        others = p - 1 - here
        turned = np.minimum(others, m - 1)
        chains = np.maximum(-after, -turned * np.minimum(forward, backward))
        chains = np.where(m - 1 > others, np.maximum(chains, after - others * work), chains)
        found = np.where(stand > 0, everyone + (m - 1) * work + chains, 0.0)
        most = np.maximum(most, found.max(axis=0))
    return most


def _split_backward(times: StepTimes, table: PlanTable, bubble: Floats, busy: Floats) -> tuple[Floats, Floats]:
    """Return idle and busy seconds with those of ZB-H1 and DualPipe plans put in their rows.

    With forward F, input gradients I and weight gradients W of a stage, and F&B of both passes beside each other:
    ZB-H1 idles for (p - 1)(F + I - W) (arXiv 2401.10241, table 1), DualPipe for (p/2 - 1)(F&B + I - 2W) (arXiv
    2412.19437, table 2, whose B is I + W). Both papers take W to be at most I; where it is longer it fills no more
    than all of it. DualPipe waits for the longer of F and I in turn, and with fewer micro-batches than stages ZB-H1
    has that many weight gradients less to fill with. DualPipe's outer stages do both ends of the model in equal shares;
    what lies between them fills and drains.
    """
    m, p = table.micro_batches.astype(float), table.pp.astype(float)
    inputs, weights = times.backward - times.weights, times.weights
    filled = times.forward + np.maximum(inputs - weights, 0.0)
    zero_bubble = np.sum(seats(table.pp, filled.shape[1]) * filled, axis=1) - over_stages(filled)
    missing = np.maximum(p - m, 0.0) * over_stages(np.minimum(inputs, weights))
    dual = table.schedule == SCHEDULES.index("dualpipe")
    work = times.forward + times.backward
    stand = seats(table.pp, work.shape[1]) > 0
    ways = np.where(stand, 0.5 * (work + mirrored(work)), 0.0).max(axis=1)
    turns = np.maximum(times.forward, inputs) + filled - times.joined
    turn = turns[:, 1:-1].mean(axis=1) if turns.shape[1] > FOLDED - 1 else np.zeros_like(m)
    half = p / 2.0 - 1.0
    saved = np.maximum(m - p - 1.0, 0.0) * over_stages(times.joined)
    zb = (table.schedule == SPLIT_BACKWARD) & (table.pp > 1)
    idle = np.where(zb, zero_bubble + missing, np.where(dual, half * turn, bubble))
    return idle, np.where(dual, m * ways - saved, busy)


def straggling(nodes: Floats | float) -> Any:
    """Return the share of a step for which the slowest of ``nodes`` equal nodes keeps the others waiting.

    The expected largest of n normal deviations is about sqrt(2 ln n) of their spread.
    """
    return NODE_SPREAD * np.sqrt(2.0 * np.log(np.maximum(nodes, 1.0)))


def exposed_sends(times: StepTimes, table: PlanTable) -> Floats:
    """Return how many sends from stage to stage a step waits for.

    Filling and draining takes one per hop. After that GPipe waits for the exposed share of two sends per micro-batch.
    1F1B does not get by with less than (p - 1) / p of them, however well they overlap: stage 0 holds p micro-batches
    and gets the first one back after 2 (p - 1) sends. Interleaving holds enough to hide the rest of each send.
    """
    m, p, v = table.micro_batches.astype(float), table.pp.astype(float), table.vpp.astype(float)
    shown = times.boundary_exposed
    held_back = np.where(table.schedule == SCHEDULES.index("gpipe"), 0.0, (p - 1) / p)
    plain = 2.0 * (p - 1) + 2.0 * (m - 1) * np.maximum(held_back, shown)
    interleaved = np.maximum(2.0 * (v * p - 1), 2.0 * m * v * shown)
    return np.where(p > 1, np.where(v > 1, interleaved, plain), 0.0)


def ragged_bubble(m: Floats, p: Floats, v: Floats, stage: Floats, backward: Floats) -> Floats:
    """Return the extra idle time of an interleaved schedule whose micro-batches do not come in multiples of p.

    Where there are other micro-batches to turn to (m > p), gaps between forward passes are filled with them.
    """
    rest = np.where((v > 1) & (m % p > 0), p - m % p, 0.0)
    return rest * (v - 1) / v * np.where(m > p, backward, stage)
