"""Time of one layer's forward and backward pass on one rank, and of what stands around the layers.

Shapes are those of the program's distinct local combinations. A pass takes the longer of the device's work and of the
host's launches: small layers leave the device waiting for the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.costs.async_tensor import Products, products_beside
from simulator.costs.compute import (
    Machine,
    attention_time,
    backward_times,
    cast_times,
    forward_time,
    scan_time,
    traffic_time,
)
from simulator.mapping.placement import Group
from simulator.mapping.program import Exchange, LocalBlock, Program
from simulator.mapping.split import LocalAttention, LocalOperator, LocalProduct, LocalScan, LocalTraffic
from simulator.profiles.framework import AttentionKernel, Framework
from simulator.workload.jobs.training import Precision

Floats = NDArray[np.float64]

HALF: Final = 2.0  # bytes of a 16-bit activation
#: launches per operator, forward and backward; unfused attention copies, scales, masks and drops in kernels of its own
PRODUCT_KERNELS: Final = (1, 2)
FUSED_KERNELS: Final = (1, 3)
UNFUSED_KERNELS: Final = (7, 12)
SCAN_KERNELS: Final = (5, 9)
#: what autocast moves between products over what training in pure 16 bits would: softmax, norms, losses and reductions
#: keep fp32 (the op lists of PyTorch's and TensorFlow's automatic mixed precision), about half of the elements
WIDENED: Final = 1.5
BACKWARD_KERNELS: Final = 1.5  # backward launches per forward launch of elementwise operators


class Network(Protocol):
    """Anything that prices a collective of a group; sizes in bytes follow nccl-tests."""

    def time(self, operation: str, size: Floats, group: Group) -> Floats:
        """Return seconds of one collective that has its links to itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Seconds that one pass over some operators needs of the device, by where they go, and its kernel launches.

    Arrays of one value per local combination. Sums and shares of work are work again.
    """

    products: Floats
    elementwise: Floats
    exchanged: Floats  # TP, EP and CP collectives that are not hidden
    kernels: Floats

    @staticmethod
    def none(count: int) -> Work:
        """Return no work, for ``count`` combinations."""
        zero = np.zeros(count)
        return Work(products=zero, elementwise=zero, exchanged=zero, kernels=zero)

    def plus(self, *, products: Any = 0.0, elementwise: Any = 0.0, exchanged: Any = 0.0, kernels: Any = 0.0) -> Work:
        """Return this work and more."""
        return Work(
            products=self.products + products,
            elementwise=self.elementwise + elementwise,
            exchanged=self.exchanged + exchanged,
            kernels=self.kernels + kernels,
        )

    def add(self, other: Work, times: Floats | float = 1.0) -> Work:
        """Return this work and ``times`` the other."""
        return self.plus(
            products=times * other.products,
            elementwise=times * other.elementwise,
            exchanged=times * other.exchanged,
            kernels=times * other.kernels,
        )

    def busy(self, machine: Machine, framework: Framework) -> tuple[Floats, Floats]:
        """Return the pass's duration, and the part of it in which the device waits for the host."""
        dispatch = framework.dispatch
        kernels = self.kernels * dispatch.kernels
        device = self.products + self.elementwise + self.exchanged + kernels * machine.efficiency.kernel_gap_s
        busy = np.maximum(device, kernels * dispatch.kernel_s)
        return busy, busy - device


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """The forward and the backward work of a block, and the part of forward that selective recomputation repeats.

    ``weights`` are the seconds of backward that make weight gradients.
    """

    forward: Work
    backward: Work
    attention: Work
    weights: Floats


def attention_kernel(framework: Framework, precision: Precision) -> AttentionKernel:
    """Return how attention runs: fused kernels are written for 16 bits and narrower alone."""
    return framework.attention if precision.activation_bytes <= HALF else "unfused"


def widening(framework: Framework, precision: Precision) -> float:
    """Return bytes that elementwise operators move over bytes of stored activations: more than 1 under autocast."""
    narrow = precision.activation_bytes <= HALF
    cast = {"always": narrow or precision.mixed, "asked": precision.mixed, "never": False}[framework.autocast]
    return WIDENED if cast else 1.0


