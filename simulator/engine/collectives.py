"""Collectives as rounds of sends, and their play on a network of flows.

Every algorithm is a generator of rounds. A round's sends run at the same time; the next round begins when all have
arrived. Identical rounds are yielded once, with the number of times they are repeated: a ring over p ranks has
``2 (p - 1)`` rounds and one pattern, so that its cost does not grow with the rounds.

The sizes are those of ``costs.collectives``; without sharing, the play takes exactly the time of the closed form on
ideal wires. What software adds is in the closed form only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from simulator.engine.network.rounds import Blocks, Round, Send
from simulator.foundation.errors import InputError
from simulator.foundation.registry import Registry

Algorithm = Callable[[Sequence[int], float], Iterator[Round]]

ROUNDS: Final[Registry[Registry[Algorithm]]] = Registry("collective")
all_reduce: Final = ROUNDS.add("all-reduce", Registry("all-reduce algorithm"))
all_gather: Final = ROUNDS.add("all-gather", Registry("all-gather algorithm"))
reduce_scatter: Final = ROUNDS.add("reduce-scatter", Registry("reduce-scatter algorithm"))
broadcast: Final = ROUNDS.add("broadcast", Registry("broadcast algorithm"))
reduce: Final = ROUNDS.add("reduce", Registry("reduce algorithm"))
all_to_all: Final = ROUNDS.add("all-to-all", Registry("all-to-all algorithm"))
send_recv: Final = ROUNDS.add("send-recv", Registry("send-recv algorithm"))
parameter_server: Final = ROUNDS.add("parameter-server", Registry("parameter-server algorithm"))


@reduce_scatter.register("ring")
def ring_reduce_scatter(ranks: Sequence[int], size: float) -> Iterator[Round]:
    """Pass partial sums to the right, p - 1 times; rank i ends with block i + 1."""
    yield from _ring(ranks, size, reduces=True, shift=0)


@all_gather.register("ring")
def ring_all_gather(ranks: Sequence[int], size: float) -> Iterator[Round]:
    """Pass blocks to the right, p - 1 times; rank i starts with block i."""
    yield from _ring(ranks, size, reduces=False, shift=0)


@all_reduce.register("ring")
def ring_all_reduce(ranks: Sequence[int], size: float) -> Iterator[Round]:
    """Reduce-scatter round the ring, then gather.

    Source: Patarasuk & Yuan 2009, doi:10.1016/j.jpdc.2008.09.002.

    >>> [(len(round.sends), round.times) for round in ring_all_reduce([0, 1, 2], 3e6)]
    [(3, 2), (3, 2)]
    """
    yield from _ring(ranks, size, reduces=True, shift=0)
    yield from _ring(ranks, size, reduces=False, shift=1)


def _ring(ranks: Sequence[int], size: float, *, reduces: bool, shift: int) -> Iterator[Round]:
    count = len(ranks)
    if count < 2:
        return
    place = {rank: position for position, rank in enumerate(ranks)}
    right = (*ranks[1:], ranks[0])
    sends = tuple(Send(a, b, size / count, reduces) for a, b in zip(ranks, right, strict=True))
    yield Round(sends, count - 1, lambda step, send: ((place[send.source] + shift - step) % count,))


@all_reduce.register("halving-doubling")
def halving_doubling(ranks: Sequence[int], size: float) -> Iterator[Round]:
    """Exchange halves with near partners first, then double back; ranks beyond a power of two fold in and out.

    Source: Thakur, Rabenseifner & Gropp 2005, doi:10.1177/1094342005051521, section 3.
    """
    power = 1 << (len(ranks).bit_length() - 1)
    core, rest = ranks[:power], ranks[power:]
    everything = range(power)
    if rest:
        fold_in = tuple(Send(b, a, size, reduces=True) for a, b in zip(core, rest, strict=False))
        yield Round(fold_in, 1, lambda step, send: everything)
    yield from _halving(core, size, reduces=True)
    yield from _halving(core, size, reduces=False)
    if rest:
        fold_out = tuple(Send(a, b, size) for a, b in zip(core, rest, strict=False))
        yield Round(fold_out, 1, lambda step, send: everything)


def _halving(ranks: Sequence[int], size: float, *, reduces: bool) -> Iterator[Round]:
    """Yield the halving rounds (``reduces``) or the doubling rounds in opposite order, for a power of two."""
    count = len(ranks)
    place = {rank: position for position, rank in enumerate(ranks)}
    distances = [1 << bit for bit in range(count.bit_length() - 1)]
    for distance in distances if reduces else distances[::-1]:
        sends = tuple(
            Send(rank, ranks[position ^ distance], size / (2 * distance), reduces)
            for position, rank in enumerate(ranks)
        )
        yield Round(sends, 1, _halves(place, distance, count, reduces=reduces))


def _halves(place: dict[int, int], distance: int, count: int, *, reduces: bool) -> Blocks:
    """Return which blocks travel at a distance: those whose low bits agree with the rank that is to have them."""
    modulus = 2 * distance

    def blocks(step: int, send: Send) -> Iterable[int]:
        keeper = place[send.target if reduces else send.source]
        return (block for block in range(count) if block % modulus == keeper % modulus)

    return blocks


@all_gather.register("recursive-doubling")
def recursive_doubling(ranks: Sequence[int], size: float) -> Iterator[Round]:
    """Exchange all that one has with a partner at twice the distance each time, far partners first.

    Raises:
        InputError: the number of ranks is no power of two.
    """
    _need_power_of_two(ranks, "recursive-doubling")
    yield from _halving(ranks, size, reduces=False)


@reduce_scatter.register("recursive-halving")
def recursive_halving(ranks: Sequence[int], size: float) -> Iterator[Round]:
    """Exchange halves with a partner at twice the distance each time, near partners first.

    Raises:
        InputError: the number of ranks is no power of two.
    """
    _need_power_of_two(ranks, "recursive-halving")
    yield from _halving(ranks, size, reduces=True)


def _need_power_of_two(ranks: Sequence[int], name: str) -> None:
    if len(ranks) & (len(ranks) - 1):
        raise InputError(f"{name} needs a power of two of ranks, not {len(ranks)}; use ring.")


@broadcast.register("tree")
def tree_broadcast(ranks: Sequence[int], size: float) -> Iterator[Round]:
    """Double the ranks that have the buffer in each round (binomial tree); the first rank is the root."""
    have = 1
    while have < len(ranks):
        pairs = zip(ranks[:have], ranks[have : 2 * have], strict=False)
        yield Round(tuple(Send(a, b, size) for a, b in pairs), 1, lambda step, send: (0,))
        have *= 2


@reduce.register("tree")
def tree_reduce(ranks: Sequence[int], size: float) -> Iterator[Round]:
    """Halve the ranks that hold partial sums in each round; the first rank is the root."""
    for step in reversed(tuple(tree_broadcast(ranks, size))):
        yield Round(
            tuple(Send(send.target, send.source, size, reduces=True) for send in step.sends), 1, lambda n, send: (0,)
        )


@all_reduce.register("tree")
def tree_all_reduce(ranks: Sequence[int], size: float) -> Iterator[Round]:
    """Reduce to the first rank and broadcast from it, half of the buffer each on two mirrored trees."""
    up = list(zip(tree_reduce(ranks, size / 2), tree_reduce(ranks[::-1], size / 2), strict=True))
    down = list(zip(tree_broadcast(ranks, size / 2), tree_broadcast(ranks[::-1], size / 2), strict=True))
    for one, other in (*up, *down):
        yield Round((*one.sends, *other.sends), 1, _half_of(other.sends))


def _half_of(mirrored: tuple[Send, ...]) -> Blocks:
    """Return block 1 for the very sends of the mirrored tree, 0 for the others."""
    second = {id(send) for send in mirrored}
    return lambda step, send: (1 if id(send) in second else 0,)


@all_reduce.register("hierarchical")
def hierarchical_all_reduce(ranks: Sequence[int], size: float, inside: int = 8) -> Iterator[Round]:
    """Reduce-scatter inside groups of ``inside`` ranks, all-reduce between those of equal place, gather inside.

    Raises:
        InputError: the groups do not divide the ranks.
    """
    inside = min(inside, len(ranks))
    if len(ranks) % inside:
        raise InputError(f"{len(ranks)} ranks do not divide into groups of {inside}.")
    groups = [ranks[first : first + inside] for first in range(0, len(ranks), inside)]
    rails = [ranks[place::inside] for place in range(inside)]
    yield from _merged(_ring(group, size, reduces=True, shift=0) for group in groups)
    yield from _merged(ring_all_reduce(rail, size / inside) for rail in rails)
    yield from _merged(_ring(group, size, reduces=False, shift=1) for group in groups)


@all_reduce.register("torus")
def torus_all_reduce(ranks: Sequence[int], size: float, dims: tuple[int, ...] = ()) -> Iterator[Round]:
    """Rings along one axis after another, the share shrinking; then back. Ranks run fastest along the last axis.

    ``dims`` defaults to the squarest grid of two axes. Each ring goes one way; the closed form counts both.

    Raises:
        InputError: the grid does not have the ranks.
    """
    dims = dims or _squarest(len(ranks))
    size_left, axes = size, []
    total = 1
    for length in dims:
        total *= length
    if total != len(ranks):
        raise InputError(f"a torus of {'x'.join(map(str, dims))} has {total} ranks, not {len(ranks)}.")
    for axis, length in enumerate(dims):
        axes.append((_lines(ranks, dims, axis), size_left))
        size_left /= length
    for lines, share in axes:
        yield from _merged(_ring(line, share, reduces=True, shift=0) for line in lines)
    for lines, share in reversed(axes):
        yield from _merged(_ring(line, share, reduces=False, shift=1) for line in lines)


def _squarest(count: int) -> tuple[int, int]:
    side = int(count**0.5)
    while count % side:
        side -= 1
    return side, count // side


def _lines(ranks: Sequence[int], dims: tuple[int, ...], axis: int) -> list[list[int]]:
    stride = 1
    for length in dims[axis + 1 :]:
        stride *= length
    length = dims[axis]
    firsts = [rank for rank in range(len(ranks)) if (rank // stride) % length == 0]
    return [[ranks[first + step * stride] for step in range(length)] for first in firsts]


def _merged(parts: Iterable[Iterator[Round]]) -> Iterator[Round]:
    """Run like collectives of disjoint groups side by side."""
    for rounds in zip(*parts, strict=True):
        assert len({one.times for one in rounds}) == 1, "groups of unequal length"
        yield Round(tuple(send for one in rounds for send in one.sends), rounds[0].times)


@all_to_all.register("pairwise")
def pairwise_exchange(ranks: Sequence[int], size: float) -> Iterator[Round]:
    """Send to the rank one further in each of p - 1 rounds."""
    count = len(ranks)
    for step in range(1, count):
        sends = tuple(Send(rank, ranks[(at + step) % count], size / count) for at, rank in enumerate(ranks))
        yield Round(sends)


@all_to_all.register("direct")
def direct_exchange(ranks: Sequence[int], size: float) -> Iterator[Round]:
    """Send to all others at once, as GPU libraries do."""
    yield Round(tuple(Send(a, b, size / len(ranks)) for a in ranks for b in ranks if a != b))


@all_to_all.register("bruck")
def bruck(ranks: Sequence[int], size: float) -> Iterator[Round]:
    """Send, in round k, all blocks whose k-th bit of distance is set to the rank 2^k further."""
    count = len(ranks)
    for bit in range((count - 1).bit_length()):
        distance = 1 << bit
        blocks = sum(1 for offset in range(count) if offset & distance)
        yield Round(
            tuple(Send(rank, ranks[(at + distance) % count], size * blocks / count) for at, rank in enumerate(ranks))
        )


@send_recv.register("direct")
def pair(ranks: Sequence[int], size: float) -> Iterator[Round]:
    """Send from each even place to the next."""
    yield Round(tuple(Send(a, b, size) for a, b in zip(ranks[::2], ranks[1::2], strict=False)))


@parameter_server.register("direct")
def push_pull(ranks: Sequence[int], size: float, servers: int = 1) -> Iterator[Round]:
    """Push to the first ``servers`` ranks, a share to each, and pull back; the other ranks are workers."""
    hosts, workers = ranks[:servers], ranks[servers:]
    yield Round(tuple(Send(worker, host, size / servers, reduces=True) for worker in workers for host in hosts))
    yield Round(tuple(Send(host, worker, size / servers) for worker in workers for host in hosts))
