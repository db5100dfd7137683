"""Replicas that answer in one pass against queueing theory: bounded queues, one queue of many, users who wait.

A request of so many tokens takes that many microseconds, so that service may follow any law. Seeds are fixed,
tolerances set beforehand.
"""

from __future__ import annotations

from math import factorial

import numpy as np
import pytest

from simulator.engine.serving.fleet.build import Replicas, Rules
from simulator.engine.serving.fleet.engine_class import EngineClass, Gathering, StepTimes
from simulator.engine.serving.fleet.outcome import FleetOutcome
from simulator.engine.serving.fleet.run import FleetRun
from simulator.foundation.randomness import Streams
from simulator.workload.conversations import closed_loop
from simulator.workload.requests import Requests

N = 40_000
SERVICE_S = 0.01
TOKEN_S = 1e-6


def one_by_one() -> EngineClass:
    return EngineClass(times=StepTimes(dense=(0.0, TOKEN_S), per_context=0.0, per_pair=0.0), blocks=2**30, block_size=1,
                       max_num_seqs=1, max_num_batched_tokens=1, chunked_prefill=False, decode_first=False,
                       preemption="never", gathering=Gathering())  # fmt: skip


def work(n: int, law: str = "exponential") -> np.ndarray:
    """Return tokens whose time is ``SERVICE_S`` in the mean."""
    drawn = Streams(1)["service"].exponential(SERVICE_S, n) if law == "exponential" else np.full(n, SERVICE_S)
    return np.maximum(1, np.rint(drawn / TOKEN_S)).astype(np.int32)


def poisson(rate: float, n: int = N, law: str = "exponential") -> Requests:
    arrival = np.cumsum(Streams(1)["arrivals"].exponential(1 / rate, n))
    return Requests(arrival_s=arrival, prompt=work(n, law), output=np.ones(n, np.int32))


def served(requests: Requests, replicas: int = 1, **rules: object) -> FleetOutcome:
    run = FleetRun(requests, [Replicas(engine=one_by_one(), count=replicas)],
                   Rules(router="one-queue", keep_gaps=False, **rules))  # type: ignore[arg-type]  # fmt: skip
    run.finish()
    return run.result()


@pytest.mark.parametrize("load", [0.7, 1.0, 1.5])
def test_a_bounded_queue_rejects_the_share_of_m_m_1_k(load: float) -> None:
    waiting = 4
    found = served(poisson(load / SERVICE_S), max_waiting=waiting)
    weights = load ** np.arange(waiting + 2)
    expected = weights[-1] / weights.sum()
    assert found.counts()["rejected"] / N == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize("replicas", [2, 8])
def test_replicas_with_one_queue_let_wait_as_long_as_erlang_says(replicas: int) -> None:
    load = 0.8
    offered = load * replicas
    found = served(poisson(offered / SERVICE_S), replicas)
    tail = offered**replicas / factorial(replicas) / (1 - load)
    waits = tail / (sum(offered**k / factorial(k) for k in range(replicas)) + tail)
    expected = waits * SERVICE_S / (replicas - offered)
    assert found.queueing_s.mean() == pytest.approx(expected, rel=0.1)


def test_equal_service_halves_the_wait_of_m_m_1() -> None:
    found = served(poisson(0.8 / SERVICE_S, law="equal"))
    assert found.queueing_s.mean() == pytest.approx(0.8 * SERVICE_S / (2 * 0.2), rel=0.05)


@pytest.mark.parametrize(("users", "replicas"), [(4, 1), (12, 1), (12, 3)])
def test_users_who_wait_and_think_get_the_throughput_of_the_machine_repair_model(users: int, replicas: int) -> None:
    think_s, rounds = 0.05, 20_000 // users
    n = users * rounds
    think = Streams(1)["think"].exponential(think_s, n)
    requests = closed_loop(users, rounds, prompt=work(n), output=np.ones(n, np.int32), think_s=think)
    found = served(requests, replicas)
    weights = [1.0]  # of so many users at the service, the others think
    for inside in range(1, users + 1):
        weights.append(weights[-1] * (users - inside + 1) / think_s * SERVICE_S / min(inside, replicas))
    share = np.array(weights) / sum(weights)
    expected = float((share * np.minimum(np.arange(users + 1), replicas)).sum()) / SERVICE_S
    round_s = found.latency_s.mean() + think.mean()
    assert users / round_s == pytest.approx(expected, rel=0.04)
    inside_mean = float((share * np.arange(users + 1)).sum())
    assert users * found.latency_s.mean() / round_s == pytest.approx(inside_mean, rel=0.04)  # Little's law


def test_impatient_requests_of_an_endless_overload_leave_what_the_service_can_do() -> None:
    found = served(poisson(2.0 / SERVICE_S), timeout_s=0.1)
    assert found.counts()["finished"] / found.span_s == pytest.approx(1 / SERVICE_S, rel=0.03)
    assert found.queueing_s[found.finished].max() <= 0.1
    assert sum(found.counts().values()) == N
