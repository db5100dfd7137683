"""What a layer and a network are: work, traffic, parameters and stored activations of one sample."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, Final

from simulator.foundation.errors import InputError, suggestion
from simulator.foundation.registry import Registry
from simulator.workload.operators import Block, Elementwise, Gemm

if TYPE_CHECKING:
    from simulator.workload.models.networks.canvas import Canvas

Option = int | float | str | bool
LARGEST_OPTION: Final = 10**10
_HALF: Final = 2.0  # bytes of a stored 16-bit activation
_WORDS: Final = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One operator of one sample's forward pass.

    A convolution is the matrix product of its im2col form: ``rows`` output positions (times groups), k inputs under the
    kernel, n output channels of one group. ``outputs`` counts what convolutions and matrix products write, in elements;
    it is 0 for what moves memory only. ``steps`` above 1 marks a sequential scan: so many products, each of which waits
    for the one before. ``overlap`` is the edge of the square kernel of a plain convolution of stride 1 on a plane,
    whose neighbouring outputs share inputs so that fast algorithms save multiplications; 0 where none is known.
    ``frozen`` marks a layer that is not trained and before which nothing is: it has no backward pass. ``decisions``
    counts small kernels launched for each sample by itself whose results decide what comes next, so that the device
    waits for the host at each. ``biased`` marks a convolution whose bias is added by a kernel of its own; ``turned``
    counts elements that a norm over groups of channels needs channels first. ``taps`` counts the positions under the
    kernel of a convolution.
    """

    name: str
    kind: str  # convolution, matmul, attention, recurrence, norm, activation, pool, add, concat, gather, other
    operator: Gemm | Elementwise
    parameters: int = 0
    outputs: int = 0
    groups: int = 1
    steps: int = 1
    overlap: int = 0
    frozen: bool = False
    decisions: int = 0
    biased: bool = False
    turned: float = 0.0
    taps: int = 1

    @property
    def macs(self) -> float:
        """Multiply-adds of one sample's forward pass."""
        if isinstance(self.operator, Elementwise):
            return 0.0
        return self.operator.rows * self.operator.k * self.operator.n * self.operator.repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """An embedding table: what a mapping may shard by rows, by columns or whole."""

    name: str
    rows: int
    width: int
    lookups: float  # rows read per sample

    @property
    def parameters(self) -> int:
        """Learned numbers."""
        return self.rows * self.width


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network for samples of one size: its layers in order, and its embedding tables."""

    name: str
    family: str
    size: int
    layers: tuple[Layer, ...]
    tables: tuple[Table, ...] = ()

    @property
    def parameters(self) -> int:
        """Learned numbers, tables included."""
        return sum(layer.parameters for layer in self.layers) + sum(table.parameters for table in self.tables)

    @property
    def macs(self) -> float:
        """Multiply-adds of one sample's forward pass; FLOP are twice as many."""
        return sum(layer.macs for layer in self.layers)

    @property
    def activations(self) -> int:
        """Outputs of convolutions and matrix products of one sample, in elements."""
        return sum(layer.outputs for layer in self.layers)

    @property
    def steps(self) -> int:
        """Products that wait for each other because of recurrences; 0 without any."""
        return sum(layer.steps for layer in self.layers if layer.steps > 1)

    @property
    def stored_bytes(self) -> float:
        """Bytes that one sample keeps for its backward pass with 16-bit activations: inputs of products and norms.

        Other precisions scale it; recomputation and in-place tricks beyond rectifiers are left out.
        """
        return sum(_stored(layer.operator) for layer in self.layers)

    def cut(self, lengths: Sequence[int]) -> list[Network]:
        """Return the networks of so many layers each, in order, as the stages of a pipeline hold them."""
        ends = accumulate(lengths)
        return [replace(self, layers=self.layers[end - count : end]) for end, count in zip(ends, lengths, strict=True)]

    @property
    def entering(self) -> float:
        """Elements of one sample that the first product reads: what a stage is sent.

        Data that jump over a cut (a residual or skip connection) are left out.
        """
        return next((layer.operator.saved for layer in self.layers if isinstance(layer.operator, Gemm)), 0.0)

    def parameters_by_kind(self) -> list[tuple[str, int]]:
        """Return the parameters by kind of layer, tables last; kinds without parameters are left out."""
        counts: dict[str, int] = {}
        for layer in self.layers:
            counts[layer.kind] = counts.get(layer.kind, 0) + layer.parameters
        counts["tables"] = sum(table.parameters for table in self.tables)
        return [(kind, count) for kind, count in counts.items() if count]

    def blocks(self) -> Iterator[Block]:
        """Yield the layers as operator blocks; runs of equal layers are one block with a count."""
        for operator, run in groupby(self.layers, key=lambda layer: layer.operator):
            count = sum(1 for _ in run)
            yield Block(name=operator.name, count=count, operators=(operator,), tensor_collectives=0)


