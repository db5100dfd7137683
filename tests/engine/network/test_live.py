"""A network that others drive ends flows exactly when a played one does."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.engine.clock import to_ticks
from simulator.engine.network import Flow, play
from simulator.engine.network.live import LiveNetwork
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams


def drive(net, starts):
    """Begin flows at their ticks and run until all have ended; return the end of each route."""
    ends, waiting = {}, sorted(starts)
    while waiting or net.next_end is not None:
        now = min([tick for tick, _, _ in waiting[:1]] + ([net.next_end] if net.next_end is not None else []))
        while waiting and waiting[0][0] == now:
            _, route, size = waiting.pop(0)
            net.begin(route, size)
        for route in net.advance(now):
            ends[int(route)] = now
    return ends


@pytest.mark.parametrize("number", range(20))
def test_driven_flows_end_when_played_ones_do(number):
    draw = Streams(number)["live"]
    capacity = draw.integers(1, 20, 8) * 1e8
    flows = [
        Flow(
            route=tuple(draw.choice(8, 3, replace=False).tolist()),
            size=float(draw.integers(1, 10**8)),
            start=float(draw.random()),
        )
        for _ in range(25)
    ]
    net = LiveNetwork(capacity, [flow.route for flow in flows])
    ends = drive(net, [(to_ticks(flow.start), route, flow.size) for route, flow in enumerate(flows)])
    assert np.array([ends[i] for i in range(25)]) == pytest.approx(play(capacity, flows).end, rel=1e-9)


def test_a_route_may_be_used_again():
    net = LiveNetwork([1e9], [[0]])
    first = drive(net, [(0, 0, 1e9)])[0]
    net.begin(0, 1e9)
    net.advance(first + 5)
    assert net.next_end == first + 5 + to_ticks(1.0)


def test_what_holds_a_flow_back_can_be_asked():
    net = LiveNetwork([1e9, 0.4e9], [[0, 1], [0], [0]], limits=[np.inf, np.inf, 0.1e9])
    for route in range(3):
        net.begin(route, 1e9)
    net.advance(0)
    assert (net.bottleneck(0), net.bottleneck(1), net.bottleneck(2)) == (1, 0, None)
    assert (net.rate(0), net.rate(1), net.rate(2)) == pytest.approx((0.4e9, 0.5e9, 0.1e9))
    assert net.users(0) == [0, 1, 2]
    assert net.load(0) == pytest.approx(1e9)


def test_a_link_may_change_while_flows_run():
    net = LiveNetwork([1e9], [[0]])
    net.begin(0, 1e9)
    net.advance(0)
    net.set_capacity(0, 0.0)
    net.advance(to_ticks(0.5))
    assert net.next_end is None
    net.set_capacity(0, 2e9)
    net.advance(to_ticks(1.0))
    assert net.next_end == to_ticks(1.25)
    with pytest.raises(InputError, match="link 3"):
        net.set_capacity(3, 1.0)
