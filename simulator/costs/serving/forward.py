"""Seconds of one forward pass: encoders from their shape, networks from their layers, others from a sample's cost.

A convolution is priced as the matrix product of its im2col form, reading its input once and writing its output once.
Left out: Winograd and FFT convolutions, sparsity, and data moved between host and device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.compute import join
from simulator.costs.serving.iteration import Replica, dense_seconds, host_seconds, pair_seconds
from simulator.costs.serving.layers import Layout
from simulator.costs.serving.numerics import Numerics, Rate
from simulator.costs.serving.tiles import useful_share
from simulator.costs.serving.traits import EngineTraits, Kernels
from simulator.foundation.errors import InputError
from simulator.profiles.device import Device
from simulator.workload.models.facts import ForwardFacts
from simulator.workload.models.networks.network import Layer, Network
from simulator.workload.models.transformer import Transformer
from simulator.workload.operators import Gemm

Floats = NDArray[np.float64]

#: products of a network whose layers are not known, for its least time
_UNKNOWN_KERNELS: Final = 60
#: reduction length at which a product reaches half its speed: filling the pipeline of the matrix units
_DEPTH: Final = 30.0
#: share of the plain product's speed that products of a network whose layers are not known reach
_UNKNOWN_SHARE: Final = 0.7
#: share of the bandwidth at which rows of an embedding table are gathered
_GATHER: Final = 0.3
#: multiply-adds of one output below which a convolution runs on the plain cores: depthwise ones
_DEPTHWISE: Final = 64
_VECTOR_SHARE: Final = 0.5
#: speed of the last cache or on-chip memory over that of the memory
_ON_CHIP: Final = 4.0
#: passes over the outputs of a network whose layers are not known: its own, and norms and activations unless fused
_OWN_PASSES: Final = 2.0
_OTHER_PASSES: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A device, what runs on it, and in which formats."""

    device: Device
    kernels: Kernels
    engine: EngineTraits
    rate: Rate
    activation_bytes: float

    @property
    def bandwidth(self) -> float:
        """Bytes per second of the device's memory; raises :class:`InputError` where unknown."""
        return self.device.require("memory_bandwidth")


def forward_seconds(
    model: Transformer | ForwardFacts | Network, batch: float, runner: Runner, *, tokens: float
) -> float:
    """Return seconds of one forward pass of ``batch`` samples.

    Args:
        model: an encoder, a network of layers, or the cost of a sample.
        batch: samples in the pass.
        runner: where it runs.
        tokens: per sample, for encoders; others do not look at it.

    Raises:
        InputError: the device's memory bandwidth is not known.
    """
    if isinstance(model, Transformer):
        return _encoder(model, batch, tokens, runner)
    if isinstance(model, Network):
        return _network(model, batch, runner)
    return _facts(model, batch, runner)


def _encoder(model: Transformer, batch: float, tokens: float, runner: Runner) -> float:
    numerics = Numerics(weights=runner.rate, experts=runner.rate, wide=runner.rate, cache_bytes=runner.activation_bytes)
    replica = Replica(
        model=model,
        device=runner.device,
        layout=Layout(),
        numerics=numerics,
        engine=runner.engine,
        kernels=runner.kernels,
    )
    scores = batch * tokens * tokens
    dense = float(dense_seconds(replica, np.array([batch * tokens]), sampled=np.array([batch]))[0])
    attention = scores * pair_seconds(replica, typical=tokens)
    if runner.engine.score_passes:
        heads = sum(part.count for part in replica.cut().attention) * model.heads
        moved = runner.engine.score_passes * scores * heads * runner.activation_bytes
        attention += moved / (runner.bandwidth * runner.kernels.stream16)
    return _with_host(dense + attention, host_seconds(replica, prompts=True), batch, runner)


