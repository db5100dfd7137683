"""What a compiler changes: memory traffic and launches, never the work.

Eager execution launches every layer and writes every result to memory. Fused execution keeps what follows a product or
a norm in registers:

- ``inference``: a norm whose statistics are known is folded into the convolution before it, and activations, scales and
  sums ride on the product; a sum still reads its other operand.
- ``training``: a norm must read all its input before it can write, so that it stays; what follows it rides on it.

Captured execution (CUDA graphs) changes neither; whoever prices launches prices it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.network import Layer, Network
from simulator.workload.operators import Elementwise

MODES: Final = ("eager", "inference", "training")
_PRODUCTS: Final = frozenset({"convolution", "matmul", "attention", "recurrence"})
_RIDES: Final = frozenset({"activation", "add"})
_OPERAND_SHARE: Final = {"add": 1 / 3, "activation": 0.0}  # of an eager layer's traffic: the other operand of a sum


def fused(network: Network, mode: str) -> Network:
    """Return the network as a compiler would run it; work and parameters are those of the eager one.

    Args:
        mode: "eager", "inference" or "training", as the module tells.

    Raises:
        InputError: another mode.
    """
    if mode not in MODES:
        raise InputError(f"no fusion {mode!r}. Known: {', '.join(MODES)}.")
    if mode == "eager":
        return network
    done: list[Layer] = []
    for layer in network.layers:
        if done and _rides(layer, done[-1], folds_norms=mode == "inference"):
            _ride(done, layer)
        else:
            done.append(layer)
    return replace(network, layers=tuple(done))


def _rides(layer: Layer, before: Layer, *, folds_norms: bool) -> bool:
    if layer.kind == "norm":
        return folds_norms and before.kind == "convolution"
    return layer.kind in _RIDES and (before.kind in _PRODUCTS or before.kind in _RIDES or before.kind == "norm")


def _ride(done: list[Layer], layer: Layer) -> None:
    """Drop the launch of ``layer``: its parameters go to the layer before, its other operand stays as traffic."""
    before = done.pop()
    done.append(replace(before, parameters=before.parameters + layer.parameters))
    assert isinstance(layer.operator, Elementwise)
    left = layer.operator.moved * _OPERAND_SHARE.get(layer.kind, 0.0)
    if left:
        kept = replace(layer.operator, moved=left, kernels=0)
        done.append(replace(layer, operator=kept, parameters=0))


def launches(network: Network) -> int:
    """Return the kernels that one forward pass launches."""
    count = 0
    for layer in network.layers:
        operator = layer.operator
        count += operator.kernels if isinstance(operator, Elementwise) else operator.repeats
    return count


def traffic(network: Network) -> float:
    """Return the elements that layers without a product read and write in one sample's forward pass."""
    return sum(layer.operator.moved for layer in network.layers if isinstance(layer.operator, Elementwise))
