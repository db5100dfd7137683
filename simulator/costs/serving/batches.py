"""How long a device takes over a batch of inputs, and when it can take the next one.

Devices that run a network layer by layer are busy until the batch is done. A pipeline laid out in hardware (a dataflow
design on an FPGA) takes a new input every initiation interval: n inputs leave ``depth + (n - 1) x interval`` after the
first one entered, and the next batch may enter after ``n x interval``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.costs.serving.forward import Runner, feeding_seconds, forward_seconds
from simulator.foundation.errors import InputError
from simulator.workload.models.facts import ForwardFacts
from simulator.workload.models.networks.network import Network
from simulator.workload.models.parameters import count_parameters
from simulator.workload.models.transformer import Transformer

#: batch sizes up to which the closed form is evaluated one by one; beyond, at points between which it is interpolated
_EXACT_UP_TO: Final = 64
_POINTS: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTimes:
    """Seconds of batches of 1, 2, ... inputs: until the results are there, and until the next batch may start."""

    latency_s: tuple[float, ...]
    occupied_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A design laid out in hardware: seconds through it, and between two inputs."""

    depth_s: float
    interval_s: float

    def __post_init__(self) -> None:
        if not 0 < self.interval_s <= self.depth_s:
            raise InputError(
                f"an input every {self.interval_s:g} s that needs {self.depth_s:g} s: the interval is above 0 and at "
                "most the depth."
            )

    def times(self, largest: int) -> BatchTimes:
        """Return the seconds of batches of up to ``largest`` inputs."""
        sizes = range(1, largest + 1)
        return BatchTimes(
            latency_s=tuple(self.depth_s + (n - 1) * self.interval_s for n in sizes),
            occupied_s=tuple(n * self.interval_s for n in sizes),
        )


def batch_times(
    model: Transformer | ForwardFacts | Network,
    runner: Runner,
    *,
    largest: int,
    samples: int,
    tokens: float,
    input_bytes: float,
) -> BatchTimes:
    """Return the seconds of batches of up to ``largest`` requests on a device that runs layer by layer.

    Args:
        model: an encoder, a network of layers, or the cost of a sample.
        runner: where it runs.
        largest: batch.
        samples: of one request, as the candidates that a recommender ranks.
        tokens: of one sample, for encoders.
        input_bytes: of one request, which the server brings to the device first where the engine has such a step.

    Raises:
        InputError: the device's memory bandwidth is not known.
    """
    exact = np.arange(1, min(largest, _EXACT_UP_TO) + 1)
    beyond = np.geomspace(_EXACT_UP_TO, largest, _POINTS).round() if largest > _EXACT_UP_TO else exact[:0]
    points = np.unique(np.concatenate([exact, beyond]))
    seconds = [
        forward_seconds(model, float(n * samples), runner, tokens=tokens)
        + feeding_seconds(runner.engine, float(n), input_bytes)
        for n in points
    ]
    found = tuple(np.interp(np.arange(1, largest + 1), points, seconds).tolist())
    return BatchTimes(latency_s=found, occupied_s=found)


def stored_bytes(model: Transformer | ForwardFacts | Network, weight_bytes: float) -> float:
    """Return the bytes of a model's weights; raises :class:`InputError` where its parameters are not known."""
    if isinstance(model, Transformer):
        return count_parameters(model).total * weight_bytes
    if model.parameters is None:
        raise InputError(f"how many parameters {model.name!r} has is not known; its bytes cannot be told.")
    return float(model.parameters) * weight_bytes
