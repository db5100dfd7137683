"""What a strict model found wrong, in our words: what stands there, what is needed, how to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from simulator.foundation.errors import InputError, suggestion
from simulator.foundation.yaml_reader import Document, Path_

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._+-]*$"

#: pydantic's kind of error -> what is needed; the names in braces are those of the error's context
_NEEDS: Final = {
    "greater_than": "it must be above {gt:g}",
    "greater_than_equal": "it must be at least {ge:g}",
    "less_than": "it must be below {lt:g}",
    "less_than_equal": "it must be at most {le:g}",
    "int_type": "write a whole number, without quotes",
    "float_type": "write a number, without quotes",
    "bool_type": "write true or false",
    "string_type": "write text, in quotes where it looks like a number",
    "list_type": "write a list, as in [a, b]",
    "tuple_type": "write a list, as in [a, b]",
    "dict_type": "write a block of keys and values",
    "too_short": "it needs at least {min_length}",
    "too_long": "it takes at most {max_length}",
    "string_too_long": "it takes at most {max_length} characters",
    "string_too_short": "it needs at least {min_length} characters",
}


def problem_from(model: type[BaseModel], document: Document, item: Any) -> InputError:
    """Return one of pydantic's errors as an input error with its place.

    Args:
        model: the model that the document was held against.
        document: the file.
        item: an entry of ``ValidationError.errors()``.
    """
    location, kind, context = item["loc"], item["type"], item.get("ctx", {})
    path = _in_file(document.data, location)
    if kind.startswith("union_tag") and not context["discriminator"].endswith("()"):
        path = (*path, context["discriminator"].strip("'"))  # the key that tells the kinds apart
    place = document.place(path)
    if kind == "extra_forbidden":
        return InputError(f"unknown key.{suggestion(str(location[-1]), _fields_at(model, location[:-1]))}", place=place)
    if kind in ("missing", "union_tag_not_found"):
        return InputError("this key is needed.", place=place)
    if kind == "value_error":
        return InputError(str(item["msg"]).removeprefix("Value error, "), place=place)
    found = context["tag"] if kind == "union_tag_invalid" else item.get("input")
    return InputError(f"found {_shown(found)}; {_need(model, location, kind, context, item)}", place=place)


def _need(model: type[BaseModel], location: tuple[str | int, ...], kind: str, context: Any, item: Any) -> str:
    if kind in ("model_type", "model_attributes_type", "dataclass_type"):
        return f"write a block of keys: {', '.join(_fields_at(model, location))}."
    if kind in ("literal_error", "enum"):
        return f"write {context['expected']}.{_near(item['input'], str(context['expected']))}"
    if kind == "union_tag_invalid":
        return f"it is none of {context['expected_tags']}.{_near(context['tag'], context['expected_tags'])}"
    if kind == "string_pattern_mismatch" and context["pattern"] == NAME_PATTERN:
        return "a name is made of letters, digits and . _ + -, without blanks, and starts with a letter or digit."
    if kind in _NEEDS:
        return f"{_NEEDS[kind].format(**context)}."
    message = str(item["msg"])
    return f"{message[0].lower()}{message[1:]}."


def _near(found: object, expected: str) -> str:
    """Return a hint if what was found is close to one of the quoted words of ``expected``."""
    words = expected.replace(" or ", ", ").replace("'", "").split(", ")
    asked, _, _ = suggestion(str(found), words).partition(" Known:")
    return asked if len(words) > 1 else ""


def _shown(found: object) -> str:
    """Return what stands in the file, short: containers by their kind, nothing as such."""
    if found is None:
        return "nothing"
    if isinstance(found, Mapping):
        return "a block of keys"
    if isinstance(found, (list, tuple)):
        return f"a list of {len(found)}"
    if isinstance(found, bool):
        return str(found).lower()
    text = repr(found)
    return text if len(text) <= 60 else f"{text[:57]}..."


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
