from __future__ import annotations

import pytest

from simulator import load_scenario, simulate
from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.shipped import shipped
from simulator.simulation.serving import prepare
from simulator.study.changes import compiled
from simulator.study.whatif import whatif

TRAIN = load_scenario(shipped("scenarios") / "gpt3-175b-megatron.yaml")
SERVE = load_scenario(shipped("scenarios") / "serve-attack.yaml", ["workloads[0].traffic.seconds=30 s"])
USERS = (
    'workloads[0].traffic.groups=[{"name": "users", "rate": "4 /s", "prompt": {"mean": 200}, "output": {"mean": 50}}]'
)
PREDICT = load_scenario(
    shipped("scenarios") / "serve-recommender.yaml",
    ["workloads[0].traffic.seconds=2 s", "workloads[0].traffic.groups[0]={name: web, rate: 2000 /s}"],
)
_TWO = (
    *SERVE.overrides,
    USERS.replace('"4 /s"', '"40 /s"'),
    'cluster.nodes=[{"profile": "dgx-h100", "count": 2}]',
    "workloads[0].replicas={tp: 4, count: 4}",
    "workloads[0].platform.router=round-robin",
    "workloads[0].platform.rtt=20 ms",
)
TWO_NODES = load_scenario(SERVE.path, _TWO)
FEW = load_scenario(SERVE.path, [*_TWO, "workloads[0].replicas.count=2"])
NEAR = load_scenario(SERVE.path, [*_TWO, "workloads[0].platform.rtt=0 s"])
APART = load_scenario(SERVE.path, [*_TWO, "workloads[0].replicas.prefill=2"])
QUIET = load_scenario(SERVE.path, [*SERVE.overrides, USERS])


def test_a_slow_node_is_every_device_of_it_slowed():
    found = whatif(TRAIN, ["slow-node=3:0.7"])
    again = load_scenario(TRAIN.path, found.overrides)
    assert [event.device for event in again.events] == list(range(24, 32))
    assert found.after["step_time_s"] == simulate(again).step_time
    assert found.before["step_time_s"] == simulate(TRAIN).step_time < found.after["step_time_s"]
    assert found.causes == ("node 3 computes at 0.7 of its speed",)


def test_the_slower_the_node_the_longer_the_step():
    steps = [whatif(TRAIN, [f"slow-node=0:{speed}"]).after["step_time_s"] for speed in (0.9, 0.7, 0.5)]
    assert steps == sorted(steps)
    assert steps[0] < steps[-1]


def test_a_link_slows_what_leaves_a_place_and_nothing_inside_it():
    node = load_scenario(TRAIN.path, compiled(TRAIN, "link=node3:0.5").overrides).events
    assert {event.tier for event in node} == {"leaf", "spine"}
    assert {event.device for event in node} == set(range(24, 32))
    leaf = load_scenario(TRAIN.path, compiled(TRAIN, "link=leaf3:0.5").overrides).events
    assert {event.tier for event in leaf} == {"spine"}
    assert {event.device for event in leaf} == set(range(96, 128))


def test_half_of_the_nodes_are_of_another_kind():
    again = load_scenario(TRAIN.path, compiled(TRAIN, "gpu=v100:50%").overrides)
    assert [group.count for group in again.groups] == [64, 64]
    assert "v100" in again.groups[1].device.name
    assert again.devices == TRAIN.devices


def test_changes_add_up():
    found = whatif(TRAIN, ["slow-node=3:0.7", "slow-node=5:0.8"])
    assert len(load_scenario(TRAIN.path, found.overrides).events) == 16


def test_a_lost_node_takes_its_replicas_with_it():
    (event,) = (
        load_scenario(QUIET.path, [*QUIET.overrides, *compiled(QUIET, "lose-node=0@10s:5m").overrides])
        .workloads[0]
        .events
    )
    assert (event.kind, event.at_s, event.first, event.count, event.repair_s) == ("loss", 10.0, 0, 2, 300.0)


def test_a_surge_multiplies_the_requests_of_its_time_alone():
    found = whatif(QUIET, ["surge=5x@10s:10s"])
    before, after = found.before["requests"], found.after["requests"]
    assert after - before == pytest.approx(4 * 4 * 10, rel=0.25)


def test_an_attack_comes_beside_the_users():
    found = whatif(QUIET, ["attack=20/s@10s:10s"])
    assert found.after["requests"] - found.before["requests"] == pytest.approx(200, rel=0.25)


SAME = ["slow-node=0:1", "link=node0:1.0", "link=device0:1", "link=clients:1"]


@pytest.mark.parametrize("word", SAME)
@pytest.mark.parametrize("scenario", [TWO_NODES, APART])
def test_a_factor_of_one_changes_nothing(scenario, word):
    found = whatif(scenario, [word])
    assert found.after == found.before


@pytest.mark.parametrize("word", ["slow-node=1:{}", "link=device5:{}", "link=clients:{}"])
def test_slower_is_never_better(word):
    delays = [whatif(TWO_NODES, [word.format(share)]).after for share in (1.0, 0.4, 0.1)]
    for figure in ("ttft_p99_ms", "latency_p99_ms"):
        found = [after[figure] for after in delays]
        assert found == sorted(found), figure
        assert found[0] < found[-1]


