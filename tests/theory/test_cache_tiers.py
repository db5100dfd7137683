"""Tiers of the prefix cache: what an endless one finds, what more of one is worth, how long bringing back takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.engine.serving.fleet import layout as at
from simulator.engine.serving.fleet.engine_class import EngineClass, LowerTier, StepTimes
from simulator.engine.serving.fleet.run import FleetRun, Replicas, Rules
from simulator.foundation.errors import InputError
from simulator.foundation.shipped import shipped
from simulator.scenario import load_scenario
from simulator.simulation.serving import simulate_serving
from simulator.workload.requests import Chains, Requests

BLOCK = 16
#: seconds between requests: one at a time
APART = 100.0


def engine(*tiers: LowerTier, blocks: int = 40) -> EngineClass:
    times = StepTimes(dense=tuple(1e-3 + 1e-4 * m for m in range(300)), per_context=1e-7, per_pair=1e-9)
    return EngineClass(times=times, blocks=blocks, block_size=BLOCK, max_num_batched_tokens=4096,
                       prefix_block_tokens=BLOCK, lower_tiers=tiers)  # fmt: skip


def families(seed: int, n: int) -> Requests:
    """Return requests one by one, each beginning with some blocks of one of twelve texts."""
    g = np.random.default_rng(seed)
    family, known = g.integers(0, 12, n), g.integers(1, 12, n)
    blocks = np.concatenate([family[k] * 100 + np.arange(known[k]) for k in range(n)]).astype(np.int32)
    return Requests(
        arrival_s=np.arange(n) * APART,
        prompt=(known * BLOCK + g.integers(1, BLOCK, n)).astype(np.int32),
        output=np.full(n, 3, np.int32),
        chains=Chains(start=np.concatenate([[0], np.cumsum(known)]), blocks=blocks, block_tokens=BLOCK),
    )


def played(requests: Requests, one: EngineClass) -> FleetRun:
    run = FleetRun(requests, [Replicas(engine=one, count=1)], Rules(), compiled=False)
    run.finish()
    assert run.done
    return run


def found(run: FleetRun) -> list[int]:
    return run.fleet.replicas[0, at.FOUND : at.FOUND + at.TIERS].tolist()


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000))
def test_an_endless_tier_finds_all_that_was_ever_computed(seed: int) -> None:
    requests = families(seed, 60)
    seen: set[int] = set()
    hits = 0
    for k in range(len(requests)):
        chain = requests.chains.blocks[requests.chains.start[k] : requests.chains.start[k + 1]].tolist()
        hits += next((i for i, block in enumerate(chain) if block not in seen), len(chain))
        seen.update(chain)
    run = played(requests, engine(LowerTier(tokens=10**6, seconds_per_token=1e-6)))
    assert sum(found(run)) == hits * BLOCK
    assert found(run)[1] > 0


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000))
def test_more_of_a_tier_never_finds_less_and_two_tiers_are_one_of_both_sizes(seed: int) -> None:
    requests = families(seed, 60)
    sizes = [0, 20, 40, 80, 400]
    totals = [sum(found(played(requests, engine(LowerTier(tokens=size * BLOCK, seconds_per_token=1e-6)))))
              for size in sizes]  # fmt: skip
    assert totals == sorted(totals)
    both = played(requests, engine(*(LowerTier(tokens=n * BLOCK, seconds_per_token=1e-6) for n in (30, 50))))
    assert sum(found(both)) == totals[sizes.index(80)]


def test_bringing_back_takes_the_bytes_over_the_link() -> None:
    """A text of 20 blocks is pushed out of 40 blocks by another one and comes back."""
    first, other = np.arange(20), 100 + np.arange(30)
    requests = Requests(
        arrival_s=np.arange(3) * APART,
        prompt=np.array([20 * BLOCK + 1, 30 * BLOCK + 1, 20 * BLOCK + 1], np.int32),
        output=np.full(3, 1, np.int32),
        chains=Chains(start=np.array([0, 20, 50, 70]), blocks=np.concatenate([first, other, first]).astype(np.int32),
                      block_tokens=BLOCK),
    )  # fmt: skip
    each = 1e-3

    def ttft(one: EngineClass) -> float:
        return float(played(requests, one).result().ttft_s[2])

    near = ttft(engine(blocks=400))
    below = played(requests, engine(LowerTier(tokens=10**6, seconds_per_token=each)))
    brought = found(below)[1]
    assert brought > 0
    assert sum(found(below)) == 20 * BLOCK
    assert below.result().ttft_s[2] == pytest.approx(near + brought * each, abs=1e-9)
    assert ttft(engine()) > near


def test_blocks_lie_in_one_place_and_tiers_hold_no_more_than_their_size() -> None:
    run = played(families(1, 200), engine(LowerTier(tokens=20 * BLOCK, seconds_per_token=0.0),
                                          LowerTier(tokens=33 * BLOCK, seconds_per_token=0.0)))  # fmt: skip
    row, slots = run.fleet.replicas[0], run.fleet.slots[0]
    held = slots[np.unique(run.fleet.table[0][run.fleet.table[0] != at.NOBODY])]
    assert len(np.unique(held[:, at.BLOCK])) == len(held)
    for tier in range(at.TIERS):
        assert (held[:, at.TIER] == tier).sum() == row[at.CACHED + tier]
    assert row[at.CACHED + 1] == 20
    assert 30 <= row[at.CACHED + 2] <= 33


def test_tiers_need_a_prefix_cache() -> None:
    with pytest.raises(InputError, match="need a prefix cache"):
        EngineClass(times=engine().times, blocks=9, lower_tiers=(LowerTier(tokens=9, seconds_per_token=0.0),))


def test_a_scenario_with_tiers_tells_the_hit_rate_of_each_and_answers_sooner() -> None:
    file = shipped("scenarios") / "serve-cache-tiers.yaml"
    short = "workloads[0].traffic.seconds=300 s"
    tiered, plain = (
        simulate_serving(scenario, scenario.workloads[0]).metrics()
        for scenario in (
            load_scenario(file, [short]),
            load_scenario(file, [short, "workloads[0].engine.cache_tiers=[]"]),
        )
    )
    by_tier = sum(tiered[f"{name}_hit_rate"] for name in ("device", "host", "drives"))
    assert by_tier == pytest.approx(tiered["prefix_hit_rate"], rel=0.02)
    assert tiered["host_hit_rate"] > 0
    assert tiered["prefix_hit_rate"] > plain["prefix_hit_rate"]
    assert tiered["ttft_mean_ms"] < plain["ttft_mean_ms"]
