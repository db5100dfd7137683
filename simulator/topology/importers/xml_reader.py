"""XML for readers who do not trust the writer: no entities, no outside files, bounded depth, size and count."""

from __future__ import annotations

import xml.parsers.expat as expat
from dataclasses import dataclass, field
from typing import Final

from simulator.foundation.errors import InputError, Place

MAX_DEPTH: Final = 64
MAX_ELEMENTS: Final = 200_000
MAX_ATTRIBUTE: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element; text between tags is of no use to topologies and is dropped."""

    tag: str
    attributes: dict[str, str]
    line: int
    children: list[Element] = field(default_factory=list)

    def find_all(self, tag: str) -> list[Element]:
        """Return the children with that tag."""
        return [child for child in self.children if child.tag == tag]


class _Builder:
    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Element | None = None
        self.count = 0
        self.stack: list[Element] = []
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.EntityDeclHandler = self._entity
        self.parser.ExternalEntityRefHandler = self._outside
        self.parser.StartDoctypeDeclHandler = self._doctype

    def error(self, message: str) -> InputError:
        return InputError(message, place=Place(file=self.file, line=self.parser.CurrentLineNumber))

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if self.count > MAX_ELEMENTS:
            raise self.error(f"more than {MAX_ELEMENTS} elements.")
        if len(self.stack) >= MAX_DEPTH:
            raise self.error(f"elements nested deeper than {MAX_DEPTH}.")
        if any(len(value) > MAX_ATTRIBUTE for value in attributes.values()):
            raise self.error(f"an attribute of more than {MAX_ATTRIBUTE} characters.")
        element = Element(tag=tag, attributes=attributes, line=self.parser.CurrentLineNumber)
        if self.stack:
            self.stack[-1].children.append(element)
        else:
            self.root = element
        self.stack.append(element)

    def _end(self, _tag: str) -> None:
        self.stack.pop()

    def _doctype(self, _name: str, _system: str | None, _public: str | None, has_internal_subset: bool) -> None:
        if has_internal_subset:
            raise self.error("declarations inside DOCTYPE are refused; a topology needs none.")

    def _entity(self, name: str, *_rest: object) -> None:
        raise self.error(f"the entity {name!r:.60} is refused; a topology needs none.")

    def _outside(self, *_rest: object) -> int:
        raise self.error("references to other files are refused.")


def parse_xml(text: str, file: str) -> Element:
    """Return the root element; raises :class:`InputError` for what is no XML or beyond the limits above."""
    builder = _Builder(file)
    try:
        builder.parser.Parse(text.encode("utf-8"), True)
    except expat.ExpatError as error:
        place = Place(file=file, line=error.lineno, column=error.offset + 1)
        raise InputError(f"not XML: {expat.ErrorString(error.code)}.", place=place) from None
    assert builder.root is not None
    return builder.root


def number(element: Element, key: str, file: str, default: float | None = None) -> float:
    """Return an attribute as a number that is at least 0; raises :class:`InputError` if it is none."""
    text = element.attributes.get(key)
    if text is None and default is not None:
        return default
    try:
        value = float((text or "").split()[0])
    except (ValueError, IndexError):
        value = -1.0
    if not 0 <= value < float("inf"):
        found = "is missing" if text is None else f"is {text!r:.60}"
        raise InputError(
            f"<{element.tag}> needs {key} as a number of at least 0; it {found}.",
            place=Place(file=file, line=element.line),
        )
    return value
