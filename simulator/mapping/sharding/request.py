"""What a sharder is asked: the records, how many shards, and whatever its method needs; and the registry of methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.foundation.errors import InputError
from simulator.foundation.registry import Registry
from simulator.mapping.sharding.shards import Floats, Sharding

DEFAULT_VIRTUAL_NODES: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """A data set to be cut, by size alone or with keys and classes.

    Args:
        records: how many there are, at least 1.
        shards: how many are wanted, at least 1.
        sizes: bytes of each record, shape (records,); all alike if not given.
        keys: what ``hash`` and ``range`` go by, shape (records,); the record's index if not given.
        classes: integer class of each record, for ``stratified``; shape (records,).
        speeds: relative speed of each worker, shape (shards,), positive; all alike if not given.
        members: names of the shards on a hash ring; ``range(shards)`` if not given. Keep the survivors' names after a
            failure and their arcs stay where they were.
        virtual_nodes: points of each shard on a hash ring, at speed 1.
        salt: changes every hash; the same salt gives the same owners in every run.
        rng: source of the random cuts, needed by the random methods alone.

    Raises:
        InputError: a count below 1, or an array of the wrong length.
    """

    records: int
    shards: int
    sizes: NDArray[np.generic] | None = None
    keys: NDArray[np.generic] | None = None
    classes: NDArray[np.integer] | None = None
    speeds: Floats | None = None
    members: tuple[int, ...] | None = None
    virtual_nodes: int = DEFAULT_VIRTUAL_NODES
    salt: int = 0
    rng: np.random.Generator | None = None

    def __post_init__(self) -> None:
        for name, number in (("records", self.records), ("shards", self.shards), ("virtual_nodes", self.virtual_nodes)):
            if number < 1:
                raise InputError(f"{name} = {number}; at least 1 is needed.")
        for name, length in (("sizes", self.records), ("keys", self.records), ("classes", self.records),
                             ("speeds", self.shards), ("members", self.shards)):  # fmt: skip
            given = getattr(self, name)
            if given is not None and len(given) != length:
                raise InputError(f"{len(given)} {name} for {length}; give one for each.")
        if self.speeds is not None and not bool((self.speeds > 0).all()):
            raise InputError("every speed must be above 0; leave out the workers that do not work.")

    def worker_speeds(self) -> Floats:
        """Relative speed of each worker, shape (shards,)."""
        return np.ones(self.shards) if self.speeds is None else self.speeds

    def generator(self) -> np.random.Generator:
        """The random source; asking for it without one is our own fault."""
        assert self.rng is not None, "a random sharder needs a generator"
        return self.rng


Sharder = Callable[[Request], Sharding]

sharders: Final[Registry[Sharder]] = Registry("sharding method")


def shard(method: str, request: Request) -> Sharding:
    """Cut the data set by the named method; raises :class:`UnknownName` or what the method says."""
    return sharders[method](request)
