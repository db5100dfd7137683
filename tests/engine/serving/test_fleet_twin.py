"""The leaping kernel and its obvious twin give the same instants, tick for tick."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.engine.serving.fleet import layout as at
from simulator.engine.serving.fleet import single
from simulator.engine.serving.fleet.engine_class import EngineClass, LowerTier, SharedPool, StepTimes
from simulator.engine.serving.fleet.heaps import schedule
from simulator.engine.serving.fleet.run import FleetRun, Replicas, Rules
from simulator.workload.requests import Chains, Requests
from tests.engine.serving import slow_twin


def make_requests(seed: int, n: int, mean_gap: float, *, block: int, shared: bool, classes: int) -> Requests:
    """Return random requests; some arrive together, some share prefixes of earlier ones."""
    g = np.random.default_rng(seed)
    gaps = np.where(g.random(n) < 0.3, 0.0, g.exponential(mean_gap, n))
    arrival = np.round(np.cumsum(gaps), 4)
    prompt = np.clip(g.lognormal(3.0, 1.0, n), 1, 400).astype(np.int32)
    output = np.clip(g.lognormal(2.0, 1.0, n), 1, 90).astype(np.int32)
    chains = None
    if shared:
        lists, new = [], 1000
        for length in prompt:
            family, own = int(g.integers(3)), int(g.integers(0, 4))
            count = length // block
            chain = [family * 50 + j for j in range(min(count, own))]
            extra = count - len(chain)
            chain += list(range(new, new + extra))
            new += extra
            lists.append(chain)
        start = np.concatenate([[0], np.cumsum([len(x) for x in lists])])
        chains = Chains(
            start=start, blocks=np.array([b for chain in lists for b in chain], np.int32), block_tokens=block
        )
    priority = g.integers(0, classes, n).astype(np.int8) if classes > 1 else None
    return Requests(arrival_s=arrival, prompt=prompt, output=output, chains=chains, priority=priority)


def twin_of(requests: Requests, engine: EngineClass, timeout_s: float | None) -> list[slow_twin.Request]:
    """Return the twin's requests."""
    arrivals = np.rint(requests.arrival_s * 10**12).astype(np.int64)
    found = []
    for k in range(len(requests)):
        chain: list[int] = []
        if requests.chains is not None and engine.prefix_block_tokens:
            start = requests.chains.start
            chain = requests.chains.blocks[start[k] : start[k + 1]].tolist()
        found.append(
            slow_twin.Request(
                k=k,
                arrival=int(arrivals[k]),
                prompt=int(requests.prompt[k]),
                output=int(requests.output[k]),
                chain=chain,
                priority=0 if requests.priority is None else int(requests.priority[k]),
                deadline=slow_twin.NEVER if timeout_s is None else int(arrivals[k]) + round(timeout_s * 10**12),
            )
        )
    return found


def twin_settings(engine: EngineClass) -> slow_twin.Settings:
    """Return the same engine in the twin's words."""
    row = engine.row()
    return slow_twin.Settings(
        table=[int(x) for x in engine.dense_ticks()],
        slope=int(row[at.DENSE_SLOPE]),
        decode_table=[int(x) for x in engine.decode_ticks()],
        decode_slope=int(row[at.DECODE_SLOPE]),
        per_context=int(row[at.DECODE_CONTEXT]),
        per_context_prompt=int(row[at.PROMPT_CONTEXT]),
        per_pair=int(row[at.PREFILL_PAIR]),
        prefill_fixed=int(row[at.PREFILL_FIXED]),
        host=int(row[at.HOST_FIXED]),
        host_seq=int(row[at.HOST_PER_SEQ]),
        host_prompt=int(row[at.HOST_PROMPT]),
        blocks=engine.blocks,
        block_size=engine.block_size,
        max_seqs=engine.max_num_seqs,
        budget=engine.max_num_batched_tokens,
        chunked=engine.chunked_prefill,
        mixed=engine.decode_first,
        paged=engine.preemption != "never",
        swap=int(row[at.SWAP]),
        group=int(row[at.GROUP]),
        tiers=[(int(row[at.TIER_SLOTS + i]), int(row[at.TIER_TICKS + i])) for i in range(len(engine.lower_tiers))],
        pool_blocks=engine.pool.tokens // engine.prefix_block_tokens if engine.pool else 0,
        pool_ticks=int(row[at.POOL_TICKS]),
        pool_own=round(engine.pool.pool_seconds_per_token * engine.prefix_block_tokens * 10**12) if engine.pool else 0,
        pieces=engine.load_pieces,
        guesses=engine.times.guesses,
        yields=int(row[at.YIELDED]),
        draft_table=[] if engine.times.draft is None else [int(x) for x in engine.draft_ticks()],
    )


