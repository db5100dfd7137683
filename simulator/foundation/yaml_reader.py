"""The one reader of YAML text: bounded, without aliases, and aware of where every value stood.

YAML 1.2 core scalars only: ``no`` is text, ``1e3`` is a number, ``.nan`` is refused. Values are composed from parser
events without recursion, so a hostile file costs at most the limits below.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from simulator.foundation.errors import InputError, Place
from simulator.foundation.files import read_text
from simulator.foundation.units import MEBI

MAX_BYTES: Final = int(4 * MEBI)
MAX_DEPTH: Final = 32
MAX_VALUES: Final = 200_000
MAX_SCALAR: Final = 65_536
MAX_MAGNITUDE: Final = 2**53  # beyond it a float no longer holds every integer

_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

Path_ = tuple[str | int, ...]  # keys and indices from the root, as pydantic's error locations


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed file: its data and the place of every key and item."""

    file: str
    data: Any
    places: dict[Path_, tuple[int, int]] = field(default_factory=dict)  # path -> (line, column), counted from 1

    def place(self, path: Path_) -> Place:
        """Return the place of ``path``, or of its nearest parent that stands in the file."""
        known = path
        while known and known not in self.places:
            known = known[:-1]
        line, column = self.places.get(known, (1, 1))
        return Place(file=self.file, line=line, column=column, key=dotted(path))


def dotted(path: Path_) -> str:
    """Return a path as users write it.

    >>> dotted(("cluster", "nodes", 0, "count"))
    'cluster.nodes[0].count'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read_yaml(path: str | Path) -> Document:
    """Read one YAML file.

    Raises:
        InputError: not a readable UTF-8 file, over a limit, or not the plain YAML described above.
    """
    return parse_yaml(read_text(path, most=MAX_BYTES, wanted="a YAML file"), file=str(path))


def parse_yaml(text: str, *, file: str = "<text>") -> Document:
    """Compose the document in ``text``; raises :class:`InputError` as :func:`read_yaml` does."""
    if len(text) > MAX_BYTES:
        raise InputError(f"the text has {len(text)} characters; at most {MAX_BYTES} are read.", place=Place(file=file))
    composer = _Composer(file)
    try:
        for event in YAML(typ="safe", pure=False).parse(text):
            composer.take(event)
    except YAMLError as error:
        raise _syntax_error(error, file) from None
    except ValueError as error:  # the scanner's answer to characters that YAML does not allow
        raise InputError(f"not YAML: {str(error).splitlines()[0]}.", place=Place(file=file)) from None
    if composer.documents == 0 or (composer.data is None and not composer.places):
        raise InputError("the file is empty.", place=Place(file=file))
    return Document(file=file, data=composer.data, places=composer.places)


def _syntax_error(error: YAMLError, file: str) -> InputError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    what = str(getattr(error, "problem", None) or str(error).splitlines()[0])
    line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
    return InputError(f"not YAML: {what}. Check indentation, quotes and brackets here.",
                      place=Place(file=file, line=line, column=column))  # fmt: skip


class _Composer:
    """Builds plain dicts, lists and scalars from events, with a stack instead of recursion."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.data: Any = None
        self.places: dict[Path_, tuple[int, int]] = {}
        self.documents = 0
        self.values = 0
        self._stack: list[tuple[dict[str, Any] | list[Any], Path_]] = []
        self._keys: list[str | None] = []  # the key that waits for its value, one per open container

    def take(self, event: Any) -> None:
        if isinstance(event, DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise self._error(event, "a second document starts here; keep one per file.")
        elif isinstance(event, AliasEvent):
            raise self._error(event, f"aliases (*{event.anchor}) are refused; write the value out.")
        elif isinstance(event, (MappingStartEvent, SequenceStartEvent, ScalarEvent)):
            self._start(event)
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            self._stack.pop()
            self._keys.pop()

    def _start(self, event: Any) -> None:
        self.values += 1
        if self.values > MAX_VALUES:
            raise self._error(event, f"more than {MAX_VALUES} values.")
        if event.anchor is not None:
            raise self._error(event, f"anchors (&{event.anchor}) are refused; write the value out.")
        tag = getattr(event, "tag", None) or getattr(event, "ctag", None)
        if tag is not None and str(tag) not in ("", "!", "None"):
            raise self._error(event, f"tags ({tag!s:.40}) are refused; write a plain value.")
        if self._waits_for_key():
            self._take_key(event)
            return
        path = self._attach(event, value := self._value(event))
        if isinstance(value, (dict, list)):
            if len(self._stack) >= MAX_DEPTH:
                raise self._error(event, f"nested deeper than {MAX_DEPTH}.")
            self._stack.append((value, path))
            self._keys.append(None)

    def _value(self, event: Any) -> Any:
        if isinstance(event, MappingStartEvent):
            return {}
        return [] if isinstance(event, SequenceStartEvent) else self._scalar(event)

    def _waits_for_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1][0], dict) and self._keys[-1] is None

    def _take_key(self, event: Any) -> None:
        if not isinstance(event, ScalarEvent):
            raise self._error(event, "keys must be text.")
        container, path = self._stack[-1]
        if event.value in container:
            raise self._error(event, f"the key {event.value!r:.60} stands here twice.")
        self._keys[-1] = event.value
        self.places[(*path, event.value)] = (event.start_mark.line + 1, event.start_mark.column + 1)

    def _attach(self, event: Any, value: Any) -> Path_:
        if not self._stack:
            self.data = value
            return ()
        container, path = self._stack[-1]
        if isinstance(container, dict):
            key = self._keys[-1]
            assert key is not None
            container[key] = value
            self._keys[-1] = None
            return (*path, key)
        container.append(value)
        here = (*path, len(container) - 1)
        self.places[here] = (event.start_mark.line + 1, event.start_mark.column + 1)
        return here

    def _scalar(self, event: Any) -> Any:
        text = event.value
        if len(text) > MAX_SCALAR:
            raise self._error(event, f"a value of {len(text)} characters; at most {MAX_SCALAR} are read.")
        if event.style in ("'", '"', "|", ">"):
            return text
        if text in ("", "~", "null", "Null", "NULL"):
            return None
        if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
            return text.lower() == "true"
        if _NOT_FINITE.fullmatch(text):
            raise self._error(event, f"{text} is no finite number.")
        if not _FLOAT.fullmatch(text):
            return text
        number = float(text)
        whole = _INTEGER.fullmatch(text) is not None
        if not math.isfinite(number) or (whole and abs(int(text)) > MAX_MAGNITUDE):
            raise self._error(event, f"{text:.40} is out of range.")
        return int(text) if whole else number

    def _error(self, event: Any, message: str) -> InputError:
        mark = event.start_mark
        key = dotted(self._stack[-1][1]) if self._stack else ""
        return InputError(message, place=Place(file=self.file, line=mark.line + 1, column=mark.column + 1, key=key))
