"""What every kind of workload is made of, and what it may ask the scenario while it is built."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from simulator.foundation.errors import InputError
from simulator.foundation.schema import StrictModel
from simulator.foundation.yaml_reader import Document, Path_
from simulator.profiles.catalogue import Catalogue
from simulator.profiles.node import Node
from simulator.workload.models.files import Architecture, ModelFile
from simulator.workload.models.library import find_model


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadKind:
    """One kind of workload: its part of the file, and what that becomes.

    Attributes:
        name: the value of the key ``kind``.
        file: the strict model of one entry of ``workloads``; it has ``id: Name`` and ``kind: Literal[name]``.
        build: turns a valid entry into a frozen dataclass with an ``id``.
    """

    name: str
    file: type[StrictModel]
    build: Callable[[Any, Context], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The rest of the scenario, as seen from one entry.

    Attributes:
        document: the file, for the places of errors.
        path: of the entry in it.
        models: the models that the scenario names itself.
        devices: how many devices the cluster has.
        catalogue: the parts that the scenario may name.
        nodes: (node, how many) of every group of the cluster, in the order of the file.
    """

    document: Document
    path: Path_
    models: Mapping[str, ModelFile]
    devices: int
    catalogue: Catalogue
    nodes: tuple[tuple[Node, int], ...] = ()

    @contextmanager
    def at(self, *keys: str | int) -> Iterator[None]:
        """Give every :class:`InputError` raised inside the place of ``keys`` below the entry, if it has none."""
        with placed(self.document, (*self.path, *keys)):
            yield

    def below(self, *keys: str | int) -> Context:
        """Return the same context, seen from a part of the entry."""
        return replace(self, path=(*self.path, *keys))

    def model_file(self, name: str) -> ModelFile:
        """Return all that is known of a model that the scenario names, or of a shipped one; raises as ``model``."""
        return self.models[name] if name in self.models else find_model(name)

    def model(self, name: str) -> Architecture:
        """Return a model that the scenario names, or one of the shipped ones; raises :class:`UnknownName`."""
        return self.model_file(name).architecture

    def model_by_layers(self, name: str) -> Architecture:
        """Return the same, with its layers where both they and the cost of a sample are known."""
        return self.model_file(name).by_layers


@contextmanager
def placed(document: Document, path: Path_) -> Iterator[None]:
    """Give every :class:`InputError` raised inside the place of ``path``, if it has none."""
    try:
        yield
    except InputError as error:
        raise error.at(document.place(path)) from None
