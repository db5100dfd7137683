"""Services of one model that answers in one pass, as fleets: both roads agree, and scenarios show what they are for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.engine.serving.fleet.build import Replicas, Rules
from simulator.engine.serving.fleet.from_batches import batching_class
from simulator.engine.serving.front import Front
from simulator.engine.serving.predictor import PredictorService, Stage, predict, predict_by_fleet
from simulator.engine.serving.scaling.loop import Scaling, StartUp
from simulator.engine.serving.scaling.policies import hpa_wish, kpa_wish
from simulator.engine.serving.service import Service
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.shipped import shipped
from simulator.results.predicting import PredictionResult
from simulator.scenario import load_scenario
from simulator.simulation.predicting import simulate_predicting
from simulator.study.changes import compiled
from simulator.workload.requests import Requests

SHORT = ("traffic.seconds=8 s",)


def played(name: str, *overrides: str, whole: tuple[str, ...] = ()) -> PredictionResult:
    texts = [*(f"workloads[0].{text}" for text in overrides), *whole]
    scenario = load_scenario(shipped("scenarios") / f"{name}.yaml", texts)
    return simulate_predicting(scenario, scenario.workloads[0])


def steady(rate: float, seconds: float) -> Requests:
    n = int(rate * seconds)
    ones = np.ones(n, np.int32)
    return Requests(arrival_s=np.arange(n) / rate, prompt=ones, output=ones)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    rtt=st.sampled_from([0.0, 0.01]),
    gateway=st.sampled_from([0.0, 0.002]),
    rate_limit=st.sampled_from([None, 60.0]),
    cached=st.sampled_from([0, 20]),
    delay=st.sampled_from([0.0, 0.02]),
)
def test_the_stations_and_the_fleet_give_every_client_the_same(
    seed: int, rtt: float, gateway: float, rate_limit: float | None, cached: int, delay: float
) -> None:
    g = np.random.default_rng(seed)
    n = 150
    ones = np.ones(n, np.int32)
    requests = Requests(arrival_s=np.round(np.cumsum(g.exponential(0.01, n)), 5), prompt=ones, output=ones)
    front = Front(rtt_s=rtt, gateway_s=gateway, rate_limit=rate_limit, cache_entries=cached, cache_distinct=50)
    latency = tuple((0.01 + 0.004 * np.arange(4)).tolist())
    stage = Stage(name="model", latency_s=latency, occupied_s=latency, servers=2, delay_s=delay)
    plain = predict(requests, PredictorService(stages=(stage,), front=front, post_s=0.001), seed=seed)
    pools = (Replicas(engine=batching_class(latency_s=latency, delay_s=delay), count=2),)
    service = Service(pools=pools, rules=Rules(router="one-queue", keep_gaps=False), front=front, post_s=0.001)
    fleet = predict_by_fleet(requests, service, "model", seed=seed)
    assert plain.outcome.tolist() == fleet.outcome.tolist()
    for column in ("latency_s", "network_s", "queueing_s", "arrival_s"):
        np.testing.assert_allclose(getattr(plain, column), getattr(fleet, column), atol=1e-11, err_msg=column)
    one, other = plain.stages["model"], fleet.stages["model"]
    assert one.batches == pytest.approx(other.batches)
    assert one.busy_s == pytest.approx(other.busy_s)
    assert plain.span_s == pytest.approx(fleet.span_s)
    looks = len(plain.timeline.time_s)
    for column in ("time_s", "ready", "waiting", "running"):
        assert getattr(plain.timeline, column) == getattr(fleet.timeline, column)[:looks], column


def test_kubernetes_arithmetic_sets_the_replicas_of_a_steady_load() -> None:
    """Batches of one, 50 ms each, 100 a second: five of eight seats are taken, whatever the instant."""
    pools = (Replicas(engine=batching_class(latency_s=[0.05]), count=20, open=8),)
    scaling = Scaling(policy="hpa", look_every_s=15.003, options={"target": 0.5, "stabilisation_s": 30.0},
                      start_up=StartUp(schedule_s=1.0))  # fmt: skip
    service = Service(pools=pools, rules=Rules(router="one-queue"), scaling=scaling)
    line = predict_by_fleet(steady(100.0, 60), service, "model").timeline
    assert line.wanted[0] == hpa_wish(8, 5 / 8, 0.5) == 10
    assert max(line.waiting) == 0


def test_knatives_arithmetic_sets_the_replicas_of_a_steady_load_and_panics_from_zero() -> None:
    pools = (Replicas(engine=batching_class(latency_s=[0.05]), count=20, open=0),)
    start = StartUp(schedule_s=1.0)
    scaling = Scaling(policy="kpa", minimum=0, look_every_s=2.003, options={"concurrency": 1.0}, start_up=start)
    service = Service(pools=pools, rules=Rules(router="one-queue"), scaling=scaling)
    run = predict_by_fleet(steady(100.0, 200), service, "model")
    assert run.timeline.wanted[0] == 20  # two hundred wait: all there are
    assert run.timeline.wanted[90] == kpa_wish(5, 1.0, 0.7) == 8
    assert run.finished.all()
    assert run.latency_s[0] == pytest.approx(2.003 + 1.0 + 0.05, abs=2e-3)
    assert run.timeline.wanted[-1] == 0 or run.timeline.time_s[-1] < 262.0


def test_a_closed_loop_with_a_long_way_obeys_littles_law() -> None:
    users, think = 30, 0.2
    result = played("serve-clerks-closed", f"traffic.closed={{users: {users}, rounds: 100, think: {think} s}}",
                    "platform.rtt=50 ms", "batching.policy=none")  # fmt: skip
    run = result.predicted
    assert run.finished.all()
    ends = run.arrival_s + run.latency_s
    inside = [int(((run.arrival_s <= t) & (ends > t)).sum()) for t in np.linspace(1.0, 15.0, 40)]
    assert max(inside) <= users
    cycle = run.latency_s[users:].mean() + think
    middle = (ends > 5.0) & (ends < 15.0)
    assert middle.sum() / 10.0 == pytest.approx(users / cycle, rel=0.05)


def test_whoever_pays_is_served_in_an_overload_and_every_request_ends_in_one_way() -> None:
    result = played("serve-image-overload", *SHORT)
    groups = result.groups_frame().set_index("group")
    assert groups.loc["paying", "attainment"] == 1.0
    assert groups.loc["free", "attainment"] < 0.6
    counts = result.predicted.counts()
    assert sum(counts.values()) == result.metrics()["requests"]
    assert counts["timed-out"] > 0
    assert counts["pending"] == 0
    assert result.predicted.queueing_s[result.predicted.finished].max() <= 0.3


def test_the_weighted_router_gives_unequal_cards_their_share_by_speed() -> None:
    bare = "platform={rtt: 10 ms, router: weighted}"
    light = "traffic.groups=[{name: all, rate: 3000 /s}]"
    result = played("serve-image-overload", bare, light, *SHORT)
    share = (result.predicted.replica == 1).mean()
    assert 0.52 < share < 0.75  # the second card is the faster one
    worse = played("serve-image-overload", "platform={rtt: 10 ms, router: round-robin}", light, *SHORT)
    assert result.metrics()["latency_p99_ms"] < worse.metrics()["latency_p99_ms"]


def test_a_slow_node_slows_and_a_lost_one_more_and_nothing_is_lost_with_it() -> None:
    path = shipped("scenarios") / "serve-image-autoscale.yaml"
    base = ["workloads[0].scale=null", "workloads[0].traffic={seconds: 8 s, groups: [{name: app, rate: 5000 /s}]}",
            "workloads[0].platform={rtt: 20 ms}"]  # fmt: skip
    scenario = load_scenario(path, base)
    means = {}
    for word in ("slow-node=0:1", "slow-node=0:0.3", "lose-node=0@2s", "lose-link=node0@2s:2s"):
        change = compiled(scenario, word)
        changed = load_scenario(path, [*base, *change.overrides])
        result = simulate_predicting(changed, changed.workloads[0])
        assert result.predicted.finished.all(), word
        means[word] = result.metrics()["latency_mean_ms"]
    plain = simulate_predicting(scenario, scenario.workloads[0]).metrics()["latency_mean_ms"]
    assert means["slow-node=0:1"] == plain
    assert min(means["slow-node=0:0.3"], means["lose-node=0@2s"], means["lose-link=node0@2s:2s"]) > plain
    graph = load_scenario(shipped("scenarios") / "serve-vision-graph.yaml", [])
    with pytest.raises(InputError, match="not told apart"):
        compiled(graph, "lose-node=0@2s")


def test_a_rollout_keeps_all_but_one_replica_open_and_drops_nobody() -> None:
    result = played("serve-image-autoscale", "scale={policy: fixed, look_every: 1 s, start_up: {schedule: 1 s, image: "
                    "1 s, weights: 1 s, warm_up: 0 s}}", "events=[{kind: rollout, at: 5 s}]", "platform={rtt: 20 ms}",
                    "traffic={seconds: 40 s, groups: [{name: app, rate: 500 /s}]}")  # fmt: skip
    line = result.timeline_frame()
    assert line["ready"].min() == 7
    assert line["ready"].max() == 8
    assert result.metrics()["dropped"] == 0.0


def test_more_replicas_than_devices_and_too_large_partitions_are_infeasible() -> None:
    with pytest.raises(Infeasible, match="find no room"):
        played("serve-image-overload", "replicas.count=3")


def test_a_run_with_a_kept_state_is_the_run_without(tmp_path: Path) -> None:
    from simulator.engine.serving.service import Kept

    path = shipped("scenarios") / "serve-image-overload.yaml"
    scenario = load_scenario(path, ["workloads[0].traffic.seconds=1 s"])
    whole = simulate_predicting(scenario, scenario.workloads[0])
    kept = Kept(path=tmp_path / "state.npz", key="this", due=lambda: True)
    first = simulate_predicting(scenario, scenario.workloads[0], kept=kept)
    assert kept.path.exists()
    again = simulate_predicting(scenario, scenario.workloads[0], kept=kept, records=tmp_path / "rows")
    assert whole.metrics() == first.metrics() == again.metrics()
    assert len(list((tmp_path / "rows").iterdir())) == 1
