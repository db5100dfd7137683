"""Collectives as rounds: they deliver what they promise, send no more than their formula, and take its time."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from simulator.costs.collectives import IDEAL, collective_time
from simulator.engine.collectives import (
    ROUNDS,
    hierarchical_all_reduce,
    push_pull,
    torus_all_reduce,
)
from simulator.engine.network.rounds import play_rounds
from simulator.foundation.errors import InputError
from simulator.topology.tiers import Tier

SIZE, RATE, LATENCY = 48e6, 10e9, 2e-6


def star(ranks):
    """One crossbar: each rank has a link up and a link down."""
    return [RATE] * (2 * ranks), lambda a, b: ((a, ranks + b), LATENCY)


def played(rounds, ranks):
    capacity, route_of = star(ranks)
    return play_rounds(rounds, capacity, route_of)


def deliver(rounds, blocks):
    """Follow the contributions of every rank to every block; ``blocks[rank]`` holds a Counter per block."""
    for step in rounds:
        for repetition in range(step.times):
            moved = [
                (send, block, blocks[send.source][block].copy())
                for send in step.sends
                for block in step.blocks(repetition, send)
            ]
            for send, block, content in moved:
                if send.reduces:
                    blocks[send.target][block] += content
                else:
                    blocks[send.target][block] = content
    return blocks


@pytest.mark.parametrize("name", ["ring", "halving-doubling", "tree"])
@pytest.mark.parametrize("ranks", [2, 3, 4, 6, 8, 13, 16])
def test_after_an_all_reduce_every_rank_has_every_contribution_exactly_once(name, ranks):
    number = {"ring": ranks, "halving-doubling": 1 << (ranks.bit_length() - 1), "tree": 2}[name]
    blocks = [[Counter({rank: 1}) for _ in range(number)] for rank in range(ranks)]
    rounds = ROUNDS["all-reduce"][name](range(ranks), SIZE)
    everyone = Counter(dict.fromkeys(range(ranks), 1))
    assert all(content == everyone for mine in deliver(rounds, blocks) for content in mine)


@pytest.mark.parametrize("name", ["ring", "recursive-doubling"])
def test_after_an_all_gather_every_rank_has_every_block(name):
    ranks = 8
    blocks = [[Counter({rank: 1}) if block == rank else Counter() for block in range(ranks)] for rank in range(ranks)]
    after = deliver(ROUNDS["all-gather"][name](range(ranks), SIZE), blocks)
    assert all(after[rank][block] == Counter({block: 1}) for rank in range(ranks) for block in range(ranks))


@pytest.mark.parametrize("ranks", [2, 5, 8, 11])
def test_a_broadcast_reaches_all_and_a_reduction_collects_all(ranks):
    start = [[Counter({0: 1})], *([Counter()] for _ in range(ranks - 1))]
    assert all(mine == [Counter({0: 1})] for mine in deliver(ROUNDS["broadcast"]["tree"](range(ranks), SIZE), start))
    sums = [[Counter({rank: 1})] for rank in range(ranks)]
    everyone = Counter(dict.fromkeys(range(ranks), 1))
    assert deliver(ROUNDS["reduce"]["tree"](range(ranks), SIZE), sums)[0][0] == everyone


@pytest.mark.parametrize("ranks", [2, 8, 64])
def test_each_rank_of_a_ring_sends_the_proven_minimum(ranks):
    rounds = ROUNDS["all-reduce"]["ring"](range(ranks), SIZE)
    sent = sum(step.times * send.size for step in rounds for send in step.sends if send.source == 0)
    assert sent == pytest.approx(2 * (ranks - 1) / ranks * SIZE, rel=1e-12)


@pytest.mark.parametrize(
    ("operation", "algorithm"),
    [
        ("all-reduce", "ring"),
        ("all-reduce", "halving-doubling"),
        ("all-gather", "ring"),
        ("all-gather", "recursive-doubling"),
        ("reduce-scatter", "ring"),
        ("reduce-scatter", "recursive-halving"),
    ],
)
@pytest.mark.parametrize("ranks", [2, 8, 32])
def test_alone_the_play_takes_the_time_of_the_closed_form(operation, algorithm, ranks):
    tier = Tier(name="leaf", span=64, bandwidth=RATE, port_bandwidth=RATE, latency=LATENCY)
    formula = collective_time(operation, SIZE, ranks, (tier,), (IDEAL,), algorithm=algorithm, protocol="simple")
    assert played(ROUNDS[operation][algorithm](range(ranks), SIZE), ranks) == pytest.approx(formula, rel=1e-9)


def test_a_hierarchical_all_reduce_sends_the_share_of_a_group_between_groups():
    rounds = list(hierarchical_all_reduce(range(16), SIZE, inside=4))
    across = sum(
        step.times * send.size for step in rounds for send in step.sends if send.source == 0 and send.target // 4 != 0
    )
    assert across == pytest.approx(2 * 3 / 4 * SIZE / 4)


def test_a_torus_all_reduce_sends_the_minimum_over_its_axes():
    rounds = list(torus_all_reduce(range(32), SIZE, dims=(4, 8)))
    sent = sum(step.times * send.size for step in rounds for send in step.sends if send.source == 5)
    assert sent == pytest.approx(2 * 31 / 32 * SIZE, rel=1e-12)
    with pytest.raises(InputError, match="has 9 ranks"):
        list(torus_all_reduce(range(8), SIZE, dims=(3, 3)))


def test_bruck_takes_log_rounds_and_pairwise_takes_one_per_peer():
    assert len(list(ROUNDS["all-to-all"]["bruck"](range(16), SIZE))) == 4
    assert len(list(ROUNDS["all-to-all"]["pairwise"](range(16), SIZE))) == 15
    direct = played(ROUNDS["all-to-all"]["direct"](range(16), SIZE), 16)
    assert direct == pytest.approx(LATENCY + 15 / 16 * SIZE / RATE, rel=1e-9)


def test_one_parameter_server_is_the_bottleneck_of_its_workers():
    assert played(push_pull(range(5), SIZE), 5) == pytest.approx(2 * (LATENCY + 4 * SIZE / RATE), rel=1e-9)
    assert played(push_pull(range(8), SIZE, servers=4), 8) == pytest.approx(2 * (LATENCY + SIZE / RATE), rel=1e-9)


def test_a_ring_over_many_ranks_costs_one_pattern():
    rounds = list(ROUNDS["all-reduce"]["ring"](range(4096), SIZE))
    assert [step.times for step in rounds] == [4095, 4095]


def test_powers_of_two_are_asked_for_by_name():
    with pytest.raises(InputError, match="power of two"):
        list(ROUNDS["all-gather"]["recursive-doubling"](range(6), SIZE))
    assert math.isclose(played(ROUNDS["send-recv"]["direct"](range(2), SIZE), 2), LATENCY + SIZE / RATE, rel_tol=1e-9)
