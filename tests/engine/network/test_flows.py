"""Max-min fair flows: hand-solved cases, laws, and a linear program as a second solver."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from simulator.engine.network import Change, Flow, Flows, fairness_gap, fold, play, rates
from simulator.engine.network.fill import certificate
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.randomness import Streams

GB = 1e9


def random_case(number, *, links=6, flows=8):
    """A small random network with weights, counts and limits."""
    draw = Streams(number)["network"]
    count_of_links, count_of_flows = int(draw.integers(1, links + 1)), int(draw.integers(1, flows + 1))
    capacity = draw.integers(1, 20, count_of_links) * 1e8

    def route():
        length = int(draw.integers(1, min(count_of_links, 4) + 1))
        return tuple(draw.choice(count_of_links, size=length, replace=False).tolist())

    return capacity, [
        Flow(
            route=route(),
            size=float(draw.integers(1, 100)) * 1e6,
            start=float(draw.integers(0, 4)) * 0.05,
            weight=float(draw.integers(1, 4)),
            count=float(draw.integers(1, 3)),
            limit=float(draw.choice([np.inf, 0.3e9, 1.1e9])),
        )
        for _ in range(count_of_flows)
    ]


def lexicographic(capacity, flows):
    """Max-min rates by linear programs: raise all free levels together, freeze those that a positive price holds."""
    number = len(flows)
    level = np.full(number, np.nan)
    rows = np.zeros((len(capacity) + number, number + 1))
    bound = np.concatenate([capacity, [flow.limit for flow in flows]])
    for column, flow in enumerate(flows):
        for link in flow.route:
            rows[link, column] += flow.weight * flow.count
        rows[len(capacity) + column, column] = flow.weight
    keep = np.isfinite(bound)
    while np.isnan(level).any():
        free = np.isnan(level)
        rise = np.zeros((int(free.sum()), number + 1))
        rise[np.arange(int(free.sum())), np.flatnonzero(free)] = -1
        rise[:, -1] = 1
        scale = 1e8
        found = linprog(
            [0.0] * number + [-1.0],
            A_ub=np.vstack([rows[keep], rise]),
            b_ub=np.concatenate([bound[keep] / scale, np.zeros(len(rise))]),
            bounds=[*((None, None) if free[i] else (level[i] / scale,) * 2 for i in range(number)), (0, None)],
            method="highs",
        )
        price = -found.ineqlin.marginals[keep.sum() :]
        held = np.flatnonzero(free)[price > 1e-9]
        assert held.size, "a linear program without a binding flow"
        level[held] = found.x[-1] * scale
    return level * np.array([flow.weight for flow in flows])


def agree_with_the_linear_program(numbers):
    for number in numbers:
        capacity, flows = random_case(number)
        assert rates(capacity, flows) == pytest.approx(lexicographic(capacity, flows), rel=1e-7), f"case {number}"


def test_a_linear_program_finds_the_same_rates():
    agree_with_the_linear_program(range(100))


@pytest.mark.slow
def test_a_linear_program_finds_the_same_rates_on_a_thousand_networks():
    agree_with_the_linear_program(range(100, 1000))


def test_a_lone_flow_takes_its_latency_and_its_size_over_its_bottleneck():
    played = play([2 * GB, GB, 3 * GB], [Flow(route=(0, 1, 2), size=5e8, start=0.25, latency=0.01)])
    assert played.makespan == pytest.approx(0.25 + 0.5 + 0.01, abs=1e-12)


def test_the_parking_lot():
    """One long flow over three links, a short one on each: all get half (Bertsekas & Gallager, figure 6.10)."""
    flows = [Flow(route=(0, 1, 2), size=1.0)] + [Flow(route=(link,), size=1.0) for link in range(3)]
    assert rates([1.0, 1.0, 1.0], flows) == pytest.approx([0.5, 0.5, 0.5, 0.5])


def test_a_flow_held_back_elsewhere_leaves_its_share_to_others():
    flows = [Flow(route=(0, 1), size=1.0), Flow(route=(0,), size=1.0), Flow(route=(1,), size=1.0)]
    assert rates([1.0, 0.4], flows) == pytest.approx([0.2, 0.8, 0.2])


def test_weights_and_limits_divide_a_link():
    flows = [Flow(route=(0,), size=1.0, weight=3), Flow(route=(0,), size=1.0), Flow(route=(0,), size=1.0, limit=0.1)]
    assert rates([1.0], flows) == pytest.approx([0.675, 0.225, 0.1])


def test_the_second_flow_speeds_up_when_the_first_ends():
    played = play([GB], [Flow(route=(0,), size=1e9), Flow(route=(0,), size=2e9)])
    assert played.seconds == pytest.approx([2.0, 3.0])
    assert played.instants == 3


def test_a_link_that_slows_down_and_recovers_delays_by_the_bytes_it_did_not_carry():
    slower = [Change(time=0.5, link=0, capacity=0.25 * GB), Change(time=1.5, link=0, capacity=GB)]
    assert play([GB], [Flow(route=(0,), size=2e9)], changes=slower).makespan == pytest.approx(2.75)


def test_a_link_that_is_down_for_a_while_stops_its_flows():
    outage = [Change(time=0.5, link=0, capacity=0.0), Change(time=1.0, link=0, capacity=GB)]
    assert play([GB], [Flow(route=(0,), size=1e9)], changes=outage).makespan == pytest.approx(1.5)


def test_a_flow_over_a_dead_link_is_named():
    with pytest.raises(Infeasible, match="never ends: link 1"):
        play([GB, 0.0], [Flow(route=(0, 1), size=1.0)])


def test_no_bytes_and_no_route_take_the_latency_only():
    flows = [Flow(route=(0,), size=0.0, start=1.0, latency=0.5), Flow(route=(), size=1e9, start=2.0)]
    assert play([GB], flows).seconds == pytest.approx([1.5, 2.0])


@pytest.mark.parametrize("number", range(150))
def test_incremental_repair_equals_solving_anew_at_every_event(number):
    capacity, flows = random_case(number, links=8, flows=14)
    assert play(capacity, flows).seconds == pytest.approx(naive(capacity, flows), rel=1e-7)


def naive(capacity, flows):
    """Play by solving all running flows at each event."""
    rest = np.array([flow.size for flow in flows])
    start = np.array([flow.start for flow in flows])
    end, now = np.full(len(flows), np.nan), 0.0
    while np.isnan(end).any():
        live = np.flatnonzero((start <= now + 1e-15) & np.isnan(end))
        speed = rates(capacity, [flows[i] for i in live]) if live.size else np.zeros(0)
        coming = [s - now for s in start[start > now + 1e-15]]
        step = min([*(rest[live] / speed), *coming])
        rest[live] -= speed * step
        now += step
        for i in live[rest[live] <= 1e-3]:
            end[i] = now
    return end


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.integers(0, 10**6))
def test_no_link_is_over_capacity_and_nobody_could_get_more_without_taking_from_a_slower_one(number):
    capacity, flows = random_case(number, links=12, flows=30)
    over, gap = fairness_gap(capacity, flows, rates(capacity, flows))
    assert over <= 1e-9
    assert gap <= 1e-9


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_the_order_of_flows_does_not_change_a_bit(number, shuffle):
    capacity, flows = random_case(number, links=8, flows=20)
    order = list(range(len(flows)))
    shuffle.shuffle(order)
    before = play(capacity, flows).end
    after = play(capacity, [flows[i] for i in order]).end
    assert np.array_equal(before[order], after)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.integers(0, 10**6))
def test_bytes_sent_are_bytes_asked_for_and_no_link_carried_more_than_it_could(number):
    capacity, flows = random_case(number, links=6, flows=20)
    seconds = play(capacity, flows).seconds
    for link in range(len(capacity)):
        users = [(flow, end) for flow, end in zip(flows, seconds, strict=True) if link in flow.route]
        carried = sum(flow.size * flow.count for flow, _ in users)
        if users:
            last, first = max(end for _, end in users), min(flow.start for flow, _ in users)
            assert carried <= capacity[link] * (last - first) * (1 + 1e-9)


def test_like_flows_are_one_class_and_end_together():
    flows = [Flow(route=(0,), size=1e6)] * 50 + [Flow(route=(0, 1), size=1e6)] * 30
    merged, members = fold(Flows.of(flows))
    assert len(merged) == 2
    assert sorted(merged.count) == [30, 50]
    played = play([GB, GB], flows)
    assert played.classes == 2
    assert len(set(played.end[:50].tolist())) == 1
    assert members.size == 80


def test_folding_copies_changes_nothing():
    capacity, flows = random_case(7, links=6, flows=10)
    single = [
        Flow(route=f.route, size=f.size, start=f.start, weight=f.weight, limit=f.limit) for f in flows for _ in range(3)
    ]
    triple = [Flow(route=f.route, size=f.size, start=f.start, weight=f.weight, limit=f.limit, count=3) for f in flows]
    assert play(capacity, single).seconds[::3] == pytest.approx(play(capacity, triple).seconds, rel=1e-9)


def test_doubling_every_capacity_doubles_every_rate_to_the_bit():
    capacity, flows = random_case(11, links=10, flows=25)
    flows = [Flow(route=f.route, size=f.size, weight=f.weight) for f in flows]
    assert np.array_equal(rates(np.asarray(capacity) * 4, flows), rates(capacity, flows) * 4)


def test_widening_one_link_never_lowers_the_smallest_rate():
    capacity, flows = random_case(3, links=8, flows=20)
    flows = [Flow(route=f.route, size=f.size) for f in flows]
    least = rates(capacity, flows).min()
    for link in range(len(capacity)):
        wider = np.array(capacity, dtype=float)
        wider[link] *= 2
        assert rates(wider, flows).min() >= least * (1 - 1e-12)


def fat_tree_flows(number, hosts=64, uplinks=8):
    """Random flows on a two-level tree: dense enough that every repair touches many."""
    draw = Streams(number)["dense"]
    leaves = hosts // 8
    capacity = np.full(2 * hosts + 2 * leaves * uplinks, 1e9)
    flows = []
    for _ in range(10 * hosts):
        a, b = draw.choice(hosts, 2, replace=False).tolist()
        spine = int(draw.integers(uplinks))
        up, down = 2 * hosts + (a // 8) * uplinks + spine, 2 * hosts + (leaves + b // 8) * uplinks + spine
        route = (a, hosts + b) if a // 8 == b // 8 else (a, up, down, hosts + b)
        flows.append(Flow(route=route, size=float(np.exp(draw.normal(15, 1)))))
    return capacity, flows


def test_on_dense_trees_repair_equals_solving_anew():
    capacity, flows = fat_tree_flows(1, hosts=16)
    assert play(capacity, flows).seconds == pytest.approx(naive(capacity, flows), rel=1e-6)


def test_batched_ends_stay_within_their_bound():
    capacity, flows = fat_tree_flows(2)
    exact = play(capacity, flows).seconds
    for epsilon in (0.01, 0.001):
        error = np.abs(play(capacity, flows, epsilon=epsilon).seconds / exact - 1)
        assert error.max() <= 2 * epsilon
        assert error.mean() <= epsilon / 2


def test_the_certificate_finds_a_rate_that_is_too_low_and_one_that_is_too_high():
    flows = Flows.of([Flow(route=(0,), size=1.0), Flow(route=(0,), size=1.0)])
    args = (flows.starts, flows.links, np.array([1.0]), np.ones(2), np.ones(2, bool))
    assert certificate(*args, np.array([0.5, 0.5])) == (0.0, 0.0)
    assert certificate(*args, np.array([0.6, 0.5]))[0] == pytest.approx(0.1)
    assert certificate(*args, np.array([0.5, 0.3]))[1] > 0.1


@pytest.mark.parametrize(
    ("flows", "message"),
    [
        ([Flow(route=(3,), size=1.0)], "crosses link 3"),
        ([Flow(route=(0,), size=-1.0)], "size of -1"),
        ([Flow(route=(0,), size=1.0, weight=0.0)], "weight of 0"),
        ([Flow(route=(0,), size=float("nan"))], "size of nan"),
    ],
)
def test_bad_flows_are_refused_with_the_figure(flows, message):
    with pytest.raises(InputError, match=message):
        play([GB], flows)


def test_without_flows_nothing_happens():
    assert play([GB], []).makespan == 0.0


def test_compiled_and_plain_kernels_give_the_same_bits():
    program = (
        "import hashlib, numpy as np\n"
        "from simulator.engine.network import Flow, play\n"
        "from simulator.engine.network.jit import COMPILED\n"
        "from simulator.foundation.randomness import Streams\n"
        "d = Streams(5)['bits']\n"
        "flows = [Flow(route=tuple(d.choice(20, 3, replace=False).tolist()), size=float(d.integers(1, 10**9)),"
        " start=float(d.random()), weight=float(d.integers(1, 4))) for _ in range(200)]\n"
        "ends = play(np.full(20, 1.23e9), flows).end, play(np.full(20, 1.23e9), flows, epsilon=0.01).end\n"
        "print(COMPILED, hashlib.sha256(b''.join(e.tobytes() for e in ends)).hexdigest())\n"
    )
    found = {}
    for switch in ("", "1"):
        run = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "RACKCAST_NO_JIT": switch},
            capture_output=True,
            text=True,
            check=True,
        )
        found[switch] = run.stdout.split()
    assert found["1"][0] == "False"
    assert found[""][1] == found["1"][1]
