"""Files that a scenario names lie in the scenario's own folder, or below it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from simulator.foundation.errors import InputError

_MEND: Final = "Put it beside the scenario and name it relative to that folder."


def file_beside(scenario: str | Path, reference: str) -> Path:
    """Return the file that a scenario refers to.

    A scenario may come from anybody, so it reads only what travels with it: no absolute paths, no ``..``, and no link
    that leads elsewhere.

    Args:
        scenario: path of the scenario file.
        reference: what stands in it, relative to its folder, such as ``models/mine.yaml``.

    Raises:
        InputError: the reference leaves the folder, or names no file.
    """
    found = _inside(scenario, reference)
    if not found.is_file():
        raise InputError(f"{reference!r} is no file beside the scenario. {_MEND}")
    return found


def folder_beside(scenario: str | Path, reference: str) -> Path:
    """Return the folder that a scenario refers to; the rules are those of :func:`file_beside`."""
    found = _inside(scenario, reference)
    if not found.is_dir():
        raise InputError(f"{reference!r} is no folder beside the scenario. {_MEND}")
    return found


def _inside(scenario: str | Path, reference: str) -> Path:
    folder = Path(scenario).resolve().parent
    asked = Path(reference)
    if "\0" in reference or "\\" in reference or asked.is_absolute() or ".." in asked.parts:
        raise InputError(f"{reference!r} leads out of the scenario's folder. {_MEND}")
    found = (folder / asked).resolve()
    if not found.is_relative_to(folder):
        raise InputError(f"{reference!r} is a link out of the scenario's folder. {_MEND}")
    return found
