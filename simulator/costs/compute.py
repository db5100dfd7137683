"""Time of one operator on one device, for arrays of shapes.

A matrix product is bound by arithmetic or by memory, joined smoothly; arithmetic suffers from partly filled tiles and
waves of tiles over the compute units, and from filling the pipeline along k. Everything else streams through memory.

Source of the form: roofline (Williams et al. 2009) with the smooth join and achieved shares fitted to measured kernel
tables (see docs/models.md). Left out: cache reuse between kernels, clock changes under load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.host import Offload
from simulator.mapping.split import LocalAttention, LocalProduct, LocalScan, LocalTraffic
from simulator.profiles.device import Device, peak_for
from simulator.profiles.efficiency import Efficiency, efficiency_of
from simulator.profiles.framework import AttentionKernel
from simulator.workload.jobs.training import Precision
from simulator.workload.thrift import HALF_AND_POSITIONS, MASK_BYTES

Floats = NDArray[np.float64]

#: output tiles that libraries choose from, with the share of the largest tile's speed (smaller tiles re-read more)
TILES: Final = ((256, 128, 1.0), (128, 128, 0.96), (128, 64, 0.82), (64, 64, 0.66))
#: lanes of a GPU's compute unit that its path to memory serves: units with twice as many multiply-adds (GA10x, Ada,
#: Hopper) did not get a wider one
LOAD_LANES: Final = 64
#: multiply-adds a cycle of a core below which compilers deal a product's outputs out over the cores evenly, whatever
#: its shape, since none has a matrix unit of 16 x 16: many-core chips programmed as one fabric (IPU tiles, AI Engines)
TILED: Final = 256.0
#: fused attention, time of the backward pass over the forward pass: five products against two (Dao et al. 2022), at
#: 5/6 of the forward pass's speed (published kernel rates of FlashAttention-2 and -3, arXiv 2307.08691 and 2407.08608)
ATTENTION_BACKWARD: Final = 3.0
#: kernels of a chunked scan that pass their results on through memory
SCAN_KERNELS: Final = 5
#: elements moved per score of unfused attention: scale, mask, softmax read and write it; dropout does, and masks
SCORE_PASSES_FORWARD: Final = 4.5
SCORE_PASSES_BACKWARD: Final = 5.5
#: elements per score more where distances are scored apart: write, shift, add
RELATIVE_PASSES: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A device at work in one precision: peaks in FLOP/s, bandwidth in B/s, and its class's efficiency."""

    peak: float  # of the products' precision
    peak16: float  # of 16-bit products: attention stays there in narrow-format training
    bandwidth: float
    units: int | None  # compute units that share the tiles of a product
    efficiency: Efficiency
    precision: Precision
    sparse: float = 1.0  # how much faster matrix units are where two of four weights are zero; 1: the job's are dense
    rounded: bool = False  # whether operands are rounded to another format and back
    vector: float = 0.0  # FLOP/s of the vector units, in fp32; 0: not known
    offload: Offload | None = None  # what a job keeps outside the device
    fed: float = 0.0  # FLOP/s of vector units that loads can feed, one operand a multiply-add (0: not known)

    @staticmethod
    def of(device: Device, precision: Precision, efficiency: Efficiency | None = None) -> Machine:
        """Return the machine; raises :class:`InputError` where the device lacks the precision."""
        peak = peak_for(device, precision.peak)
        narrow = precision.peak in ("fp8", "fp4", "int8")
        peak16 = peak_for(device, "bf16" if "bf16" in device.peak else "fp16") if narrow else peak
        bandwidth = device.require("memory_bandwidth")
        return Machine(
            peak=peak,
            peak16=peak16,
            bandwidth=bandwidth,
            units=_tiled(device, peak16),
            efficiency=efficiency or efficiency_of(device),
            precision=precision,
            fed=_fed(device),
            vector=device.vector,
        )

    @property
    def stream(self) -> float:
        """Bytes per second that streaming kernels reach."""
        return self.bandwidth * self.efficiency.memory


def _tiled(device: Device, peak: float) -> int | None:
    """Return the compute units that take a product tile by tile; None where all share its outputs evenly."""
    units, clock = device.compute_units, device.clock_hz
    if device.kind not in ("asic", "fpga") or units is None or clock is None:
        return units
    return units if peak / (2.0 * units * clock) >= TILED else None


