"""Who takes part, and over which wires: the ranks of a group tier by tier, with what each rank may send there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simulator.costs.collectives.fabric import Fabric, load_fabrics
from simulator.costs.collectives.slices import slice_of
from simulator.foundation.errors import InputError
from simulator.topology.tiers import Tier

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One tier as the group sees it.

    Attributes:
        ranks: sub-groups of the tier further in that this tier joins; 1: nothing to join.
        below: ranks inside one domain of the tier further in; 1 for the innermost.
        bandwidth: what one rank may send over this tier while the others of the group do, B/s by the datasheet.
        uniform: the same when each rank sends to all others alike.
        pair: what one rank may send to one other, B/s.
        latency: one way, s; a step over the tier takes no less.
        fabric: the constants of its class.
    """

    ranks: Array
    below: Array
    bandwidth: Array
    uniform: Array
    pair: Array
    latency: float
    fabric: Fabric


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """A group on its tiers, innermost first.

    Attributes:
        steps: hops from a rank to the furthest one of the innermost tier, where that is a torus.
    """

    levels: tuple[Level, ...]
    steps: Array | None = None

    @property
    def size(self) -> Array:
        """Ranks in all."""
        last = self.levels[-1]
        return last.below * last.ranks

    @property
    def inner(self) -> Level:
        """The innermost level; its fabric says what starting a kernel costs."""
        return self.levels[0]


def fabrics_of(tiers: Sequence[Tier]) -> tuple[Fabric, ...]:
    """Return the class of fabric of each tier: by its link profile, by its name (``pcie``, ``wan``), else ``unnamed``.

    Raises:
        UnknownName: the link of a tier belongs to no class of the shipped table.
    """
    table = load_fabrics()
    return tuple(table[tier.link or (tier.name if tier.name in table else "unnamed")] for tier in tiers)


def reach(
    group: Sequence[Any] | int,
    tiers: Sequence[Tier],
    fabrics: Sequence[Fabric] | None = None,
    *,
    alone: bool = False,
    torus: Sequence[int] = (),
    spacing: Any = 1,
) -> Reach:
    """Lay a group on the tiers of a cluster.

    Args:
        group: ranks per tier, innermost first: ``(8, 16)`` is 8 in each of 16 nodes. Each may be an array.
        tiers: of the cluster, innermost first; at least as many as the group names.
        fabrics: class of each tier; by default those of :func:`fabrics_of`.
        alone: nobody else uses the domains of the group, so that a few ranks of a node may use all its adapters, each
            up to its own port. Otherwise a rank has its fair share.
        torus: lengths along the axes of the slice that the group takes of a torus; by default it fills axes in turn.
        spacing: devices from one rank of the group to the next, by which it lies on a torus.

    Raises:
        InputError: more entries than tiers, less than one rank, or more ranks than a tier spans.
    """
    counts = [np.asarray(ranks, dtype=float) for ranks in (group if isinstance(group, Sequence) else (group,))]
    if not counts or len(counts) > len(tiers):
        known = ", ".join(tier.name for tier in tiers)
        raise InputError(f"the group names {len(counts)} tiers; the cluster has {len(tiers)}: {known}.")
    classes = tuple(fabrics) if fabrics is not None else fabrics_of(tiers[: len(counts)])
    levels: list[Level] = []
    below: Array = np.asarray(1.0)
    for position, (ranks, tier) in enumerate(zip(counts, tiers, strict=False)):
        _check(ranks, below, tier)
        inside = tiers[position - 1].span if position else 1
        spread = inside / below if alone else np.ones_like(below)
        levels.append(_level(tier, classes[position], ranks, below, spread))
        below = below * ranks
    part = slice_of(tiers[0], counts[0], spacing, torus)
    if part is None:
        return Reach(levels=tuple(levels))
    levels[0] = replace(levels[0], bandwidth=part.bandwidth, uniform=part.uniform)
    return Reach(levels=tuple(levels), steps=part.steps)


def whole(tiers: Sequence[Tier], devices: int) -> tuple[int, ...]:
    """Return the group of the first ``devices`` devices, filling domain after domain.

    >>> from simulator.topology.tiers import Tier
    >>> node = Tier(name="nvlink", span=8, bandwidth=1.0, port_bandwidth=1.0, latency=0.0)
    >>> leaf = Tier(name="leaf", span=64, bandwidth=1.0, port_bandwidth=1.0, latency=0.0)
    >>> whole((node, leaf), 32)
    (8, 4)

    Raises:
        InputError: more devices than there are, or domains that cannot be filled alike.
    """
    group: list[int] = []
    left, inside = devices, 1
    for tier in tiers:
        ranks = min(left, max(tier.span // inside, 1))
        if left % ranks:
            raise InputError(
                f"{devices} devices do not fill {tier.name!r} domains of {tier.span} alike; "
                f"name a multiple of {tier.span}."
            )
        group.append(ranks)
        left, inside = left // ranks, tier.span
        if left == 1:
            return tuple(group)
    raise InputError(f"{devices} devices; the cluster has {tiers[-1].span}.")


def _check(ranks: Array, below: Array, tier: Tier) -> None:
    if np.any(ranks < 1) or np.any(below * ranks > tier.span):
        raise InputError(
            f"{np.max(below * ranks):g} ranks up to tier {tier.name!r}, which spans {tier.span} devices; "
            "name at least 1 and at most so many."
        )


def _level(tier: Tier, fabric: Fabric, ranks: Array, below: Array, spread: Array) -> Level:
    """``spread``: how many devices' shares one rank may take, up to its port."""
    bandwidth: Array = np.minimum(tier.port_bandwidth, tier.bandwidth * spread)
    if tier.pair_limit is not None and tier.torus is None:  # direct links: r ranks use r - 1 of a device's links
        bandwidth = np.minimum(bandwidth, tier.pair_limit * np.maximum(ranks - 1, 1))
    return Level(
        ranks=ranks,
        below=below,
        bandwidth=bandwidth,
        uniform=np.minimum(bandwidth, tier.uniform_bandwidth * spread),
        pair=np.minimum(bandwidth, tier.pair_bandwidth),
        latency=tier.latency,
        fabric=fabric,
    )
