"""The state of running flows, and its repair after a change: only what the change touches is solved again.

A flow's allocation stays right as long as its certificate holds: it crosses a full link on which nobody has a higher
level. A change breaks certificates near it. Those flows are filled again on what the others leave; if that breaks
further certificates, the set grows and is filled again, until all hold. What was not touched keeps its bits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from simulator.engine.network.heap import build, drop, put
from simulator.engine.network.jit import kernel

#: relative slack of a certificate; well above rounding, well below anything that matters
TOLERANCE = 1e-9


class State(NamedTuple):
    """Arrays of the running flows; crossings of a link form a doubly linked list.

    Per link: capacity, load (B/s), top (highest level), head (first crossing or -1); working arrays in_set, weight,
    left, touched; a heap (heap_keys, heap_links, heap_where). Per flow: starts (of its crossings), mass, level, old
    (level before the repair), bottleneck (link or -1), in_set, waiting. Per crossing: links, owner, after, before.
    """

    capacity: Any
    load: Any
    top: Any
    head: Any
    link_in_set: Any
    weight: Any
    left: Any
    touched: Any
    heap_keys: Any
    heap_links: Any
    heap_where: Any
    starts: Any
    mass: Any
    level: Any
    old: Any
    bottleneck: Any
    in_set: Any
    waiting: Any
    chosen: Any
    links: Any
    owner: Any
    after: Any
    before: Any


def new_state(starts: Any, links: Any, capacity: Any, mass: Any) -> State:
    """Return the state with no flow running yet; ``starts`` and ``links`` are the crossings of all flows to come."""
    count, flows, crossings = capacity.size, starts.size - 1, links.size
    owner = np.repeat(np.arange(flows, dtype=np.int64), np.diff(starts))
    return State(
        capacity=capacity.astype(np.float64),
        load=np.zeros(count),
        top=np.zeros(count),
        head=np.full(count, -1, np.int64),
        link_in_set=np.zeros(count, np.bool_),
        weight=np.zeros(count),
        left=np.zeros(count),
        touched=np.empty(count, np.int64),
        heap_keys=np.empty(count),
        heap_links=np.empty(count, np.int64),
        heap_where=np.full(count, -1, np.int64),
        starts=starts.astype(np.int64),
        mass=mass.astype(np.float64),
        level=np.zeros(flows),
        old=np.zeros(flows),
        bottleneck=np.full(flows, -1, np.int64),
        in_set=np.zeros(flows, np.bool_),
        waiting=np.zeros(flows, np.bool_),
        chosen=np.empty(flows, np.int64),
        links=links.astype(np.int64),
        owner=owner,
        after=np.full(crossings, -1, np.int64),
        before=np.full(crossings, -1, np.int64),
    )


@kernel
def choose(s: State, flow: int, number: int) -> int:
    """Add a flow to the set to be filled again; return the new size of the set."""
    if s.in_set[flow]:
        return number
    s.in_set[flow] = True
    s.old[flow] = s.level[flow]
    s.chosen[number] = flow
    return number + 1


@kernel
def enter(s: State, flow: int, number: int) -> int:
    """Let a flow run, with level 0 until the repair; return the new size of the set."""
    for entry in range(s.starts[flow], s.starts[flow + 1]):
        link = s.links[entry]
        first = s.head[link]
        s.after[entry] = first
        s.before[entry] = -1
        if first >= 0:
            s.before[first] = entry
        s.head[link] = entry
    s.level[flow] = 0.0
    s.bottleneck[flow] = -1
    return choose(s, flow, number)


@kernel
def leave(s: State, flow: int) -> None:
    """Take a flow out. Once all that leave at an instant are out, :func:`held_back` tells who may now be faster."""
    for entry in range(s.starts[flow], s.starts[flow + 1]):
        link = s.links[entry]
        previous = s.before[entry]
        following = s.after[entry]
        if previous >= 0:
            s.after[previous] = following
        else:
            s.head[link] = following
        if following >= 0:
            s.before[following] = previous
        s.load[link] -= s.level[flow] * s.mass[flow]
        if s.head[link] < 0:
            s.load[link] = 0.0
    s.level[flow] = 0.0


@kernel
def held_back(s: State, link: int, number: int) -> int:
    """Add the flows whose bottleneck is a link to the set; return its new size."""
    crossing = s.head[link]
    while crossing >= 0:
        flow = s.owner[crossing]
        if s.bottleneck[flow] == link:
            number = choose(s, flow, number)
        crossing = s.after[crossing]
    return number


@kernel
def resize(s: State, link: int, capacity: float, number: int) -> int:
    """Change a capacity; all flows of the link join the set. Return its new size."""
    s.capacity[link] = capacity
    crossing = s.head[link]
    while crossing >= 0:
        number = choose(s, s.owner[crossing], number)
        crossing = s.after[crossing]
    return number


@kernel
def repair(s: State, number: int) -> int:
    """Fill the set again, growing it until every certificate holds; return the size of the set, left in ``chosen``.

    ``old`` holds the levels before; ``in_set`` is cleared.
    """
    while number > 0:
        touched = _collect(s, number)
        _refill(s, touched)
        for index in range(touched):
            s.top[s.touched[index]] = _highest(s, s.touched[index])
        grown = number
        for index in range(touched):
            grown = _broken(s, s.touched[index], grown)
        for index in range(touched):
            s.link_in_set[s.touched[index]] = False
        if grown == number:
            break
        number = grown
    for index in range(number):
        s.in_set[s.chosen[index]] = False
    return number


@kernel
def _collect(s: State, number: int) -> int:
    """Gather the links of the set, with the weight of the set on each and what the others leave."""
    touched = 0
    for index in range(number):
        flow = s.chosen[index]
        s.waiting[flow] = True
        for entry in range(s.starts[flow], s.starts[flow + 1]):
            link = s.links[entry]
            if not s.link_in_set[link]:
                s.link_in_set[link] = True
                s.touched[touched] = link
                touched += 1
                s.weight[link] = 0.0
                s.left[link] = s.capacity[link] - s.load[link]
            s.weight[link] += s.mass[flow]
            s.left[link] += s.level[flow] * s.mass[flow]
    return touched


@kernel
def _refill(s: State, touched: int) -> None:
    """Fill the flows of the set on the links of the set."""
    size = touched
    for index in range(touched):
        link = s.touched[index]
        s.heap_keys[index] = max(s.left[link], 0.0) / s.weight[link]
        s.heap_links[index] = link
    build(s.heap_keys, s.heap_links, s.heap_where, size)
    while size > 0:
        share = s.heap_keys[0]
        full = s.heap_links[0]
        size = drop(s.heap_keys, s.heap_links, s.heap_where, size, full)
        crossing = s.head[full]
        while crossing >= 0:
            flow = s.owner[crossing]
            if s.in_set[flow] and s.waiting[flow]:
                size = _freeze(s, flow, share, full, size)
            crossing = s.after[crossing]


@kernel
def _freeze(s: State, flow: int, share: float, full: int, size: int) -> int:
    """Give a flow its level; return the size of the heap of links that are not full yet."""
    s.waiting[flow] = False
    s.bottleneck[flow] = full
    change = (share - s.level[flow]) * s.mass[flow]
    s.level[flow] = share
    for entry in range(s.starts[flow], s.starts[flow + 1]):
        link = s.links[entry]
        s.load[link] += change
        s.weight[link] -= s.mass[flow]
        s.left[link] -= share * s.mass[flow]
        if s.heap_where[link] < 0:
            continue
        if s.weight[link] <= 1e-9 * s.mass[flow]:
            size = drop(s.heap_keys, s.heap_links, s.heap_where, size, link)
        else:
            key = max(s.left[link], 0.0) / s.weight[link]
            size = put(s.heap_keys, s.heap_links, s.heap_where, size, link, key)
    return size


@kernel
def _highest(s: State, link: int) -> float:
    top = 0.0
    crossing = s.head[link]
    while crossing >= 0:
        top = max(top, s.level[s.owner[crossing]])
        crossing = s.after[crossing]
    return top


@kernel
def _holds(s: State, flow: int, link: int) -> bool:
    """Whether a link is a bottleneck of a flow: full, and nobody on it is faster."""
    full = s.load[link] >= s.capacity[link] * (1.0 - TOLERANCE)
    return bool(full and s.level[flow] >= s.top[link] * (1.0 - TOLERANCE))


@kernel
def _broken(s: State, link: int, number: int) -> int:
    """Add to the set the flows of a link whose certificate broke; return the new size of the set."""
    lowest = np.inf
    crossing = s.head[link]
    while crossing >= 0:
        flow = s.owner[crossing]
        if s.bottleneck[flow] == link:
            if s.in_set[flow]:
                lowest = min(lowest, s.level[flow])
            elif not _holds(s, flow, link):
                number = _other_bottleneck(s, flow, number)
        crossing = s.after[crossing]
    if lowest < s.top[link] * (1.0 - TOLERANCE):
        crossing = s.head[link]
        while crossing >= 0:
            flow = s.owner[crossing]
            if s.level[flow] > lowest * (1.0 + TOLERANCE):
                number = choose(s, flow, number)
            crossing = s.after[crossing]
    return number


@kernel
def _other_bottleneck(s: State, flow: int, number: int) -> int:
    """Find another link that holds a flow back, else add the flow to the set."""
    for entry in range(s.starts[flow], s.starts[flow + 1]):
        if _holds(s, flow, s.links[entry]):
            s.bottleneck[flow] = s.links[entry]
            return number
    return choose(s, flow, number)
