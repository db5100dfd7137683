"""Autoscalers: their arithmetic, their memory, and what they do to a fleet."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.engine.serving.fleet.build import Replicas, Rules
from simulator.engine.serving.fleet.engine_class import EngineClass, StepTimes
from simulator.engine.serving.scaling.loop import FleetEvent, Scaling, StartUp
from simulator.engine.serving.scaling.policies import Memory, Seen, autoscalers, hpa_wish, kpa_wish, options_of
from simulator.engine.serving.service import Service, serve
from simulator.foundation.errors import InputError, UnknownName
from simulator.workload.requests import Requests


def seen(now: float, replicas: int, **changes: float) -> Seen:
    values = {"ready": replicas, "concurrency": 0.0, "waiting": 0.0, "utilisation": 0.7, "attainment": 1.0} | changes
    return Seen(now_s=now, replicas=replicas, **values)  # type: ignore[arg-type]


def engine(**changes: object) -> EngineClass:
    times = StepTimes(dense=tuple(0.01 + 1e-4 * m for m in range(257)), per_context=1e-7, per_pair=1e-9)
    return EngineClass(
        **({"times": times, "blocks": 4000, "max_num_seqs": 16, "max_num_batched_tokens": 256} | changes)
    )  # type: ignore[arg-type]


def steady(rate: float, seconds: float) -> Requests:
    n = int(rate * seconds)
    return Requests(arrival_s=np.arange(n) / rate, prompt=np.full(n, 50, np.int32), output=np.full(n, 40, np.int32))


def test_hpa_wants_the_ceiling_of_the_ratio() -> None:
    assert hpa_wish(50, 90, 75) == 60


def test_hpa_does_nothing_inside_its_tolerance() -> None:
    assert hpa_wish(10, 0.76, 0.7) == 10
    assert hpa_wish(10, 0.771, 0.7) == 12


def test_kpa_wants_concurrency_over_what_a_replica_should_hold() -> None:
    assert kpa_wish(100, 10, 0.7) == 15


def test_hpa_scales_down_only_after_the_stabilisation_window() -> None:
    policy, memory, options = autoscalers["hpa"], Memory(), options_of("hpa", {})
    assert policy(seen(0, 10, utilisation=0.7), memory, options) == 10
    assert policy(seen(15, 10, utilisation=0.2), memory, options) == 10
    assert policy(seen(299, 10, utilisation=0.2), memory, options) == 10
    assert policy(seen(301, 10, utilisation=0.2), memory, options) == 3


def test_kpa_panics_at_twice_its_capacity_and_does_not_scale_down_until_it_is_over() -> None:
    policy, memory, options = autoscalers["kpa"], Memory(), options_of("kpa", {})
    for now in range(0, 60, 2):
        assert policy(seen(now, 1, concurrency=7.0), memory, options) == 1
    assert policy(seen(66, 1, concurrency=100.0), memory, options) == 15
    assert policy(seen(90, 15, concurrency=5.0), memory, options) == 15
    assert policy(seen(200, 15, concurrency=5.0), memory, options) == 1


def test_the_schedule_follows_the_clock_round_midnight() -> None:
    policy, options = autoscalers["schedule"], options_of("schedule", {"hour_8": 6.0, "hour_20": 2.0})
    hour = 3600.0
    assert [policy(seen(h * hour, 1), Memory(), options) for h in (3, 8, 19, 21, 32)] == [2, 6, 6, 2, 6]


def test_unknown_autoscalers_and_options_are_refused_by_name() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'hpa'"):
        options_of("hpaa", {})
    with pytest.raises(InputError, match="no option 'goal'"):
        options_of("hpa", {"goal": 1.0})


def test_a_service_scaled_to_zero_serves_the_first_request_after_its_start_up() -> None:
    start = StartUp(schedule_s=2, image_s=10, weights_s=20, compile_s=5, warm_up_s=3)
    scaling = Scaling(policy="kpa", minimum=0, look_every_s=2.0, start_up=start)
    service = Service(pools=(Replicas(engine=engine(), count=4, open=0),), scaling=scaling)
    served = serve(steady(1.0, 20), service)
    assert served.finished.all()
    assert start.total_s <= served.ttft_s[0] <= start.total_s + 2 * scaling.look_every_s + 1


def test_more_replicas_come_when_the_load_grows_and_go_when_it_ends() -> None:
    start = StartUp(schedule_s=1.0)
    scaling = Scaling(policy="kpa", minimum=1, look_every_s=1.0, start_up=start, options={"concurrency": 8.0})
    service = Service(pools=(Replicas(engine=engine(), count=8, open=1),), scaling=scaling)
    served = serve(steady(60.0, 60), service)
    assert served.finished.all()
    assert max(served.timeline.ready) > 3
    assert served.timeline.replica_seconds < 8 * 61


@pytest.mark.parametrize("kind", ["loss", "reclaim", "rollout"])
def test_no_request_is_lost_when_replicas_are(kind: str) -> None:
    events = (FleetEvent(kind=kind, at_s=5.0, count=1, repair_s=10.0, notice_s=4.0),)
    scaling = Scaling(start_up=StartUp(schedule_s=3.0))
    service = Service(pools=(Replicas(engine=engine(), count=3),), rules=Rules(router="least-requests"),
                      scaling=scaling, events=events, look_every_s=1.0)  # fmt: skip
    served = serve(steady(20.0, 30), service)
    assert served.finished.all()
    assert (served.fleet.fleet.replicas[:, 15] == 0).all()
    assert min(served.timeline.ready) < 3


def test_a_loss_makes_the_tail_longer() -> None:
    pools = (Replicas(engine=engine(), count=3),)
    calm = serve(steady(60.0, 30), Service(pools=pools))
    hit = serve(steady(60.0, 30), Service(pools=pools, events=(FleetEvent(kind="loss", at_s=10.0, count=2),)))
    assert np.percentile(hit.latency_s, 99) > np.percentile(calm.latency_s, 99)