def block_passes(
    block: LocalBlock, program: Program, machine: Machine, framework: Framework, network: Network
) -> Passes:
    """Return the work of one block of a program for one micro-batch."""
    forward = backward = attention = Work.none(len(program.local))
    weights = np.zeros(len(program.local))
    for operator in block.operators:
        ahead, back, own = _operator_work(operator, program, machine, framework)
        forward, backward, weights = forward.add(ahead), backward.add(back), weights + own
        if isinstance(operator, LocalAttention) and attention_kernel(framework, machine.precision) == "unfused":
            attention = attention.add(ahead)
    ranks = program.local.tp
    beside = products_beside(block, machine, ranks) if framework.decomposes_tensor else {}
    for exchange in block.exchanges:
        ahead, back = _exchange_work(exchange, program, framework, network, beside)
        forward, backward = forward.add(ahead), backward.add(back)
    held = block.parameters + block.expert_parameters
    # adding a micro-batch's weight gradients to the accumulated ones reads and writes each of them
    accumulated = 2.0 * framework.gradient_bytes * held * program.job.trained_share
    backward = backward.plus(elementwise=accumulated / machine.stream)
    weights = weights + accumulated / machine.stream
    return Passes(forward=forward, backward=backward, attention=attention, weights=weights)


def _operator_work(
    operator: LocalOperator, program: Program, machine: Machine, framework: Framework
) -> tuple[Work, Work, Floats | float]:
    """Return forward and backward work, and the seconds of backward that make weight gradients."""
    none = Work.none(len(program.local))
    match operator:
        case LocalProduct():
            fused = _fused_experts(program, framework)
            inputs, weights = backward_times(operator, machine, fused_experts=fused)
            ahead, back = PRODUCT_KERNELS
            cast, cast_back = cast_times(operator, machine, fused_experts=fused)
            trained = program.job.trained_share if operator.weight else 1.0  # frozen weights have no gradient
            return (
                none.plus(
                    products=forward_time(operator, machine, fused_experts=fused), elementwise=cast, kernels=ahead
                ),
                none.plus(products=inputs + weights * trained, elementwise=cast_back, kernels=back),
                weights * trained if operator.weight else 0.0,
            )
        case LocalAttention():
            kernel = attention_kernel(framework, machine.precision)
            ahead, back = UNFUSED_KERNELS if kernel == "unfused" else FUSED_KERNELS
            wide = widening(framework, machine.precision)
            forward = attention_time(operator, machine, kernel=kernel, backward=False, widened=wide)
            backward = attention_time(operator, machine, kernel=kernel, backward=True, widened=wide)
            return none.plus(products=forward, kernels=ahead), none.plus(products=backward, kernels=back), 0.0
        case LocalScan():
            ahead, back = SCAN_KERNELS
            return (
                none.plus(products=scan_time(operator, machine, backward=False), kernels=ahead),
                none.plus(products=scan_time(operator, machine, backward=True), kernels=back),
                0.0,
            )
        case LocalTraffic():
            share = framework.dispatch.traffic * widening(framework, machine.precision)
            back_kernels = operator.kernels * BACKWARD_KERNELS
            return (
                none.plus(
                    elementwise=share * traffic_time(operator, machine, backward=False), kernels=operator.kernels
                ),
                none.plus(elementwise=share * traffic_time(operator, machine, backward=True), kernels=back_kernels),
                0.0,
            )


def _fused_experts(program: Program, framework: Framework) -> bool:
    """Return whether one kernel runs all local experts and casts on the way: there is none that adds biases."""
    experts = program.job.model.experts
    return framework.fuses_experts and experts is not None and not experts.bias


def _exchange_work(
    exchange: Exchange, program: Program, framework: Framework, network: Network,
    beside: Mapping[tuple[str, bool], Products],
) -> tuple[Work, Work]:  # fmt: skip
    none = Work.none(len(program.local))
    active = exchange.size > 0
    if not active.any():
        return none, none
    size = exchange.size * (exchange.once if framework.dispatches_once else 1.0)
    once = np.where(active, network.time(exchange.operation, size, program.local_groups[exchange.axis]), 0.0)
    shown = once * (1.0 - framework.overlaps_tensor if exchange.axis in ("tp", "cp") else 1.0)
    ahead, back = exchange.forward * shown, exchange.backward * shown
    if exchange.axis == "tp" and (exchange.operation, False) in beside:
        ahead = beside[exchange.operation, False].seen(ahead, program.local.tp)
        back = beside[exchange.operation, True].seen(back, program.local.tp)
    return (
        none.plus(exchanged=ahead, kernels=exchange.forward * active),
        none.plus(exchanged=back, kernels=exchange.backward * active),
    )
