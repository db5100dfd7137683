"""A stand-in network for a model of which only the cost of one forward pass is known.

Multiply-adds over activations is the mean inner dimension of the products, and parameters over that the mean width of
all layers together; what is left open is into how many equal layers they are divided. Each is followed by a norm and an
activation, and every second one by a sum, as in the networks of the last ten years.
"""

from __future__ import annotations

from functools import lru_cache
from math import sqrt
from typing import Final

from simulator.foundation.errors import InputError
from simulator.workload.models.facts import ForwardFacts
from simulator.workload.models.networks.network import Layer, Network
from simulator.workload.operators import BACKWARD_MOVED, Elementwise, Gemm, Region

#: products of an image network in the library with published activations, in the median (ResNet-50 has 54)
LAYERS: Final = 60
#: multiply-adds per activation where no activations are published: those of ResNet-50, 4.1e9 over 11.1e6
INNER: Final = 370.0
_NORM_MOVED: Final = 3.0  # reads for the statistics, reads again, writes
_ACTIVATION_MOVED: Final = 2.0
_ADD_MOVED: Final = 3.0
#: layers per sum with a shortcut: in ResNet-50 sums are half as large as all outputs together
_LAYERS_PER_ADD: Final = 2
_HALF: Final = 2.0


@lru_cache(maxsize=1024)
def typical_network(facts: ForwardFacts, size: int | None = None) -> Network:
    """Return equal layers with the multiply-adds, activations and parameters of the facts, for images of ``size``.

    Raises:
        InputError: the facts hold no multiply-adds, or a size is asked of a model without one.
    """
    macs = facts.macs_at(size)
    if macs <= 0:
        raise InputError(f"the multiply-adds of {facts.name!r} are not known.")
    outputs = (facts.activations_at(size) or macs / INNER) / LAYERS
    inner = max(1, round(macs / LAYERS / outputs))
    parameters = (facts.parameters or inner * sqrt(macs / INNER)) / LAYERS
    width = max(1, round(parameters / inner))
    gemm = Gemm(name="product", rows=outputs / width, k=inner, n=width, saved=outputs)
    layers = (
        Layer(name="product", kind="convolution", operator=gemm, parameters=round(parameters), outputs=round(outputs)),
        _moving("norm", _NORM_MOVED * outputs, _HALF * outputs),
        _moving("activation", _ACTIVATION_MOVED * outputs, 0.0),
    )
    pair = (*layers * _LAYERS_PER_ADD, _moving("add", _ADD_MOVED * outputs, 0.0, back=1.0))
    return Network(name=facts.name, family=facts.family, size=size or facts.image_size or 1,
                   layers=pair * (LAYERS // _LAYERS_PER_ADD))  # fmt: skip


def _moving(kind: str, moved: float, saved: float, *, back: float = BACKWARD_MOVED) -> Layer:
    operator = Elementwise(name=kind, moved=moved, region=Region.REPLICATED, saved_bytes=saved, backward_moved=back)
    return Layer(name=kind, kind=kind, operator=operator)
