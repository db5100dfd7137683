"""One seed, many named streams, so that a new random consumer never shifts the draws of another."""

from __future__ import annotations

import hashlib

import numpy as np


class Streams:
    """Independent generators derived from one seed by name.

    The same seed and name give the same draws, whatever other names were asked for and in whatever order.

    >>> float(Streams(7)["arrivals"].random()) == float(Streams(7)["arrivals"].random())
    True
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __getitem__(self, name: str) -> np.random.Generator:
        """Return a fresh generator at the start of the stream ``name``."""
        digest = hashlib.sha256(name.encode()).digest()
        key = tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key)))

    def child(self, name: str) -> Streams:
        """Return the streams of one entity (a replica, a seed of a sweep), again by name."""
        digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
        return Streams(int.from_bytes(digest[:8], "little"))
