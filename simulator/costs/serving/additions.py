"""What may be added to a replica: a draft that guesses tokens, adapters beside the weights, weights in host memory.

Speculative decoding: a draft guesses k tokens, one pass of the model checks them all. With a chance ``a`` that a guess
is accepted, independent of the others, a pass yields ``(1 - a^(k + 1)) / (1 - a)`` tokens (Leviathan et al. 2023, arXiv
2211.17192, equation 1). Adapters (LoRA, Hu et al. 2021, arXiv 2106.09685) add to every product of k x n two thin ones,
k x r and r x n, whose weights are read once for each adapter in the batch. Weights in host memory are read over the
link to the host in every iteration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.serving.layers import DeviceWork, Product
from simulator.foundation.errors import InputError
from simulator.workload.models.transformer import Transformer

Floats = NDArray[np.float64]
_STORED: Final = 2.0  # bytes of an adapter's weight: they stay in 16 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Speculation:
    """How tokens are guessed: ``tokens`` a pass, each accepted with a chance; None: by look-up, not a draft model."""

    tokens: int
    acceptance: float
    draft: Transformer | None = None

    def __post_init__(self) -> None:
        if self.tokens < 1 or not 0 <= self.acceptance <= 1:
            raise InputError(f"{self.tokens} guesses accepted at {self.acceptance:g}: at least one, at 0 to 1.")

    @property
    def expected_tokens(self) -> float:
        """Tokens that one pass of the model yields, from 1 to ``tokens + 1``."""
        return float(sum(self.acceptance**i for i in range(self.tokens + 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """So many adapters of one rank, asked for equally often; ``resident`` of them lie on the device."""

    count: int
    resident: int
    rank: int

    def __post_init__(self) -> None:
        if not 1 <= self.resident <= self.count or self.rank < 1:
            raise InputError(f"{self.resident} of {self.count} adapters of rank {self.rank} cannot be resident.")

    @property
    def misses(self) -> float:
        """Share of the requests whose adapter has to be loaded first."""
        return 1.0 - self.resident / self.count

    def bytes_each(self, work: DeviceWork) -> float:
        """Return the bytes of one adapter on one device (all layers together)."""
        return _STORED * self.rank * sum(part.count * (part.k + part.n) for part in _adapted(work))

    def seconds(
        self, tokens: Floats, work: DeviceWork, *, flop_rate: float, bandwidth: float, start_s: float
    ) -> Floats:
        """Return what an iteration of ``tokens`` takes longer.

        Every token may belong to another adapter, so up to ``resident`` of them are read: as many as a draw with
        replacement finds. For a prompt, all of whose tokens have one adapter, this overstates what is read.

        Args:
            tokens: of the iteration, on this device.
            work: what the device does in it.
            flop_rate: FLOP/s that thin products reach.
            bandwidth: bytes/s at which weights are read.
            start_s: least time of one product.
        """
        parts = _adapted(work)
        found = self.resident * -np.expm1(tokens * np.log1p(-1.0 / self.resident)) if self.resident > 1 else 1.0
        read = found * self.bytes_each(work) / bandwidth
        flop = 2.0 * tokens * self.rank * sum(part.count * (part.k + part.n) for part in parts)
        result: Floats = 2.0 * start_s * sum(part.count for part in parts) + np.maximum(read, flop / flop_rate)
        return result


def _adapted(work: DeviceWork) -> list[Product]:
    """Return the products that adapters stand beside: those that every token passes, but for the router."""
    return [part for part in work.products if not part.experts and part.name != "router"]
