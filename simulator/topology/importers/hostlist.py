"""Slurm's lists of names: ``tux[0-3,12,18-20]``, ``rack[1-2]node[01-16],login1``."""

from __future__ import annotations

import re
from typing import Final

from simulator.foundation.errors import InputError
from simulator.topology.importers.imported import MAX_VERTICES

_RANGE: Final = re.compile(r"(\d+)(?:-(\d+))?")
_MAX_DIGITS: Final = 12


def expand(text: str) -> tuple[str, ...]:
    """Return the names in their order; digits keep their leading zeros.

    >>> expand("tux[08-10,12],login")
    ('tux08', 'tux09', 'tux10', 'tux12', 'login')

    Raises:
        InputError: brackets that do not match, an empty or backward range, or more than 200,000 names.
    """
    names: list[str] = []
    for item in _split(text):
        found = [""]
        for piece in re.split(r"(\[[^\]]*\])", item):
            parts = _numbers(piece[1:-1], text) if piece.startswith("[") else [piece]
            if len(found) * len(parts) + len(names) > MAX_VERTICES:
                raise InputError(f"{text!r:.80} names more than {MAX_VERTICES} hosts.")
            found = [head + part for head in found for part in parts]
        names += found
    return tuple(names)


def _split(text: str) -> list[str]:
    """Return the items between commas outside brackets."""
    items, depth, start = [], 0, 0
    for position, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if depth not in (0, 1):
            raise InputError(f"the brackets of {text!r:.80} do not match.")
        if letter == "," and depth == 0:
            items.append(text[start:position])
            start = position + 1
    items.append(text[start:])
    if depth or any(not item.strip() for item in items):
        raise InputError(f"{text!r:.80} is no list of hosts; write one as in 'node[01-16,20],login1'.")
    return [item.strip() for item in items]


def _numbers(text: str, whole: str) -> list[str]:
    found: list[str] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None or len(part) > 2 * _MAX_DIGITS:
            raise InputError(f"{part!r:.40} in {whole!r:.80} is no range; write one as in '0-15'.")
        first, last = match.group(1), match.group(2) or match.group(1)
        low, high = int(first), int(last)
        if high < low:
            raise InputError(f"the range {part!r:.40} in {whole!r:.80} runs backward.")
        if high - low >= MAX_VERTICES:
            raise InputError(f"{whole!r:.80} names more than {MAX_VERTICES} hosts.")
        found += [str(value).zfill(len(first)) for value in range(low, high + 1)]
    return found
