"""The step time in closed form: how the parts of a step add up under a pipeline schedule.

GPipe and 1F1B with stages of times w_1..w_p (forward plus backward of one micro-batch) and m micro-batches take
``sum(w) + (m - 1) max(w)``: exact for equal stages, where it is (m + p - 1) w (Huang et al. 2019; Narayanan et al.
2019), and a close bound otherwise. Interleaving v chunks per stage divides the idle part by v (Narayanan et al. 2021,
arXiv 2104.04473, section 2.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.step import StepTimes
from simulator.mapping.plan import PlanTable

Floats = NDArray[np.float64]

#: spread of equal nodes' step times: identical machines differ by 2 to 3 % (docs/models.md), half of it within a step
NODE_SPREAD: Final = 0.008


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
    piped = (p > 1).astype(float)
    waits = 2.0 * piped * times.boundary * times.boundary_exposed * v
    slowest = work.max(axis=1)
    everyone = np.where(p == 1, work[:, 1], work[:, 0] + work[:, 2] + np.maximum(p - 2, 0) * work[:, 1])
    bubble = (everyone - slowest) / v + ragged_bubble(m, p, v, slowest) + 2.0 * (p - 1) * times.boundary
    busy = m * slowest
    boundary = m * waits
    alone = busy + bubble + boundary + times.gradients + times.optimizer + times.host
    spread = NODE_SPREAD * np.sqrt(2.0 * np.log(np.maximum(nodes, 1.0)))
    waiting = alone * spread
    return StepEstimate(
        step=alone + waiting,
        parts={
            "compute": busy - m * (times.exchanged + times.gathered + times.waiting),
            "exchange": m * (times.exchanged + times.gathered),
            "host": m * times.waiting + times.host,
            "bubble": bubble,
            "boundary": boundary,
            "gradients": times.gradients,
            "optimizer": times.optimizer,
            "stragglers": waiting,
        },
    )


def ragged_bubble(m: Floats, p: Floats, v: Floats, stage: Floats) -> Floats:
    """Return the extra idle time of an interleaved schedule whose micro-batches do not come in multiples of p."""
    rest = np.where((v > 1) & (m % p > 0), p - m % p, 0.0)
    return rest * (v - 1) / v * stage
