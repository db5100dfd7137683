"""Which ranks of a group sit together: a group is folded to how many members share each tier of the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulator.topology.tiers import Tier

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A communication group by tier, innermost first: ``members[i]`` of its ranks share one domain of tier i.

    The last entry is the size of the group, and ``spacing`` how many devices lie from one rank to the next. Entries are
    arrays with one value per plan.
    """

    members: tuple[Ints, ...]
    spacing: Ints

    @property
    def size(self) -> Ints:
        """Ranks in the group."""
        return self.members[-1]

    def apart(self) -> Group:
        """Return the group as if no two members shared a tier but the outermost: each talks through its own port."""
        alone = tuple(np.ones_like(self.size) for _ in self.members[:-1])
        return replace(self, members=(*alone, self.size))

    def take(self, rows: Ints | slice) -> Group:
        """Return the groups of the chosen plans."""
        return Group(members=tuple(members[rows] for members in self.members), spacing=self.spacing[rows])

    def times(self, outer: Group) -> Group:
        """Return the group of all pairs of a member of this one and one of ``outer``, which lie at other distances."""
        pairs = zip(self.members, outer.members, strict=True)
        nearer = np.where(outer.size > 1, np.minimum(self.spacing, outer.spacing), self.spacing)
        spacing = np.where(self.size > 1, nearer, outer.spacing)
        return Group(members=tuple(mine * theirs for mine, theirs in pairs), spacing=spacing)

    def where(self, mask: NDArray[np.bool_], other: Group) -> Group:
        """Return this group where ``mask`` is true, else the other."""
        pairs = zip(self.members, other.members, strict=True)
        members = tuple(np.where(mask, mine, theirs) for mine, theirs in pairs)
        return Group(members=members, spacing=np.where(mask, self.spacing, other.spacing))


def place_group(size: Ints, stride: Ints, tiers: Sequence[Tier]) -> Group:
    """Fold a group of ``size`` ranks, ``stride`` apart in rank order, onto the tiers of a cluster.

    Ranks fill a domain before the next one begins, so a domain that spans D devices holds ``D / stride`` members
    (at least one, at most all).
    """
    members: list[Ints] = [np.clip(tier.span // stride, 1, size) for tier in tiers]
    members[-1] = np.asarray(size)
    return Group(members=tuple(members), spacing=np.broadcast_to(stride, np.shape(size)))
