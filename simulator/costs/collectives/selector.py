"""Which algorithm and protocol a library would take, and what the collective then costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from simulator.costs.collectives.algorithms import OPERATIONS
from simulator.costs.collectives.bounds import bus_factor
from simulator.costs.collectives.fabric import Fabric, Library, load_fabrics
from simulator.costs.collectives.phases import PROTOCOLS, SIMPLE, Price, Protocol, price
from simulator.costs.collectives.reach import Array, Reach, reach
from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.units import MEBI
from simulator.topology.tiers import Tier

#: library -> operation -> the algorithms it chooses from; it takes the fastest by its own estimate
HABITS: Final[dict[Library, dict[str, tuple[str, ...]]]] = {
    "nccl": {
        "all-reduce": ("ring", "tree", "in-network"),
        "all-gather": ("ring",),
        "reduce-scatter": ("ring",),
        "broadcast": ("ring",),
        "reduce": ("ring",),
        "all-to-all": ("pairwise",),
        "send-recv": ("direct",),
    },
    "rccl": {
        "all-reduce": ("ring", "tree"),
        "all-gather": ("ring",),
        "reduce-scatter": ("ring",),
        "broadcast": ("ring", "tree"),
        "reduce": ("ring", "tree"),
        "all-to-all": ("pairwise",),
        "send-recv": ("direct",),
    },
    "xla": {
        "all-reduce": ("torus", "hierarchical"),
        "all-gather": ("torus", "hierarchical"),
        "reduce-scatter": ("torus", "hierarchical"),
        "broadcast": ("tree",),
        "reduce": ("tree",),
        "all-to-all": ("pairwise",),
        "send-recv": ("direct",),
    },
    "mpi": {
        "all-reduce": ("ring", "tree", "halving-doubling", "hierarchical"),
        "all-gather": ("ring", "recursive-doubling", "hierarchical"),
        "reduce-scatter": ("ring", "recursive-halving", "hierarchical"),
        "broadcast": ("ring", "tree"),
        "reduce": ("ring", "tree"),
        "all-to-all": ("pairwise", "bruck", "hierarchical"),
        "send-recv": ("direct",),
    },
}

#: fused kernels of serving engines, taken up to this buffer (vLLM: 8 MiB; TensorRT-LLM's workspace is alike)
FUSED: Final = ("one-shot", "two-shot")
FUSED_LIMIT: Final = 8 * MEBI


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one collective takes. Every field has the shape of sizes and ranks broadcast together.

    Attributes:
        time: s, from the call to the last rank's end.
        latency: s of it that no wire can shorten.
        transfer: s of it that stretches when wires are shared.
        bus_bandwidth: B/s as nccl-tests defines it: size / time times the traffic of the best algorithm per byte.
        algorithm: name of the algorithm chosen.
        protocol: name of the protocol chosen.
    """

    time: Array
    latency: Array
    transfer: Array
    bus_bandwidth: Array
    algorithm: Array
    protocol: Array


def collective_cost(
    operation: str,
    size: Any,
    over: Reach,
    *,
    algorithm: str | Sequence[str] | None = None,
    protocol: str | None = None,
    engine: str | None = None,
    engine_launch: float | None = None,
) -> Cost:
    """Return what a collective costs and how it is done.

    Args:
        operation: ``all-reduce``, ``all-gather``, ``reduce-scatter``, ``broadcast``, ``reduce``, ``all-to-all`` or
            ``send-recv``.
        size: bytes, as nccl-tests counts them: per rank for all-reduce, all-to-all, broadcast, reduce and send-recv,
            in all for all-gather and reduce-scatter. May be an array.
        over: the group on its tiers, from :func:`reach`.
        algorithm: overrides the library's choice; several: the fastest of them.
        protocol: ``ll``, ``ll128`` or ``simple``; overrides the choice.
        engine: a serving engine (``vllm``, ``trtllm``) whose fused kernels may be used for an all-reduce.
        engine_launch: seconds that these start late; by default what the shipped table says of the engine.

    Raises:
        InputError: a negative size, or an algorithm that the wires of the group cannot carry.
        UnknownName: of operation, algorithm or protocol.
    """
    sizes = np.asarray(size, dtype=float)
    if np.any(sizes < 0) or not np.all(np.isfinite(sizes)):
        raise InputError(f"a message of {np.min(sizes):g} B; give sizes of 0 B or more.")
    names = (algorithm,) if isinstance(algorithm, str) else tuple(algorithm or _habit(operation, over))
    best: tuple[Array, ...] | None = None
    for name in names:
        for how in _protocols(name, protocol):
            best = _better(best, _estimate(operation, name, how, sizes, over), name, how)
    if engine is not None and operation == "all-reduce":
        late = load_fabrics().engine_launch(engine) if engine_launch is None else engine_launch
        best = _fused(best, sizes, over, late)
    assert best is not None, f"no algorithm for {operation}"
    time, latency, transfer, chosen, spoken = best
    time, latency, transfer = (np.where(over.size > 1, part, 0.0) for part in (time, latency, transfer))
    with np.errstate(divide="ignore", invalid="ignore"):
        bus = np.where(time > 0, sizes / time * bus_factor(operation, over.size), 0.0)
    return Cost(time=time, latency=latency, transfer=transfer, bus_bandwidth=bus, algorithm=chosen, protocol=spoken)


