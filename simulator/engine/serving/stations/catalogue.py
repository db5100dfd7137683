"""Many models on few devices: a request whose model is not there waits until it is loaded in place of others."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.foundation.errors import Infeasible

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueRun:
    """What each request met, in seconds, and whether its model was there."""

    latency_s: Floats
    hit: npt.NDArray[np.bool_]
    loads: int
    loaded_bytes: float

    @property
    def hit_rate(self) -> float:
        """Share of the requests whose model was on the device."""
        return float(self.hit.mean()) if len(self.hit) else float("nan")


def serve_catalogue(
    arrival_s: Floats,
    model: npt.NDArray[np.int64],
    *,
    service_s: Floats,
    size_bytes: Floats,
    devices: int,
    memory_bytes: float,
    load_bandwidth: float,
    policy: str = "lru",
) -> CatalogueRun:
    """Serve requests for models; each model has a home device (its number modulo devices) that loads it on demand.

    Args:
        arrival_s: in order.
        model: of each request.
        service_s: by model.
        size_bytes: by model.
        devices: each with a queue of its own.
        memory_bytes: for models, of one device.
        load_bandwidth: bytes/s from storage or host memory.
        policy: what goes first when room is needed: ``lru`` (longest unused) or ``lfu`` (least often used).

    Raises:
        Infeasible: a model is larger than a device's memory.
    """
    if float(np.max(size_bytes, initial=0.0)) > memory_bytes:
        raise Infeasible("a model is larger than the memory of a device.", binding="device memory",
                         relaxation="use devices with more memory or fewer bits per weight")  # fmt: skip
    held: list[OrderedDict[int, int]] = [OrderedDict() for _ in range(devices)]
    used, free = [0.0] * devices, [0.0] * devices
    latency, hit = np.empty(len(arrival_s)), np.zeros(len(arrival_s), bool)
    loads, moved = 0, 0.0
    for k, (at, name) in enumerate(zip(arrival_s.tolist(), model.tolist(), strict=True)):
        device = name % devices
        here = held[device]
        begin = max(at, free[device])
        if name in here:
            hit[k] = True
            here[name] += 1
            here.move_to_end(name)
        else:
            while used[device] + size_bytes[name] > memory_bytes:
                gone = next(iter(here)) if policy == "lru" else min(here, key=lambda other: (here[other], other))
                used[device] -= float(size_bytes[gone])
                del here[gone]
            begin += float(size_bytes[name]) / load_bandwidth
            here[name] = 1
            used[device] += float(size_bytes[name])
            loads, moved = loads + 1, moved + float(size_bytes[name])
        free[device] = begin + float(service_s[name])
        latency[k] = free[device] - at
    return CatalogueRun(latency_s=latency, hit=hit, loads=loads, loaded_bytes=moved)
