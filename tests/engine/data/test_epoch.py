"""An epoch played, against closed forms, bounds and a twin made of SimPy processes."""

from __future__ import annotations

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs.input import Loader, Sample, account, step_time
from simulator.costs.storage import StorageSystem
from simulator.engine.clock import TICKS_PER_SECOND, to_ticks
from simulator.engine.data.epoch import Background, Plan, Played, play
from simulator.engine.data.pipe import SharedPipe


def plan_of(loaders=1, steps=20, *, size=10.0, delay=0.0, decode=0.0, copy=0.0, compute=1.0, workers=1, ahead=2):
    full = np.ones((loaders, steps))
    return Plan(read_bytes=full * size, delay_s=full * delay, decode_s=full * decode, copy_s=full * copy,
                compute_s=np.full(steps, compute), workers=workers, ahead=ahead)  # fmt: skip


def steady(played: Played) -> float:
    """Seconds between the last steps, once the pipeline is full."""
    half = len(played.starts) // 2
    return float(played.starts[-1] - played.starts[half]) / (len(played.starts) - 1 - half) / TICKS_PER_SECOND


@pytest.mark.parametrize("compute", [0.2, 1.0, 3.0])
def test_prefetched_loading_costs_the_larger_and_serial_loading_the_sum(compute):
    for ahead in (2, 0):
        played = play(plan_of(compute=compute, ahead=ahead), SharedPipe(10.0))
        assert steady(played) == pytest.approx(float(step_time(compute, 1.0, overlapped=ahead > 0)))


def test_reading_and_decoding_by_one_worker_add_up_and_by_two_overlap():
    one = play(plan_of(decode=1.0, compute=0.1, workers=1), SharedPipe(10.0))
    two = play(plan_of(decode=1.0, compute=0.1, workers=2), SharedPipe(10.0))
    assert steady(one) == pytest.approx(2.0)
    assert steady(two) == pytest.approx(1.0)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(loaders=st.integers(1, 6), workers=st.integers(1, 4), ahead=st.integers(0, 3), seed=st.integers(0, 1000))
def test_bytes_are_conserved_and_no_bound_is_beaten(loaders, workers, ahead, seed):
    rng = np.random.default_rng(seed)
    shape = (loaders, 12)
    plan = Plan(
        read_bytes=rng.uniform(0, 20, shape), delay_s=rng.uniform(0, 0.3, shape), decode_s=rng.uniform(0, 2, shape),
        copy_s=rng.uniform(0, 0.5, shape), compute_s=rng.uniform(0, 1, shape), workers=workers, ahead=ahead,
    )  # fmt: skip
    played = play(plan, SharedPipe(10.0, cap=6.0))
    assert played.moved_bytes == pytest.approx(plan.read_bytes.sum())
    tolerance = 1e-9
    assert played.time_s >= plan.read_bytes.sum() / 10.0 - tolerance
    assert played.time_s >= plan.compute_s.max(axis=0).sum() - tolerance
    assert played.time_s >= (plan.decode_s.sum(axis=1) / workers).max() - tolerance
    assert played.time_s >= (plan.copy_s.sum(axis=1)).max() - tolerance
    assert (np.diff(played.starts) >= 0).all()
    assert (played.starts >= played.ready.max(axis=0)).all()
    assert (played.starts[1:] >= played.ends[:-1]).all()
    assert 0 < played.storage_busy <= 1


@settings(derandomize=True, max_examples=25, deadline=None)
@given(loaders=st.integers(1, 4), workers=st.integers(1, 3), ahead=st.integers(0, 2), seed=st.integers(0, 1000))
def test_the_simpy_twin_starts_every_step_at_the_same_moment(loaders, workers, ahead, seed):
    rng = np.random.default_rng(seed)
    shape = (loaders, 8)
    plan = Plan(
        read_bytes=rng.uniform(1, 20, shape), delay_s=rng.uniform(0, 0.3, shape), decode_s=rng.uniform(0, 2, shape),
        copy_s=rng.uniform(0, 0.5, shape), compute_s=rng.uniform(0, 1, shape), workers=workers, ahead=ahead,
    )  # fmt: skip
    played = play(plan, SharedPipe(10.0, cap=6.0))
    assert np.allclose(played.starts / TICKS_PER_SECOND, twin(plan, 10.0, 6.0), atol=1e-8)


