"""Autoscalers: their arithmetic, their memory, and what they do to a fleet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.engine.serving.fleet.build import Replicas, Rules
from simulator.engine.serving.fleet.engine_class import EngineClass, StepTimes
from simulator.engine.serving.scaling.loop import Scaling, StartUp
from simulator.engine.serving.scaling.outside import FleetEvent, unfold
from simulator.engine.serving.scaling.policies import Memory, Seen, autoscalers, hpa_wish, kpa_wish, options_of
from simulator.engine.serving.service import Kept, Service, serve
from simulator.foundation.errors import InputError, UnknownName
from simulator.workload.requests import Requests


def seen(now: float, replicas: int, **changes: Any) -> Seen:
    plain = Seen(
        now_s=now, replicas=replicas, ready=replicas, concurrency=0.0, waiting=0.0, utilisation=0.7, attainment=1.0
    )
    return replace(plain, **changes)


def engine(**changes: Any) -> EngineClass:
    times = StepTimes(dense=tuple(0.01 + 1e-4 * m for m in range(257)), per_context=1e-7, per_pair=1e-9)
    plain = EngineClass(times=times, blocks=4000, max_num_seqs=16, max_num_batched_tokens=256)
    return replace(plain, **changes)


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


@pytest.mark.parametrize("kind", ["loss", "reclaim", "drain", "rollout", "canary", "migrate"])
def test_no_request_is_lost_when_replicas_are(kind: str) -> None:
    events = (FleetEvent(kind=kind, at_s=5.0, count=1, repair_s=10.0, notice_s=4.0),)
    scaling = Scaling(start_up=StartUp(schedule_s=3.0))
    service = Service(pools=(Replicas(engine=engine(), count=3),), rules=Rules(router="least-requests"),
                      scaling=scaling, events=events, look_every_s=1.0)  # fmt: skip
    served = serve(steady(20.0, 30), service)
    assert served.finished.all()
    assert (served.fleet.fleet.inside == 0).all()
    assert min(served.timeline.ready) < 3


def test_a_loss_makes_the_tail_longer() -> None:
    pools = (Replicas(engine=engine(), count=3),)
    calm = serve(steady(60.0, 30), Service(pools=pools))
    hit = serve(steady(60.0, 30), Service(pools=pools, events=(FleetEvent(kind="loss", at_s=10.0, count=2),)))
    assert np.percentile(hit.latency_s, 99) > np.percentile(calm.latency_s, 99)


def updated(kind: str, *, open_: int, count: int = 6, **changes: Any) -> list[int]:
    """Return the replicas that serve at each look while an event of a kind passes."""
    event = FleetEvent(kind=kind, at_s=5.0, **changes)
    scaling = Scaling(start_up=StartUp(schedule_s=3.0))
    pools = (Replicas(engine=engine(), count=count, open=open_),)
    served = serve(steady(20.0, 60), Service(pools=pools, scaling=scaling, events=(event,), look_every_s=1.0))
    assert served.finished.all()
    return served.timeline.ready


def test_a_rolling_update_keeps_all_but_the_wave_serving() -> None:
    ready = updated("rollout", open_=6)
    assert min(ready) == 5
    assert ready.count(5) == 6 * 3  # six waves of one, three looks each


def test_a_canary_is_watched_before_the_rest_follows() -> None:
    ready = updated("canary", open_=6, watch_s=20.0)
    down = [look for look, n in enumerate(ready, start=1) if n < 6]
    assert down[:3] == [5, 6, 7]
    assert down[3] == 5 + 3 + 20
    assert len(down) == 6 * 3


def test_blue_green_never_serves_with_fewer_and_pays_for_both_meanwhile() -> None:
    ready = updated("blue-green", open_=3)
    assert min(ready) == max(ready) == 3
    pools = (Replicas(engine=engine(), count=6, open=3),)
    scaling = Scaling(start_up=StartUp(schedule_s=3.0))
    events = (FleetEvent(kind="blue-green", at_s=5.0),)
    calm = serve(steady(20.0, 60), Service(pools=pools, scaling=scaling, look_every_s=1.0))
    both = serve(steady(20.0, 60), Service(pools=pools, scaling=scaling, events=events, look_every_s=1.0))
    paid = both.timeline.replica_seconds - calm.timeline.replica_seconds
    assert 3 * 3.0 <= paid <= 3 * (3.0 + 3.0)  # the start-up, and what the old ones still had to finish
    assert set(both.replica[both.arrival_s < 5].tolist()) == {0, 1, 2}
    assert set(both.replica[both.arrival_s > 9].tolist()) == {3, 4, 5}


def test_blue_green_without_room_for_a_second_fleet_is_refused() -> None:
    with pytest.raises(InputError, match="second fleet"):
        updated("blue-green", open_=6)


def test_a_move_is_live_where_there_is_a_free_place() -> None:
    assert min(updated("migrate", open_=5)) == 5
    assert min(updated("migrate", open_=6)) == 5


def test_a_drained_replica_is_back_after_its_maintenance_and_start_up() -> None:
    ready = updated("drain", open_=6, repair_s=10.0)
    assert [look for look, n in enumerate(ready, start=1) if n < 6] == list(range(5, 5 + 10 + 3))


def test_an_event_that_hits_nobody_is_refused() -> None:
    with pytest.raises(InputError, match="hits nobody"):
        unfold([FleetEvent(kind="loss", at_s=1.0, count=0)], 3, 1.0)


class Stop(Exception):
    """Stands for an interrupt."""


@pytest.mark.parametrize("looks", [1, 7, 20, 33])
@pytest.mark.parametrize("policy", ["fixed", "hpa", "kpa"])
def test_a_service_that_was_stopped_goes_on_to_the_same_end(tmp_path: Path, policy: str, looks: int) -> None:
    scaling = Scaling(policy=policy, look_every_s=1.0, start_up=StartUp(schedule_s=3.0))
    events = (FleetEvent(kind="loss", at_s=8.0, repair_s=4.0), FleetEvent(kind="reclaim", at_s=12.0, notice_s=9.0))
    service = Service(pools=(Replicas(engine=engine(), count=4, open=3),), scaling=scaling, events=events,
                      rules=Rules(router="power-of-two"), look_every_s=1.0)  # fmt: skip
    requests = steady(30.0, 40)
    whole = serve(requests, service, seed=5)
    asked = iter(range(10**6))

    def due() -> bool:
        look = next(asked)
        if look == looks:
            raise Stop
        return look == looks - 1

    kept = Kept(path=tmp_path / "state.npz", key="a", due=due)
    with pytest.raises(Stop):
        serve(requests, service, seed=5, kept=kept)
    resumed = serve(requests, service, seed=5, kept=replace(kept, due=lambda: False))
    assert np.array_equal(whole.latency_s, resumed.latency_s)
    assert np.array_equal(whole.replica, resumed.replica)
    assert whole.timeline == resumed.timeline
    with pytest.raises(InputError, match="another run"):
        serve(requests, service, seed=5, kept=replace(kept, key="b", due=lambda: False))
    kept.path.write_bytes(b"no state")
    with pytest.raises(InputError, match="no saved state"):
        serve(requests, service, seed=5, kept=kept)