def collective_time(
    operation: str,
    size: Any,
    group: Sequence[Any] | int,
    tiers: Sequence[Tier],
    fabrics: Sequence[Fabric] | None = None,
    *,
    algorithm: str | Sequence[str] | None = None,
    protocol: str | None = None,
    alone: bool = False,
    torus: Sequence[int] = (),
) -> Any:
    """Return the seconds of one collective: a float for scalars, an array for arrays.

    The short way of :func:`reach` and :func:`collective_cost`, which see for the arguments.
    """
    over = reach(group, tiers, fabrics, alone=alone, torus=torus)
    time = collective_cost(operation, size, over, algorithm=algorithm, protocol=protocol).time
    return float(time) if time.ndim == 0 else time


def _habit(operation: str, over: Reach) -> tuple[str, ...]:
    OPERATIONS[operation]  # an unknown operation is named before its algorithms are
    library = over.inner.fabric.library
    for level in over.levels:
        if np.all(level.ranks > 1):
            library = level.fabric.library
            break
    names = HABITS[library][operation]
    if any(level.fabric.rings_only and np.any(level.ranks > 1) for level in over.levels):
        names = tuple(name for name in names if name != "tree") or names
    can_reduce = over.inner.fabric.in_network_fraction is not None and bool(np.any(over.inner.ranks > 2))
    return tuple(name for name in names if name != "in-network" or can_reduce)


def _protocols(algorithm: str, asked: str | None) -> tuple[Protocol, ...]:
    if asked is not None:
        known = {protocol.name: protocol for protocol in PROTOCOLS}
        if asked not in known:
            raise UnknownName("protocol", asked, known)
        return (known[asked],)
    return (SIMPLE,) if algorithm in ("in-network", "sharp", *FUSED) else PROTOCOLS


def _estimate(operation: str, name: str, how: Protocol, sizes: Array, over: Reach) -> Price:
    if name == "in-network" and over.inner.fabric.in_network_fraction is None:
        raise InputError(f"the switches of class {over.inner.fabric.name!r} do not reduce; choose ring or tree.")
    if name in FUSED and np.any(over.size > over.inner.ranks):
        raise InputError(f"{name} kernels read their peers' memory: keep the group inside one innermost domain.")
    return price(OPERATIONS[operation][name](over, sizes), over, how)


def _better(best: tuple[Array, ...] | None, new: Price, name: str, how: Protocol) -> tuple[Array, ...]:
    time = new.time
    spoken = how.name
    if best is None:
        shape = time.shape
        return (
            time,
            np.broadcast_to(new.latency, shape),
            np.broadcast_to(new.transfer, shape),
            np.full(shape, name, dtype=object),
            np.full(shape, spoken, dtype=object),
        )
    faster = time < best[0]
    values: tuple[Any, ...] = (time, new.latency, new.transfer, name, spoken)
    return tuple(np.where(faster, value, old) for value, old in zip(values, best, strict=True))


def _fused(best: tuple[Array, ...] | None, sizes: Array, over: Reach, late: float) -> tuple[Array, ...]:
    """Take the faster fused kernel wherever the buffer is within its limit and peers' memory is within reach."""
    assert best is not None
    inner = over.inner
    copied = inner.fabric.host_capacity is not None and bool(np.any(inner.ranks > inner.fabric.host_pair))
    if copied or bool(np.any(over.size > inner.ranks)):
        return best
    own: tuple[Array, ...] | None = None
    for name in FUSED:
        own = _better(own, _estimate("all-reduce", name, SIMPLE, sizes, over), name, SIMPLE)
    assert own is not None
    own = (own[0] + late, own[1] + late, *own[2:])
    return tuple(np.where(sizes <= FUSED_LIMIT, mine, other) for mine, other in zip(own, best, strict=True))