def twin(plan: Plan, capacity: float, cap: float) -> list[float]:
    """The slow, obvious twin: a SimPy process per worker, copy and device, and a pipe that looks at all transfers."""
    env = simpy.Environment()
    loaders, steps = plan.shape
    open_transfers: dict[int, list[float]] = {}
    changed = [env.event()]

    def poke():
        changed[0].succeed()
        changed[0] = env.event()

    def pipe():
        while True:
            if not open_transfers:
                yield changed[0]
                continue
            rate, since, moving = min(cap, capacity / len(open_transfers)), env.now, list(open_transfers.values())
            first = min(open_transfers, key=lambda tag: open_transfers[tag][0])
            finished = env.timeout(max(0.0, open_transfers[first][0] / rate))
            yield finished | changed[0]
            for item in moving:
                item[0] -= rate * (env.now - since)
            if finished.processed:
                open_transfers.pop(first)[1].succeed()

    env.process(pipe())
    decoded = [[env.event() for _ in range(steps)] for _ in range(loaders)]
    room = [env.event() for _ in range(steps)]
    links = [simpy.Resource(env) for _ in range(loaders)]

    def worker(loader, number):
        for batch in range(number, steps, plan.workers):
            behind = batch - max(1, plan.ahead * plan.workers)
            if behind >= 0:
                yield room[behind]
            yield env.timeout(plan.delay_s[loader, batch])
            with links[loader].request() as turn:
                yield turn
                done = env.event()
                open_transfers[loader] = [plan.read_bytes[loader, batch], done]
                poke()
                yield done
            yield env.timeout(plan.decode_s[loader, batch])
            decoded[loader][batch].succeed(env.now)

    def copier(loader, step, starts, ready):
        yield decoded[loader][step]
        if step and plan.ahead:
            yield starts[step - 1] & ready[loader][step - 1]
        yield env.timeout(plan.copy_s[loader, step])
        ready[loader][step].succeed()

    moments = []

    def device():
        starts = [env.event() for _ in range(steps)]
        ready = [[env.event() for _ in range(steps)] for _ in range(loaders)]
        for loader in range(loaders):
            for step in range(steps):
                env.process(copier(loader, step, starts, ready))
        for step in range(steps):
            yield simpy.AllOf(env, [ready[loader][step] for loader in range(loaders)])
            starts[step].succeed()
            moments.append(env.now)
            if plan.ahead:
                room[step].succeed()
            yield env.timeout(plan.compute_s[..., step].max())
            if not plan.ahead:
                room[step].succeed()

    for loader in range(loaders):
        for number in range(plan.workers):
            env.process(worker(loader, number))
    env.run(env.process(device()))
    return moments


@pytest.mark.parametrize(("decode", "bandwidth", "cores"), [(1e-3, 1e6, 4.0), (0.2, 1e8, 4.0), (1e-4, 1e9, 2.0)])
def test_the_steady_step_is_the_one_of_the_closed_form(decode, bandwidth, cores):
    sample = Sample(stored=1e5, decoded=2e5, decode_s=decode)
    loader = Loader(workers=4, cores=cores, prefetch=2, host_bandwidth=1e9)
    storage = StorageSystem(read_bandwidth=bandwidth, latency=1e-3)
    expected = account(sample, loader, storage, batch=32, compute_s=0.5, devices=4)
    plan = plan_of(4, 60, size=32e5, delay=32e-3, decode=32 * decode * max(1.0, 4 / cores), copy=64e5 / 1e9,
                   compute=0.5, workers=4)  # fmt: skip
    assert steady(play(plan, SharedPipe(bandwidth))) == pytest.approx(expected.step_s, rel=0.02)


def test_a_checkpoint_slows_the_loaders_for_as_long_as_it_writes():
    quiet = play(plan_of(4, 40, size=2.4, compute=1.0), SharedPipe(10.0))
    checkpoint = Background(start_s=5.0, bytes=30.0)
    busy = play(plan_of(4, 40, size=2.4, compute=1.0), SharedPipe(10.0), background=[checkpoint])
    assert quiet.waits_s()[10:].sum() == pytest.approx(0.0)
    assert busy.time_s > quiet.time_s
    assert busy.moved_bytes == pytest.approx(quiet.moved_bytes + 30.0)
    assert busy.background_ends[0] >= to_ticks(5.0 + 30.0 / 10.0)


def test_a_degraded_storage_is_waited_for_until_it_is_whole_again():
    changes = [(5.0, 4.0), (20.0, 10.0)]
    whole = play(plan_of(4, 40, size=2.0, compute=1.0), SharedPipe(10.0))
    broken = play(plan_of(4, 40, size=2.0, compute=1.0), SharedPipe(10.0), capacities=changes)
    lost = broken.time_s - whole.time_s
    assert 5.0 < lost < 15.0  # 15 s at half the needed rate, less what was prefetched
    assert broken.moved_bytes == pytest.approx(whole.moved_bytes)


def test_every_step_waits_for_the_loader_with_the_largest_shard():
    plan = plan_of(4, 30, size=1.0, compute=0.01)
    plan.read_bytes[2] = 5.0
    played = play(plan, SharedPipe(1e3, cap=10.0))
    assert steady(played) == pytest.approx(0.5)
    assert set(played.slowest()[5:].tolist()) == {2}


def test_batches_from_the_cache_skip_the_storage():
    played = play(plan_of(2, 10, size=0.0, compute=1.0), SharedPipe(1.0))
    assert played.moved_bytes == 0
    assert played.time_s == pytest.approx(10.0)
