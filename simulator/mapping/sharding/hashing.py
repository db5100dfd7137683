"""Hash sharding: by remainder, and on a ring with virtual nodes so that few records move when workers change."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.mapping.sharding.request import Request, sharders
from simulator.mapping.sharding.shards import Scattered, blocks

Words = NDArray[np.uint64]

_GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_A: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B: Final = np.uint64(0x94D049BB133111EB)
_TABLE_BITS: Final = 22  # at most; first bits of a hash that find its place on the ring without a search
_SPARE_BITS: Final = 6  # cells over ring points, as a power of 2: one cell in some tens needs a search
_SEARCH: Final = -1  # in place of an owner: this cell of the table holds a ring point
_CHUNK: Final = 1 << 15  # records at a time: their words stay in the processor's cache


def mix(words: Words) -> Words:
    """Return the words scrambled by the finaliser of SplitMix64, a bijection of 64-bit words.

    Source: Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195.
    """
    state = words + _GAMMA
    spare = np.empty_like(state)  # all steps in place: a mix of many words is bound by memory
    for shift, factor in ((np.uint64(30), _MIX_A), (np.uint64(27), _MIX_B)):
        np.right_shift(state, shift, out=spare)
        state ^= spare
        state *= factor
    np.right_shift(state, np.uint64(31), out=spare)
    state ^= spare
    return state


def text_keys(texts: list[bytes]) -> Words:
    """Return a 64-bit word for each text, the same in every process."""
    digests = b"".join(hashlib.blake2b(text, digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def _hashes(request: Request, part: slice) -> Words:
    index = np.arange(part.start, part.stop, dtype=np.uint64)
    words = index if request.keys is None else _words(request.keys[part])
    return mix(words ^ np.uint64(request.salt))


def _words(keys: NDArray[np.generic]) -> Words:
    """Return keys as 64-bit words: texts by digest, floats by their bits, integers as they are."""
    if keys.dtype.kind in "US":
        return text_keys([str(key).encode() for key in keys])
    return keys.astype(np.float64).view(np.uint64) if keys.dtype.kind == "f" else keys.astype(np.uint64)


@sharders.register("hash")
def by_hash(request: Request) -> Scattered:
    """Give each record to ``hash(key) mod shards``: multinomial counts, and nearly all move when ``shards`` changes."""
    owner = np.empty(request.records, dtype=np.uint32)
    for part in blocks(request.records, _CHUNK):
        owner[part] = _hashes(request, part) % np.uint64(request.shards)
    return Scattered(owner=owner, shards=request.shards)


@sharders.register("consistent-hash")
def on_ring(request: Request) -> Scattered:
    """Give each record to the next point on a ring of hashes, where each worker has ``virtual_nodes x speed`` points.

    The share of a worker with ``v`` of ``V`` points is Beta(v, V - v) distributed: a relative spread of about
    ``1 / sqrt(v)``. A joining worker takes only what it will own; a leaving one gives up only what it had.

    Source: Karger et al. 1997, doi:10.1145/258533.258660.
    """
    points, owners = _ring(request)
    bits = min(_TABLE_BITS, len(points).bit_length() + _SPARE_BITS, request.records.bit_length())
    table = _Table(points, owners, bits=bits)
    owner = np.empty(request.records, dtype=np.uint32)
    for part in blocks(request.records, _CHUNK):
        owner[part] = table.owners(_hashes(request, part))
    return Scattered(owner=owner, shards=request.shards)


def _ring(request: Request) -> tuple[Words, NDArray[np.uint32]]:
    """The points of all workers, ascending, and whose each is."""
    names = request.members or tuple(range(request.shards))
    weights = np.maximum(1, np.rint(request.virtual_nodes * request.worker_speeds())).astype(np.int64)
    points = np.concatenate(
        [_points_of(name, int(weight), request.salt) for name, weight in zip(names, weights, strict=True)]
    )
    whose = np.repeat(np.arange(request.shards, dtype=np.uint32), weights)
    order = np.argsort(points, kind="stable")
    return points[order], whose[order]


def _points_of(name: int, weight: int, salt: int) -> Words:
    """The ring points of one worker: they depend on its name and the salt alone."""
    start = mix(mix(np.array([name], dtype=np.uint64) ^ np.uint64(salt)) + np.uint64(1))
    return mix(start + np.arange(weight, dtype=np.uint64) * _GAMMA)


class _Table:
    """Owner by the first bits of a hash; only cells that hold a ring point need a search."""

    def __init__(self, points: Words, owners: NDArray[np.uint32], *, bits: int) -> None:
        self._shift = np.uint64(64 - bits)
        narrow = owners.astype(np.min_scalar_type(-int(owners.max()) - 1))  # a small table stays in the cache
        self._points, self._owners = points, np.append(narrow, narrow[:1])  # past the last point comes the first
        starts = np.arange(1 << bits, dtype=np.uint64) << self._shift
        first = np.searchsorted(points, starts)
        mixed = np.diff(np.append(first, len(points))) > 0
        self._owner_of = self._owners[first]
        self._owner_of[mixed] = _SEARCH

    def owners(self, hashes: Words) -> NDArray[np.signedinteger[Any]]:
        found = self._owner_of[(hashes >> self._shift).view(np.int64)]
        search = np.flatnonzero(found == _SEARCH)
        found[search] = self._owners[np.searchsorted(self._points, hashes[search])]
        return found
