"""Compressed gradients: what is left to send of them, and what packing and unpacking moves through memory.

Bytes are per number of a gradient that is kept in fp32. Every method but plain rounding keeps the error it made and
adds it to the next gradient, which is read and written once more.

Leaves out: what compression does to the number of steps until a loss is reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from simulator.foundation.errors import InputError

Method = Literal["8-bit", "1-bit", "top-k", "power-sgd"]

FULL: Final = 4.0  # bytes of a number in fp32
#: numbers that share one scale in fp32 (Dettmers 2016, arXiv 1511.04561, and its blockwise successor 2110.02861)
BLOCK: Final = 2048
ERROR_FEEDBACK: Final = 2 * FULL  # the kept error, read and written


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """How gradients are compressed.

    Attributes:
        method: ``8-bit`` and ``1-bit`` round every number; ``top-k`` sends the largest with their positions;
            ``power-sgd`` sends two thin factors of each matrix.
        keep: share of the numbers that ``top-k`` sends.
        rank: of the factors of ``power-sgd``.
    """

    method: Method
    keep: float = 0.01
    rank: int = 4

    def __post_init__(self) -> None:
        if not 0 < self.keep <= 1 or self.rank < 1:
            raise InputError(f"keep {self.keep:g} and rank {self.rank}: a share above 0, at most 1, and at least 1.")

    @property
    def adds_up(self) -> bool:
        """Whether sums of compressed gradients are as small as one; the largest numbers of many ranks lie apart."""
        return self.method != "top-k"

    def share(self, rows: float, columns: float) -> float:
        """Return the bytes sent over those of the fp32 gradient of a matrix.

        Sources: 1-bit: Seide et al. 2014, Interspeech; top-k with 32-bit positions: Lin et al. 2018, arXiv 1712.01887;
        power-sgd: r (n + m) numbers of n m, Vogels et al. 2019, arXiv 1905.13727.

        >>> round(Compression(method="1-bit").share(4096, 4096) * 32, 2), Compression(method="top-k").share(8, 8)
        (1.02, 0.02)
        """
        scale = 1.0 / BLOCK
        found = {
            "8-bit": 1.0 / FULL + scale,
            "1-bit": 1.0 / (8 * FULL) + scale,
            "top-k": 2 * self.keep,
            "power-sgd": self.rank * (rows + columns) / (rows * columns),
        }
        return min(1.0, found[self.method])

    def moved(self, rows: float, columns: float) -> float:
        """Return bytes through memory for each number of a gradient: packed, unpacked, error kept.

        Rounding reads the number and writes its code, then the other way. ``top-k`` reads all numbers twice (a sampled
        threshold, then the choice) and clears the gradient before it is filled. ``power-sgd`` reads the matrix for each
        of its two factors and writes the product.
        """
        code = FULL * self.share(rows, columns)
        passes = {"8-bit": 2 * (FULL + code), "1-bit": 2 * (FULL + code), "top-k": 3 * FULL + 2 * code,
                  "power-sgd": 3 * FULL + 2 * code}  # fmt: skip
        return passes[self.method] + (0.0 if self.method == "8-bit" else ERROR_FEEDBACK)
