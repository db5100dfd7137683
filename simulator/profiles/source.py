"""Where a figure comes from: every number of a part names a source, of a kind and a confidence.

In a file a figure is text (``memory_bandwidth: 3.35 TB/s``) and then comes from the file's own ``source``, or a block
that names another one (``{value: 3.35 TB/s, source: measured}``). Sources are described once, under ``sources``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias, get_args

from pydantic import BeforeValidator, Field, WithJsonSchema, create_model

from simulator.foundation.errors import InputError, suggestion
from simulator.foundation.schema import Count, Name, StrictModel, quantity

SourceKind = Literal["datasheet", "measured", "calibrated", "assumed"]
Confidence = Literal["A", "B", "D"]

#: what a confidence letter says
CONFIDENCES: Mapping[str, str] = {
    "A": "vendor document or vendor code, read",
    "B": "secondary catalogue or press, read",
    "D": "derived by the formula that the source or the notes give",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who says so: a data sheet, a measurement, a calibration or an assumption."""

    kind: SourceKind
    ref: str
    date: str = ""  # of the text that was read, as precise as known
    confidence: Confidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of a part, as the file gives it.

    Attributes:
        key: dotted path inside the file, as in ``peak.bf16``.
        value: in the base unit of ``dimension``.
        dimension: a key of ``units.UNITS``, or ``""`` for counts and fractions.
        source: ``None`` when the file names none; ``rackcast hw lint`` refuses that.
    """

    key: str
    value: float
    dimension: str
    source: Source | None


class SourceFile(StrictModel):
    """A source in a file."""

    kind: SourceKind
    ref: Annotated[str, Field(min_length=3, max_length=600)]
    date: Annotated[str, Field(pattern=r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"), BeforeValidator(str)] = ""
    confidence: Confidence | None = None


class Sourced(StrictModel):
    """A figure in a file; subclasses fix the dimension of ``value``."""

    dimension: ClassVar[str] = ""
    value: Any
    source: Name | None = None


def _with_value(given: object) -> object:
    return given if isinstance(given, Mapping) else {"value": given}


def _figure(kind: Any, dimension: str, text_schema: dict[str, Any]) -> Any:
    label = dimension or str(text_schema["type"])
    model = create_model(f"{label.title().replace('_', '')}Figure", __base__=Sourced, value=(kind, ...))
    model.dimension = dimension
    block = {
        "type": "object",
        "properties": {"value": text_schema, "source": {"type": "string"}},
        "required": ["value"],
        "additionalProperties": False,
    }
    return Annotated[model, BeforeValidator(_with_value), WithJsonSchema({"anyOf": [text_schema, block]})]


def figure(dimension: str, *, above: bool = True) -> Any:
    """Return the annotated type of a figure with a unit; ``above``: zero is refused."""
    kind = quantity(dimension, above=above)
    (schema,) = (note.json_schema for note in get_args(kind) if isinstance(note, WithJsonSchema))
    assert isinstance(schema, dict)
    return _figure(kind, dimension, schema)


def _number(json_schema: dict[str, Any], **limits: float) -> Any:
    return _figure(Annotated[float, Field(**limits)], "", {"type": "number", **json_schema})  # type: ignore[call-overload]


if TYPE_CHECKING:  # a checker sees what a field holds; pydantic sees how it is read
    FlopRateFigure: TypeAlias = Sourced
    BytesFigure: TypeAlias = Sourced
    BandwidthFigure: TypeAlias = Sourced
    TimeFigure: TypeAlias = Sourced
    FrequencyFigure: TypeAlias = Sourced
    PowerFigure: TypeAlias = Sourced
    RateFigure: TypeAlias = Sourced
    RentFigure: TypeAlias = Sourced
    MoneyFigure: TypeAlias = Sourced
    StorageRentFigure: TypeAlias = Sourced
    EnergyPriceFigure: TypeAlias = Sourced
    CarbonFigure: TypeAlias = Sourced
    CountFigure: TypeAlias = Sourced
    FractionFigure: TypeAlias = Sourced
    AmountFigure: TypeAlias = Sourced
    RatioFigure: TypeAlias = Sourced
else:
    FlopRateFigure = figure("flop_rate")
    BytesFigure = figure("bytes")
    BandwidthFigure = figure("bandwidth")
    TimeFigure = figure("time", above=False)
    FrequencyFigure = figure("frequency")
    PowerFigure = figure("power", above=False)
    RateFigure = figure("rate")
    RentFigure = figure("money_rate")
    MoneyFigure = figure("money")
    StorageRentFigure = figure("money_per_byte_time")
    EnergyPriceFigure = figure("money_per_energy")
    CarbonFigure = figure("carbon_per_energy", above=False)
    CountFigure = _figure(Count, "", {"type": "integer", "minimum": 1})
    FractionFigure = _number({"minimum": 0, "maximum": 1.5}, ge=0.0, le=1.5)  # above 1: reduction in the switch
    AmountFigure = _number({"exclusiveMinimum": 0}, gt=0.0, le=1e6)  # of things that may be a share of one
    RatioFigure = _number({"minimum": 1}, ge=1.0, le=10.0)


class PartFile(StrictModel):
    """What the file of every part holds."""

    part: str
    aliases: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(default_factory=list)
    sources: dict[str, SourceFile] = Field(default_factory=dict)
    source: Name | None = None  # of every figure that names none
    unusual: dict[str, Annotated[str, Field(min_length=10)]] = Field(default_factory=dict)  # key -> why lint is wrong
    notes: str = ""


def value_of(sourced: Sourced | None) -> float | None:
    """Return the number in the base unit, or None where the file leaves the figure out."""
    return None if sourced is None else float(sourced.value)


def count_of(sourced: Sourced | None) -> int | None:
    """Return the count, or None where the file leaves it out."""
    return None if sourced is None else int(sourced.value)


def figures_of(part: PartFile) -> tuple[Figure, ...]:
    """Return every figure of the file with its source, in the order of the schema.

    Raises:
        InputError: a figure or the file names a source that ``sources`` does not describe.
    """
    sources = {
        name: Source(kind=item.kind, ref=item.ref, date=item.date, confidence=item.confidence)
        for name, item in part.sources.items()
    }
    named = [("source", part.source), *((f"{key}.source", sourced.source) for key, sourced in _walk(part, ""))]
    for key, name in named:
        if name is not None and name not in sources:
            raise InputError(f"{key}: no source {name!r} under 'sources'.{suggestion(name, sources)}")
    return tuple(
        Figure(
            key=key,
            value=float(sourced.value),
            dimension=sourced.dimension,
            source=sources.get(sourced.source or part.source or ""),
        )
        for key, sourced in _walk(part, "")
    )


def _walk(value: object, key: str) -> Iterator[tuple[str, Sourced]]:
    if isinstance(value, Sourced):
        yield key, value
    elif isinstance(value, StrictModel):
        for name in type(value).model_fields:
            yield from _walk(getattr(value, name), f"{key}.{name}" if key else name)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _walk(item, f"{key}[{index}]")


def unsourced(figures: Iterable[Figure]) -> Sequence[str]:
    """Return the keys of the figures that have no source."""
    return [item.key for item in figures if item.source is None]


def required(part: str, name: str, value: float | None, key: str) -> float:
    """Return a figure that a calculation cannot do without.

    Raises:
        InputError: the part's file leaves the figure out because nobody has read a source for it.
    """
    if value is None:
        raise InputError(
            f"the {part} {name!r} has no figure for '{key}': no source gives one. "
            f"Add it with your source in a file of your own, or choose another {part}."
        )
    return value