def _fed(device: Device) -> float:
    if device.kind != "gpu" or device.compute_units is None or device.clock_hz is None:
        return 0.0
    return min(device.vector, 2.0 * LOAD_LANES * device.compute_units * device.clock_hz)


def fill(m: Floats, n: Floats, batch: Floats, units: int | None) -> Floats:
    """Return the share of the arithmetic that is useful, best over the tiles: edges and the last wave are padding."""
    best = np.zeros(np.broadcast(m, n).shape)
    for rows, columns, speed in TILES:
        tiles = np.ceil(m / rows) * np.ceil(n / columns) * batch
        slots = tiles if units is None else np.ceil(tiles / units) * units
        best = np.maximum(best, speed * (m * n * batch) / (slots * rows * columns))
    return best


def product_time(
    m: Floats,
    k: Floats,
    n: Floats,
    batch: Floats,
    machine: Machine,
    *,
    wide: bool = False,
    grouped: bool = False,
    pruned: bool = False,
) -> Floats:
    """Return seconds of ``batch`` products m x k by k x n in one launch.

    Args:
        wide: whether the product runs in 16 bits though the job's precision is narrower (vocabulary, router).
        grouped: whether it is a grouped expert product.
        pruned: whether the k x n side holds the job's weights, which may be 2:4 sparse.
    """
    e = machine.efficiency
    narrow = machine.precision.product_bytes < machine.precision.activation_bytes and not wide
    share = e.product(machine.precision.peak) if narrow or machine.peak == machine.peak16 else e.product16
    share = share * (e.grouped if grouped else 1.0)
    peak = machine.peak if narrow else machine.peak16
    ramp = k / (k + e.depth)
    arithmetic = 2.0 * m * k * n * batch / (peak * share * ramp * fill(m, n, batch, machine.units))
    item = machine.precision.product_bytes if narrow else machine.precision.activation_bytes
    out = machine.precision.activation_bytes
    sparse = pruned and machine.sparse > 1.0
    arithmetic, held = (arithmetic / machine.sparse, HALF_AND_POSITIONS) if sparse else (arithmetic, 1.0)
    memory = batch * ((m * k + held * k * n) * item + m * n * out) / machine.stream
    return join(arithmetic, memory, e.sharpness)


def join(a: Floats, b: Floats, sharpness: float) -> Floats:
    """Return ``(a**p + b**p)**(1/p)``, without overflow: between max(a, b) and a + b."""
    high, low = np.maximum(a, b), np.minimum(a, b)
    return high * (1.0 + (low / np.maximum(high, np.finfo(float).tiny)) ** sharpness) ** (1.0 / sharpness)


def attention_time(
    part: LocalAttention, machine: Machine, *, kernel: AttentionKernel, backward: bool, widened: float = 1.0
) -> Floats:
    """Return seconds of the attention core (scores, softmax, weighted sum) for one micro-batch.

    Args:
        widened: what scores that are written to memory take over stored activations.
    """
    if kernel == "unfused":
        return _unfused_attention(part, machine, backward=backward, widened=widened)
    e = machine.efficiency
    scores = part.samples * part.heads * part.queries * part.keys * part.kept
    flop = 2.0 * scores * (part.qk_dim + part.v_dim) * (ATTENTION_BACKWARD if backward else 1.0)
    ramp = part.keys / (part.keys + e.attention_length)
    share = e.attention if kernel == "fused" else e.attention_early
    arithmetic = flop / (machine.peak16 * share * ramp)
    moved = part.samples * (
        part.queries * part.heads * (part.qk_dim + part.v_dim) + part.keys * part.kv_heads * (part.qk_dim + part.v_dim)
    )
    memory = moved * machine.precision.activation_bytes * (2.0 if backward else 1.0) / machine.stream
    return np.maximum(arithmetic, memory)


def _unfused_attention(part: LocalAttention, machine: Machine, *, backward: bool, widened: float) -> Floats:
    batch = part.samples * part.heads
    scores = product_time(part.queries, np.full_like(part.queries, part.qk_dim), part.keys, batch, machine, wide=True)
    mixed = product_time(part.queries, part.keys, np.full_like(part.queries, part.v_dim), batch, machine, wide=True)
    passes = SCORE_PASSES_BACKWARD if backward else SCORE_PASSES_FORWARD
    if part.relative:
        scores, passes = 2.0 * scores, passes + RELATIVE_PASSES
    item = machine.precision.activation_bytes * widened
    traffic = passes * batch * part.queries * part.keys * item / machine.stream
    return (2.0 if backward else 1.0) * (scores + mixed) + traffic


