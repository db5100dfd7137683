"""The algorithms of every collective as phases: which steps they take, and which bytes pass which tier.

Sizes follow nccl-tests: what each rank holds for all-reduce, broadcast, reduce, all-to-all and send-recv; the whole
buffer (all ranks together) for all-gather and reduce-scatter.

Sources: Thakur, Rabenseifner & Gropp 2005, doi:10.1177/1094342005051521 (ring, halving-doubling, Bruck, pairwise);
Sanders, Speck & Traeff 2009, doi:10.1016/j.parco.2009.09.001 (double binary tree); Patarasuk & Yuan 2009,
doi:10.1016/j.jpdc.2008.09.002 (ring); Graham et al. 2016, doi:10.1109/COMHPC.2016.006 (reduction in the switch);
Jouppi et al. 2023, arXiv:2304.01433 (torus).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from simulator.costs.collectives.phases import Phase
from simulator.costs.collectives.reach import Array, Reach
from simulator.costs.collectives.traffic import (
    PerTier,
    doubling_hops,
    exchange_wire,
    only,
    ring_hops,
    ring_wire,
    shared_wire,
    times,
    tree_hops,
)
from simulator.foundation.registry import Registry

Phases = tuple[Phase, ...]
Algorithm = Callable[[Reach, Array], Phases]

#: operation -> its algorithms; the names of operations are those of the command line
OPERATIONS: Final[Registry[Registry[Algorithm]]] = Registry("collective")
all_reduce: Final = OPERATIONS.add("all-reduce", Registry("all-reduce algorithm"))
all_gather: Final = OPERATIONS.add("all-gather", Registry("all-gather algorithm"))
reduce_scatter: Final = OPERATIONS.add("reduce-scatter", Registry("reduce-scatter algorithm"))
broadcast: Final = OPERATIONS.add("broadcast", Registry("broadcast algorithm"))
reduce: Final = OPERATIONS.add("reduce", Registry("reduce algorithm"))
all_to_all: Final = OPERATIONS.add("all-to-all", Registry("all-to-all algorithm"))
send_recv: Final = OPERATIONS.add("send-recv", Registry("send-recv algorithm"))


@all_reduce.register("ring")
def _ring_all_reduce(over: Reach, size: Array) -> Phases:
    """Round one ring twice in 2 (p - 1) steps of size / p: a reduce-scatter, then an all-gather."""
    sent = 2 * (over.size - 1) / over.size * size
    return (Phase(hops=times(2, ring_hops(over)), wire=ring_wire(over, sent), copied=size / over.size),)


@all_reduce.register("tree")
def _tree_all_reduce(over: Reach, size: Array) -> Phases:
    """Two binary trees over the nodes, half the bytes each, up and down; a chain inside the node."""
    return (Phase(hops=times(2, tree_hops(over)), wire=times(2, shared_wire(over, size)), copied=size / over.size),)


@all_reduce.register("halving-doubling")
def _halving_doubling(over: Reach, size: Array) -> Phases:
    """Recursive halving then doubling, near partners first; ranks beyond a power of two fold in and out."""
    steps = doubling_hops(over)
    wire = shared_wire(over, size)
    phases = [Phase(hops=only(over, tier, steps), wire=only(over, tier, wire)) for tier in range(len(steps))]
    uneven = np.exp2(np.floor(np.log2(over.size))) != over.size
    folding = tuple(np.where(uneven & (level.ranks > 1), 1.0, 0.0) for level in over.levels)
    fold = Phase(hops=folding, wire=times(size, folding))
    return (fold, *phases, *reversed(phases), fold)


@all_reduce.register("hierarchical")
def _hierarchical_all_reduce(over: Reach, size: Array) -> Phases:
    """Reduce-scatter tier by tier outwards, all-gather tier by tier inwards, a ring in each."""
    phases = _tier_by_tier(over, size)
    return (*phases, *reversed(phases))


@all_reduce.register("torus")
def _torus_all_reduce(over: Reach, size: Array) -> Phases:
    """Rings along every dimension of the torus, both ways at once; above it a ring per tier."""
    torus = _torus(over, size)
    upper = _tier_by_tier(over, size)[1:]
    return (torus, *upper, *reversed(upper), torus)


@all_reduce.register("in-network")
def _in_network_all_reduce(over: Reach, size: Array) -> Phases:
    """The switch of the innermost tier reduces (NVLS): each rank sends its bytes once and its share once more.

    Above it two binary trees join the nodes, as the libraries do.
    """
    first = over.inner
    steps = tuple(2 * hops for hops in doubling_hops(over))
    inside = np.where(first.ranks > 1, size * (1 + 1 / first.ranks), 0.0)
    wire = times(2, shared_wire(over, size))
    hops = (np.where(first.ranks > 1, 2.0, 0.0), *steps[1:])
    return (Phase(hops=hops, wire=(inside, *wire[1:]), kind="in-network"),)


@all_reduce.register("sharp")
def _sharp_all_reduce(over: Reach, size: Array) -> Phases:
    """Every switch up to the outermost tier reduces: bytes leave a domain once and come back once."""
    hops = tuple(np.where(level.ranks > 1, 2.0, 0.0) for level in over.levels)
    return (Phase(hops=hops, wire=ring_wire(over, size), kind="in-network"),)


@all_reduce.register("one-shot")
def _one_shot_all_reduce(over: Reach, size: Array) -> Phases:
    """A fused kernel of the serving engines: every rank reads the whole buffer of every other one."""
    peers = over.size - 1
    return (Phase(hops=_inner_only(over, peers), wire=exchange_wire(over, size * over.size), kind="direct"),)


@all_reduce.register("two-shot")
def _two_shot_all_reduce(over: Reach, size: Array) -> Phases:
    """A fused kernel: every rank reduces its share by reading its peers', then reads their results."""
    hops = _inner_only(over, 2 * (over.size - 1))
    return (Phase(hops=hops, wire=times(2, exchange_wire(over, size)), kind="direct"),)


