"""Several jobs on one fabric: alone equal to the closed form, together slower exactly where they meet."""

from __future__ import annotations

import pytest

from simulator.engine.network.fabric import Wires
from simulator.engine.network.jobs import Job, alone, layout, place
from simulator.engine.network.sharing import share
from simulator.engine.network.traffic import transfers
from simulator.foundation.errors import Infeasible, InputError, UnknownName
from simulator.profiles.catalogue import load_catalogue
from simulator.topology import Fabric, Wan, build_cluster

SIZE = 1e9


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue()


def cluster(catalogue, nodes=8, **fabric):
    node = catalogue.nodes["dgx-h100"]
    shape = {"shape": "fat-tree", "radix": 32} | fabric
    return build_cluster(
        nodes=[(node, catalogue.devices[node.device], nodes)], fabric=Fabric(**shape), links=catalogue.links
    )


def job(name, devices, **more):
    return Job(name=name, nodes=devices, **({"size": SIZE, "compute": 2e-3, "steps": 3} | more))


@pytest.mark.parametrize("operation", ["all-reduce", "all-gather", "reduce-scatter"])
@pytest.mark.parametrize("nodes", [1, 2, 4, 8])
def test_alone_a_job_takes_the_time_of_the_closed_form(catalogue, operation, nodes):
    whole = cluster(catalogue)
    one = job("a", place(whole, range(nodes)), operation=operation)
    shared = share(whole, [one], policy="adaptive")
    assert shared.step["a"] == pytest.approx(one.compute + alone(one, whole).time, rel=1e-9)
    assert shared.slowdowns == ()


def test_jobs_on_different_nodes_under_their_own_leaves_do_not_meet(catalogue):
    whole = cluster(catalogue, nodes=8)
    a, b = job("a", place(whole, [0, 1])), job("b", place(whole, [2, 3]))
    shared = share(whole, [a, b], policy="adaptive")
    assert shared.factor("a") == pytest.approx(1, rel=1e-9)


def test_under_an_oversubscribed_spine_two_jobs_halve_each_other(catalogue):
    whole = cluster(catalogue, nodes=6, radix=32, oversubscription=4.0)
    spread = [job("a", place(whole, [0, 3])), job("b", place(whole, [1, 4]))]
    packed = [job("a", place(whole, [0, 1])), job("b", place(whole, [3, 4]))]
    slow, fast = share(whole, spread, policy="adaptive"), share(whole, packed, policy="adaptive")
    assert slow.step["a"] > fast.step["a"] * 1.5
    assert slow.slowdowns[0].by != slow.slowdowns[0].job
    assert any("spine" in end for end in slow.slowdowns[0].link)
    assert slow.without["a", "b"] < slow.step["a"]


def test_hashing_collides_where_adaptive_routing_does_not(catalogue):
    whole = cluster(catalogue, nodes=8)
    jobs = [job("a", place(whole, range(0, 8, 2))), job("b", place(whole, range(1, 8, 2)))]
    hashed, adaptive = share(whole, jobs, policy="ecmp"), share(whole, jobs, policy="adaptive")
    assert hashed.step["a"] > adaptive.step["a"]
    assert adaptive.factor("a") == pytest.approx(1, rel=1e-6)


def test_background_traffic_runs_as_long_as_the_others(catalogue):
    whole = cluster(catalogue, nodes=6, radix=32, oversubscription=4.0)
    victim = job("training", place(whole, [0, 3]))
    noise = job("backup", place(whole, [1, 4]), operation="send-recv", compute=0.0, steps=0, size=1e8)
    shared = share(whole, [victim, noise])
    assert set(shared.step) == {"training"}
    assert shared.step["training"] >= shared.without["training", "backup"]


def test_the_order_of_jobs_does_not_matter(catalogue):
    whole = cluster(catalogue, nodes=6, oversubscription=4.0)
    jobs = [job(name, place(whole, nodes)) for name, nodes in (("a", [0, 3]), ("b", [1, 4]), ("c", [2, 5]))]
    assert share(whole, jobs) == share(whole, jobs[::-1])


