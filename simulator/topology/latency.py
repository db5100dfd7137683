"""Latencies: from the link's profile where it has one, else a named assumption.

Every constant is one way, in seconds, without load.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simulator.foundation.units import MICRO, NANO
from simulator.profiles.link import Link

#: between two devices over NVLink or a like link: NCCL tuning.cc hwLatency NVLINK, LL ring
DEVICE_LINK: Final = 0.6 * MICRO
#: one hop of a TPU torus: about 1 us (JAX scaling book, rule of thumb)
TORUS_HOP: Final = 1.0 * MICRO
#: between two devices over PCIe: NCCL tuning.cc hwLatency PCI, LL ring
HOST_BUS: Final = 1.0 * MICRO
#: between a device and the adapter under the same PCIe switch; assumed: half of a way between two devices
DEVICE_TO_ADAPTER: Final = HOST_BUS / 2
#: through one network adapter: the figure of InfiniBand HDR adapters (0.6 us), assumed for those without a figure
ADAPTER: Final = 0.6 * MICRO
#: through one switch port to port, by family of link. InfiniBand: assumed, from NVIDIA's "below 130 ns" for Quantum
#: switches; Slingshot: mean 350 ns, De Sensi et al. 2020 (arXiv 2008.08886); Ethernet and others: assumed
SWITCH: Final[Mapping[str, float]] = {"InfiniBand": 130 * NANO, "Slingshot": 350 * NANO, "Omni-Path": 130 * NANO}
OTHER_SWITCH: Final = 600 * NANO


def adapter_latency(link: Link | None) -> float:
    """Return seconds through one adapter."""
    return ADAPTER if link is None or link.latency_s is None else link.latency_s


def switch_latency(link: Link | None, words: str = "") -> float:
    """Return seconds through one switch of a link's family, or of the one that a node's words begin with (``IB``)."""
    family = link.family if link is not None else "InfiniBand" if words.startswith("IB ") else ""
    return SWITCH.get(family, OTHER_SWITCH)


def device_latency(link: Link | None, *, torus: bool) -> float:
    """Return seconds between two devices that a scale-up link joins; on a torus, of one hop."""
    assumed = TORUS_HOP if torus else DEVICE_LINK
    return assumed if link is None or link.latency_s is None else link.latency_s