def scan_time(part: LocalScan, machine: Machine, *, backward: bool) -> Floats:
    """Return seconds of a chunked state-space scan: per token a chunk-wide product and two state-wide ones.

    Its kernels are written like the first fused attention ones and reach their share of the peak; five kernels hand
    each other channels and fp32 states through memory (Dao & Gu 2024, arXiv 2405.21060, section 6).
    """
    flop = 2.0 * part.tokens * part.inner * (part.chunk + 2.0 * part.state)
    states = part.tokens / part.chunk * part.inner * part.state * 4.0
    moved = part.tokens * part.inner * machine.precision.activation_bytes * 2.0 + states
    once = flop / (machine.peak16 * machine.efficiency.attention_early) + SCAN_KERNELS * moved / machine.stream
    return once * (ATTENTION_BACKWARD if backward else 1.0)


def traffic_time(part: LocalTraffic, machine: Machine, *, backward: bool) -> Floats:
    """Return seconds to stream an elementwise operator's operands."""
    moved = part.moved * (part.backward_moved if backward else 1.0)
    return moved * machine.precision.activation_bytes / machine.stream


def forward_time(part: LocalProduct, machine: Machine, *, fused_experts: bool = False) -> Floats:
    """Return seconds of a product's forward pass; fused grouped products run as one plain one does."""
    wide, grouped = is_wide(part), part.grouped and not fused_experts
    pruned = part.weight and not wide
    return product_time(part.m, part.k, part.n, part.batch, machine, wide=wide, grouped=grouped, pruned=pruned)


def backward_times(part: LocalProduct, machine: Machine, *, fused_experts: bool = False) -> tuple[Floats, Floats]:
    """Return seconds of the input's gradient and of the weight's gradient."""
    wide, grouped = is_wide(part), part.grouped and not fused_experts
    pruned = part.weight and not wide
    inputs = product_time(part.m, part.n, part.k, part.batch, machine, wide=wide, grouped=grouped, pruned=pruned)
    weights = product_time(part.k, part.m, part.n, part.batch, machine, wide=wide, grouped=grouped)
    return inputs, weights


def cast_times(part: LocalProduct, machine: Machine, *, fused_experts: bool = False) -> tuple[Floats, Floats]:
    """Return seconds, forward and backward, of turning a product's operands from one format to another.

    To a narrow format the input (backward: the gradient of the output) is read once and written twice, along rows for
    one product and along columns for the other; products that are not narrower than stored activations cast nothing.
    Rows of experts are first copied apart, each expert's to a whole number of scaling blocks; fused experts get them
    cast by the kernel before. Packed weights are unpacked for each product. Rounding to another format and back reads
    and writes input and weights; backward it reads the gradient and a mask, and writes what was not clipped.
    """
    precision, none = machine.precision, np.zeros_like(part.m)
    if is_wide(part):
        return none, none
    rows, weights = part.m * part.batch, part.k * part.n * part.batch * float(part.weight)
    forward, backward = none, none
    if precision.product_bytes < precision.activation_bytes and not (part.grouped and fused_experts):
        padded = 2.0 * precision.activation_bytes if part.grouped else 0.0
        per_element = padded + precision.activation_bytes + 2.0 * precision.product_bytes
        forward, backward = rows * part.k * per_element, rows * part.n * per_element
    if precision.packed:
        unpacked = weights * (precision.weight_bytes + precision.activation_bytes)
        forward, backward = forward + unpacked, backward + unpacked
    if machine.rounded:
        item = precision.activation_bytes
        forward = forward + (rows * part.k + weights) * 2.0 * item
        backward = backward + rows * part.k * (2.0 * item + MASK_BYTES)
    return forward / machine.stream, backward / machine.stream


def is_wide(part: LocalProduct) -> bool:
    """Return whether a product keeps 16 bits in narrow-format training: the vocabulary and the router."""
    return part.name in ("vocabulary", "router")