@all_gather.register("ring")
@reduce_scatter.register("ring")
def _ring_gather(over: Reach, size: Array) -> Phases:
    """Round one ring in p - 1 steps of size / p."""
    sent = (over.size - 1) / over.size * size
    return (Phase(hops=ring_hops(over), wire=ring_wire(over, sent), copied=size / over.size),)


@all_gather.register("recursive-doubling")
@reduce_scatter.register("recursive-halving")
def _doubling_gather(over: Reach, size: Array) -> Phases:
    """log2 p steps, near partners first in a reduce-scatter and last in an all-gather."""
    steps, wire = doubling_hops(over), shared_wire(over, size)
    return tuple(Phase(hops=only(over, tier, steps), wire=only(over, tier, wire)) for tier in range(len(steps)))


@all_gather.register("hierarchical")
@reduce_scatter.register("hierarchical")
def _hierarchical_gather(over: Reach, size: Array) -> Phases:
    """A ring in each tier, one tier after another."""
    return _tier_by_tier(over, size)


@all_gather.register("torus")
@reduce_scatter.register("torus")
def _torus_gather(over: Reach, size: Array) -> Phases:
    """Rings along every dimension of the torus, both ways at once; above it a ring per tier."""
    return (_torus(over, size), *_tier_by_tier(over, size)[1:])


@broadcast.register("ring")
@reduce.register("ring")
def _ring_rooted(over: Reach, size: Array) -> Phases:
    """The chunks stream along a chain through all ranks."""
    return (Phase(hops=ring_hops(over), wire=ring_wire(over, size * (over.size > 1))),)


@broadcast.register("tree")
@reduce.register("tree")
def _tree_rooted(over: Reach, size: Array) -> Phases:
    """The chunks stream through two binary trees, half the bytes each."""
    return (Phase(hops=doubling_hops(over), wire=ring_wire(over, size * (over.size > 1))),)


