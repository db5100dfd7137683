"""Classes of fabric: what software and wires of one kind add to a datasheet rate, as few named constants.

A class covers every machine whose links are of that kind. Its constants were fitted on published measurements and
stand, with meaning and origin, in ``hardware_profiles/efficiency/network.yaml``. A class without measurements inherits
from a relative, and says so: :meth:`Fabric.origin` is then ``assumed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.schema import Bandwidth, Count, Name, Seconds, StrictModel, load
from simulator.foundation.shipped import shipped

Library = Literal["nccl", "rccl", "xla", "mpi"]
Origin = Literal["fitted", "assumed", "ideal"]

_FILE: Final = Path("efficiency") / "network.yaml"
_Ratio = Annotated[float, Field(gt=0.0, le=2.0)]
_Weight = Annotated[float, Field(ge=0.0, le=2.0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric:
    """One class of link with the software that drives it. Times in s, rates in B/s; the defaults are ideal wires."""

    name: str = "ideal"
    library: Library = "nccl"  # whose habits choose the algorithm
    launch: float = 0.0  # starting and ending a collective's kernel on this kind of device
    hop: float = 0.0  # one step of a ring or tree, low-latency protocol (8 B flags)
    extra_ll128: float = 0.0  # what the 128-byte protocol takes longer for one step
    extra_simple: float = 0.0  # what whole chunks take longer for one step
    message_ll: float = 0.0  # starting a point-to-point exchange of small messages
    message_simple: float = 0.0  # the same above the threshold of the low-latency protocol
    peer: float = 0.0  # each further peer of an exchange
    link_fraction: float = 1.0  # share of the datasheet rate that large transfers reach
    chunk_overhead: float = 0.0  # handing over one chunk; a message is cut into the best number of chunks
    copy_weight: float = 0.0  # cost of a byte copied inside the device against one sent
    in_network_fraction: float | None = None  # share of the datasheet rate when the switch reduces; None: it cannot
    host_capacity: float | None = None  # all ranks together, where traffic is copied through host memory
    host_pair: int = 1  # so many ranks share a switch and need no host memory
    two_hosts_fraction: float = 1.0  # share of its rate that is left where both ways run between the same two hosts
    rings_only: bool = False  # the library keeps to rings: trees need more than the one flow that hosts open
    direct_launch: float = 0.0  # a fused all-reduce kernel that reads its peers' memory
    direct_step: float = 0.0  # one barrier among its ranks, per peer
    direct_fraction: float = 1.0  # share of the datasheet rate of such reads
    expert_launch: float = 0.0  # low-latency dispatch or combine of mixture-of-experts tokens
    expert_setup: float = 0.0  # the same for the high-throughput kernels (counting, notification)
    expert_fraction: float = 1.0  # share of the datasheet rate of the low-latency kernels
    expert_bulk_fraction: float = 1.0  # share of the datasheet rate of the high-throughput kernels
    assumed: frozenset[str] = frozenset()  # constants that were not measured on this class

    def origin(self, constant: str) -> Origin:
        """Return where a constant comes from."""
        return "ideal" if self.name == "ideal" else "assumed" if constant in self.assumed else "fitted"

    def with_constants(self, **constants: Any) -> Fabric:
        """Return the class with some constants replaced, as a fit or a what-if needs it."""
        return replace(self, **constants)


IDEAL: Final = Fabric()

#: what a class may state: every field of Fabric that is a figure
CONSTANTS: Final = tuple(
    field.name
    for field in fields(Fabric)
    if field.name not in ("name", "library", "assumed", "host_pair", "rings_only")
)


class _Constants(StrictModel):
    launch: Seconds | None = None
    hop: Seconds | None = None
    extra_ll128: Seconds | None = None
    extra_simple: Seconds | None = None
    message_ll: Seconds | None = None
    message_simple: Seconds | None = None
    peer: Seconds | None = None
    link_fraction: _Ratio | None = None
    chunk_overhead: Seconds | None = None
    copy_weight: _Weight | None = None
    in_network_fraction: _Ratio | None = None
    host_capacity: Bandwidth | None = None
    two_hosts_fraction: _Ratio | None = None
    direct_launch: Seconds | None = None
    direct_step: Seconds | None = None
    direct_fraction: _Ratio | None = None
    expert_launch: Seconds | None = None
    expert_setup: Seconds | None = None
    expert_fraction: _Ratio | None = None
    expert_bulk_fraction: _Ratio | None = None


class _Class(StrictModel):
    name: Name
    links: tuple[Name, ...] = Field(default=(), strict=False)  # link profiles of this class
    inherits: Name | None = None
    library: Library | None = None
    host_pair: Count | None = None
    rings_only: bool | None = None
    source: str
    unmeasured: tuple[str, ...] = Field(default=(), strict=False)  # stated, but taken from elsewhere than a fit
    constants: _Constants = _Constants()


class _Engine(StrictModel):
    name: Name
    launch: Seconds
    source: str


class _File(StrictModel):
    meanings: dict[str, str]
    engines: tuple[_Engine, ...] = Field(default=(), strict=False)
    classes: tuple[_Class, ...] = Field(strict=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricTable:
    """All classes of one file, and the class of every link profile that the file names.

    Attributes:
        parents: class -> the class that it inherits from.
        stated: class -> the constants that it states itself.
        engines: serving engine -> seconds that its fused all-reduce kernel starts later than the quickest one.
    """

    classes: Mapping[str, Fabric]
    of_link: Mapping[str, str]
    sources: Mapping[str, str]
    meanings: Mapping[str, str]
    engines: Mapping[str, float]
    parents: Mapping[str, str]
    stated: Mapping[str, frozenset[str]]

    def __getitem__(self, name: str) -> Fabric:
        """Return a class by its own name or by the name of one of its links; raises :class:`UnknownName`."""
        try:
            return self.classes[self.of_link.get(name, name)]
        except KeyError:
            raise UnknownName("class of fabric", name, [*self.classes, *self.of_link]) from None

    def engine_launch(self, engine: str) -> float:
        """Return the extra start of an engine's fused kernel, s; raises :class:`UnknownName`."""
        if engine not in self.engines:
            raise UnknownName("serving engine with fused kernels", engine, self.engines)
        return self.engines[engine]

    def with_class(self, fabric: Fabric) -> FabricTable:
        """Return the table with the constants of one class replaced, also where others inherit them."""
        old = self.classes[fabric.name]
        changed = {name: getattr(fabric, name) for name in CONSTANTS if getattr(fabric, name) != getattr(old, name)}
        classes = {**self.classes, fabric.name: fabric}
        for name, parent in self.parents.items():  # parents stand before their children
            if parent == fabric.name:
                inherited = {key: value for key, value in changed.items() if key not in self.stated[name]}
                if inherited:
                    table = replace(self, classes=classes).with_class(replace(classes[name], **inherited))
                    classes = dict(table.classes)
        return replace(self, classes=classes)

    def __contains__(self, name: str) -> bool:
        return name in self.classes or name in self.of_link


