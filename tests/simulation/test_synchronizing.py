"""Parameter servers, steps apart and compressed gradients in a training step, from a scenario to the result."""

from __future__ import annotations

import pytest

from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.shipped import shipped
from simulator.results.result import Result
from simulator.scenario import load_scenario
from simulator.simulation import simulate

SYNC = "workloads[0].sync"


def ask(name: str, *overrides: str) -> Result:
    return simulate(load_scenario(shipped("scenarios") / f"{name}.yaml", overrides))


def served(*overrides: str) -> Result:
    return ask("train-ps-vs-ring", *overrides)


def test_one_server_carries_every_workers_gradients_and_weights():
    found = served(f"{SYNC}.spread=0")
    size = found.synchronization.sent
    assert size == pytest.approx(found.memory["gradients"], rel=1e-6)  # fp32, held whole by each worker
    floor = 2 * 16 * size / 12.5e9
    assert floor < found.synchronization.exchange_s < floor / 0.85  # what the fabric loses on top
    assert found.synchronization.exchange_s > 100 * found.synchronization.all_reduce_s


def test_the_parts_of_a_step_still_add_up_and_its_compute_is_untouched():
    alone, by_servers = served(f"{SYNC}={{kind: all-reduce}}"), served(f"{SYNC}.spread=0")
    assert sum(by_servers.parts.values()) == pytest.approx(by_servers.step_time, rel=1e-12)
    assert by_servers.parts["compute"] == pytest.approx(alone.parts["compute"], rel=1e-9)


def test_both_roads_agree_where_workers_are_equal():
    played = served(f"{SYNC}.spread=0")
    closed = served(f"{SYNC}.spread=0", "run.fidelity=estimate")
    assert closed.step_time == pytest.approx(played.step_time, rel=1e-3)


def test_freedom_helps_where_one_worker_is_slow():
    slow = "events=[{kind: slow-device, device: 3, factor: 0.3}]"
    servers = f"{SYNC}.servers=64"
    waiting = served(servers, slow).step_time
    bounded = served(servers, slow, f"{SYNC}.mode=ssp", f"{SYNC}.staleness=2").step_time
    free = served(servers, slow, f"{SYNC}.mode=async")
    assert free.step_time < 0.6 * bounded <= 0.6 * waiting * 1.01
    assert free.metrics["updates_per_s"] <= free.metrics["updates_bound_per_s"] * 1.02
    assert free.metrics["staleness_mean"] == pytest.approx(15, rel=0.02)


def test_more_servers_are_never_slower():
    times = [served(f"{SYNC}.servers={count}", f"{SYNC}.spread=0").step_time for count in (1, 2, 4, 16)]
    assert times == sorted(times, reverse=True)


def test_steps_apart_divide_what_crosses_the_line_between_sites():
    together = ask("train-diloco-wan", f"{SYNC}={{kind: all-reduce}}")
    every = {count: ask("train-diloco-wan", f"{SYNC}.every={count}") for count in (1, 50, 500)}
    gradients = {count: one.parts["gradients"] for count, one in every.items()}
    inside = gradients[500] - (gradients[50] - gradients[500]) / 9
    assert gradients[50] - inside == pytest.approx(10 * (gradients[500] - inside), rel=1e-6)
    assert every[500].step_time < 0.3 * together.step_time


@pytest.mark.parametrize("method", ["8-bit", "1-bit", "top-k", "power-sgd"])
def test_compressing_shrinks_what_is_sent_and_costs_time(method):
    plain = ask("train-diloco-wan", f"{SYNC}.every=1")
    packed = ask("train-diloco-wan", f"{SYNC}.every=1", f"{SYNC}.compress={{kind: {method}}}")
    assert packed.synchronization.sent < plain.synchronization.sent
    assert packed.synchronization.compress_s > 0
    assert packed.step_time < plain.step_time


def test_a_replica_alone_sends_nothing_between_exchanges():
    found = ask("train-diloco-wan", f"{SYNC}={{kind: local, every: 100}}")
    assert found.synchronization.exchange_s == pytest.approx(found.synchronization.all_reduce_s / 100)


@pytest.mark.parametrize(
    ("override", "error", "match"),
    [
        (f"{SYNC}={{kind: local, every: 5, within: moon}}", UnknownName, "moon"),
        ("workloads[0].parallelism.zero=1", InputError, "zero: 0"),
    ],
)
def test_what_this_synchronisation_does_not_know_is_refused(override, error, match):
    with pytest.raises(error, match=match):
        ask("train-diloco-wan", override)


def test_staleness_belongs_to_bounded_staleness():
    with pytest.raises(InputError, match="staleness: 3"):
        served(f"{SYNC}.mode=ssp")