@all_to_all.register("pairwise")
def _pairwise(over: Reach, size: Array) -> Phases:
    """Every rank sends size / p to every other one, all at once as far as the wires allow."""
    wire = exchange_wire(over, size)
    share = size / over.size
    return (
        Phase(hops=_outer_only(over), wire=wire, copied=share, kind="exchange", message=share, peers=over.size - 1),
    )


@all_to_all.register("bruck")
def _bruck(over: Reach, size: Array) -> Phases:
    """log2 p rounds of size / 2: few messages, more bytes; near partners first."""
    steps = doubling_hops(over)
    rounds = tuple(hops * size / 2 for hops in steps)
    beyond = tuple(sum(rounds[tier:], np.zeros_like(rounds[tier])) for tier in range(len(rounds)))
    return (Phase(hops=steps, wire=(rounds[0], *beyond[1:])),)


@all_to_all.register("hierarchical")
def _hierarchical_exchange(over: Reach, size: Array) -> Phases:
    """Inside the innermost domain first, so that each rank then sends one message per domain (rail-aligned)."""
    first = over.inner
    wire = exchange_wire(over, size)
    zero = tuple(np.zeros_like(level.ranks) for level in over.levels)
    inside = (np.where(first.ranks > 1, size * (first.ranks - 1) / first.ranks, 0.0), *zero[1:])
    domains = over.size / first.ranks
    step = (np.where(first.ranks > 1, 1.0, 0.0), *zero[1:])
    near = Phase(hops=step, wire=inside, kind="exchange", message=size / first.ranks, peers=first.ranks - 1)
    far = Phase(
        hops=_outer_only(over), wire=(zero[0], *wire[1:]), kind="exchange", message=size / domains, peers=domains - 1
    )
    return (near, far)


@send_recv.register("direct")
def _send_recv(over: Reach, size: Array) -> Phases:
    """One rank sends to one other, over the outermost tier that joins them and all tiers below but the innermost."""
    crossing = np.asarray(over.size > over.inner.ranks)
    inside = np.where(crossing, 0.0, size) * (over.inner.ranks > 1)
    outside = tuple(np.where(over.size > level.below, size, 0.0) for level in over.levels[1:])
    return (Phase(hops=_outer_only(over), wire=(inside, *outside), kind="pair", message=size),)


def _tier_by_tier(over: Reach, size: Array) -> Phases:
    """Return one ring phase per tier, innermost first, the share shrinking as it goes out."""
    phases = []
    for position, level in enumerate(over.levels):
        hops = tuple(
            level.ranks - 1 if index == position else np.zeros_like(level.ranks) for index in range(len(over.levels))
        )
        sent = size / level.below * (level.ranks - 1) / level.ranks
        wire = tuple(
            sent if 0 < index <= position or index == position else np.zeros_like(sent)
            for index in range(len(over.levels))
        )
        phases.append(Phase(hops=hops, wire=wire, copied=size / over.size if position == 0 else 0.0))
    return tuple(phases)


def _torus(over: Reach, size: Array) -> Phase:
    """Return the gather (or scatter) over the innermost tier: all links of a rank at work, both directions."""
    first = over.inner
    steps = np.floor(first.ranks / 2) if over.steps is None else over.steps
    sent = size * (first.ranks - 1) / first.ranks
    zero: PerTier = tuple(np.zeros_like(level.ranks) for level in over.levels)
    return Phase(hops=(np.asarray(steps), *zero[1:]), wire=(sent, *times(0 * sent, zero[1:])), copied=size / over.size)


def _outer_only(over: Reach) -> PerTier:
    """Return one step over the outermost tier that joins anything."""
    return tuple(
        np.where((level.ranks > 1) & (over.size == level.below * level.ranks), 1.0, 0.0) for level in over.levels
    )


def _inner_only(over: Reach, steps: Any) -> PerTier:
    """Return steps over the innermost tier that joins anything."""
    left: Array = np.asarray(steps, dtype=float)
    hops = []
    for level in over.levels:
        here = np.where(level.ranks > 1, left, 0.0)
        hops.append(here)
        left = left - here
    return tuple(hops)