def an_engine(**changes: Any) -> EngineClass:
    """Return a small engine whose host, device and attention all matter."""
    values: dict[str, Any] = {
        "times": StepTimes(
            dense=tuple(4e-3 + 3e-5 * m for m in range(65)),
            per_context=2e-6,
            per_pair=1e-7,
            prefill_fixed=1e-4,
            host_fixed=5e-3,
            host_fixed_prompt=6e-3,
            host_per_sequence=1e-4,
        ),
        "blocks": 120,
        "block_size": 8,
        "max_num_seqs": 16,
        "max_num_batched_tokens": 64,
    }
    return EngineClass(**(values | changes))


def compare(requests: Requests, engine: EngineClass, *, replicas: int = 1, timeout_s: float | None = None) -> FleetRun:
    """Run both and demand equal instants, outcomes, preemptions and cache hits."""
    run = FleetRun(requests, [Replicas(engine=engine, count=replicas)], Rules(timeout_s=timeout_s), compiled=False)
    run.finish()
    expected = twin_of(requests, engine, timeout_s)
    fleet = slow_twin.serve(expected, twin_settings(engine), replicas)
    f = run.fleet
    for column, name in ((at.SCHEDULED, "scheduled"), (at.FIRST, "first"), (at.FINISH, "finish")):
        assert f.times[:, column].tolist() == [getattr(q, name) for q in expected], name
    assert f.facts[:, at.OUTCOME].tolist() == [q.outcome for q in expected]
    if f.facts.shape[1] > at.LEAN:
        assert f.facts[:, at.PREEMPTIONS].tolist() == [q.preemptions for q in expected]
        assert f.facts[:, at.REUSED].tolist() == [q.reused for q in expected]
        assert f.replicas[:, at.FOUND : at.POOL + 1].tolist() == [replica.found for replica in fleet]
    return run


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    gap=st.sampled_from([0.002, 0.02, 0.1]),
    chunked=st.booleans(),
    mixed=st.booleans(),
    preemption=st.sampled_from(["recompute", "swap", "never"]),
    prefix=st.booleans(),
    tiers=st.sampled_from([(), (64,), (48, 160), (10**6,)]),
    pool=st.sampled_from([None, 64, 320, 10**5]),
    pool_own=st.sampled_from([0.0, 2e-5]),
    pieces=st.sampled_from([1, 4]),
    classes=st.sampled_from([1, 3]),
    timeout=st.sampled_from([None, 0.05, 1.0]),
    replicas=st.sampled_from([1, 3]),
    blocks=st.sampled_from([64, 120, 1000]),
)
def test_leaping_from_change_to_change_equals_stepping_through_every_iteration(
    seed: int,
    gap: float,
    chunked: bool,
    mixed: bool,
    preemption: str,
    prefix: bool,
    tiers: tuple[int, ...],
    pool: int | None,
    pool_own: float,
    pieces: int,
    classes: int,
    timeout: float | None,
    replicas: int,
    blocks: int,
) -> None:
    requests = make_requests(seed, 60, gap, block=16, shared=prefix, classes=classes)
    engine = an_engine(
        chunked_prefill=chunked,
        decode_first=mixed,
        preemption=preemption,
        swap_seconds_per_token=1e-5,
        prefix_block_tokens=16 if prefix else 0,
        lower_tiers=tuple(LowerTier(tokens=size, seconds_per_token=1e-5 * (i + 1)) for i, size in enumerate(tiers))
        if prefix
        else (),
        pool=SharedPool(tokens=pool, seconds_per_token=3e-5, pool_seconds_per_token=pool_own)
        if prefix and pool
        else None,
        load_pieces=pieces,
        blocks=blocks,
    )
    run = compare(requests, engine, replicas=replicas, timeout_s=timeout)
    assert run.done
    assert (run.fleet.replicas[:, at.USED] == 0).all()
    assert (run.fleet.inside == 0).all()
    assert run.fleet.world[at.INFLIGHT] == 0


def test_preemption_happens_in_these_workloads() -> None:
    requests = make_requests(3, 80, 0.002, block=16, shared=False, classes=1)
    run = compare(requests, an_engine(blocks=64))
    assert run.fleet.replicas[:, at.PREEMPTED].sum() > 0


def test_prefixes_are_found_in_these_workloads() -> None:
    requests = make_requests(3, 80, 0.02, block=16, shared=True, classes=1)
    run = compare(requests, an_engine(prefix_block_tokens=16))
    assert run.fleet.facts[:, at.REUSED].sum() > 0