def test_only_the_replicas_of_a_slow_node_are_slower():
    scenario = load_scenario(TWO_NODES.path, [*TWO_NODES.overrides, *compiled(TWO_NODES, "slow-node=1:0.5").overrides])
    pools = prepare(scenario, scenario.workloads[0]).service.pools
    healthy = prepare(TWO_NODES, TWO_NODES.workloads[0]).service.pools
    assert [pool.count for pool in pools] == [2, 2]
    assert pools[0].engine == healthy[0].engine
    assert pools[1].engine.times.dense[64] > 1.2 * healthy[0].engine.times.dense[64]
    assert pools[1].engine.blocks == healthy[0].engine.blocks


def test_a_slow_link_holds_up_caches_on_their_way_to_the_decoding_replicas():
    before, after = (whatif(APART, [f"link=node0:{share}"]).after for share in (1.0, 0.01))
    assert after["tpot_mean_ms"] > before["tpot_mean_ms"]
    assert after["ttft_p50_ms"] == before["ttft_p50_ms"]


def test_a_lost_link_of_a_node_sends_its_requests_to_the_others():
    found = whatif(TWO_NODES, ["lose-link=node1@5s:5s"])
    lost = whatif(TWO_NODES, ["lose-node=1@5s"])
    assert found.after["finished"] == found.before["finished"] == lost.after["finished"]
    assert found.before["latency_mean_ms"] < found.after["latency_mean_ms"]
    assert found.after["replica_hours"] == pytest.approx(found.before["replica_hours"], rel=0.01)
    assert lost.after["replica_hours"] < found.after["replica_hours"]


@pytest.mark.parametrize(("scenario", "mean"), [(TWO_NODES, "ttft_mean_ms"), (PREDICT, "latency_mean_ms")])
def test_without_a_link_requests_and_answers_wait_for_it(scenario, mean):
    begin, length = 0.5, 0.2
    found = whatif(scenario, [f"lose-link=clients@{begin} s:{length} s"])
    assert found.after["finished"] == found.before["finished"]
    assert found.before[mean] < found.after[mean] < found.before[mean] + length * 1000


def test_services_that_answer_in_one_pass_meet_surges_attacks_and_lost_nodes():
    surged = whatif(PREDICT, ["surge=3x@0.5 s:1 s"])
    attacked = whatif(PREDICT, ["attack=5000/s@0.5 s:1 s"])
    assert surged.after["requests"] == pytest.approx(2 * surged.before["requests"], rel=0.1)
    assert attacked.after["requests"] - attacked.before["requests"] == pytest.approx(5000, rel=0.1)
    assert min(surged.after["latency_p99_ms"], attacked.after["latency_p99_ms"]) > surged.before["latency_p99_ms"]


@pytest.mark.parametrize(
    ("scenario", "word", "told"),
    [
        (TRAIN, "surge=5x@1h:10m", "kind train cannot express surge; serve, predict can"),
        (PREDICT, "by-speed=shares", "kind predict cannot express by-speed; train can"),
        (PREDICT, "link=node0:0.7", "talk to nobody"),
        (NEAR, "link=clients:0.5", "not apart; write platform.rtt"),
        (QUIET, "link=node:0.5", "Write its number"),
        (TWO_NODES, "lose-node=2@1s", "there is no node 2"),
        (TWO_NODES, "lose-link=node1@1s:2s,3", "write lose-link=PLACE"),
        (FEW, "lose-link=node1@1s:2s", "no replica stands on node 1"),
        (TRAIN, "lose-node=3@2h", "without a time"),
        (QUIET, "lose-node=0", "say when"),
        (SERVE, "surge=5x@10s:10s", "attack of this service arrive otherwise"),
        (TRAIN, "slow-node=3", "write slow-node=NODE:SHARE"),
        (TRAIN, "slow-node=3:1.5", "above 0 and at most 1"),
        (TRAIN, "slow-node=128:0.5", "there is no node 128; the cluster has 0 to 127"),
        (TRAIN, "link=leaf32:0.5", "there is no leaf 32; the cluster has 0 to 31"),
        (TRAIN, "link=spine0:0.5", "nothing leaves it"),
        (TRAIN, "gpu=a100:0.1%", "must be 1 to 128"),
    ],
)
def test_what_cannot_be_expressed_says_why(scenario, word, told):
    with pytest.raises(InputError, match=told):
        compiled(scenario, word)


def test_names_that_are_none_are_told_with_those_that_are():
    with pytest.raises(UnknownName, match="slow-node"):
        compiled(TRAIN, "slow-nod=3:0.7")
    with pytest.raises(UnknownName, match="place of a link"):
        compiled(TRAIN, "link=rack3:0.7")
    with pytest.raises(UnknownName, match="of the kind 'abacus'"):
        compiled(TRAIN, "gpu=abacus:50%")
