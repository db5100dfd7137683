"""Max-min fairness by progressive filling, and the certificate that an allocation is max-min fair.

All flows rise together, each in proportion to its weight; a link that is full freezes the flows that cross it. A flow's
``level`` is its rate over its weight; ``mass`` is weight times the number of like flows that it stands for.

Source: Bertsekas & Gallager, Data Networks, 2nd ed. 1992, section 6.5.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.engine.network.heap import build, drop, put
from simulator.engine.network.jit import kernel


@kernel
def transpose(starts: Any, links: Any, count: int) -> Any:
    """Return the flows of each link as (starts, flows), a flow once for each time that it crosses the link."""
    first = np.zeros(count + 1, np.int64)
    for link in links:
        first[link + 1] += 1
    for link in range(count):
        first[link + 1] += first[link]
    flows = np.empty(links.size, np.int64)
    place = first[:-1].copy()
    for flow in range(starts.size - 1):
        for entry in range(starts[flow], starts[flow + 1]):
            flows[place[links[entry]]] = flow
            place[links[entry]] += 1
    return first, flows


@kernel
def fill(starts: Any, links: Any, first: Any, flows: Any, capacity: Any, mass: Any, live: Any, level: Any) -> None:
    """Write the max-min fair ``level`` of every live flow: O(crossings x log links)."""
    count = capacity.size
    weight = np.zeros(count)
    left = capacity.copy()
    waiting = np.zeros(starts.size - 1, np.bool_)
    for flow in range(starts.size - 1):
        if live[flow]:
            waiting[flow] = True
            for entry in range(starts[flow], starts[flow + 1]):
                weight[links[entry]] += mass[flow]
    keys = np.empty(count)
    items = np.empty(count, np.int64)
    where = np.full(count, -1, np.int64)
    size = 0
    for link in range(count):
        if weight[link] > 0.0:
            keys[size] = left[link] / weight[link]
            items[size] = link
            size += 1
    build(keys, items, where, size)
    while size > 0:
        share = keys[0]
        full = items[0]
        size = drop(keys, items, where, size, full)
        for crossing in range(first[full], first[full + 1]):
            flow = flows[crossing]
            if not waiting[flow]:
                continue
            waiting[flow] = False
            level[flow] = share
            for entry in range(starts[flow], starts[flow + 1]):
                link = links[entry]
                weight[link] -= mass[flow]
                left[link] -= share * mass[flow]
                if where[link] < 0:
                    continue
                if weight[link] <= 1e-9 * mass[flow]:
                    size = drop(keys, items, where, size, link)
                else:
                    size = put(keys, items, where, size, link, max(left[link], 0.0) / weight[link])


@kernel
def certificate(starts: Any, links: Any, capacity: Any, mass: Any, live: Any, level: Any) -> Any:
    """Return (most a link is over its capacity, worst gap to fairness), both relative; zero for a fair allocation.

    An allocation is max-min fair exactly if no link carries more than it can and every flow crosses a full link on
    which no flow has a higher level.
    """
    count = capacity.size
    load = np.zeros(count)
    top = np.zeros(count)
    for flow in range(starts.size - 1):
        if live[flow]:
            for entry in range(starts[flow], starts[flow + 1]):
                link = links[entry]
                load[link] += mass[flow] * level[flow]
                top[link] = max(top[link], level[flow])
    over = 0.0
    for link in range(count):
        if load[link] > 0.0:
            over = max(over, load[link] / capacity[link] - 1.0)
    gap = 0.0
    for flow in range(starts.size - 1):
        if live[flow]:
            best = np.inf
            for entry in range(starts[flow], starts[flow + 1]):
                link = links[entry]
                spare = 1.0 - load[link] / capacity[link] if capacity[link] > 0.0 else 0.0
                behind = 1.0 - level[flow] / top[link] if top[link] > 0.0 else 0.0
                best = min(best, max(spare, behind))
            gap = max(gap, best)
    return over, gap
