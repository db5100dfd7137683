"""Optimizers: the state they keep and the memory traffic of one update."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.foundation.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """Per-parameter needs of an update rule, with fp32 state.

    ``state_bytes`` is what the rule itself remembers (momenta); the fp32 master copy of 16-bit weights is counted by
    ``state_bytes_per_parameter``. The update is memory-bound: it reads gradient, master and state, and writes master,
    state and the working copy.
    """

    name: str
    state_bytes: float
    flop: float  # arithmetic per parameter and step, for the record: never the bound


optimizers: Registry[Optimizer] = Registry("optimizer")
for _optimizer in (
    Optimizer(name="sgd", state_bytes=0, flop=2),
    Optimizer(name="momentum", state_bytes=4, flop=4),
    Optimizer(name="adagrad", state_bytes=4, flop=6),
    Optimizer(name="rmsprop", state_bytes=4, flop=6),
    Optimizer(name="adadelta", state_bytes=8, flop=10),
    Optimizer(name="adam", state_bytes=8, flop=11),
    Optimizer(name="adamw", state_bytes=8, flop=13),
    Optimizer(name="lamb", state_bytes=8, flop=17),
    Optimizer(name="adam-8bit", state_bytes=2, flop=15),
):
    optimizers.add(_optimizer.name, _optimizer)


def update_bytes_per_parameter(optimizer: Optimizer, *, weight_bytes: float, gradient_bytes: float) -> float:
    """Return bytes moved per parameter by one update.

    Master weights (fp32) and state are read and written, the gradient is read, and where the working copy is
    narrower than fp32 it is written. Adam with 16-bit weights and fp32 gradients: 4 + 2*4 + 2*8 + 2 = 30.
    """
    copy = weight_bytes if weight_bytes < 4 else 0.0
    return gradient_bytes + 2 * 4 + 2 * optimizer.state_bytes + copy


def state_bytes_per_parameter(optimizer: Optimizer, *, weight_bytes: float) -> float:
    """Return bytes of optimizer state per parameter, with the fp32 master copy of narrower weights.

    Adam over 16-bit weights: 4 + 8 = 12 (ZeRO paper, arXiv 1910.02054, K = 12).
    """
    return optimizer.state_bytes + (4.0 if weight_bytes < 4 else 0.0)
