"""A configuration as others publish it: keys read one by one, each with its type, its synonyms and a clear error."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from simulator.foundation.errors import InputError, Place
from simulator.foundation.registry import Registry
from simulator.foundation.units import MEBI

MAX_BYTES: Final = int(16 * MEBI)
LARGEST: Final = 10**10  # no width or count of a model comes near it


@dataclass(frozen=True, slots=True)
class Config:
    """One JSON object of a configuration; ``prefix`` is its path inside the file."""

    data: Mapping[str, Any]
    file: str = ""
    prefix: str = field(default="", kw_only=True)

    def error(self, key: str, message: str) -> InputError:
        """Return an input error placed at a key."""
        return InputError(message, place=Place(file=self.file, key=f"{self.prefix}{key}"))

    def has(self, key: str) -> bool:
        """Say whether a key stands there with a value other than null."""
        return self.data.get(key) is not None

    def with_defaults(self, **defaults: Any) -> Config:
        """Return the configuration with the values that its architecture has where a key is not printed."""
        return Config({**defaults, **self.data}, self.file, prefix=self.prefix)

    def part(self, key: str) -> Config:
        """Return the object under a key (an empty one if it is absent); raises :class:`InputError` if it is none."""
        value = self.data.get(key) or {}
        if not isinstance(value, Mapping):
            raise self.error(key, f"found {value!r:.60}; an object is needed.")
        return Config(value, self.file, prefix=f"{self.prefix}{key}.")

    def maybe(self, *keys: str, most: int = LARGEST) -> int | None:
        """Return the whole number under the first key that is there, or None.

        Raises:
            InputError: the value is not a whole number from 0 to ``most``.
        """
        for key in keys:
            value = self.data.get(key)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
                raise self.error(key, f"found {value!r:.60}; a whole number from 0 to {most} is needed.")
            return value
        return None

    def integer(self, *keys: str, most: int = LARGEST) -> int:
        """Return the whole number under the first key that is there; raises :class:`InputError` without any."""
        value = self.maybe(*keys, most=most)
        if value is None:
            others = f" (or {', '.join(keys[1:])})" if keys[1:] else ""
            raise self.error(keys[0], f"this key{others} is needed to know the shape.")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Return the truth value under a key; raises :class:`InputError` if it is something else."""
        value = self.data.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.error(key, f"found {value!r:.60}; true or false is needed.")
        return value

    def text(self, key: str, default: str = "") -> str:
        """Return the text under a key; raises :class:`InputError` if it is something else."""
        value = self.data.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.error(key, f"found {value!r:.60}; text is needed.")
        return value

    def items(self, key: str) -> list[Any]:
        """Return the list under a key (empty if absent); raises :class:`InputError` if it is something else."""
        value = self.data.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error(key, f"found {value!r:.60}; a list is needed.")
        return value


def read_json(path: str | Path) -> dict[str, Any]:
    """Read one JSON object; raises :class:`InputError` with the place if the file is anything else."""
    file = Path(path)
    here = Place(file=str(path))
    try:
        if file.is_dir():
            raise InputError("this is a directory; name its config.json.", place=here)
        if file.stat().st_size > MAX_BYTES:
            raise InputError(f"the file has {file.stat().st_size} bytes; at most {MAX_BYTES} are read.", place=here)
        data = json.loads(file.read_bytes().decode("utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}.", place=here) from None
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text (byte {error.start}).", place=here) from None
    except json.JSONDecodeError as error:
        where = Place(file=str(path), line=error.lineno, column=error.colno)
        raise InputError(f"not JSON: {error.msg}.", place=where) from None
    except (RecursionError, ValueError):
        raise InputError("not JSON that can be read: nested too deep, or a number too long.", place=here) from None
    if not isinstance(data, dict):
        raise InputError("the file must hold one JSON object.", place=here)
    return data


Shape = dict[str, Any]  # keyword arguments of ``Transformer``, without the name

#: ``model_type`` of a configuration -> the function that reads its shape
ARCHITECTURES: Final[Registry[Callable[[Config], Shape]]] = Registry("Hugging Face model_type")


def reads(*model_types: str) -> Callable[[Callable[[Config], Shape]], Callable[[Config], Shape]]:
    """Return a decorator that registers a reader for each of the model types."""

    def decorate(reader: Callable[[Config], Shape]) -> Callable[[Config], Shape]:
        for model_type in model_types:
            ARCHITECTURES.add(model_type, reader)
        return reader

    return decorate
