"""Rounds of sends, and their play on a network of flows: the next round begins when all sends have arrived."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from simulator.engine.clock import to_seconds
from simulator.engine.network.flows import Flow, play


class Send(NamedTuple):
    """Bytes from one rank to another; ``reduces`` if the target adds them to its own, else it keeps them."""

    source: int
    target: int
    size: float
    reduces: bool = False


Blocks = Callable[[int, Send], Iterable[int]]


@dataclass(frozen=True, slots=True)
class Round:
    """Sends at one time.

    Attributes:
        sends: of the round.
        times: how often the round is repeated.
        blocks: from (repetition, send) to the numbers of the blocks of the buffer that travel.
    """

    sends: tuple[Send, ...]
    times: int = 1
    blocks: Blocks = field(default=lambda repetition, send: (), compare=False, repr=False)


#: from (source, target) to the links between them and the latency in s
RouteOf = Callable[[int, int], tuple[tuple[int, ...], float]]


def play_rounds(rounds: Iterable[Round], capacity: Sequence[float], route_of: RouteOf) -> float:
    """Return the seconds that rounds take, one after another, on links of given capacities.

    Each distinct round is solved once, whatever its number of repetitions. Work that others do on the links is left
    out; see ``network.jobs`` for that.

    Raises:
        Infeasible: a send over a link without capacity.
    """
    known: dict[tuple[Send, ...], int] = {}
    ticks = 0
    for step in rounds:
        if step.sends not in known:
            flows = []
            for send in step.sends:
                route, latency = route_of(send.source, send.target)
                flows.append(Flow(route=route, size=send.size, latency=latency))
            known[step.sends] = int(play(capacity, flows).end.max()) if flows else 0
        ticks += step.times * known[step.sends]
    return to_seconds(ticks)
