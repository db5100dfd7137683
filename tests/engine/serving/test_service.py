"""A service as its clients see it: who gets through, what is conserved, what each part adds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.engine.serving.fleet import layout as at
from simulator.engine.serving.fleet.build import Replicas, Rules
from simulator.engine.serving.fleet.run import FleetRun
from simulator.engine.serving.front import Front
from simulator.engine.serving.service import Limits, Service, serve
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.workload.conversations import closed_loop
from simulator.workload.requests import Requests, merged
from tests.engine.serving.test_scaling import engine, steady


def burst(n: int) -> Requests:
    return Requests(arrival_s=np.zeros(n), prompt=np.full(n, 60, np.int32), output=np.full(n, 30, np.int32))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1000),
    inflight=st.sampled_from([None, 5]),
    waiting=st.sampled_from([None, 2]),
    timeout=st.sampled_from([None, 0.2]),
    retries=st.sampled_from([0, 2]),
    router=st.sampled_from(["round-robin", "random", "power-of-two", "least-requests", "least-work", "weighted"]),
)
def test_every_request_ends_in_exactly_one_way(
    seed: int, inflight: int | None, waiting: int | None, timeout: float | None, retries: int, router: str
) -> None:
    g = np.random.default_rng(seed)
    n = 150
    requests = Requests(
        arrival_s=np.sort(g.random(n) * 4),
        prompt=g.integers(1, 200, n).astype(np.int32),
        output=g.integers(1, 60, n).astype(np.int32),
    )
    rules = Rules(router=router, max_inflight=inflight, max_waiting=waiting, timeout_s=timeout, retries=retries)
    served = serve(requests, Service(pools=(Replicas(engine=engine(blocks=60), count=3),), rules=rules))
    counts = served.counts()
    assert sum(counts.values()) == n
    assert counts["pending"] == 0
    done = served.finished
    assert done.sum() == counts["finished"]
    assert (served.ttft_s[done] <= served.latency_s[done] + 1e-9).all()
    assert (served.queueing_s[done] >= 0).all()
    fleet = served.fleet.fleet
    assert (fleet.replicas[:, at.USED] == 0).all()
    assert fleet.world[at.INFLIGHT] == 0


def test_a_concurrency_limit_sheds_what_is_above_it() -> None:
    served = serve(burst(20), Service(pools=(Replicas(engine=engine(), count=1),), rules=Rules(max_inflight=6)))
    assert served.counts()["shed"] == 14


def test_retries_with_back_off_bring_shed_requests_through() -> None:
    rules = Rules(max_inflight=6, retries=8, backoff_s=0.2)
    served = serve(burst(20), Service(pools=(Replicas(engine=engine(), count=1),), rules=rules))
    assert served.finished.all()


def test_interception_keeps_an_attack_from_the_users() -> None:
    mix = merged({"users": steady(10.0, 10), "attack": steady(200.0, 10)})
    pools = (Replicas(engine=engine(), count=1),)
    open_ = serve(mix, Service(pools=pools))
    shut = serve(mix, Service(pools=pools, front=Front(intercept=("attack",))))
    users = mix.group == 0
    assert shut.counts()["intercepted"] == 2000
    assert np.nanmean(shut.ttft_s[users]) < 0.1 * np.nanmean(open_.ttft_s[users])


def test_a_token_bucket_lets_through_its_burst_and_its_rate() -> None:
    served = serve(steady(100.0, 10), Service(pools=(Replicas(engine=engine(), count=4),),
                                              front=Front(rate_limit=20.0, burst=30.0)))  # fmt: skip
    through = (served.outcome != served.outcomes.index("rate-limited")).sum()
    assert through == pytest.approx(30 + 20 * 10, abs=2)


def test_new_connections_cost_two_round_trips_with_tls() -> None:
    pools = (Replicas(engine=engine(), count=1),)
    near = serve(steady(1.0, 5), Service(pools=pools))
    kept = serve(steady(1.0, 5), Service(pools=pools, front=Front(rtt_s=0.1)))
    new = serve(steady(1.0, 5), Service(pools=pools, front=Front(rtt_s=0.1, keep_alive=False)))
    np.testing.assert_allclose(kept.ttft_s - near.ttft_s, 0.1)
    np.testing.assert_allclose(new.ttft_s - near.ttft_s, 0.3)


def test_cached_answers_come_without_a_replica() -> None:
    front = Front(cache_entries=50, cache_distinct=50)
    served = serve(steady(20.0, 20), Service(pools=(Replicas(engine=engine(), count=1),), front=front))
    assert served.counts()["cached"] > 300
    assert served.finished.all()


def test_conversations_that_wait_for_answers_never_have_more_in_flight_than_users() -> None:
    n = 6 * 5
    loop = closed_loop(6, 5, prompt=np.full(n, 50, np.int32), output=np.full(n, 20, np.int32), think_s=0.5)
    served = serve(loop, Service(pools=(Replicas(engine=engine(), count=2),)))
    assert served.finished.all()
    ends = served.arrival_s + served.latency_s
    moments = served.arrival_s
    inside = ((served.arrival_s[None, :] <= moments[:, None]) & (ends[None, :] > moments[:, None])).sum(axis=1)
    assert inside.max() <= 6


def test_limits_are_kept_by_no_more_requests_than_finished() -> None:
    served = serve(burst(50), Service(pools=(Replicas(engine=engine(), count=1),)))
    assert served.meets(Limits()).sum() == 50
    assert 0 < served.meets(Limits(ttft_s=float(np.median(served.ttft_s)))).sum() < 50


def test_splitting_prompts_and_decoding_sends_every_cache_once() -> None:
    sending = engine(link_seconds_per_token=1e-4, link_latency=1e-3)
    pools = (Replicas(engine=sending, count=2, role="prefill"), Replicas(engine=sending, count=2, role="decode"))
    served = serve(steady(10.0, 10), Service(pools=pools))
    assert served.finished.all()
    rows = served.fleet.fleet.replicas
    assert rows[:2, at.DECODED].sum() == 0
    assert rows[2:, at.PREFILLED].sum() == 0
    assert rows[2:, at.DECODED].sum() == 100 * 39


def test_roles_without_counterpart_are_refused() -> None:
    with pytest.raises(InputError, match="come together"):
        serve(burst(2), Service(pools=(Replicas(engine=engine(), count=1, role="prefill"),)))


def test_a_saved_run_goes_on_to_the_same_end(tmp_path: Path) -> None:
    requests = steady(40.0, 20)
    pools, rules = [Replicas(engine=engine(blocks=100), count=2)], Rules(router="power-of-two")
    whole = FleetRun(requests, pools, rules, compiled=False)
    whole.finish()
    half = FleetRun(requests, pools, rules, compiled=False)
    half.advance(7.3)
    half.save(tmp_path / "state.npz")
    resumed = FleetRun(requests, pools, rules, compiled=False)
    resumed.load(tmp_path / "state.npz")
    resumed.finish()
    for name, values in whole.fleet._asdict().items():
        assert np.array_equal(values, getattr(resumed.fleet, name)), name


def test_round_robin_over_replicas_is_as_many_single_servers() -> None:
    g = Streams(3)["a"]
    n = 300
    requests = Requests(arrival_s=np.cumsum(g.exponential(0.02, n)), prompt=g.integers(1, 99, n).astype(np.int32),
                        output=g.integers(1, 50, n).astype(np.int32))  # fmt: skip
    together = FleetRun(requests, [Replicas(engine=engine(), count=3)], Rules(), compiled=False)
    together.finish()
    for r in range(3):
        part = Requests(arrival_s=requests.arrival_s[r::3], prompt=requests.prompt[r::3], output=requests.output[r::3])
        alone = FleetRun(part, [Replicas(engine=engine(), count=1)], Rules(), compiled=False)
        alone.finish()
        assert np.array_equal(together.fleet.times[r::3], alone.fleet.times)


def test_a_later_start_of_everything_moves_every_instant_by_as_much() -> None:
    base = steady(30.0, 5)
    late = Requests(arrival_s=base.arrival_s + 100.0, prompt=base.prompt, output=base.output)
    runs = [FleetRun(q, [Replicas(engine=engine(), count=2)], Rules(), compiled=False) for q in (base, late)]
    for run in runs:
        run.finish()
    shift = runs[1].fleet.times[:, at.FINISH] - runs[0].fleet.times[:, at.FINISH]
    assert (np.abs(shift - 100 * 10**12) <= 10**6).all()


def test_one_slow_class_of_replicas_gets_less_work_from_a_router_that_looks() -> None:
    slow = StepTimesOf(3.0)
    pools = (Replicas(engine=engine(), count=1), Replicas(engine=engine(times=slow), count=1))
    served = serve(steady(20.0, 30), Service(pools=pools, rules=Rules(router="least-requests")))
    assert (served.replica == 1).sum() < 0.45 * len(served.replica)


def StepTimesOf(factor: float) -> object:
    from simulator.engine.serving.fleet.engine_class import StepTimes

    return StepTimes(dense=tuple(factor * (0.01 + 1e-4 * m) for m in range(257)), per_context=1e-7, per_pair=1e-9)