def test_routes_go_round_a_failed_link_and_the_job_slows_down(catalogue):
    whole = cluster(catalogue, nodes=8)
    one = job("a", place(whole, range(8)))
    wires = Wires(whole)
    route, _ = wires.route(0, 63, policy="single")
    failed = next(wires.names[link] for link in route if "spine" in wires.names[link][1])
    others = Wires(whole, down=[failed])
    after, _ = others.route(0, 63, policy="single")
    assert failed not in [others.names[link] for link in after]
    healthy, hurt = share(whole, [one], policy="single"), share(whole, [one], policy="single", down=[failed])
    assert hurt.step["a"] >= healthy.step["a"] * (1 - 1e-9)


def test_a_derated_link_slows_the_job_that_crosses_it(catalogue):
    whole = cluster(catalogue, nodes=2)
    one = job("a", place(whole, range(2)))
    cable = {("nic:0.0", "leaf:0.0"): 0.25}
    slow, fast = share(whole, [one], derated=cable), share(whole, [one])
    assert slow.step["a"] > fast.step["a"]


def test_a_cut_off_device_is_infeasible(catalogue):
    whole = cluster(catalogue, nodes=2)
    with pytest.raises(Infeasible, match="failed link"):
        Wires(whole, down=[("nic:0.0", "leaf:0.0")]).route(0, 8)


def test_ranks_that_lie_unevenly_are_joined_by_the_outermost_tier(catalogue):
    whole = cluster(catalogue, nodes=2)
    assert layout(job("a", ((0,), (8, 9))), whole) == (1, 3)
    assert layout(job("a", place(whole, [0, 1])), whole) == (8, 2)


def test_ranks_of_a_node_split_the_bytes_between_nodes_evenly():
    sent = transfers("all-reduce", SIZE, range(8), (4, 2))
    across = [one for one in sent if one.source // 4 != one.target // 4]
    assert len(across) == 8
    assert sum(one.size for one in across if one.source < 4) == pytest.approx(SIZE)


@pytest.mark.parametrize("nodes", [[0, 1, 2, 3], [0, 1, 3, 4], [0, 3], [0, 4, 6, 7]])
def test_on_three_tiers_too_the_flows_alone_take_the_time_of_the_closed_form(catalogue, nodes):
    whole = cluster(catalogue, nodes=9, radix=48)
    assert [tier.name for tier in whole.tiers] == ["nvlink", "leaf", "spine"]
    one = job("a", place(whole, nodes))
    assert share(whole, [one], policy="adaptive").step["a"] == pytest.approx(
        one.compute + alone(one, whole).time, rel=1e-9
    )


def test_between_sites_the_round_trip_and_the_price_count(catalogue):
    node = catalogue.nodes["dgx-h100"]
    parts = [(node, catalogue.devices[node.device], 2)] * 2

    def over(rtt, usd=0.0, loss=0.0):
        wan = Wan(rtt=rtt, bandwidth=12.5e9, usd_per_byte=usd, loss=loss)
        fabric = Fabric(shape="fat-tree", radix=32, sites=("north", "south"), wan=(wan,))
        return build_cluster(nodes=parts, fabric=fabric, links=catalogue.links)

    near, far, lossy = over(1e-3), over(50e-3, usd=0.02e-9), over(50e-3, loss=1e-5)
    steps = {}
    for name, whole in (("near", near), ("far", far), ("lossy", lossy)):
        one = job("a", place(whole, range(4)))
        steps[name] = share(whole, [one])
    assert steps["near"].step["a"] < steps["far"].step["a"] < steps["lossy"].step["a"]
    assert steps["far"].wan_bytes["a"] == pytest.approx(2 * SIZE)
    assert steps["far"].wan_usd["a"] == pytest.approx(2 * SIZE * 0.02e-9)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda c: place(c, [99]), InputError, "node 99"),
        (lambda c: share(c, [job("a", place(c, [0]))] * 2), InputError, "one name"),
        (lambda c: share(c, [job("a", place(c, [0]), steps=0)]), InputError, "background"),
        (lambda c: Wires(c).route(0, 8, policy="adaptiv"), UnknownName, "adaptive"),
        (lambda c: transfers("all-redoose", 1.0, range(8), (8,)), InputError, "no pattern"),
    ],
)
def test_what_cannot_be_says_why(catalogue, call, error, message):
    with pytest.raises(error, match=message):
        call(cluster(catalogue, nodes=2))
