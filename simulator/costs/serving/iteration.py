"""Seconds of one iteration of an inference engine, from its operators; arrays of token counts in, arrays out.

A product of m tokens takes ``start + ((F / P e)^p + (B / W s)^p)^(1/p)``: F its FLOP at the dense peak P, B its bytes
at the bandwidth W, e and s the shares that kernels reach, p how sharply one bound gives way to the other (roofline,
Williams et al. 2009, with a smooth join). Decoding attention streams the cache; that of prompts is arithmetic, at a
share that grows with the prompt. Left out: clock changes under load, uneven routing of experts, cache misses of TLBs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.collectives import Fabric, collective_cost, fabrics_of, reach
from simulator.costs.compute import join
from simulator.costs.serving.additions import Adapters, Speculation
from simulator.costs.serving.layers import DeviceWork, Layout, Product, cut
from simulator.costs.serving.numerics import Numerics, Rate
from simulator.costs.serving.tiles import useful_share
from simulator.costs.serving.traits import EngineTraits, Kernels, kernels_of
from simulator.foundation.units import BITS_PER_BYTE
from simulator.profiles.device import Device
from simulator.topology.tiers import Tier
from simulator.workload.models.transformer import Transformer

Floats = NDArray[np.float64]

_ACTIVATION: Final = 2.0  # bytes
_STORED_BITS: Final = 16  # of an activation between products
#: share of their speed that products keep whose weights must be widened first
_UNPACKED: Final = 0.8
#: rows up to which products have matrix-vector kernels on the plain cores (llama.cpp's limit), and those cores' share
_VECTOR_ROWS: Final = 8
_VECTOR_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One copy of a model on its devices, and what runs it."""

    model: Transformer
    device: Device
    layout: Layout
    numerics: Numerics
    engine: EngineTraits
    kernels: Kernels
    tiers: tuple[Tier, ...] = ()
    fabrics: tuple[Fabric, ...] = ()  # of the tiers; empty: by their links
    speculation: Speculation | None = None
    adapters: Adapters | None = None
    offloaded: float = 0.0  # bytes of one device's weights that lie in host memory

    @staticmethod
    def of(
        model: Transformer,
        device: Device,
        *,
        layout: Layout,
        numerics: Numerics,
        engine: EngineTraits,
        tiers: tuple[Tier, ...] = (),
        fabrics: tuple[Fabric, ...] = (),
        kernels: Kernels | None = None,
    ) -> Replica:
        """Return the replica with the constants of its device's class."""
        return Replica(
            model=model, device=device, layout=layout, numerics=numerics, engine=engine,
            kernels=kernels or kernels_of(device), tiers=tiers, fabrics=fabrics,
        )  # fmt: skip

    @property
    def bandwidth(self) -> float:
        """Bytes per second of one device's memory; raises :class:`InputError` where unknown."""
        return self.device.require("memory_bandwidth")

    def cut(self) -> DeviceWork:
        """Return the work of one device."""
        return cut(self.model, self.layout)


def product_seconds(product: Product, tokens: Floats, replica: Replica, rate: Rate) -> Floats:
    """Return seconds of one of the equal products for a step of ``tokens``."""
    e = replica.kernels
    compute, stream = e.compute(rate.bits), e.stream(rate.weight_bytes)
    if rate.weight_bytes * BITS_PER_BYTE < rate.bits:
        compute *= _UNPACKED
    visited, held = tokens * product.visits, np.ones_like(tokens)
    if product.experts:
        compute, stream = compute * e.grouped_compute, stream * e.grouped_stream
        held = product.experts * -np.expm1(-visited / product.experts)  # experts that at least one token visits
    rows = visited / np.maximum(held, 1.0)
    apart = np.maximum(held, 1.0)
    useful = useful_share(rows, np.full_like(rows, product.n), product.k, apart, replica.device.compute_units)
    reached = rate.peak * compute * useful
    if not product.experts and replica.device.vector_fp32 is not None:  # grouped kernels have no such path
        reached = np.where(
            rows <= _VECTOR_ROWS, np.maximum(reached, replica.device.vector_fp32 * _VECTOR_SHARE), reached
        )
    arithmetic = replica.engine.speed * 2.0 * visited * product.k * product.n / reached
    moved = held * product.k * product.n * rate.weight_bytes + visited * (product.k + product.n) * _ACTIVATION
    memory = moved / (replica.bandwidth * stream)
    return e.product_s + join(arithmetic, memory, e.sharpness)


def _cast(product: Product, tokens: Floats, replica: Replica, rate: Rate) -> Floats:
    """Return seconds of the kernel that narrows a product's input to 8 bits or fewer, scaling it as it goes."""
    if rate.bits >= _STORED_BITS:
        return np.zeros_like(tokens)
    e, engine = replica.kernels, replica.engine
    moved = tokens * product.visits * product.k * (_ACTIVATION + rate.bits / BITS_PER_BYTE)
    return engine.small * e.small_s + engine.traffic * moved / (replica.bandwidth * e.stream16)


