"""A pool of prefixes that replicas share: what it finds, what size and sharing are worth, what reading costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.engine.serving.fleet import layout as at
from simulator.engine.serving.fleet.engine_class import EngineClass, SharedPool, StepTimes
from simulator.engine.serving.fleet.run import FleetRun, Replicas, Rules
from simulator.foundation.errors import InputError
from simulator.foundation.shipped import shipped
from simulator.scenario import load_scenario
from simulator.simulation.serving import simulate_serving
from simulator.workload.requests import Chains, Requests

BLOCK = 16
#: seconds between requests: one at a time
APART = 100.0
EACH = 1e-4  # seconds to bring back a token


def engine(pool: SharedPool | None, *, blocks: int = 40, pieces: int = 1) -> EngineClass:
    times = StepTimes(dense=tuple(1e-3 + 1e-4 * m for m in range(300)), per_context=1e-7, per_pair=1e-9)
    return EngineClass(times=times, blocks=blocks, block_size=BLOCK, max_num_batched_tokens=4096,
                       prefix_block_tokens=BLOCK, pool=pool, load_pieces=pieces)  # fmt: skip


def pool_of(blocks: int, *, replicas: int | None = None, own: float = 0.0) -> SharedPool:
    return SharedPool(tokens=blocks * BLOCK, seconds_per_token=EACH, pool_seconds_per_token=own, replicas=replicas)


def families(seed: int, n: int) -> Requests:
    """Return requests one by one, each beginning with some blocks of one of twelve texts."""
    g = np.random.default_rng(seed)
    family, known = g.integers(0, 12, n), g.integers(1, 12, n)
    return asked([family[k] * 100 + np.arange(known[k]) for k in range(n)])


def asked(chains: list[np.ndarray], *, apart: float = APART) -> Requests:
    sizes = np.array([len(chain) for chain in chains])
    return Requests(
        arrival_s=np.arange(len(chains)) * apart,
        prompt=(sizes * BLOCK + 1).astype(np.int32),
        output=np.full(len(chains), 2, np.int32),
        chains=Chains(start=np.concatenate([[0], np.cumsum(sizes)]), blocks=np.concatenate(chains).astype(np.int32),
                      block_tokens=BLOCK),
    )  # fmt: skip


def played(requests: Requests, one: EngineClass, replicas: int = 3) -> FleetRun:
    run = FleetRun(requests, [Replicas(engine=one, count=replicas)], Rules(), compiled=False)
    run.finish()
    assert run.done
    return run


def found(run: FleetRun) -> int:
    return int(run.fleet.replicas[:, at.FOUND : at.POOL + 1].sum())


def pooled(run: FleetRun) -> int:
    return int(run.fleet.replicas[:, at.POOL].sum())


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000))
def test_an_endless_pool_finds_all_that_any_replica_ever_computed(seed: int) -> None:
    requests = families(seed, 60)
    seen: set[int] = set()
    hits = 0
    for k in range(len(requests)):
        chain = requests.chains.blocks[requests.chains.start[k] : requests.chains.start[k + 1]].tolist()
        hits += next((i for i, block in enumerate(chain) if block not in seen), len(chain))
        seen.update(chain)
    run = played(requests, engine(pool_of(10**4)))
    assert found(run) == hits * BLOCK
    assert pooled(run) > 0


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000))
def test_a_larger_pool_never_finds_less(seed: int) -> None:
    requests = families(seed, 60)
    totals = [found(played(requests, engine(pool_of(size)))) for size in (1, 20, 40, 80, 400)]
    assert totals == sorted(totals)
    assert found(played(requests, engine(None))) <= totals[0]


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000), size=st.sampled_from([20, 40, 10**4]))
def test_one_pool_for_all_finds_at_least_what_a_pool_for_each_of_the_same_total_finds(seed: int, size: int) -> None:
    requests = families(seed, 90)
    apart = found(played(requests, engine(pool_of(size, replicas=1))))
    together = found(played(requests, engine(pool_of(3 * size))))
    assert together >= apart


def test_replicas_of_one_node_share_and_those_of_another_do_not() -> None:
    """Replicas 0 and 1 stand on one node, 2 and 3 on the next; each is asked the same text in turn."""
    text = np.arange(20)
    run = played(asked([text] * 4), engine(pool_of(100, replicas=2)), replicas=4)
    assert run.fleet.replicas[:, at.POOL].tolist() == [0, 20 * BLOCK, 0, 20 * BLOCK]


def test_pools_hold_no_more_than_their_size_and_every_block_once() -> None:
    run = played(families(1, 200), engine(pool_of(33)))
    table, slots = run.fleet.pool_table[0], run.fleet.pool_slots[0]
    held = slots[table[table != at.NOBODY], at.BLOCK]
    assert len(held) == len(np.unique(held)) == run.fleet.pools[0, at.POOL_HELD] == 33


def ttft_of_a_reader(*, pieces: int, blocks: int = 20) -> tuple[float, float, float]:
    """Return the TTFT of a request whose prefix another replica computed, its loading, and its computing."""
    text = np.arange(blocks)
    one = engine(pool_of(100), pieces=pieces)
    run = played(asked([text, text]), one, replicas=2)
    near = played(asked([text, text]), engine(None), replicas=1).result().ttft_s[1]
    return float(run.result().ttft_s[1]), blocks * BLOCK * EACH, float(near)


def test_loading_before_computing_takes_both_and_by_layer_at_most_a_layer_more_than_the_longer() -> None:
    before, loading, computing = ttft_of_a_reader(pieces=1)
    assert before == pytest.approx(loading + computing, abs=1e-9)
    found_before = before
    for pieces in (2, 8, 32):
        beside, _, _ = ttft_of_a_reader(pieces=pieces)
        longer, shorter = max(loading, computing), min(loading, computing)
        assert beside == pytest.approx(longer + shorter / pieces, abs=1e-9)
        assert longer <= beside <= found_before
        found_before = beside


def test_readers_of_a_pool_with_a_rate_of_its_own_wait_for_each_other() -> None:
    """Three replicas ask for 20 blocks each at one instant; the pool reads a token in 2 ms, their links are faster."""
    own, text = 2e-3, np.arange(20)
    requests = asked([text] * 4)
    requests = Requests(arrival_s=np.array([0.0, APART, APART, APART]), prompt=requests.prompt, output=requests.output,
                        chains=requests.chains)  # fmt: skip
    waits = [played(requests, engine(pool_of(100, own=rate)), replicas=4).result().ttft_s[1:] for rate in (0.0, own)]
    read = 20 * BLOCK * own
    assert waits[0] == pytest.approx([waits[0][0]] * 3)
    assert waits[1] - waits[0] == pytest.approx(read * np.arange(1, 4) - 20 * BLOCK * EACH, abs=1e-9)


def test_a_pool_outlives_the_replica_that_filled_it() -> None:
    text = np.arange(20)
    run = FleetRun(asked([text] * 3), [Replicas(engine=engine(pool_of(100)), count=2)], Rules(elastic=True),
                   compiled=False)  # fmt: skip
    run.advance(APART / 2)
    run.fail(0, APART / 2)
    run.finish()
    assert run.fleet.replicas[1, at.POOL] == 20 * BLOCK


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("[{name: a, size: 1 TB, shared: node}, {name: b, size: 1 TB}]", "only the last tier can be shared"),
        ("[{name: a, size: 1 GB}, {name: b, size: 1 GB}, {name: c, size: 1 TB}]", "there may be 2"),
        ("[{name: a, size: 1 TB, shared: rack}]", "node"),
    ],
)
def test_tiers_that_cannot_be_are_refused(change: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_scenario(shipped("scenarios") / "serve-cache-pool.yaml", [f"workloads[0].engine.cache_tiers={change}"])


def test_a_scenario_with_a_store_for_all_finds_more_than_replicas_alone_and_answers_sooner() -> None:
    file, short = shipped("scenarios") / "serve-cache-pool.yaml", "workloads[0].traffic.seconds=100 s"
    changes = ([], ["workloads[0].engine.cache_tiers=[{name: host, size: 16 GB}]"],
               ["workloads[0].engine.cache_loading=before"])  # fmt: skip
    found_by = []
    for change in changes:
        scenario = load_scenario(file, [short, *change])
        found_by.append(simulate_serving(scenario, scenario.workloads[0]).metrics())
    shared, alone, before = found_by
    assert shared["store_hit_rate"] > 0
    assert shared["prefix_hit_rate"] > alone["prefix_hit_rate"]
    assert shared["ttft_mean_ms"] < alone["ttft_mean_ms"]
    assert shared["cache_loading_fraction"] < before["cache_loading_fraction"]