def load_fabrics(path: str | Path | None = None) -> FabricTable:
    """Read the classes of fabric; raises :class:`InputError` for a file that cannot be read as such."""
    return _load(str(path if path is not None else shipped("hardware_profiles") / _FILE))


@cache
def _load(path: str) -> FabricTable:
    file = load(_File, path)
    classes: dict[str, Fabric] = {}
    of_link: dict[str, str] = {}
    for entry in file.classes:
        if entry.inherits is not None and entry.inherits not in classes:
            raise InputError(f"{path}: class {entry.name!r} inherits from {entry.inherits!r}; name a class above it.")
        classes[entry.name] = _fabric(entry, classes[entry.inherits] if entry.inherits else None)
        of_link |= dict.fromkeys(entry.links, entry.name)
    return FabricTable(
        classes=classes,
        of_link=of_link,
        sources={entry.name: entry.source for entry in file.classes},
        meanings=file.meanings,
        engines={engine.name: engine.launch for engine in file.engines},
        parents={entry.name: entry.inherits for entry in file.classes if entry.inherits},
        stated={entry.name: _stated(entry) for entry in file.classes},
    )


def _stated(entry: _Class) -> frozenset[str]:
    return frozenset(name for name, value in entry.constants.model_dump().items() if value is not None)


def _fabric(entry: _Class, parent: Fabric | None) -> Fabric:
    values: dict[str, Any] = {name: getattr(entry.constants, name) for name in _stated(entry)}
    for key in ("library", "host_pair", "rings_only"):
        if getattr(entry, key) is not None:
            values[key] = getattr(entry, key)
    assumed = frozenset(name for name in CONSTANTS if name not in values or name in entry.unmeasured)
    return replace(parent or IDEAL, name=entry.name, assumed=assumed, **values)
