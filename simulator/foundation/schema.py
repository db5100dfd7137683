"""Strict files: pydantic models whose quantities carry units, and one way to validate a document against them.

Everything that comes from a file passes here once and leaves as a frozen dataclass; see ``scenario.py`` and
``profiles/`` for the models themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationError, WithJsonSchema

from simulator.foundation.errors import InputError, InvalidFile, UnitError
from simulator.foundation.problems import NAME_PATTERN, problem_from
from simulator.foundation.units import EXAMPLES, UNITS, parse
from simulator.foundation.yaml_reader import Document, read_yaml


class StrictModel(BaseModel):
    """A part of a file: unknown keys are errors, values are not coerced, instances are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


M = TypeVar("M", bound=StrictModel)


def quantity(dimension: str, *, minimum: float = 0.0, above: bool = False) -> Any:
    """Return an annotated float type that is read from text with a unit.

    Args:
        dimension: a key of ``units.UNITS``.
        minimum: least value allowed, in the base unit.
        above: whether the minimum itself is refused.
    """

    def read(value: object) -> float:
        try:
            number = parse(value, dimension)
        except UnitError as error:
            raise ValueError(error.message) from None
        if number < minimum or (above and number == minimum):
            raise ValueError(f"{value!r} must be {'above' if above else 'at least'} {minimum:g}.")
        return number

    units = "|".join(sorted((unit.replace("/", r"\/") for unit in UNITS[dimension]), key=len, reverse=True))
    json_schema = {
        "type": "string",
        "pattern": rf"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)? ({units})$",
        "description": f"{dimension.replace('_', ' ')}, as in '{EXAMPLES[dimension]}'",
    }
    return Annotated[float, BeforeValidator(read), WithJsonSchema(json_schema)]


Bytes = quantity("bytes", above=True)
Bandwidth = quantity("bandwidth", above=True)
FlopRate = quantity("flop_rate", above=True)
Seconds = quantity("time")
PositiveSeconds = quantity("time", above=True)
Frequency = quantity("frequency", above=True)
Watts = quantity("power")
Usd = quantity("money")
UsdPerSecond = quantity("money_rate")
Rate = quantity("rate")
Meters = quantity("distance")
Count = Annotated[int, Field(ge=1, le=10**9)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=120)]


Words = TypeVar("Words")
Other = TypeVar("Other")
#: a value that is text, such as ``Literal["auto"]``, or something else; only the one at hand is complained about
TextOr = Annotated[
    Annotated[Words, Tag("text")] | Annotated[Other, Tag("other")],
    Discriminator(lambda value: "text" if isinstance(value, str) else "other"),
]


def load(model: type[M], path: str | Path) -> M:
    """Read a YAML file and validate it; raises :class:`InputError` or :class:`InvalidFile`."""
    return validate(model, read_yaml(path))


def validate(model: type[M], document: Document) -> M:
    """Validate a document; raises :class:`InvalidFile` with every problem, each with its place and mend."""
    if not isinstance(document.data, Mapping):
        raise InvalidFile([InputError("the file must hold keys and values.", place=document.place(()))])
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        found = [problem_from(model, document, item) for item in error.errors(include_url=False)]
        raise InvalidFile(sorted(found, key=_order)) from None


def _order(problem: InputError) -> tuple[int, int]:
    place = problem.place
    assert place is not None
    return (place.line or 0, place.column or 0)