def _network(model: Network, batch: float, runner: Runner) -> float:
    device, launches = 0.0, 0
    for layer in model.layers:
        if isinstance(layer.operator, Gemm):
            device += layer.operator.repeats * _layer(layer, batch, runner)
            launches += layer.operator.repeats
        else:
            moved = layer.operator.moved * batch * runner.activation_bytes
            stream = moved / (runner.bandwidth * runner.kernels.stream16)
            small = layer.operator.kernels * runner.kernels.small_s
            device += runner.engine.traffic * stream + runner.engine.small * small
            launches += round(runner.engine.small * layer.operator.kernels)
    for table in model.tables:
        device += batch * table.lookups * table.width * runner.activation_bytes / (runner.bandwidth * _GATHER)
        launches += 1
    return _with_host(device, runner.engine.host_s + runner.engine.launch_s * launches, batch, runner)


def _layer(layer: Layer, batch: float, runner: Runner) -> float:
    operator = layer.operator
    assert isinstance(operator, Gemm)
    m = np.array([operator.rows * batch / max(1, layer.groups)])
    groups = np.full_like(m, max(1, layer.groups))
    useful = useful_share(m, np.full_like(m, operator.n), operator.k, groups, runner.device.compute_units)
    ramp = operator.k / (operator.k + _DEPTH)
    share = runner.kernels.compute(runner.rate.bits) * useful * ramp
    peak = runner.rate.peak * share
    if operator.n * operator.k <= _DEPTHWISE and runner.device.vector_fp32 is not None:
        peak = np.maximum(peak, runner.device.vector_fp32 * _VECTOR_SHARE)
    arithmetic = 2.0 * operator.rows * batch * operator.k * operator.n / peak
    moved = operator.k * operator.n * groups * runner.rate.weight_bytes
    moved = moved + 2.0 * operator.rows * batch * operator.n * runner.activation_bytes
    memory = moved / (runner.bandwidth * runner.kernels.stream16 * _near(moved, runner.device))
    return float(
        (runner.engine.speed * (runner.kernels.product_s + join(arithmetic, memory, runner.kernels.sharpness)))[0]
    )


def _near(moved: Floats, device: Device) -> Floats:
    """Return how much faster than the memory the operands come, if what is moved stays on the chip."""
    held = device.sram_bytes or device.l2_bytes or 0.0
    return np.where(moved <= held, _ON_CHIP, 1.0)


def _facts(model: ForwardFacts, batch: float, runner: Runner) -> float:
    share = runner.kernels.compute(runner.rate.bits) * _UNKNOWN_SHARE
    arithmetic = np.array([2.0 * model.macs * batch / (runner.rate.peak * share)])
    held = min(float(model.parameters or 0.0), model.macs)  # tables are read by rows, not whole
    passes = _OWN_PASSES + _OTHER_PASSES * runner.engine.traffic
    moved = held * runner.rate.weight_bytes + passes * batch * float(model.activations or 0.0) * runner.activation_bytes
    memory = np.array([moved / (runner.bandwidth * runner.kernels.stream16)])
    device = float(join(arithmetic, memory, runner.kernels.sharpness)[0]) + _UNKNOWN_KERNELS * runner.kernels.product_s
    host = runner.engine.host_s + runner.engine.launch_s * _UNKNOWN_KERNELS
    return _with_host(runner.engine.speed * device, host, batch, runner)


def _with_host(device: float, host: float, batch: float, runner: Runner) -> float:
    host += runner.engine.host_per_sequence_s * batch
    return (max(host, device) if runner.engine.overlapped else host + device) + runner.engine.prompt_s


def feeding_seconds(engine: EngineTraits, batch: float, sample_bytes: float) -> float:
    """Return seconds until a batch of inputs is on the device; 0 where the measurement starts with them there."""
    return batch * sample_bytes / engine.feed_bandwidth if engine.feed_bandwidth else 0.0


def activation_bytes(rate: Rate) -> float:
    """Return the bytes of one activation of a network that computes at this rate."""
    if rate.bits not in (4, 8, 16, 32):
        raise InputError(f"no activations of {rate.bits} bits.")
    return max(rate.bits, 8) / 8
