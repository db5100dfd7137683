"""The closed form of a run of decode iterations, in integer ticks.

While the batch does not change, iteration ``j`` of a replica takes ``max(floor, first + growth * j)``: every running
request adds one token of context per iteration, so the attention part is affine in ``j``, and the host sets the floor.
"""

from __future__ import annotations

import math

from simulator.engine.serving.compiled import jit


@jit
def span(steps: int, first: int, growth: int, floor: int) -> int:
    """Return the ticks that ``steps`` iterations take together, exactly."""
    if steps <= 0:
        return 0
    flat = 0
    if first < floor:
        if growth == 0:
            return steps * floor
        flat = min(steps, (floor - first + growth - 1) // growth)
        first += growth * flat
        steps -= flat
    return flat * floor + steps * first + growth * (steps * (steps - 1) // 2)


@jit
def steps_until(ticks: int, first: int, growth: int, floor: int) -> int:
    """Return the least number of iterations, at least one, whose span is ``ticks`` or more.

    Inverts the quadratic in floating point and mends it by whole iterations, so that the answer is exact.
    """
    flat = 0
    if first < floor:
        if growth == 0:
            return max(1, -(-ticks // floor))
        flat = (floor - first + growth - 1) // growth
        if ticks <= flat * floor:
            return max(1, -(-ticks // floor))
        ticks -= flat * floor
        first += growth * flat
    if ticks <= first:
        return flat + 1
    if growth == 0:
        return flat + -(-ticks // first)
    slope = 2.0 * first - growth
    steps = max(1, int((math.sqrt(slope * slope + 8.0 * growth * float(ticks)) - slope) / (2.0 * growth)))
    while steps > 1 and (steps - 1) * first + growth * ((steps - 1) * (steps - 2) // 2) >= ticks:
        steps -= 1
    while steps * first + growth * (steps * (steps - 1) // 2) < ticks:
        steps += 1
    return flat + steps
