"""Replicas that answer in one pass, in the fleet: held against the station, against an obvious twin, against laws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.engine.serving.fleet import layout as at
from simulator.engine.serving.fleet.build import Replicas, Rules
from simulator.engine.serving.fleet.engine_class import EngineClass, StepTimes
from simulator.engine.serving.fleet.from_batches import batching_class
from simulator.engine.serving.fleet.run import FleetRun
from simulator.engine.serving.stations.batching import batched
from simulator.foundation.errors import InputError
from simulator.workload.requests import Requests
from tests.engine.serving import slow_passes

TICKS = 10**12


def arrivals(seed: int, n: int, gap: float) -> np.ndarray:
    """Return instants to the tenth of a millisecond; a third of them falls together with the one before."""
    g = np.random.default_rng(seed)
    return np.round(np.cumsum(np.where(g.random(n) < 0.3, 0.0, g.exponential(gap, n))), 4)


def plain(arrival_s: np.ndarray, **columns: np.ndarray) -> Requests:
    ones = np.ones(len(arrival_s), np.int32)
    return Requests(arrival_s=arrival_s, prompt=ones, output=ones, **columns)  # type: ignore[arg-type]


def seconds_of_batches(seed: int, largest: int) -> list[float]:
    g = np.random.default_rng(seed)
    return (0.005 + np.cumsum(g.uniform(0.001, 0.01, largest))).tolist()


def finished(requests: Requests, pools: list[Replicas], rules: Rules) -> FleetRun:
    run = FleetRun(requests, pools, rules, compiled=False)
    run.finish()
    return run


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 90),
    gap=st.sampled_from([0.001, 0.01, 0.1]),
    largest=st.integers(1, 6),
    share=st.sampled_from([1.0, 0.3]),
    delay=st.sampled_from([0.0, 0.004, 0.05, None]),
    servers=st.integers(1, 4),
)
def test_replicas_with_one_queue_are_the_station_of_batching_servers_tick_for_tick(
    seed: int, n: int, gap: float, largest: int, share: float, delay: float | None, servers: int
) -> None:
    arrival, latency = arrivals(seed, n, gap), seconds_of_batches(seed, largest)
    occupied = [share * each for each in latency]
    visits, batch = batched(arrival, latency_s=latency, occupied_s=occupied, servers=servers, delay_s=delay)
    engine = batching_class(latency_s=latency, occupied_s=occupied, delay_s=delay)
    run = finished(plain(arrival), [Replicas(engine=engine, count=servers)], Rules(router="one-queue"))
    times, rows = run.fleet.times / TICKS, run.fleet.replicas
    assert times[:, at.SCHEDULED].tolist() == visits.start_s.tolist()
    assert times[:, at.FINISH].tolist() == visits.end_s.tolist()
    assert rows[:, at.ALL_STEPS].sum() == pytest.approx((1 / batch).sum())
    assert rows[:, at.PREFILLED].sum() == n
    assert run.result().counts()["finished"] == n


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    gap=st.sampled_from([0.001, 0.01, 0.05]),
    largest=st.integers(1, 4),
    delay=st.sampled_from([0.0, 0.02, None]),
    replicas=st.integers(1, 3),
    router=st.sampled_from(["one-queue", "round-robin"]),
    waiting=st.sampled_from([None, 1, 3]),
    inflight=st.sampled_from([None, 4]),
    timeout=st.sampled_from([None, 0.01, 0.1]),
    retries=st.sampled_from([0, 2]),
    classes=st.sampled_from([1, 3]),
    users=st.sampled_from([0, 5]),
)
def test_the_fleet_and_its_obvious_twin_agree_on_every_instant_and_outcome(
    seed: int,
    gap: float,
    largest: int,
    delay: float | None,
    replicas: int,
    router: str,
    waiting: int | None,
    inflight: int | None,
    timeout: float | None,
    retries: int,
    classes: int,
    users: int,
) -> None:
    n, g = 60, np.random.default_rng(seed)
    arrival, latency = arrivals(seed, n, gap), seconds_of_batches(seed, largest)
    successor = think = None
    if users:
        arrival = np.concatenate([arrival[:users], np.full(n - users, np.inf)])
        successor = np.where(np.arange(n) + users < n, np.arange(n) + users, -1).astype(np.int32)
        think = np.round(g.exponential(gap, n), 4)
    priority = g.integers(0, classes, n).astype(np.int8)
    requests = plain(arrival, successor=successor, think_s=think, priority=priority)
    rules = Rules(router=router, max_waiting=waiting, max_inflight=inflight, timeout_s=timeout, retries=retries,
                  backoff_s=0.013)  # fmt: skip
    engine = batching_class(latency_s=latency, delay_s=delay)
    run = finished(requests, [Replicas(engine=engine, count=replicas)], rules)

    def ticks(seconds: float) -> int:
        return round(seconds * TICKS)

    twins = [
        slow_passes.Request(
            k=k,
            arrival=ticks(arrival[k]) if np.isfinite(arrival[k]) else slow_passes.NEVER,
            priority=int(priority[k]),
            successor=-1 if successor is None else int(successor[k]),
            think=0 if think is None else ticks(think[k]),
        )
        for k in range(n)
    ]
    table = [0, *map(ticks, latency)]
    slow_passes.serve(
        twins,
        occupied=table,
        latency=table,
        delay=slow_passes.NEVER if delay is None else ticks(delay),
        replicas=replicas,
        one_queue=router == "one-queue",
        max_waiting=slow_passes.NEVER if waiting is None else waiting,
        max_inflight=slow_passes.NEVER if inflight is None else inflight,
        timeout=slow_passes.NEVER if timeout is None else ticks(timeout),
        retries=retries,
        backoff=ticks(0.013),
    )
    facts, times = run.fleet.facts, run.fleet.times
    assert facts[:, at.OUTCOME].tolist() == [q.outcome for q in twins]
    assert times[:, at.SCHEDULED].tolist() == [q.start for q in twins]
    assert times[:, at.FINISH].tolist() == [q.finish for q in twins]
    assert run.fleet.world[at.INFLIGHT] == 0
    assert (run.fleet.inside == 0).all()


def test_a_lost_replica_gives_its_batch_back_to_the_one_queue() -> None:
    engine = batching_class(latency_s=[1.0, 1.0])
    run = FleetRun(plain(np.zeros(5)), [Replicas(engine=engine, count=2)], Rules(router="one-queue", elastic=True),
                   compiled=False)  # fmt: skip
    run.advance(0.5)
    run.fail(0, 0.5)
    run.advance(0.6)
    assert run.queued == 3
    run.finish()
    assert run.result().counts()["finished"] == 5
    assert run.result().replica.tolist() == [1] * 5
    assert run.result().latency_s.max() == 3.0


def test_a_closed_replica_leaves_a_gathering_batch_to_another_one() -> None:
    engine = batching_class(latency_s=[1.0] * 4, delay_s=2.0)
    run = FleetRun(plain(np.zeros(1)), [Replicas(engine=engine, count=2)], Rules(router="one-queue", elastic=True),
                   compiled=False)  # fmt: skip
    run.advance(1.0)
    run.close(int(run.fleet.world[at.GATHERER]), 1.0)
    run.finish()
    assert run.result().latency_s.tolist() == [3.0]


def test_a_replica_that_opens_takes_what_waits_in_the_one_queue() -> None:
    engine = batching_class(latency_s=[1.0])
    pools = [Replicas(engine=engine, count=2, open=0)]
    run = FleetRun(plain(np.zeros(2)), pools, Rules(router="one-queue", elastic=True), compiled=False)
    run.advance(5.0)
    assert run.queued == 2
    run.open(1, 5.0)
    run.finish()
    assert run.result().latency_s.tolist() == [6.0, 7.0]


def test_a_saved_run_with_one_queue_goes_on_to_the_same_end(tmp_path: Path) -> None:
    requests = plain(arrivals(1, 200, 0.004), priority=np.arange(200).astype(np.int8) % 2)
    pools = [Replicas(engine=batching_class(latency_s=seconds_of_batches(1, 4), delay_s=0.01), count=3)]
    rules = Rules(router="one-queue", max_waiting=6, timeout_s=0.1, retries=2)
    whole = finished(requests, pools, rules)
    half = FleetRun(requests, pools, rules, compiled=False)
    half.advance(0.3)
    half.save(tmp_path / "state.npz")
    resumed = FleetRun(requests, pools, rules, compiled=False)
    resumed.load(tmp_path / "state.npz")
    resumed.finish()
    for name, values in whole.fleet._asdict().items():
        assert np.array_equal(values, getattr(resumed.fleet, name)), name


def test_more_room_in_the_queue_never_rejects_more() -> None:
    requests = plain(arrivals(7, 400, 0.004))
    pools = [Replicas(engine=batching_class(latency_s=[0.01, 0.012]), count=1)]
    rejected = [
        finished(requests, pools, Rules(router="one-queue", max_waiting=room)).result().counts()["rejected"]
        for room in (1, 2, 4, 8, 16)
    ]
    assert rejected == sorted(rejected, reverse=True)
    assert rejected[0] > rejected[-1]


def test_services_that_mix_both_kinds_of_replicas_are_refused() -> None:
    generating = EngineClass(times=StepTimes(dense=(0.0, 1.0), per_context=0.0, per_pair=0.0), blocks=10)
    one_pass = batching_class(latency_s=[1.0])
    for pools, message in (
        ([Replicas(engine=one_pass, count=1), Replicas(engine=generating, count=1)], "services of their own"),
        ([Replicas(engine=generating, count=1)], "one queue for all replicas"),
    ):
        with pytest.raises(InputError, match=message):
            FleetRun(plain(np.zeros(1)), pools, Rules(router="one-queue"))
    talk = Requests(arrival_s=np.zeros(1), prompt=np.ones(1, np.int32), output=np.full(1, 2, np.int32))
    with pytest.raises(InputError, match="one token of output"):
        FleetRun(talk, [Replicas(engine=one_pass, count=1)], Rules())
