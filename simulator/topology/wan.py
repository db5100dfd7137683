"""Links between sites: how soon, how fast and for how much money.

All formulas take numbers or numpy arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.foundation.errors import InputError
from simulator.foundation.units import KILO, MICRO

#: light in glass: 1 km takes 4.9 us one way (group index 1.468 of standard single-mode fibre at 1550 nm, ITU-T G.652)
SECONDS_PER_METER: Final = 4.9 * MICRO / KILO
#: bytes of payload in one segment on an Ethernet path (1500 less IP and TCP headers)
SEGMENT_BYTES: Final = 1460.0
#: Mathis, Semke, Mahdavi, Ott 1997, periodic loss with every packet acknowledged: sqrt(3/2)
MATHIS_CONSTANT: Final = 1.5**0.5

Floats: TypeAlias = np.float64 | NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wan:
    """A link between two sites.

    Attributes:
        rtt: seconds, there and back, without load.
        bandwidth: bytes/s per direction.
        loss: share of packets lost, 0 to below 1.
        usd_per_byte: money for a byte that leaves a site.
        streams: TCP connections that share one transfer.
        between: names of the two sites; empty for every pair of sites.
    """

    rtt: float
    bandwidth: float
    loss: float = 0.0
    usd_per_byte: float = 0.0
    streams: int = 1
    between: tuple[str, str] | tuple[()] = ()

    def __post_init__(self) -> None:
        if not self.rtt > 0 or not self.bandwidth > 0:
            found = f"{self.rtt:g} s and {self.bandwidth:g} B/s"
            raise InputError(f"a WAN link needs an rtt and a bandwidth above 0; found {found}.")
        if not 0 <= self.loss < 1:
            raise InputError(f"the loss of a WAN link is a share from 0 to below 1; found {self.loss:g}.")
        if self.usd_per_byte < 0 or self.streams < 1:
            raise InputError("a WAN link needs a price of at least 0 and at least 1 stream.")

    @property
    def latency(self) -> float:
        """Seconds, one way."""
        return self.rtt / 2

    @property
    def throughput(self) -> float:
        """Bytes/s per direction that a transfer reaches, loss included."""
        return float(throughput(self.bandwidth, self.rtt, self.loss, streams=self.streams))


def rtt_of_distance(meters: ArrayLike) -> Floats:
    """Return the least round trip in seconds over that much fibre.

    >>> round(float(rtt_of_distance(1_000_000)) * 1e3, 3)
    9.8
    """
    return 2 * SECONDS_PER_METER * np.asarray(meters, dtype=np.float64)


def bandwidth_delay_product(bandwidth: ArrayLike, rtt: ArrayLike) -> Floats:
    """Return the bytes that must be in flight to fill a path."""
    return np.asarray(bandwidth, dtype=np.float64) * np.asarray(rtt, dtype=np.float64)


def mathis_bound(rtt: ArrayLike, loss: ArrayLike, *, segment: ArrayLike = SEGMENT_BYTES) -> Floats:
    """Return the bytes/s that one TCP connection with halving on loss can reach; infinite without loss.

    ``segment / rtt * sqrt(3 / 2) / sqrt(loss)``.

    Source: Mathis, Semke, Mahdavi, Ott 1997, doi:10.1145/263932.264023.
    Leaves out: timeouts (high loss), and senders that do not halve (BBR, CUBIC on long paths).
    """
    with np.errstate(divide="ignore"):
        share = MATHIS_CONSTANT / np.sqrt(np.asarray(loss, dtype=np.float64))
    return np.asarray(segment, dtype=np.float64) / np.asarray(rtt, dtype=np.float64) * share


def throughput(bandwidth: ArrayLike, rtt: ArrayLike, loss: ArrayLike, *, streams: ArrayLike = 1) -> Floats:
    """Return bytes/s of a transfer: the link, or what its connections reach under loss."""
    return np.minimum(np.asarray(bandwidth, dtype=np.float64), np.asarray(streams) * mathis_bound(rtt, loss))


def transfer_time(size: ArrayLike, link: Wan) -> Floats:
    """Return seconds until the last of ``size`` bytes has arrived at the other site."""
    return link.latency + np.asarray(size, dtype=np.float64) / link.throughput


def transfer_usd(size: ArrayLike, link: Wan) -> Floats:
    """Return the money for sending ``size`` bytes to the other site."""
    return np.asarray(size, dtype=np.float64) * link.usd_per_byte
