from __future__ import annotations

import numpy as np
import pytest

from simulator.foundation.errors import InputError
from simulator.topology import Fabric, Wan, build_cluster
from simulator.topology.wan import bandwidth_delay_product, mathis_bound, rtt_of_distance, transfer_time, transfer_usd
from tests.topology.parts import GB, LINKS, device, node


def test_a_thousand_kilometres_of_glass_take_nearly_ten_milliseconds_there_and_back():
    assert float(rtt_of_distance(1e6)) == pytest.approx(9.8e-3)


def test_a_path_of_ten_gigabit_and_thirty_milliseconds_holds_thirty_seven_megabytes():
    assert float(bandwidth_delay_product(1.25e9, 0.03)) == pytest.approx(37.5e6)


def test_loss_bounds_one_connection_by_the_square_root_law():
    """1460 B, 100 ms, loss 1 in 10,000: 1460 / 0.1 * 1.2247 / 0.01 = 1.788 MB/s."""
    assert float(mathis_bound(0.1, 1e-4)) == pytest.approx(1.788e6, rel=1e-3)
    assert float(mathis_bound(0.1, 4e-4)) == pytest.approx(float(mathis_bound(0.1, 1e-4)) / 2)
    assert np.isinf(mathis_bound(0.1, 0.0))


def test_formulas_take_arrays():
    assert mathis_bound(np.array([0.1, 0.2]), np.array([1e-4, 1e-4])).shape == (2,)
    assert transfer_time(np.array([1e6, 2e6]), Wan(rtt=0.02, bandwidth=1e8)) == pytest.approx([0.02, 0.03])


def test_more_streams_are_never_slower_and_the_link_is_the_limit():
    rates = [Wan(rtt=0.1, bandwidth=1e7, loss=1e-4, streams=count).throughput for count in (1, 2, 4, 64)]
    assert rates == sorted(rates)
    assert rates[-1] == 1e7


def test_bytes_that_leave_a_site_cost_money():
    assert float(transfer_usd(1e12, Wan(rtt=0.1, bandwidth=1e7, usd_per_byte=0.02 / GB))) == pytest.approx(20)


def three(*links: Wan) -> object:
    groups = [(node(name), device(), 2) for name in "abc"]
    return build_cluster(nodes=groups, fabric=Fabric(sites=("a", "b", "c"), wan=links), links=LINKS)


def test_sites_in_a_row_are_as_far_as_the_whole_row():
    row = three(Wan(rtt=0.02, bandwidth=GB, between=("a", "b")), Wan(rtt=0.04, bandwidth=GB, between=("b", "c")))
    last = row.tiers[-1]
    assert last.latency == pytest.approx(0.03, rel=1e-3)
    path = row.path(0, 40)
    assert [step.target for step in path if step.target.endswith("gateway")] == [
        "a/gateway", "b/gateway", "c/gateway",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("links", "words"),
    [
        ((), "need a WAN link"),
        ((Wan(rtt=0.1, bandwidth=1.0, between=("a", "b")),), "no WAN link leads from a to c"),
        ((Wan(rtt=0.1, bandwidth=1.0, between=("a", "d")),), "found a and d"),
        ((Wan(rtt=0.1, bandwidth=1.0), Wan(rtt=0.1, bandwidth=1.0, between=("a", "b"))), "two WAN links"),
    ],
)
def test_sites_that_are_not_joined_are_named(links, words):
    with pytest.raises(InputError, match=words):
        three(*links)


@pytest.mark.parametrize("wrong", [{"rtt": 0.0}, {"bandwidth": 0.0}, {"loss": 1.0}, {"loss": -0.1}, {"streams": 0}])
def test_nonsense_about_a_link_is_refused(wrong):
    with pytest.raises(InputError):
        Wan(**({"rtt": 0.1, "bandwidth": 1.0} | wrong))
