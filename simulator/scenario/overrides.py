"""``--set cluster.nodes[0].count=32``: one key of a scenario, changed for one run."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from simulator.foundation.errors import InputError, InvalidFile, Place
from simulator.foundation.yaml_reader import Document, Path_, dotted, parse_yaml

_PART: Final = re.compile(r"(?P<key>[A-Za-z_][A-Za-z0-9_-]*)(?P<indices>(\[[0-9]{1,6}\])*)")
_EXAMPLE: Final = "Write KEY=VALUE, as in cluster.nodes[0].count=32."


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One assignment, as it was written and as it was understood."""

    text: str
    path: Path_
    value: Any

    @property
    def place(self) -> Place:
        """Where the user wrote it: on the command line."""
        return Place(file=f"--set {self.text}")


def parse_override(text: str) -> Override:
    """Read ``a.b[0].c=VALUE``; the value is YAML, so ``{tp: 8, pp: 4}`` and ``[1, 2]`` work.

    Raises:
        InputError: no ``=``, a key that is none, or a value that is not YAML.

    >>> parse_override("cluster.nodes[0].count=32").path
    ('cluster', 'nodes', 0, 'count')
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"there is no '='. {_EXAMPLE}", place=Place(file=f"--set {text}"))
    path: list[str | int] = []
    for part in key.strip().split("."):
        match = _PART.fullmatch(part)
        if match is None:
            raise InputError(f"{part!r} is no key. {_EXAMPLE}", place=Place(file=f"--set {text}"))
        path.append(match["key"])
        path.extend(int(index) for index in re.findall(r"[0-9]+", match["indices"]))
    return Override(text=text, path=tuple(path), value=_value(text, value))


def _value(text: str, value: str) -> Any:
    if value.strip() in ("", "~", "null"):
        return None
    try:
        return parse_yaml(value, file=f"--set {text}").data
    except InputError as error:
        raise InputError(error.message, place=Place(file=f"--set {text}")) from None


def apply_overrides(document: Document, overrides: Sequence[Override]) -> Document:
    """Return the document with every override applied, in order; the given document is left as it is.

    A block that is missing on the way is made, a list is never lengthened.

    Raises:
        InputError: the path goes through a plain value, or past the end of a list.
    """
    data = copy.deepcopy(document.data)
    for override in overrides:
        _assign(data, override)
    return Document(file=document.file, data=data, places=document.places)


def _assign(data: Any, override: Override) -> None:
    here = data
    for depth, part in enumerate(override.path):
        _must_hold(here, part, override, depth)
        if depth == len(override.path) - 1:
            here[part] = override.value
        elif isinstance(part, str):
            following = override.path[depth + 1]
            if here.get(part) is None:
                here[part] = [] if isinstance(following, int) else {}
            here = here[part]
        else:
            here = here[part]


def _must_hold(here: Any, part: str | int, override: Override, depth: int) -> None:
    """Raise unless ``here`` can hold ``part``: a block holds keys, a list holds indices up to its length."""
    name = dotted(override.path[:depth]) or "the file"
    if isinstance(part, int):
        if not isinstance(here, list):
            raise InputError(f"{name} is no list, so it has no [{part}].", place=override.place)
        if part >= len(here):
            have = f"its last is [{len(here) - 1}]" if here else "it is empty"
            raise InputError(f"{name} has no [{part}]; {have}. Set the whole list instead.", place=override.place)
    elif isinstance(here, list):
        raise InputError(f"{name} is a list; say which, as in {name}[0].{part}.", place=override.place)
    elif not isinstance(here, dict):
        mend = f"Set it whole, as in '{name}={{{part}: ...}}'."
        raise InputError(f"{name} is {here!r}, not a block. {mend}", place=override.place)


def blamed(invalid: InvalidFile, overrides: Sequence[Override], document: Document) -> InvalidFile:
    """Return the same problems, with the override that caused one as its place."""
    written = {dotted(path) for path in document.places}
    return InvalidFile([_blamed(problem, overrides, written) for problem in invalid.problems])


def _blamed(problem: InputError, overrides: Sequence[Override], written: set[str]) -> InputError:
    key = problem.place.key if problem.place else ""
    for override in reversed(overrides):
        root = dotted(override.path)
        if key and key not in written and root.startswith((f"{key}.", f"{key}[")):
            return InputError(problem.message, place=Place(file=override.place.file, key=key))
        if key == root or key.startswith((f"{root}.", f"{root}[")):
            beyond = key[len(root) :].lstrip(".")
            return InputError(problem.message, place=Place(file=override.place.file, key=beyond))
    return problem