def dense_seconds(replica: Replica, tokens: Floats, *, sampled: Floats | None = None) -> Floats:
    """Return seconds of everything in an iteration but attention over the cache and between prompt tokens.

    Args:
        replica: the model on its devices.
        tokens: in the step (over all groups of data-parallel attention).
        sampled: tokens whose logits are needed; by default all, at most the engine's sequences.
    """
    e, work, numerics = replica.kernels, replica.cut(), replica.numerics
    tokens = tokens / replica.layout.pp
    groups = replica.layout.dp_attention
    mine = tokens / groups
    total = np.zeros_like(tokens)
    for product in work.products:
        rate = numerics.experts if product.experts else numerics.wide if product.name == "router" else numerics.weights
        m = tokens if product.experts else mine
        total = total + product.count * (product_seconds(product, m, replica, rate) + _cast(product, m, replica, rate))
    rows = np.minimum(mine, replica.engine.max_num_seqs / groups) if sampled is None else sampled
    if work.head is not None:
        total = total + product_seconds(work.head, rows, replica, numerics.wide)
    stream = work.moved * mine * _ACTIVATION / (replica.bandwidth * e.stream16)
    total = total + replica.engine.small * work.kernels * e.small_s + replica.engine.traffic * stream
    total = total + sum(part.count for part in work.attention) * e.attention_s
    if replica.adapters is not None:
        flops, bandwidth = numerics.wide.peak * e.compute(numerics.wide.bits), replica.bandwidth * e.stream16
        total = total + replica.adapters.seconds(mine, work, flop_rate=flops, bandwidth=bandwidth, start_s=e.product_s)
    if replica.offloaded:
        total = total + replica.offloaded / replica.device.require("host_bandwidth")
    return total + exchange_seconds(replica, work, mine)


def exchange_seconds(replica: Replica, work: DeviceWork, tokens: Floats) -> Floats:
    """Return seconds of the all-reduces between tensor-parallel devices, and of tokens' ways to experts and back."""
    total = np.zeros_like(tokens)
    layout = replica.layout
    if not replica.tiers or layout.tp * layout.dp_attention == 1:
        return total
    fabrics = replica.fabrics or fabrics_of(replica.tiers)
    if work.exchanges:
        over = reach((layout.tp,), replica.tiers[:1], fabrics[:1])
        size = tokens * work.hidden * _ACTIVATION
        total = total + work.exchanges * collective_cost(
            "all-reduce", size, over, engine=replica.engine.fused_all_reduce
        ).time  # fmt: skip
        total = total + work.exchanges * replica.engine.wait_s * np.log2(layout.tp)
    if work.routed:
        group = min(layout.ep, layout.tp * layout.dp_attention)
        over = reach((group,), replica.tiers[:1], fabrics[:1])
        size = tokens * min(work.visits, group) * work.hidden * _ACTIVATION
        total = total + work.routed * collective_cost("all-to-all", size, over).time
    return total


def context_seconds(replica: Replica, *, typical: float) -> float:
    """Return seconds per token of context that the decoding requests of a step have cached.

    Sliding windows cap what is read; the slope is the secant at the ``typical`` context of one request (tokens).
    Engines with slots of one length read the whole slot.
    """
    e = replica.kernels
    slot = max(1.0, replica.engine.padded_context / max(typical, 1.0))
    total = 0.0
    for part in replica.cut().attention:
        seen = 1.0 if part.window is None else min(1.0, part.window / max(typical, 1.0))
        memory = part.cached * replica.numerics.cache_bytes / (replica.bandwidth * e.cache)
        arithmetic = part.context_flop / (replica.numerics.wide.peak * e.attention)
        bound = max(memory, arithmetic) if replica.model.latent is not None else memory
        total += part.count * seen * max(bound, _core_seconds(replica, part.context_flop))
    return slot * total / (replica.layout.pp * replica.layout.dp_attention)


def _core_seconds(replica: Replica, flop: float) -> float:
    """Return seconds of decoding attention on the plain cores; 0 for engines that use the matrix units."""
    device, rate = replica.device, replica.engine.core_attention
    if rate is None or device.compute_units is None or device.clock_hz is None:
        return 0.0
    return flop / (rate * device.compute_units * device.clock_hz)


def launches(replica: Replica) -> int:
    """Return the kernels of one iteration: products and the casts before them, attentions, small ones, exchanges."""
    work, numerics = replica.cut(), replica.numerics
    products = sum(product.count for product in work.products) + (work.head is not None)
    products += sum(
        product.count
        for product in work.products
        if product.name != "router" and (numerics.experts if product.experts else numerics.weights).bits < _STORED_BITS
    )
    return products + sum(part.count for part in work.attention) + work.launched + work.exchanges + work.routed


def host_seconds(replica: Replica, *, prompts: bool) -> float:
    """Return the host's time of one iteration beside what it does per sequence."""
    engine = replica.engine
    eager = prompts or not engine.captured
    return engine.host_s + (engine.launch_s * launches(replica) if eager else 0.0)


def pair_seconds(replica: Replica, *, typical: float) -> float:
    """Return seconds per (query, key) pair of a prompt of ``typical`` tokens."""
    e = replica.kernels
    total = 0.0
    for part in replica.cut().attention:
        seen = 1.0 if part.window is None else min(1.0, 2.0 * part.window / max(typical, 1.0))
        share = e.attention * typical / (typical + e.attention_length)
        total += part.count * seen * part.pair_flop / (replica.numerics.wide.peak * share)
    return total / (replica.layout.pp * replica.layout.dp_attention)
