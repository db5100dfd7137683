"""A canvas: the shape of the data as it passes through a network, and the layers drawn so far."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.network import Layer, Table
from simulator.workload.operators import BACKWARD_MOVED, Elementwise, Gemm, Region

_HALF = 2.0  # bytes of a stored 16-bit activation; whoever prices another precision rescales
_SMOOTH = frozenset(
    {"swish", "gelu", "hard-swish", "sigmoid", "tanh", "leaky"}
)  # keep their input for the backward pass


#: elements moved per score: scaling reads and writes it; the softmax is widened to fp32, reads and writes twice as many
#: bytes, and is narrowed again
_SOFTMAX_MOVED: Final = 12.0
_BIAS_MOVED: Final = 3.0  # elements per score to add a bias, which widens it to fp32
_MASK_MOVED: Final = 4.0  # the same to add a mask to widened scores
_DROPOUT_MOVED: Final = 2.5  # elements per element: a read, a write, half of one for the mask
_HEADS_MOVED: Final = 8.0  # elements per element of a head: queries, keys, values and their mix are copied apart
_LAYER_NORM_MOVED: Final = 10.0  # the same for a norm over channels, in fp32: widened, read twice, written, narrowed
_FAST_KERNELS: Final = ((3, 3), (5, 5))  # kernels that have fast algorithms
MOST_LAYERS: Final = 20_000  # of one network; beyond it an option was mistyped


class Canvas:
    """Holds ``channels`` and ``extent`` (pixels, frames, tokens along each axis), and draws layers that change them.

    A layer appends its operator with per-sample counts. Batch statistics, dropout and losses are left out.
    """

    def __init__(self, channels: int, extent: Sequence[int]) -> None:
        self.channels = channels
        self.extent = tuple(extent)
        self.layers: list[Layer] = []
        self.tables: list[Table] = []

    @property
    def positions(self) -> int:
        """Pixels, frames or tokens of one channel."""
        return math.prod(self.extent)

    @property
    def elements(self) -> int:
        """Numbers in the data at this point."""
        return self.channels * self.positions

    @contextmanager
    def branch(self) -> Iterator[None]:
        """Draw a branch: afterwards the shape is again what it was before."""
        kept = self.channels, self.extent
        yield
        self.channels, self.extent = kept

    # ---------------------------------------------------------------- layers with weights

    def conv(
        self,
        out: int,
        kernel: int | Sequence[int] = 3,
        *,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | None = None,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        norm: bool = True,
        act: str | None = "relu",
        name: str = "conv",
    ) -> None:
        """Draw a convolution, then its norm and activation.

        Args:
            padding: zeros on each side; None pads so that stride 1 keeps the extent (odd kernels).
            act: name of the activation; None for none.

        Raises:
            InputError: the data are smaller than the kernel.
        """
        kernels, strides = self._per_axis(kernel), self._per_axis(stride)
        paddings = [dilation * (k - 1) // 2 for k in kernels] if padding is None else self._per_axis(padding)
        inputs, into = self.elements, self.channels
        self.extent = tuple(
            (size + 2 * pad - dilation * (k - 1) - 1) // step + 1
            for size, k, step, pad in zip(self.extent, kernels, strides, paddings, strict=True)
        )
        if min(self.extent) < 1:
            raise InputError(f"layer {name!r}: the sample is too small for its kernel of {kernels}.")
        plain = groups == dilation == 1 and set(strides) == {1} and kernels in _FAST_KERNELS
        self._weights(name, "convolution", inputs, into, out, math.prod(kernels), groups, bias,
                      overlap=kernels[0] if plain else 0)  # fmt: skip
        self._after(norm, act)

    def deconv(
        self, out: int, kernel: int, *, stride: int, bias: bool = False, norm: bool = True, act: str | None = "relu"
    ) -> None:
        """Draw a transposed convolution that multiplies the extent by its stride."""
        inputs, into, positions = self.elements, self.channels, self.positions
        self.extent = tuple(size * stride for size in self.extent)
        taps = kernel ** len(self.extent)
        gemm = Gemm(name="deconv", rows=positions, k=into, n=out * taps, saved=inputs)
        self.channels = out
        self._draw(Layer(name="deconv", kind="convolution", operator=gemm, outputs=self.elements,
                                 parameters=into * out * taps + out * bias))  # fmt: skip
        self._after(norm, act)

    def _weights(
        self,
        name: str,
        kind: str,
        inputs: int,
        into: int,
        out: int,
        taps: int,
        groups: int,
        bias: bool,
        *,
        overlap: int = 0,
    ) -> None:
        if into % groups or out % groups:
            raise InputError(f"layer {name!r}: {into} and {out} channels do not divide into {groups} groups.")
        k, n = into // groups * taps, out // groups
        self.channels = out
        gemm = Gemm(name=name, rows=self.positions * groups, k=k, n=n, saved=inputs)
        self._draw(Layer(name=name, kind=kind, operator=gemm, parameters=k * out + out * bias,
                                 outputs=self.elements, groups=groups, overlap=overlap,
                                 biased=bias and kind == "convolution", taps=taps))  # fmt: skip

    def linear(self, out: int, *, bias: bool = True, act: str | None = None, name: str = "linear") -> None:
        """Draw a matrix product over the channels of every position."""
        self._weights(name, "matmul", self.elements, self.channels, out, 1, 1, bias)
        self._after(False, act)

    def flatten(self) -> None:
        """Make every element a channel of one position."""
        self.channels, self.extent = self.elements, (1,)

    def attention(
        self,
        heads: int,
        width: int,
        *,
        context: int | None = None,
        windows: int = 1,
        biased: int = 0,
        masked: bool = False,
        cosine: bool = False,
    ) -> None:
        """Draw scores, softmax and the weighted sum of ``heads`` heads, ``width`` wide together.

        Args:
            context: positions that each one looks at (None: all of its window).
            windows: parts of the extent that attend among themselves only.
            biased: learned numbers from which biases of the scores are made; 0 for none.
            masked: whether a mask is added to the scores.
            cosine: whether queries and keys are scaled to length one, and scores per head.
        """
        head = width // heads
        seen = self.positions // windows if context is None else context
        rows = self.positions * heads
        scores = rows * seen
        self._draw(Layer(name="attention scores", kind="attention", outputs=scores,
                                 operator=Gemm(name="attention scores", rows=rows, k=head, n=seen, weight=False,
                                               saved=2 * rows * head)))  # fmt: skip
        if cosine:
            self._move("unit length", "norm", 2.0 * _LAYER_NORM_MOVED * rows * head, saved=2 * _HALF * rows * head)
            self._move("scale", "activation", 2.0 * scores, saved=_HALF * scores)
        if biased:
            self._move("attention bias", "add", _BIAS_MOVED * scores, parameters=biased)
        if masked:
            self._move("attention mask", "add", _MASK_MOVED * scores)
        self._move("softmax", "activation", _SOFTMAX_MOVED * scores, saved=_HALF * scores)
        self._draw(Layer(name="attention values", kind="attention", outputs=rows * head,
                                 operator=Gemm(name="attention values", rows=rows, k=seen, n=head, weight=False,
                                               saved=rows * head)))  # fmt: skip
        self._move("heads", "other", _HEADS_MOVED * rows * head)

    def pairwise(self, vectors: int, width: int) -> None:
        """Draw the dot products of all pairs of ``vectors`` vectors of a sample (one batched product)."""
        gemm = Gemm(name="pairs", rows=vectors, k=width, n=vectors, weight=False, saved=vectors * width)
        self._draw(Layer(name="pairs", kind="attention", operator=gemm, outputs=vectors * vectors))

    def recurrence(self, hidden: int, *, gates: int, name: str = "recurrence") -> None:
        """Draw one scan over the extent: a product over all steps at once for the inputs, one per step for the state.

        Weights and two biases per gate, as the cuDNN cells have them.
        """
        steps, entering, width = self.positions, self.channels, gates * hidden
        inputs = Gemm(name=f"{name} inputs", rows=steps, k=entering, n=width, saved=self.elements)
        self._draw(Layer(name=f"{name} inputs", kind="recurrence", operator=inputs, outputs=steps * width,
                                 parameters=(entering + 2) * width))  # fmt: skip
        state = Gemm(name=f"{name} state", rows=1, k=hidden, n=width, repeats=steps, saved=steps * hidden)
        self._draw(Layer(name=f"{name} state", kind="recurrence", operator=state, outputs=steps * width,
                                 parameters=hidden * width, steps=steps))  # fmt: skip
        self.channels = hidden
        self._move(f"{name} gates", "activation", float(steps * (2 * width + 3 * hidden)), saved=_HALF * steps * width)

    def share_weights(self, *, since: int) -> None:
        """Count no parameters for the layers drawn from index ``since`` on: they use those of earlier ones."""
        self.layers[since:] = [replace(layer, parameters=0) for layer in self.layers[since:]]

    def freeze(self) -> None:
        """Mark all layers drawn so far as not trained: nothing before what follows has a backward pass."""
        self.layers[:] = [replace(layer, frozen=True) for layer in self.layers]

    # ---------------------------------------------------------------- layers that move memory

    def norm(self, *, parameters: int | None = None, name: str = "norm") -> None:
        """Draw a norm with scale and shift: the input is read for its statistics, and again to be normalised."""
        self._move(name, "norm", 3.0 * self.elements, saved=_HALF * self.elements,
                   parameters=2 * self.channels if parameters is None else parameters)  # fmt: skip

    def layer_norm(self) -> None:
        """Draw a norm over the channels of each position, in fp32: mixed precision widens its input and narrows it."""
        self._move("layer norm", "norm", _LAYER_NORM_MOVED * self.elements, saved=_HALF * self.elements,
                   parameters=2 * self.channels)  # fmt: skip

    def group_norm(self) -> None:
        """Draw a norm over groups of channels: in fp32, and by kernels that want channels first."""
        self.layer_norm()
        self.layers[-1] = replace(self.layers[-1], name="group norm", turned=float(self.elements))

    def act(self, name: str = "relu") -> None:
        """Draw an activation: one read, one write."""
        self._move(name, "activation", 2.0 * self.elements, saved=_HALF * self.elements * (name in _SMOOTH))

    def add(self) -> None:
        """Draw the sum of a branch and the data; its gradient is that of both, and where they forked two are summed."""
        self._move("add", "add", 3.0 * self.elements, backward_moved=1.0)

    def scale(self) -> None:
        """Draw a product of the data with one number per channel or a mask of their own shape."""
        self._move("scale", "activation", 2.0 * self.elements, saved=_HALF * self.elements)

    def dropout(self) -> None:
        """Draw a dropout: data and a mask of a byte each, written forward and read backward."""
        self._move("dropout", "other", _DROPOUT_MOVED * self.elements, saved=float(self.elements), backward_moved=1.0)

    def rescale(self, *, learned: bool = True) -> None:
        """Draw a product of the data with one number per channel, that belongs to the network."""
        self._move("rescale", "other", 2.0 * self.elements, saved=_HALF * self.elements * learned,
                   parameters=self.channels * learned)  # fmt: skip

    def gains(self) -> None:
        """Count one learned gain per channel of the last layer, which its standardised weights hold."""
        last = self.layers[-1]
        self.layers[-1] = replace(last, parameters=last.parameters + self.channels)

    def copies(self, count: int) -> None:
        """Draw ``count`` copies of the data into another order."""
        for _ in range(count):
            self._move("copy", "other", 2.0 * self.elements)

    def concat(self, channels: int) -> None:
        """Join branches to ``channels`` in all: a copy."""
        self.channels = channels
        self._move("concat", "concat", 2.0 * self.elements)

    def pool(self, kernel: int, *, stride: int | None = None, padding: int = 0, ceil: bool = False) -> None:
        """Draw a pooling window; ``ceil`` keeps the last, partial window."""
        step = kernel if stride is None else stride
        before = self.elements
        slack = step - 1 if ceil else 0
        self.extent = tuple((size + 2 * padding - kernel + slack) // step + 1 for size in self.extent)
        if min(self.extent) < 1:
            raise InputError(f"the sample is too small for a pooling window of {kernel}.")
        self._move("pool", "pool", float(before + self.elements))

    def global_pool(self, size: int = 1) -> None:
        """Draw an average down to ``size`` positions per axis."""
        before = self.elements
        self.extent = tuple(size for _ in self.extent)
        self._move("global pool", "pool", float(before + self.elements))

    def resample(self, extent: Sequence[int]) -> None:
        """Draw an interpolation to another extent."""
        before = self.elements
        self.extent = tuple(extent)
        self._move("resample", "pool", float(before + self.elements))

    def squeeze(self, inner: int, *, act: str = "relu") -> None:
        """Draw a squeeze-and-excite: average, two small products, and a scale of every channel."""
        channels = self.channels
        with self.branch():
            self.global_pool()
            self.conv(inner, 1, bias=True, norm=False, act=act, name="squeeze")
            self.conv(channels, 1, bias=True, norm=False, act="sigmoid", name="excite")
        self.scale()

    def decide(self, name: str, kernels: int) -> None:
        """Draw a choice made sample by sample: so many small kernels one after the other, next to no data."""
        operator = Elementwise(name=name, moved=0.0, region=Region.REPLICATED, kernels=0)
        self._draw(Layer(name=name, kind="other", operator=operator, decisions=kernels))

    def gather(self) -> None:
        """Draw a gather of the data themselves, from rows that lie apart."""
        self._move("gather", "gather", 2.0 * self.elements)

    def neighbours(self, targets: int) -> None:
        """Draw a weighted mean of nodes into ``targets`` fewer ones."""
        before = self.elements
        self.extent = (targets,)
        self._move("neighbours", "gather", float(before + self.elements))

    def table(self, name: str, rows: int, width: int, *, lookups: float = 1.0) -> None:
        """Draw a gather from an embedding table; the shape does not change."""
        self.tables.append(Table(name=name, rows=rows, width=width, lookups=lookups))
        self._move(name, "gather", 2.0 * lookups * width)

    def learned(self, name: str, parameters: int) -> None:
        """Draw the sum with learned numbers that belong to no product (positions, class tokens)."""
        self._move(name, "add", 3.0 * self.elements, parameters=parameters)

    def _after(self, norm: bool, act: str | None) -> None:
        if norm:
            self.norm()
        if act is not None:
            self.act(act)

    def _move(
        self,
        name: str,
        kind: str,
        moved: float,
        *,
        saved: float = 0.0,
        parameters: int = 0,
        backward_moved: float = BACKWARD_MOVED,
    ) -> None:
        operator = Elementwise(name=name, moved=moved, region=Region.REPLICATED, saved_bytes=saved,
                               backward_moved=backward_moved)  # fmt: skip
        self._draw(Layer(name=name, kind=kind, operator=operator, parameters=parameters))

    def _draw(self, layer: Layer) -> None:
        if len(self.layers) >= MOST_LAYERS:
            raise InputError(f"more than {MOST_LAYERS} layers; an option that repeats blocks is too large.")
        self.layers.append(layer)

    def _per_axis(self, value: int | Sequence[int]) -> tuple[int, ...]:
        return (value,) * len(self.extent) if isinstance(value, int) else tuple(value)
