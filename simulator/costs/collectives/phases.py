"""What an algorithm does, in phases, and what a phase costs: steps over each tier, and bytes through each tier.

The price of a phase is ``steps * hop + max over tiers of (x + 2 sqrt(a x))`` with ``x = bytes / rate``: a message cut
into ``c`` chunks, each costing ``a`` to hand over, takes ``x + c a + x / c`` or so, and ``c = sqrt(x / a)`` is best.
The tiers of one phase work at the same time (the chunks stream through all of them); phases follow one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from simulator.costs.collectives.reach import Array, Level, Reach
from simulator.foundation.units import KIBI

Kind = Literal["steps", "exchange", "pair", "in-network", "direct"]

_POINT_TO_POINT: Final = ("exchange", "pair")
_BOTH_WAYS: Final = 2  # ranks of a ring whose two neighbours are the same one


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How bytes are handed over.

    Attributes:
        payload: useful share of the bytes on the wire.
    """

    name: str
    payload: float


#: LL puts a 4 B flag beside every 4 B of data, LL128 8 B of flags in every 128 B; "simple" sends whole chunks.
#: Source: NVIDIA NCCL 2.x, src/include/device.h and the paper arXiv:2507.04786.
LL: Final = Protocol(name="ll", payload=0.5)
LL128: Final = Protocol(name="ll128", payload=120 / 128)
SIMPLE: Final = Protocol(name="simple", payload=1.0)
PROTOCOLS: Final = (LL, LL128, SIMPLE)

#: largest message per peer that an exchange sends with LL (NCCL_P2P_LL_THRESHOLD of NCCL 2.x), B
EXCHANGE_LL_LIMIT: Final = 16 * KIBI


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A part of a collective that runs after the one before it.

    Attributes:
        hops: dependent steps over each tier, innermost first.
        wire: bytes that each rank sends through each tier, its share of what all ranks below send there.
        copied: bytes that each rank moves inside its device beside.
        kind: ``steps`` (rings, trees), ``exchange`` (each with all others), ``pair`` (each with one other),
            ``in-network`` (the switch reduces) or ``direct`` (a kernel that reads its peers' memory).
        message: bytes per peer, which decides the protocol of an exchange.
        peers: partners of an exchange.
    """

    hops: tuple[Array, ...]
    wire: tuple[Array, ...]
    copied: Any = 0.0
    kind: Kind = "steps"
    message: Any = 0.0
    peers: Any = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Seconds: ``latency`` before bytes flow, ``transfer`` while they do, which stretches when links are shared."""

    latency: Array
    transfer: Array

    @property
    def time(self) -> Array:
        """Both together."""
        return self.latency + self.transfer


def price(phases: Sequence[Phase], over: Reach, protocol: Protocol) -> Price:
    """Return what the phases cost one after another, the start of the kernel included."""
    fabric = over.inner.fabric
    direct = any(phase.kind == "direct" for phase in phases)
    latency: Array = np.asarray(fabric.direct_launch if direct else fabric.launch)
    transfer: Array = np.asarray(0.0)
    for phase in phases:
        latency = latency + _latency(phase, over, protocol)
        transfer = transfer + _transfer(phase, over, protocol)
    return Price(latency=latency, transfer=transfer)


def _latency(phase: Phase, over: Reach, protocol: Protocol) -> Array:
    total: Array = np.asarray(0.0)
    for hops, level in zip(phase.hops, over.levels, strict=True):
        total = total + hops * np.maximum(_hop(level, phase.kind, protocol), level.latency)
    if phase.kind in _POINT_TO_POINT:
        few, many, each = _exchange_start(over)
        small = np.asarray(phase.message) <= EXCHANGE_LL_LIMIT
        total = total + np.where(small, few, many) + each * np.maximum(np.asarray(phase.peers) - 1, 0)
    return total


def _hop(level: Level, kind: Kind, protocol: Protocol) -> float:
    if kind == "direct":
        return level.fabric.direct_step
    if kind in _POINT_TO_POINT:
        return 0.0
    extra = {"ll": 0.0, "ll128": level.fabric.extra_ll128}.get(protocol.name, level.fabric.extra_simple)
    return level.fabric.hop + extra


def _transfer(phase: Phase, over: Reach, protocol: Protocol) -> Array:
    """Return the slowest tier's time for its bytes; chunks stream through all tiers at once."""
    slowest: Array = np.asarray(0.0)
    copied_at = _innermost(over)
    for position, (wire, level) in enumerate(zip(phase.wire, over.levels, strict=True)):
        extra = np.where(copied_at == position, level.fabric.copy_weight * np.asarray(phase.copied), 0.0)
        payload = _payload(phase, protocol)
        x = (wire + extra * (wire > 0)) / (rate(level, phase.kind) * payload)
        chunked = payload == SIMPLE.payload
        chunks = np.where(chunked & (phase.kind != "direct"), 2 * np.sqrt(level.fabric.chunk_overhead * x), 0.0)
        slowest = np.maximum(slowest, x + chunks)
    return slowest


def _payload(phase: Phase, protocol: Protocol) -> Array:
    if phase.kind in _POINT_TO_POINT:
        return np.where(np.asarray(phase.message) <= EXCHANGE_LL_LIMIT, LL.payload, SIMPLE.payload)
    return np.asarray(SIMPLE.payload if phase.kind in ("in-network", "direct") else protocol.payload)


def rate(level: Level, kind: Kind) -> Array:
    """Return the B/s that one rank reaches over a tier, all ranks of the group sending."""
    fabric = level.fabric
    fraction = fabric.link_fraction
    if kind == "in-network":
        fraction = fabric.in_network_fraction or fraction
    if kind == "direct":
        fraction = fabric.direct_fraction
    own = {"exchange": level.uniform, "pair": level.pair}.get(kind, level.bandwidth) * fraction
    both_ways = (level.ranks == _BOTH_WAYS) & (level.below > 1)
    own = own * np.where(both_ways, fabric.two_hosts_fraction, 1.0)
    if fabric.host_capacity is None:
        return own
    shared = np.minimum(own, fabric.host_capacity / np.maximum(level.ranks, 1))
    return np.where(level.ranks > fabric.host_pair, shared, own)


def _exchange_start(over: Reach) -> tuple[Array, Array, Array]:
    """Return message_ll, message_simple and peer of the outermost tier that joins anything."""
    few, many, each = (np.asarray(0.0) for _ in range(3))
    for position, level in enumerate(over.levels):
        here = np.asarray(True) if position == 0 else level.ranks > 1
        few = np.where(here, level.fabric.message_ll, few)
        many = np.where(here, level.fabric.message_simple, many)
        each = np.where(here, level.fabric.peer, each)
    return few, many, each


def _innermost(over: Reach) -> Array:
    """Return the position of the innermost tier that joins anything."""
    position: Array = np.asarray(len(over.levels) - 1)
    for index in range(len(over.levels) - 2, -1, -1):
        position = np.where(over.levels[index].ranks > 1, index, position)
    return position
