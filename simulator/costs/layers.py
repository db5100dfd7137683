"""Time of a network's layers on one device, for arrays of samples: all layers of a network in one call.

A convolution is priced as the matrix product of its im2col form, but its memory traffic is that of the data themselves:
each input and output once. Grouped and depthwise convolutions fill tensor tiles badly; they run on the vector units
where that is faster. Each of the two gradients of a product costs as much as the product (the input of the first layer
needs none).

Matrix units read channels last. Where a framework keeps channels first, the input and the output of every plain
convolution are turned around it, forward and for both gradients; depthwise ones read both operands of their weight
gradient once per tap. Where it keeps channels last, libraries have matrix kernels for the shapes of ResNeXt alone
(whole sets of 32 groups of 4, 8, 16 or 32 channels, in and out); others run in direct kernels, which read operands anew
for each output but share them among neighbouring outputs and those of a group.
Plain convolutions on fp32 vector units turn to fast algorithms where those take less time, in all three passes.
Left out: fast algorithms of matrix units, FFT, data that stay in a cache between layers.

Source of the form: roofline (Williams et al. 2009), as in ``compute``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.compute import Machine, fill, join
from simulator.costs.passes import BACKWARD_KERNELS, Work
from simulator.profiles.framework import Framework
from simulator.workload.models.networks.network import Network
from simulator.workload.operators import Elementwise, Gemm
from simulator.workload.thrift import HALF_AND_POSITIONS, MASK_BYTES

Floats = NDArray[np.float64]

#: products of the backward pass per product of the forward pass
GRADIENT_PRODUCTS: Final = 2.0  # gradients of the input and of the weights
#: share of the vector units' peak that grouped and depthwise convolutions reach: few inputs per output, no reuse
GROUPED: Final = 0.15
#: share of the loads of a GPU's compute units that direct kernels reach on channels-last data, with one channel a group
DIRECT: Final = 0.0275
#: outputs of a group among which a direct kernel shares what it reads, before that doubles its speed
SHARED: Final = 42.0
#: neighbouring outputs of a row that a direct kernel makes from one reading of the row
DIRECT_TILE: Final = 4.0
#: shapes of groups for which libraries have matrix kernels on channels-last data: sets of groups, channels of one
_PACKED_GROUPS: Final = 32
_PACKED_WIDTHS: Final = (4, 8, 16, 32)
#: edge of the outputs that a fast algorithm makes at once, Winograd's F(4x4, r x r) (Lavin & Gray, arXiv 1509.09308)
FAST_TILE: Final = 4
#: elements that the kernel of a convolution's bias moves per output, forward; its gradient reads one
BIAS_MOVED: Final = 2.0
#: element moves to turn data for a kernel that wants another layout, and to turn what it makes: two reads, two writes
TURNED_BOTH_WAYS: Final = 4.0
_CAST_BYTES: Final = 6.0  # reading an fp32 weight and writing its 16-bit copy


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerTable:
    """A network as arrays of its products, and sums over the layers that only move memory; all per sample.

    Attributes:
        rows, k, n, groups, repeats: shapes: ``groups`` products of rows x k by k x n, ``repeats`` times.
        weights: elements of the right side that are parameters.
        data: elements read and written.
        gradients: products of the backward pass per product of the forward pass.
        inputs: elements that all products read beside weights.
        moved, moved_back: elements that the other layers move, forward and backward; kernels: their launches.
        convolves: whether it is a convolution.
        overlap: edge of its kernel where fast algorithms apply, else 0.
        taps: positions under its kernel.
        packed: whether libraries have matrix kernels for its groups on channels-last data.
        tensors: tensors of parameters.
        decisions: launches per sample that the device waits for, one by one.
        turned: elements that norms over groups of channels need channels first.
    """

    rows: Floats
    k: Floats
    n: Floats
    groups: Floats
    repeats: Floats
    weights: Floats
    data: Floats
    gradients: Floats
    convolves: NDArray[np.bool_]
    overlap: Floats
    taps: Floats
    packed: NDArray[np.bool_]
    inputs: float
    moved: float
    moved_back: float
    kernels: float
    tensors: int
    decisions: int
    turned: float

    @staticmethod
    @lru_cache(maxsize=512)
    def of(network: Network, *, whole: bool = True) -> LayerTable:
        """Return the table of a network's layers.

        Args:
            whole: whether its first product reads samples, which need no gradient; a later stage's reads activations.
        """
        pairs = [(layer, layer.operator) for layer in network.layers if isinstance(layer.operator, Gemm)]
        moving = [(layer, layer.operator) for layer in network.layers if isinstance(layer.operator, Elementwise)]
        trained = np.array([not layer.frozen for layer, _ in pairs], dtype=bool)
        gradients = np.where(trained, GRADIENT_PRODUCTS, 0.0)
        first = np.flatnonzero(trained)[:1]
        gradients[first] = np.where(whole | (first > 0), 1.0, GRADIENT_PRODUCTS)
        groups = _array([layer.groups for layer, _ in pairs])
        biased = [layer for layer, _ in pairs if layer.biased]
        return LayerTable(
            rows=_array([gemm.rows for _, gemm in pairs]) / groups, k=_array([gemm.k for _, gemm in pairs]),
            n=_array([gemm.n for _, gemm in pairs]), groups=groups,
            repeats=_array([gemm.repeats for _, gemm in pairs]),
            weights=_array([gemm.k * gemm.n * layer.groups * gemm.repeats * gemm.weight for layer, gemm in pairs]),
            data=_array([gemm.saved + layer.outputs for layer, gemm in pairs]), gradients=gradients,
            convolves=np.array([layer.kind == "convolution" for layer, _ in pairs], dtype=bool),
            overlap=_array([layer.overlap for layer, _ in pairs]),
            taps=_array([layer.taps for layer, _ in pairs]),
            packed=np.array([layer.groups % _PACKED_GROUPS == 0 and gemm.n in _PACKED_WIDTHS
                             and gemm.k == gemm.n * layer.taps for layer, gemm in pairs], dtype=bool),
            inputs=sum(gemm.saved for _, gemm in pairs),
            moved=sum(part.moved for _, part in moving) + sum(BIAS_MOVED * layer.outputs for layer in biased),
            moved_back=sum(part.moved * part.backward_moved for layer, part in moving if not layer.frozen)
            + sum(layer.outputs for layer in biased if not layer.frozen),
            kernels=float(sum(part.kernels for _, part in moving) + len(biased)),
            tensors=sum(1 for layer in network.layers if layer.parameters),
            decisions=sum(layer.decisions for layer in network.layers),
            turned=sum(layer.turned for layer in network.layers),
        )  # fmt: skip

    @property
    def depthwise(self) -> NDArray[np.bool_]:
        """Which products filter each channel by itself."""
        found: NDArray[np.bool_] = (self.groups > 1) & (self.n == 1)
        return found

    @property
    def macs(self) -> float:
        """Multiply-adds of one sample's forward pass."""
        return float((self.rows * self.k * self.n * self.groups * self.repeats).sum())


