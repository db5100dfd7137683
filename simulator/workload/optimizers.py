"""Optimizers: the state they keep and the memory traffic of one update."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simulator.foundation.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """Per-parameter needs of an update rule, with fp32 state.

    ``state_bytes`` is what the rule itself remembers (momenta); the fp32 master copy of 16-bit weights is counted by
    ``state_bytes_per_parameter``. The update is memory-bound: it reads gradient, master and state, and writes master,
    state and the working copy.

    Attributes:
        flop: elementwise arithmetic per parameter and step, for the record: never the bound.
        again: bytes per parameter that the rule moves beyond one pass: norms of the update, orthogonal factors.
        factored: whether the state is one number for each row and each column of a matrix.
        orthogonal: Newton-Schulz iterations that turn the update of a matrix into an orthogonal one.
        products: FLOP per parameter of those iterations' products; set by :meth:`on`.
    """

    name: str
    state_bytes: float
    flop: float
    again: float = 0.0
    factored: bool = False
    orthogonal: int = 0
    products: float = 0.0

    def on(self, rows: int, columns: int) -> Optimizer:
        """Return the rule for weights in matrices of one shape; most rules do not look at it.

        An iteration of Newton-Schulz on m x n, m <= n, multiplies X X^T, its square, and the sum with X: 4 m^2 n +
        2 m^3 FLOP (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon).

        >>> optimizers["adafactor"].on(1024, 4096).state_bytes == 4 * (1024 + 4096) / (1024 * 4096)
        True
        """
        short, long = min(rows, columns), max(rows, columns)
        state = 4.0 * (rows + columns) / (rows * columns) if self.factored else self.state_bytes
        return replace(self, state_bytes=state, products=self.orthogonal * (4.0 * short + 2.0 * short**2 / long))


#: Adafactor reads the gradient a second time and writes and reads its update for the clip (Shazeer & Stern 2018,
#: arXiv 1804.04235, algorithm 4); LAMB writes and reads its update, and reads the weight, for their norms (You et al.
#: 2019, arXiv 1904.00962); Muon writes and reads the update in 16 bits before and after its products. Eight-bit state
#: has one fp32 scale for each block of 2,048 numbers (Dettmers et al. 2021, arXiv 2110.02861).
optimizers: Registry[Optimizer] = Registry("optimizer")
for _optimizer in (
    Optimizer(name="sgd", state_bytes=0, flop=2),
    Optimizer(name="momentum", state_bytes=4, flop=4),
    Optimizer(name="adagrad", state_bytes=4, flop=6),
    Optimizer(name="rmsprop", state_bytes=4, flop=6),
    Optimizer(name="adadelta", state_bytes=8, flop=10),
    Optimizer(name="adam", state_bytes=8, flop=11),
    Optimizer(name="adamw", state_bytes=8, flop=13),
    Optimizer(name="lamb", state_bytes=8, flop=17, again=12),
    Optimizer(name="adafactor", state_bytes=0, flop=12, again=12, factored=True),
    Optimizer(name="muon", state_bytes=4, flop=6, again=8, orthogonal=5),
    Optimizer(name="adam-8bit", state_bytes=2 * (1 + 4 / 2048), flop=15),
):
    optimizers.add(_optimizer.name, _optimizer)


def update_bytes_per_parameter(optimizer: Optimizer, *, weight_bytes: float, gradient_bytes: float) -> float:
    """Return bytes moved per parameter by one update.

    Master weights (fp32) and state are read and written, the gradient is read, and where the working copy is
    narrower than fp32 it is written. Adam with 16-bit weights and fp32 gradients: 4 + 2*4 + 2*8 + 2 = 30.
    """
    copy = weight_bytes if weight_bytes < 4 else 0.0
    return gradient_bytes + 2 * 4 + 2 * optimizer.state_bytes + optimizer.again + copy


def state_bytes_per_parameter(optimizer: Optimizer, *, weight_bytes: float) -> float:
    """Return bytes of optimizer state per parameter, with the fp32 master copy of narrower weights.

    Adam over 16-bit weights: 4 + 8 = 12 (ZeRO paper, arXiv 1910.02054, K = 12).
    """
    return optimizer.state_bytes + (4.0 if weight_bytes < 4 else 0.0)
