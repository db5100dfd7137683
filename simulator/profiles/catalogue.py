"""The catalogue: every part that ships, and those that users add, by name or by any spelling in use.

A part is one file, ``<shelf>/.../<name>.yaml``; the name is the file's. Opening one part reads that file alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from simulator.foundation.errors import InputError, Place, UnknownName
from simulator.foundation.schema import load
from simulator.foundation.shipped import shipped
from simulator.foundation.yaml_reader import parse_yaml
from simulator.profiles.device import Device, DeviceFile, device_from
from simulator.profiles.link import Link, LinkFile, link_from
from simulator.profiles.node import Node, NodeFile, node_from
from simulator.profiles.price import Price, PriceFile, price_from
from simulator.profiles.storage import Storage, StorageFile, storage_from

T = TypeVar("T")

_PART: Final = re.compile(r"""^["']?part["']?:[ ]*["']?(\w+)""", re.MULTILINE)
_ALIASES: Final = re.compile(r"^aliases:.*?(?=^[^\s#\]-]|\Z)", re.MULTILINE | re.DOTALL)
_PLAIN_ITEM: Final = re.compile(r"""[ ]*- (?:"([^"\\]*)"|([^\s'"\[{&*!|>%@`#?-][^#]*?))[ ]*""")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartKind:
    """One kind of part: how its file is checked and what it becomes."""

    part: str  # as the file's first key says
    shelf: str  # folder
    schema: Any
    build: Callable[[str, Any], Any]


PART_KINDS: Final = (
    PartKind(part="device", shelf="devices", schema=DeviceFile, build=device_from),
    PartKind(part="link", shelf="links", schema=LinkFile, build=link_from),
    PartKind(part="node", shelf="nodes", schema=NodeFile, build=node_from),
    PartKind(part="storage", shelf="storage", schema=StorageFile, build=storage_from),
    PartKind(part="price", shelf="prices", schema=PriceFile, build=price_from),
)


def load_part(kind: PartKind, path: Path) -> Any:
    """Read one file and return the part; raises :class:`InputError` with place, cause and mend."""
    file = load(kind.schema, path)
    try:
        return kind.build(path.stem, file)
    except InputError as error:
        raise error.at(Place(file=str(path))) from None


def kind_of_file(path: Path) -> PartKind:
    """Return the kind that the file's key ``part`` names; raises :class:`InputError` if it names none."""
    try:
        found = _PART.search(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(
            f"not UTF-8 text (byte {error.start}); save the file as UTF-8.", place=Place(file=str(path))
        ) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}; name a YAML file.", place=Place(file=str(path))) from None
    known = {kind.part: kind for kind in PART_KINDS}
    if found is None or found[1] not in known:
        said = f"it says 'part: {found[1]}'" if found else "it has no key 'part'"
        raise InputError(f"{said}; write 'part: ' and one of {', '.join(known)}.", place=Place(file=str(path)))
    return known[found[1]]


def spelling(name: str) -> str:
    """Return a name without case and separators, by which spellings are compared.

    >>> spelling("NVIDIA H100-SXM") == spelling("nvidia_h100 sxm")
    True
    """
    return re.sub(r"[^a-z0-9+]", "", name.lower()).replace("+", "plus")


def aliases_in(text: str) -> list[str]:
    """Return the aliases that a file's text gives, without parsing the rest of it."""
    found = _ALIASES.search(text)
    if found is None:
        return []
    lines = [line for line in found[0].splitlines()[1:] if line.strip()]
    items = [_PLAIN_ITEM.fullmatch(line) for line in lines]
    if found[0].splitlines()[0].strip() == "aliases:" and all(items):
        return [item[1] if item[1] is not None else item[2] for item in items if item]
    data = parse_yaml(found[0]).data
    listed = data.get("aliases") if isinstance(data, dict) else None
    return [str(alias) for alias in listed] if isinstance(listed, list) else []


class Shelf(Mapping[str, T], Generic[T]):
    """The parts of one kind by name, read when first asked for; iterates over names in sorted order.

    A name is found as written, then without regard to case and separators; then so among the aliases.
    """

    def __init__(self, kind: PartKind, shipped_paths: Mapping[str, Path], own_paths: Mapping[str, Path]) -> None:
        self.kind = kind
        self.paths = dict(sorted({**shipped_paths, **own_paths}.items()))
        self._own = frozenset(own_paths)
        self._parts: dict[str, T] = {}
        self._names = {spelling(name): name for name in self.paths}
        self._aliases: tuple[dict[str, list[str]], dict[str, list[str]]] | None = None

    def __getitem__(self, name: str) -> T:
        """Return the part; raises :class:`UnknownName` with near names, :class:`InputError` for a broken file."""
        found = self.resolve(name)
        if found not in self._parts:
            self._parts[found] = load_part(self.kind, self.paths[found])
        return self._parts[found]

    def resolve(self, name: str) -> str:
        """Return the part's own name for any spelling of it.

        Raises:
            UnknownName: nothing carries it.
            InputError: it is an alias of several parts.
        """
        if name in self.paths:
            return name
        key = spelling(name)
        if key in self._names:
            return self._names[key]
        exact, spelled = self._aliased()
        named = exact.get(name) or spelled.get(key, [])
        named = [owner for owner in named if owner in self._own] or named
        if len(named) > 1:
            raise InputError(f"{name!r} may be {' or '.join(named)}; write which.")
        if not named:
            raise UnknownName(self.kind.part, name, self.paths, spellings=exact)
        return named[0]

    def aliases(self) -> list[str]:
        """Return every further spelling of a part, as it is written."""
        return list(self._aliased()[0])

    def _aliased(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """Return the owners of every alias: as it is written, and by its spelling."""
        if self._aliases is None:
            exact: dict[str, list[str]] = {}
            spelled: dict[str, list[str]] = {}
            for name, path in self.paths.items():
                for alias in aliases_in(path.read_text(encoding="utf-8", errors="replace")):
                    for owners in (exact.setdefault(alias, []), spelled.setdefault(spelling(alias), [])):
                        if name not in owners:
                            owners.append(name)
            self._aliases = (exact, spelled)
        return self._aliases

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        key = spelling(name)
        return name in self.paths or key in self._names or key in self._aliased()[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Catalogue:
    """All parts, by kind."""

    devices: Shelf[Device]
    links: Shelf[Link]
    nodes: Shelf[Node]
    storage: Shelf[Storage]
    prices: Shelf[Price]

    def shelves(self) -> tuple[Shelf[Any], ...]:
        """Return every shelf, in the order of :data:`PART_KINDS`."""
        return (self.devices, self.links, self.nodes, self.storage, self.prices)


def shipped_root() -> Path:
    """Return the folder of the parts that come with the program."""
    return shipped("hardware_profiles")


def load_catalogue(*paths: str | Path | None) -> Catalogue:
    """Return the catalogue: the shipped parts, and those at ``paths``, which come first, later ones before earlier.

    Args:
        paths: folders with files that say what they are by their key ``part``, in any sub-folders; or such files.
            None is left out.

    Raises:
        InputError: there is nothing at a path, or a file there does not say what it is.
    """
    shipped_paths = _shipped_paths()
    own: dict[str, dict[str, Path]] = {kind.shelf: {} for kind in PART_KINDS}
    for path in paths:
        if path is not None:
            for file in _own_files(Path(path)):
                own[kind_of_file(file).shelf][file.stem] = file
    return Catalogue(**{kind.shelf: Shelf(kind, shipped_paths[kind.shelf], own[kind.shelf]) for kind in PART_KINDS})


@cache
def _shipped_paths() -> Mapping[str, dict[str, Path]]:
    root = shipped_root()
    return {kind.shelf: {path.stem: path for path in _yaml_below(root / kind.shelf)} for kind in PART_KINDS}


def _yaml_below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.yaml"))


def _own_files(path: Path) -> list[Path]:
    if not path.exists():
        raise InputError("no such file or folder; name one with parts in it.", place=Place(file=str(path)))
    files = _yaml_below(path) if path.is_dir() else [path]
    if not files:
        raise InputError("this folder holds no .yaml file.", place=Place(file=str(path)))
    return files
