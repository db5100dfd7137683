"""A request that passes several models: stages joined by a graph without circles; a stage waits for all before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

import numpy as np
import numpy.typing as npt

from simulator.foundation.errors import InputError

Floats = npt.NDArray[np.float64]
#: arrivals in order, and whose they are -> the ends of service in the same order; NaN for who is not served
Stage = Callable[[Floats, npt.NDArray[np.int64]], Floats]


def play_graph(
    arrival_s: Floats, stages: Mapping[str, Stage], before: Mapping[str, Sequence[str]]
) -> dict[str, Floats]:
    """Return when each request leaves each stage; NaN from the stage on that did not serve it.

    Args:
        arrival_s: of the requests, in order.
        stages: by name.
        before: the stages that must be done before each one; none: it starts with the arrival.

    Raises:
        InputError: a circle, or a stage that is not there.
    """
    for name, others in before.items():
        for other in (name, *others):
            if other not in stages:
                raise InputError(f"no stage {other!r}. Known: {', '.join(stages)}.")
    try:
        order = list(TopologicalSorter({name: before.get(name, ()) for name in stages}).static_order())
    except CycleError as error:
        raise InputError(f"the stages wait for each other in a circle: {' -> '.join(error.args[1])}.") from None
    ends: dict[str, Floats] = {}
    for name in order:
        reached = arrival_s
        for other in before.get(name, ()):
            reached = np.maximum(reached, ends[other])
        queue = np.argsort(reached, kind="stable")
        left = np.empty(len(arrival_s))
        left[queue] = stages[name](reached[queue], queue)
        ends[name] = left
    return ends