def _stored(operator: Gemm | Elementwise) -> float:
    return operator.saved_bytes if isinstance(operator, Elementwise) else _HALF * operator.saved


def whole_numbers(text: str, option: str, *, least: int = 1) -> list[int]:
    """Return the numbers of an option that lists them, joined by hyphens.

    Raises:
        InputError: something else than such numbers, or one below ``least``.

    >>> whole_numbers("2-2-6-2", "depths")
    [2, 2, 6, 2]
    """
    parts = text.split("-")
    if not all(part.isascii() and part.isdigit() and len(part) < 12 for part in parts):
        raise InputError(f"{option} is {text!r}; whole numbers joined by hyphens are needed, as in '512-256-128'.")
    numbers = [int(part) for part in parts]
    if min(numbers) < least:
        raise InputError(f"{option} is {text!r}; each number must be at least {least}.")
    return numbers


def stages_of(depths: str, widths: str) -> list[tuple[int, int]]:
    """Return the blocks and the channels of each stage, from options that list them joined by hyphens.

    Raises:
        InputError: lists that are none, or of different lengths.

    >>> stages_of("3-3-9-3", "96-192-384-768")
    [(3, 96), (3, 192), (9, 384), (3, 768)]
    """
    counts, channels = whole_numbers(depths, "depths"), whole_numbers(widths, "widths")
    if len(counts) != len(channels):
        raise InputError(f"depths is {depths!r} and widths {widths!r}; one width per stage is needed.")
    return list(zip(counts, channels, strict=True))


#: family of networks -> the function that draws one on a canvas for samples of ``size``
FAMILIES: Final[Registry[Callable[..., Canvas]]] = Registry("family of networks")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRecipe:
    """How to build a network: its family, the options of the family, and the size of a sample.

    What ``size`` counts (pixels along an edge, frames, tokens) is said by the family's function. ``training_size`` is
    the usual one in training, where published costs are at another: batches padded to their largest image, sizes
    changed from batch to batch.
    """

    name: str
    family: str
    size: int
    options: tuple[tuple[str, Option], ...] = ()
    training_size: int | None = None

    def build(self, size: int | None = None) -> Network:
        """Build the layers for samples of ``size`` (None: the recipe's own).

        Raises:
            UnknownName: no such family.
            InputError: an option the family does not have, one it needs, or a value it cannot build.
        """
        from simulator.workload.models.networks import families

        assert families.MODULES, "importing the families registers them"
        draw = FAMILIES[self.family]
        self._check(draw)
        asked = self.size if size is None else size
        if asked < 1:
            raise InputError(f"network {self.name!r}: a sample of size {asked} cannot be; it must be at least 1.")
        canvas = draw(asked, **dict(self.options))
        return Network(name=self.name, family=self.family, size=asked, layers=tuple(canvas.layers),
                       tables=tuple(canvas.tables))  # fmt: skip

    def _check(self, draw: Callable[..., Canvas]) -> None:
        known = dict(list(inspect.signature(draw).parameters.items())[1:])
        given = dict(self.options)
        for option in given:
            if option not in known:
                raise InputError(f"network {self.name!r}: no option {option!r}.{suggestion(option, known)}")
        for option, parameter in known.items():
            if option in given:
                self._check_value(option, given[option], parameter)
            elif parameter.default is inspect.Parameter.empty:
                raise InputError(f"network {self.name!r}: family {self.family!r} needs the option {option!r}.")

    def _check_value(self, option: str, value: Option, parameter: inspect.Parameter) -> None:
        needed = str(parameter.annotation)
        if type(value).__name__ != needed and (type(value).__name__, needed) != ("int", "float"):
            raise InputError(f"network {self.name!r}: option {option!r} is {value!r}; {_WORDS[needed]} is needed.")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            least = 0 if parameter.default == 0 or needed == "float" else 1
            if not least <= value <= LARGEST_OPTION or (needed == "float" and value == 0):
                raise InputError(f"network {self.name!r}: option {option!r} is {value!r}; it must lie between {least} "
                                 f"and {LARGEST_OPTION}.")  # fmt: skip
