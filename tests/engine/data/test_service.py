"""A storage that trainers, checkpoints and rebuilds share."""

from __future__ import annotations

import pytest
import simpy

from simulator.costs.storage import Redundancy, StorageSystem, rebuild_time
from simulator.engine.clock import TICKS_PER_SECOND
from simulator.engine.data.service import StorageService
from simulator.foundation.errors import InputError

SYSTEM = StorageSystem(
    servers=4, read_bandwidth=10.0, write_bandwidth=10.0, capacity=300.0, redundancy=Redundancy(copies=2)
)


def finish(env: simpy.Environment, event: simpy.Event) -> float:
    env.run(event)
    return env.now / TICKS_PER_SECOND


def test_a_read_takes_its_latency_and_its_bytes():
    env = simpy.Environment()
    service = StorageService(env, StorageSystem(read_bandwidth=10.0, write_bandwidth=10.0, latency=0.5))
    assert finish(env, service.read(20.0)) == pytest.approx(2.5)


def test_redundancy_makes_writes_cost_its_overhead():
    env = simpy.Environment()
    assert finish(env, StorageService(env, SYSTEM).write(40.0)) == pytest.approx(2.0)


def test_a_client_draws_no_more_than_its_adapter():
    env = simpy.Environment()
    assert finish(env, StorageService(env, SYSTEM, client_bandwidth=8.0).read(40.0)) == pytest.approx(5.0)


def test_a_checkpoint_and_a_read_slow_each_other_and_share_evenly():
    env = simpy.Environment()
    service = StorageService(env, SYSTEM)
    read, write = service.read(40.0), service.write(40.0)
    assert finish(env, read) == pytest.approx(2.0)
    assert finish(env, write) == pytest.approx(3.0)
    assert (service.read_bytes, service.written_bytes) == (40.0, 40.0)
    assert service.busy_ticks == 3 * TICKS_PER_SECOND


def test_a_failed_server_takes_its_share_of_the_bandwidth_with_it():
    env = simpy.Environment()
    service = StorageService(env, SYSTEM)
    service.fail()
    assert finish(env, service.read(30.0)) == pytest.approx(1.0)


def test_a_rebuild_ends_when_its_closed_form_says_and_gives_the_bandwidth_back():
    env = simpy.Environment()
    service = StorageService(env, SYSTEM)
    service.fail()
    assert finish(env, service.rebuild()) == pytest.approx(rebuild_time(SYSTEM))
    start = env.now / TICKS_PER_SECOND
    assert finish(env, service.read(40.0)) - start == pytest.approx(1.0)


def test_a_rebuild_slows_the_reads_beside_it():
    env = simpy.Environment()
    service = StorageService(env, SYSTEM)
    service.fail()
    service.rebuild()
    assert finish(env, service.read(30.0)) == pytest.approx(2.0)


def test_more_failures_than_copies_lose_data():
    service = StorageService(simpy.Environment(), SYSTEM)
    service.fail()
    with pytest.raises(InputError, match="lose data"):
        service.fail()
