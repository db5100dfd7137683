from __future__ import annotations

import pytest

from simulator import load_scenario, simulate
from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.shipped import shipped
from simulator.study.whatif import compiled, whatif

TRAIN = load_scenario(shipped("scenarios") / "gpt3-175b-megatron.yaml")
SERVE = load_scenario(shipped("scenarios") / "serve-attack.yaml", ["workloads[0].traffic.seconds=30 s"])
USERS = (
    'workloads[0].traffic.groups=[{"name": "users", "rate": "4 /s", "prompt": {"mean": 200}, "output": {"mean": 50}}]'
)
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
    assert (event.kind, event.at_s, event.count, event.repair_s) == ("loss", 10.0, 8, 300.0)


def test_a_surge_multiplies_the_requests_of_its_time_alone():
    found = whatif(QUIET, ["surge=5x@10s:10s"])
    before, after = found.before["requests"], found.after["requests"]
    assert after - before == pytest.approx(4 * 4 * 10, rel=0.25)


def test_an_attack_comes_beside_the_users():
    found = whatif(QUIET, ["attack=20/s@10s:10s"])
    assert found.after["requests"] - found.before["requests"] == pytest.approx(200, rel=0.25)


@pytest.mark.parametrize(
    ("scenario", "word", "told"),
    [
        (TRAIN, "surge=5x@1h:10m", "kind train cannot express surge; serve can"),
        (QUIET, "slow-node=3:0.7", "kind serve cannot express slow-node; train can"),
        (TRAIN, "lose-node=3@2h", "without a time"),
        (QUIET, "lose-node=0", "say when"),
        (SERVE, "surge=5x@10s:10s", "attack of this service arrive otherwise"),
        (TRAIN, "slow-node=3", "write slow-node=NODE:SHARE"),
        (TRAIN, "slow-node=3:1.5", "between 0 and 1"),
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