def _array(values: list[int] | list[float] | list[bool]) -> Floats:
    return np.array(values, dtype=float)


def layer_passes(
    table: LayerTable, samples: Floats, machine: Machine, framework: Framework, vector: float
) -> tuple[Work, Work]:
    """Return the work of the forward and the backward pass of a network for each number of samples.

    Args:
        vector: FLOP/s of the device's vector units, to which products turn that fill no tensor tiles (0: none).
    """
    none = Work.none(len(samples))
    item, share = machine.precision.activation_bytes, framework.dispatch.traffic
    last = framework.channels_last
    once = product_times(table, samples, machine, vector, channels_last=last)
    pruned = once
    if machine.sparse > 1.0:
        pruned = product_times(table, samples, machine, vector, channels_last=last, pruned=True)
    per_element = samples * item * share / machine.stream
    launches = float(table.repeats.sum())
    casts = float(table.weights.sum()) * _CAST_BYTES / machine.stream if machine.precision.weight_bytes > item else 0.0
    turned = np.zeros(len(table.k)) if last else turned_elements(table, machine, vector)
    norms = TURNED_BOTH_WAYS * table.turned if last else 0.0
    taps = 0.0 if last else float((2.0 * table.rows * table.k * table.groups)[table.depthwise].sum())
    turns = samples * item / machine.stream
    rounds, rounds_back = _rounding(table, samples, machine)
    turned_ahead = (turned.sum() + norms) * turns
    forward = none.plus(products=pruned.sum(axis=1), kernels=launches + table.kernels,
                        elementwise=table.moved * per_element + turned_ahead + rounds + casts)  # fmt: skip
    of_weights, of_inputs = np.minimum(table.gradients, 1.0), np.maximum(table.gradients - 1.0, 0.0)
    turned_back = ((turned * table.gradients).sum() + taps + norms) * turns
    backward = none.plus(
        products=(once * of_weights + pruned * of_inputs).sum(axis=1),
        elementwise=table.moved_back * per_element + turned_back + rounds_back,
        kernels=GRADIENT_PRODUCTS * launches + BACKWARD_KERNELS * table.kernels,
    )  # fmt: skip
    return forward, backward


def _rounding(table: LayerTable, samples: Floats, machine: Machine) -> tuple[Floats, Floats]:
    """Return seconds, forward and backward, of rounding inputs and weights to another format and back."""
    if not machine.rounded:
        return np.zeros(len(samples)), np.zeros(len(samples))
    item, inputs = machine.precision.activation_bytes, samples * table.inputs
    return ((inputs + table.weights.sum()) * 2.0 * item / machine.stream,
            inputs * (2.0 * item + MASK_BYTES) / machine.stream)  # fmt: skip


