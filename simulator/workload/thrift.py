"""Models made smaller while they train: pruned weights, and numbers rounded as they will be served.

Pruning keeps the weights of the optimizer dense. Two of every four consecutive weights are zero under 2:4, which
matrix units skip (Mishra et al. 2021, arXiv 2104.08378): a product reads the other two and two bits of position for
each. Both the forward product and the gradient of the input use the pruned matrix (its masks serve both directions,
Hubara et al. 2021, arXiv 2102.08124); the gradient of the weights is dense. Without a pattern no kernel skips anything:
masks are kept and laid over the weights, and nothing gets faster. Leaves out: what it does to accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

Pattern = Literal["dense", "2:4", "unstructured"]

#: every pattern
PATTERNS: Final[tuple[Pattern, ...]] = get_args(Pattern)

#: bytes of a 2:4 matrix over those of the dense one in 16 bits: half the weights, two bits of position for each
HALF_AND_POSITIONS: Final = (0.5 * 16 + 0.5 * 2) / 16
#: bytes of a mask per element: of weights that are zero, of numbers that are clipped, of those that dropout drops
MASK_BYTES: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Thrift:
    """What is saved of a model while it trains.

    Attributes:
        pattern: of the zeros among the weights.
        density: share of the weights that are not zero.
        rounded: whether weights and inputs of products are rounded to another format and back in each pass
            (quantisation-aware training; Jacob et al. 2018, arXiv 1712.05877).
    """

    pattern: Pattern = "dense"
    density: float = 1.0
    rounded: bool = False

    def held_bytes(self, width: float) -> float:
        """Return bytes per weight beside the dense ones of ``width`` bytes: compressed copies both ways, or masks."""
        match self.pattern:
            case "2:4":
                return 2.0 * HALF_AND_POSITIONS * width
            case "unstructured":
                return MASK_BYTES
            case _:
                return 0.0

    def update_bytes(self, width: float) -> float:
        """Return bytes per weight that pruning moves after each update.

        Under 2:4 the dense weights are read and both compressed copies written; else the weights are read, the masks
        laid over them, and what is left written.
        """
        match self.pattern:
            case "2:4":
                return width + self.held_bytes(width)
            case "unstructured":
                return 2.0 * width + MASK_BYTES
            case _:
                return 0.0


#: nothing saved
WHOLE: Final = Thrift()
