"""Memory of a replica: weights, working space, and what is left for the cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulator.costs.serving.iteration import Replica
from simulator.costs.serving.speculative import draft_of
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.units import GIBI, show
from simulator.workload.models.parameters import count_parameters

#: contexts, libraries and captured graphs of one device
RUNTIME_BYTES: Final = 0.8 * GIBI
#: most tokens that working space is kept for at once
_WORKING_TOKENS: Final = 8192
_ACTIVATION: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes of one device, and what the replica's cache holds."""

    weights: float
    working: float
    cache: float
    token_bytes: float  # of one cached token on one device
    cache_tokens: int  # that the whole replica holds


def weight_bytes(replica: Replica) -> float:
    """Return the bytes of weights on one device (the fullest, if layers do not divide)."""
    model, layout = replica.model, replica.layout
    counted, numerics = count_parameters(model), replica.numerics
    shared = layout.tp * layout.pp
    experts = counted.experts * numerics.experts.weight_bytes / (shared * layout.dp_attention)
    rest = counted.total - counted.experts - counted.embedding - counted.head
    wide = (counted.embedding + counted.head) * numerics.wide.weight_bytes / shared
    return experts + rest * numerics.weights.weight_bytes / shared + wide


def token_bytes(replica: Replica) -> float:
    """Return the bytes that one token of context takes on one device."""
    work = replica.cut()
    return sum(part.count * part.cached for part in work.attention) * replica.numerics.cache_bytes / replica.layout.pp


def memory_of(replica: Replica, *, memory_fraction: float | None = None) -> Memory:
    """Return the memory account of one device and the tokens that the replica's cache holds.

    Raises:
        Infeasible: the weights and working space leave no room for a cache.
        InputError: the device's memory is not known, or more weights are to lie in host memory than there are.
    """
    total = replica.device.memory_limit_bytes or replica.device.require("memory_bytes")
    share = replica.engine.memory if memory_fraction is None else memory_fraction
    weights = _weights_beside(replica)
    widest = max((product.n for product in replica.cut().products), default=0.0)
    tokens = min(replica.engine.max_num_batched_tokens, _WORKING_TOKENS)
    working = RUNTIME_BYTES + tokens * (2.0 * replica.model.hidden + widest) * _ACTIVATION
    rest = (total - weights - working) * share
    cache = rest if replica.engine.memory_of_rest else total * share - weights - working
    draft = draft_of(replica)
    each = token_bytes(replica) + (token_bytes(draft) if draft is not None else 0.0)
    if cache < each:
        raise Infeasible(
            f"{replica.model.name} does not fit {replica.layout.devices} x {replica.device.name}: "
            f"{show(weights, 'bytes')} of weights and {show(working, 'bytes')} of working space per device "
            f"leave no room for a cache in {show(total * share, 'bytes')}.",
            binding="device memory",
            account={"weights": weights, "working": working, "available": total * share},
            relaxation=f"cut each replica over at least {_needed(replica, total * share)} devices, or use fewer bits",
        )
    whole = int(cache / each) * replica.layout.dp_attention
    return Memory(weights=weights, working=working, cache=cache, token_bytes=each, cache_tokens=whole)


def _weights_beside(replica: Replica) -> float:
    """Return what lies on one device: the weights that are not in host memory, those of a draft, and of adapters."""
    total = weight_bytes(replica) - replica.offloaded
    if total < 0:
        raise InputError(
            f"{show(replica.offloaded, 'bytes')} of weights are to lie in host memory; a device has "
            f"{show(weight_bytes(replica), 'bytes')} of them."
        )
    draft = draft_of(replica)
    if draft is not None:
        total += weight_bytes(draft)
    if replica.adapters is not None:
        total += replica.adapters.resident * replica.adapters.bytes_each(replica.cut()) / replica.layout.pp
    return total


def _needed(replica: Replica, room: float) -> int:
    devices, whole = replica.layout.devices, weight_bytes(replica) * replica.layout.devices
    while whole / devices + RUNTIME_BYTES > 0.9 * room and devices < 2**16:
        devices *= 2
    return devices