def layer_seconds(
    network: Network, samples: float, machine: Machine, framework: Framework, vector: float
) -> list[float]:
    """Return the seconds of both passes of each layer, launches apart: by them a list of layers is cut into stages."""
    table, last, item = LayerTable.of(network), framework.channels_last, machine.precision.activation_bytes
    once = product_times(table, np.array([samples]), machine, vector, channels_last=last)[0]
    turned = np.zeros(len(once)) if last else turned_elements(table, machine, vector)
    products = iter((once + turned * samples * item / machine.stream) * (1.0 + table.gradients))
    per_element = samples * item * framework.dispatch.traffic / machine.stream
    return [
        layer.operator.moved * (1.0 + layer.operator.backward_moved) * per_element
        if isinstance(layer.operator, Elementwise)
        else float(next(products))
        for layer in network.layers
    ]


def turned_elements(table: LayerTable, machine: Machine, vector: float) -> Floats:
    """Return the elements that a sample moves per product to bring channels last for matrix units and back, shape (L,).

    They are read and written once more. Vector units take channels first as they are; of a device without known vector
    units nothing is known.
    """
    return np.where(table.convolves & (table.groups == 1) & (0.0 < vector < machine.peak), 2.0 * table.data, 0.0)


def product_times(
    table: LayerTable,
    samples: Floats,
    machine: Machine,
    vector: float,
    *,
    channels_last: bool = False,
    pruned: bool = False,
) -> Floats:
    """Return seconds of each product of the forward pass, shape (P, L).

    Args:
        pruned: whether two of four weights are zero and matrix units skip them; grouped convolutions stay dense.
    """
    e, item = machine.efficiency, machine.precision.activation_bytes
    m = samples[:, None] * table.rows
    flop = 2.0 * m * table.k * table.n * table.groups * table.repeats
    ramp = table.k / (table.k + e.depth)
    filled = fill(m, np.broadcast_to(table.n, m.shape), table.groups, machine.units)
    share = e.product(machine.precision.peak)
    dense = flop / (machine.peak * share)
    tiled = dense / (ramp * filled)
    arithmetic = np.minimum(tiled, flop / (vector * GROUPED)) if vector else tiled
    if channels_last and machine.fed:
        edge = np.sqrt(table.taps)
        loads = (edge + DIRECT_TILE - 1.0) / (edge * DIRECT_TILE)  # per multiply-add
        direct = flop * loads / (machine.fed * DIRECT * (1.0 + table.n / SHARED))
        arithmetic = np.where((table.groups > 1) & ~table.packed, np.maximum(dense, direct), arithmetic)
    data, weights = samples[:, None] * table.data, table.weights
    if pruned:
        sparse = (table.weights > 0) & (table.groups == 1)
        arithmetic = np.where(sparse, arithmetic / machine.sparse, arithmetic)
        weights = np.where(sparse, HALF_AND_POSITIONS, 1.0) * weights
    found = join(arithmetic, (data + weights) * item / machine.stream, e.sharpness)
    if machine.precision.peak != "fp32":
        return found
    return np.where(table.overlap > 0, np.minimum(found, _fast_times(table, samples, machine)), found)


def _fast_times(table: LayerTable, samples: Floats, machine: Machine) -> Floats:
    """Return seconds of fast convolutions in three steps: transform the data, multiply, transform back.

    Of r x r taps on 4 x 4 outputs (r + 3)^2 multiplications are left of 16 r^2: that many products of tiles x inputs by
    inputs x outputs. Between the steps data are written and read, grown by (r + 3)^2 / 16, and weights by
    (r + 3)^2 / r^2. Planes are taken to be square; their last tiles are padded.
    """
    e, item = machine.efficiency, machine.precision.activation_bytes
    edge = np.maximum(table.overlap, 1.0)
    taps, outputs, products = edge**2, float(FAST_TILE**2), (edge + FAST_TILE - 1.0) ** 2
    tiles = samples[:, None] * np.ceil(np.sqrt(table.rows) / FAST_TILE) ** 2
    inputs = table.k / taps
    ramp = inputs / (inputs + e.depth)
    filled = fill(tiles, np.broadcast_to(table.n, tiles.shape), products, machine.units)
    flop = 2.0 * tiles * products * inputs * table.n * table.repeats
    moved = samples[:, None] * table.data * (1.0 + 2.0 * products / outputs)
    moved = moved + table.weights * (1.0 + 2.0 * products / taps)
    arithmetic = flop / (machine.peak * e.product(machine.precision.peak) * ramp * filled)
    return np.asarray(arithmetic + moved * item / machine.stream)