def test_prefixes_are_found_in_every_tier_of_these_workloads() -> None:
    requests = make_requests(3, 200, 0.02, block=16, shared=True, classes=1)
    tiers = (LowerTier(tokens=64, seconds_per_token=1e-5), LowerTier(tokens=480, seconds_per_token=1e-4))
    run = compare(requests, an_engine(prefix_block_tokens=16, blocks=64, lower_tiers=tiers))
    assert (run.fleet.replicas[0, at.FOUND : at.FOUND + at.TIERS] > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("router", ["power-of-two", "random", "round-robin", "least-requests"])
def test_a_large_fleet_compiled_with_its_hints_gives_the_interpreted_ones_bits(router: str) -> None:
    requests = make_requests(7, 3000, 1e-4, block=16, shared=False, classes=1)
    engine = an_engine(preemption="never", chunked_prefill=False, decode_first=False)
    rules = Rules(router=router, keep_gaps=False)
    runs = [
        FleetRun(requests, [Replicas(engine=engine, count=600)], rules, compiled=compiled) for compiled in (False, True)
    ]
    for run in runs:
        run.finish()
        assert run.fleet.world[at.SCHEDULED_STEPS] == 0
    for name in ("times", "facts", "replicas", "world", "inside"):
        assert np.array_equal(getattr(runs[0].fleet, name), getattr(runs[1].fleet, name)), name


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    changes=st.lists(st.tuples(st.integers(0, 6), st.one_of(st.just(at.NEVER), st.integers(0, 9))), max_size=60),
)
def test_the_agenda_begins_with_the_least_instant_and_holds_only_replicas_with_an_event(
    changes: list[tuple[int, int]],
) -> None:
    requests = make_requests(1, 1, 0.1, block=16, shared=False, classes=1)
    fleet = FleetRun(requests, [Replicas(engine=an_engine(), count=7)], Rules()).fleet
    due: dict[int, int] = {}
    for replica, time in changes:
        schedule(fleet, replica, time)
        due.pop(replica, None)
        if time != at.NEVER:
            due[replica] = time
        assert fleet.world[at.SCHEDULED_STEPS] == len(due)
        first = min(((time, replica) for replica, time in due.items()), default=None)
        if first is None:
            assert fleet.agenda[0, at.TIME] == at.NEVER
        else:
            assert tuple(fleet.agenda[0].tolist()) == first
        assert [r for r in range(7) if fleet.place[r] != at.NOBODY] == sorted(due)


@pytest.mark.slow
def test_the_compiled_kernel_gives_the_interpreted_ones_bits() -> None:
    requests = make_requests(5, 3000, 0.004, block=16, shared=True, classes=2)
    engine = an_engine(prefix_block_tokens=16, blocks=200)
    runs = [
        FleetRun(requests, [Replicas(engine=engine, count=5)], Rules(router="power-of-two"), compiled=compiled)
        for compiled in (False, True)
    ]
    for run in runs:
        run.finish()
    for name, left in runs[0].fleet._asdict().items():
        assert np.array_equal(left, getattr(runs[1].fleet, name)), name


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    gap=st.sampled_from([0.002, 0.02]),
    mixed=st.booleans(),
    preemption=st.sampled_from(["recompute", "never"]),
    blocks=st.sampled_from([30, 120]),
    guesses=st.sampled_from([(0, 1.0, False), (2, 1.7, False), (4, 3.3, True), (1, 2.0, True)]),
)
def test_steps_of_guessed_tokens_are_summed_as_if_taken_one_by_one(
    seed: int, gap: float, mixed: bool, preemption: str, blocks: int, guesses: tuple[int, float, bool]
) -> None:
    times = StepTimes(
        dense=tuple(4e-3 + 3e-5 * m for m in range(65)),
        per_context=1e-6,
        per_pair=1e-7,
        prefill_fixed=1e-4,
        host_fixed=2e-3,
        host_fixed_prompt=6e-3,
        host_per_sequence=1e-4,
        decode=tuple(2.5e-3 + 6e-5 * m for m in range(17)),
        per_context_prompt=2e-6,
        guesses=guesses[0],
        yields=guesses[1],
        draft=tuple(5e-4 + 1e-6 * m for m in range(65)) if guesses[2] else None,
    )
    engine = an_engine(times=times, decode_first=mixed, preemption=preemption, blocks=blocks)
    compare(make_requests(seed, 60, gap, block=16, shared=False, classes=1), engine)


def test_the_fast_road_of_one_replica_knows_steps_of_guessed_tokens() -> None:
    decode = tuple(2.5e-3 + 6e-5 * m for m in range(17))
    times = StepTimes(dense=tuple(4e-3 + 3e-5 * m for m in range(65)), per_context=1e-6, per_pair=1e-7, decode=decode)
    engine = an_engine(times=times, decode_first=False, preemption="never", chunked_prefill=False)
    requests = make_requests(7, 200, 0.02, block=16, shared=False, classes=1)
    roads = [
        FleetRun(requests, [Replicas(engine=engine, count=1)], Rules(keep_gaps=False), compiled=False) for _ in range(2)
    ]
    assert single.suits(roads[0].fleet)
    single.finish(roads[0].fleet)
    while not roads[1].done:
        roads[1].advance(roads[1].now_s + 1.0)
    assert roads[0].fleet.times.tolist() == roads[1].fleet.times.tolist()
