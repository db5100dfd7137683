"""Answers as files: what ``rackcast run`` and ``plan`` leave behind with ``--out`` or ``--json``, read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from simulator.foundation.errors import InputError, Place
from simulator.foundation.files import read_text

#: the answer inside a folder that ``--out`` wrote, the first that is there
ANSWERS: Final = ("result.json", "plan.json")

_MOST: Final = 2**28  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """One answer.

    Attributes:
        name: the path as it was given.
        facts: the whole document.
    """

    name: str
    facts: Mapping[str, Any]

    @property
    def figures(self) -> dict[str, Any]:
        """Its figures: name with unit -> number or text."""
        return {
            name: value
            for name, value in self.facts.get("metrics", {}).items()
            if value is None or isinstance(value, (int, float, str))
        }

    @property
    def decision(self) -> dict[str, Any]:
        """What was recommended, or what was run; empty where nothing is decided."""
        return dict(self.facts.get("decision") or self.facts.get("plan") or {})


def read_bundle(path: str | Path) -> Bundle:
    """Read a folder that ``--out`` wrote, or a file that ``--json`` wrote.

    Raises:
        InputError: there is no answer, or it is not one of rackcast's.
    """
    given = Path(path)
    file = given
    if given.is_dir():
        found = [given / name for name in ANSWERS if (given / name).is_file()]
        if not found:
            raise InputError(f"holds neither {' nor '.join(ANSWERS)}; write one with --out.", place=_at(given))
        file = found[0]
    try:
        facts = json.loads(read_text(file, most=_MOST, wanted="a JSON file"))
    except json.JSONDecodeError as error:
        raise InputError(f"is no JSON ({error}); write one with --json or --out.", place=_at(file)) from None
    if not isinstance(facts, dict) or "tool_version" not in facts:
        raise InputError("is no answer of rackcast; write one with --json or --out.", place=_at(file))
    return Bundle(name=str(path), facts=facts)


def _at(path: Path) -> Place:
    return Place(file=str(path))
