"""What closed forms ask of a network: nested domains, each with a fair share, a port and a latency."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

#: share and port of neighbouring tiers may differ by rounding
_ROUNDING: Final = 1 + 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Torus:
    """A grid of devices joined to their neighbours along each axis.

    Attributes:
        dims: devices along each axis; device numbers run fastest along the last.
        wrap: per axis, whether its two ends are joined.
        link_bandwidth: bytes/s per direction of one link.
        hop_latency: seconds, one way, between neighbours.
    """

    dims: tuple[int, ...]
    wrap: tuple[bool, ...]
    link_bandwidth: float
    hop_latency: float

    @property
    def diameter(self) -> int:
        """Hops between the two devices furthest apart."""
        return sum(size // 2 if wrap else size - 1 for size, wrap in zip(self.dims, self.wrap, strict=True))

    def links_along(self, axis: int) -> float:
        """Mean number of links that a device has along an axis: 2 on a ring, less on a line, 0 on a point."""
        size = self.dims[axis]
        return 2.0 if self.wrap[axis] else 2.0 * (size - 1) / size


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One level of nested domains, seen from one device.

    Attributes:
        name: ``nvlink``, ``pcie``, ``ici``, ``leaf``, ``spine``, ``core``, ``wan``...
        span: devices inside one domain.
        bandwidth: bytes/s per direction that each device gets when all of a domain send across it at once
            (oversubscription included; on direct links: all to their neighbours).
        port_bandwidth: bytes/s per direction that one device gets when it alone sends.
        latency: seconds, one way, without load; on a torus, of one hop.
        pair_limit: bytes/s between two devices, where it is less than ``port_bandwidth`` (direct links).
        uniform_limit: bytes/s per device when each sends to all others alike, where it is less than ``bandwidth``.
        shape: name of the shape that makes this tier.
        torus: the grid, where the tier is one.
        link: name of the link profile that carries it, by which costs find what software adds; empty if unknown.
    """

    name: str
    span: int
    bandwidth: float
    port_bandwidth: float
    latency: float
    pair_limit: float | None = None
    uniform_limit: float | None = None
    shape: str = ""
    torus: Torus | None = None
    link: str = ""

    def __post_init__(self) -> None:
        assert self.span >= 1 and self.bandwidth > 0 and self.latency >= 0, self
        assert self.port_bandwidth * _ROUNDING >= self.bandwidth, self

    def narrowed(self, share: float) -> Tier:
        """Return the tier as seen from a device whose links in it carry ``share`` of their bandwidth."""
        if share == 1.0:
            return self
        torus = self.torus and replace(self.torus, link_bandwidth=self.torus.link_bandwidth * share)
        return replace(
            self,
            bandwidth=self.bandwidth * share,
            port_bandwidth=self.port_bandwidth * share,
            pair_limit=self.pair_limit and self.pair_limit * share,
            uniform_limit=self.uniform_limit and self.uniform_limit * share,
            torus=torus,
        )

    @property
    def pair_bandwidth(self) -> float:
        """Bytes/s per direction between two devices while all others are silent."""
        return self.port_bandwidth if self.pair_limit is None else self.pair_limit

    @property
    def uniform_bandwidth(self) -> float:
        """Bytes/s per direction and device when each device sends to all others alike (all-to-all)."""
        return self.bandwidth if self.uniform_limit is None else self.uniform_limit
