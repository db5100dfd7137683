"""Tiers of the prefix cache of a service below device memory: those of each replica, and one that replicas share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from pydantic import Field

from simulator.foundation.errors import InputError
from simulator.foundation.schema import Bytes, Name, StrictModel, quantity

_Bandwidth: Any = quantity("bandwidth", above=True)
_OF_A_REPLICA: Final = 2  # tiers


class CacheTierFile(StrictModel):
    """Where prefixes go that leave device memory, or, where it is shared, where all that is computed is kept."""

    name: Name
    size: Bytes = Field(description="of one replica, or of the whole pool where it is shared")
    shared: Literal["node", "cluster"] | None = Field(
        default=None,
        description="a pool that all replicas of a node, or of the cluster, write to and read; only the last tier; "
        "a storage then has its rate for all readers together",
    )
    bandwidth: _Bandwidth | None = Field(default=None, description="back to the replica; left out: see storage")
    storage: str | None = Field(
        default=None,
        description="of the catalogue: it reads as fast as that, the host link permitting; left out: host memory, as "
        "fast as the host link of the replica's devices",
    )


def check_tiers(tiers: Sequence[CacheTierFile], *, prefix_cache: bool, partition: Sequence[str]) -> None:
    """Raise :class:`InputError` for tiers that cannot be."""
    names = [tier.name for tier in tiers]
    if names and not prefix_cache:
        raise InputError("tiers keep prefixes; write prefix_cache: true beside them.")
    if len(set(names)) != len(names) or "device" in names:
        raise InputError(f"tiers {', '.join(names)}: each needs a name of its own, and 'device' is taken.")
    if any(tier.shared for tier in tiers[:-1]):
        raise InputError("only the last tier can be shared; put those of a single replica before it.")
    own = sum(tier.shared is None for tier in tiers)
    if own > _OF_A_REPLICA:
        raise InputError(f"{own} tiers of a replica; there may be {_OF_A_REPLICA}, and one shared.")
    if partition and any(tier.shared == "node" for tier in tiers):
        raise InputError("parts of devices are not told apart by node; share the tier over the cluster.")
