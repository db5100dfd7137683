"""Strict files: pydantic models whose quantities carry units, and one way to validate a document against them.

Everything that comes from a file passes here once and leaves as a frozen dataclass; see ``scenario.py`` and
``profiles/`` for the models themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from simulator.foundation.errors import InputError, InvalidFile, UnitError, suggestion
from simulator.foundation.units import EXAMPLES, UNITS, parse
from simulator.foundation.yaml_reader import Document, Path_, read_yaml


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
Fraction = Annotated[float, Field(ge=0.0, le=1.0, strict=False)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=120)]


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
        found = [_problem(model, document, item) for item in error.errors(include_url=False)]
        raise InvalidFile(sorted(found, key=_order)) from None


def _order(problem: InputError) -> tuple[int, int]:
    place = problem.place
    assert place is not None
    return (place.line or 0, place.column or 0)


def _problem(model: type[BaseModel], document: Document, item: Any) -> InputError:
    path = _in_file(document.data, item["loc"])
    kind, message = item["type"], str(item["msg"])
    if kind == "extra_forbidden":
        known = _fields_at(model, item["loc"][:-1])
        message = f"unknown key.{suggestion(str(item['loc'][-1]), known)}"
    elif kind == "missing":
        message = "this key is needed."
    elif kind == "value_error":
        message = message.removeprefix("Value error, ")
    else:
        found = item.get("input")
        shown = "a block" if isinstance(found, (Mapping, list)) else repr(found)
        message = f"found {shown}; {message[0].lower()}{message[1:]}."
    return InputError(message, place=document.place(path))


def _in_file(data: Any, location: tuple[str | int, ...]) -> Path_:
    """Drop from pydantic's location what names a union member or validator and not a key of the file."""
    path: list[str | int] = []
    for position, part in enumerate(location):
        last = position == len(location) - 1
        if isinstance(data, Mapping) and part in data:
            data = data[part]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        elif not (last and isinstance(data, Mapping) and isinstance(part, str)):
            continue
        path.append(part)
    return tuple(path)


def _fields_at(model: Any, location: tuple[str | int, ...]) -> list[str]:
    """Return the keys allowed at a location, by walking annotations; every model met in unions counts."""
    models = _models_in(model)
    for part in location:
        models = [
            inner
            for outer in models
            for name, info in outer.model_fields.items()
            if part in (name, info.alias)
            for inner in _models_in(info.annotation)
        ] or models
    return [info.alias or name for outer in models for name, info in outer.model_fields.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models_in(inner)]
