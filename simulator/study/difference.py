"""``diff``: what changed between two answers, and why.

Causes are named from what the answers carry: the version that gave them, the keys of their scenarios, and the
fingerprints of the parts they used. Where none of these differ, the answers must not either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from simulator.study.bundles import Bundle

#: relative change of a figure below which it is the same; JSON keeps twelve digits
SAME: Final = 1e-9

_ABSENT: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is not the same: its name, and its value in each answer (None where it is absent)."""

    name: str
    a: Any
    b: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two answers held against each other.

    Attributes:
        causes: versions, scenario keys and parts that differ.
        decision: keys of the decision that differ.
        figures: figures that differ.
        unknown: causes that cannot be told, because an answer does not carry what is needed.
    """

    causes: tuple[Change, ...]
    decision: tuple[Change, ...]
    figures: tuple[Change, ...]
    unknown: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether decision and figures are the same."""
        return not self.decision and not self.figures


def difference(a: Bundle, b: Bundle) -> Difference:
    """Return what changed from one answer to the other."""
    return Difference(
        causes=tuple(_causes(a, b)),
        decision=tuple(_changes(flat(a.decision), flat(b.decision))),
        figures=tuple(_changes(a.figures, b.figures)),
        unknown=tuple(_unknown(a, b)),
    )


def _causes(a: Bundle, b: Bundle) -> Iterator[Change]:
    yield from _changes({"version": a.facts["tool_version"]}, {"version": b.facts["tool_version"]})
    before, after = a.facts.get("inputs"), b.facts.get("inputs")
    if before is None or after is None:
        return
    yield from _changes(flat(before["scenario"]), flat(after["scenario"]))
    yield from _changes(before["parts"], after["parts"])


def _unknown(a: Bundle, b: Bundle) -> Iterator[str]:
    for one in (a, b):
        if "inputs" not in one.facts:
            yield f"{one.name} does not say what it was asked; run it again with this version"


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Return nested data as one level, by dotted path.

    >>> flat({"a": {"b": [1, 2]}})
    {'a.b[0]': 1, 'a.b[1]': 2}
    """
    if isinstance(value, Mapping):
        parts = ((f"{path}.{key}" if path else str(key), inner) for key, inner in value.items())
    elif isinstance(value, (list, tuple)):
        parts = ((f"{path}[{index}]", inner) for index, inner in enumerate(value))
    else:
        return {path: value}
    return {name: leaf for part, inner in parts for name, leaf in flat(inner, part).items()}


def _changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys([*a, *b]):
        before, after = a.get(name, _ABSENT), b.get(name, _ABSENT)
        if not _same(before, after):
            yield Change(name=name, a=None if before is _ABSENT else before, b=None if after is _ABSENT else after)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, (int, float)):
        return abs(a - b) <= SAME * max(abs(a), abs(b))
    return bool(a == b)
