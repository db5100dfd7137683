"""Reads that cross the links of a cluster."""

from __future__ import annotations

import math

import pytest

from simulator.costs.storage import StorageSystem
from simulator.engine.data.on_network import Reads, fair_rates, flows_of, read_times
from simulator.engine.network import Flow
from simulator.foundation.errors import InputError
from simulator.profiles.catalogue import load_catalogue
from simulator.topology import Fabric, build_cluster

CATALOGUE = load_catalogue()
NODE = CATALOGUE.nodes["dgx-a100-80gb"]


def reads(servers: int, readers: int, bandwidth: float = 1e9, **more) -> Reads:
    """Servers on the first nodes, one reader on each of the following."""
    total = servers + readers
    nodes = [(NODE, CATALOGUE.devices[NODE.device], total)]
    cluster = build_cluster(nodes=nodes, fabric=Fabric(shape="fat-tree"), links=CATALOGUE.links)
    places = tuple(8 * node for node in range(total))
    return Reads(cluster=cluster, storage=StorageSystem(servers=servers, read_bandwidth=bandwidth),
                 servers=places[:servers], readers=places[servers:], **more)  # fmt: skip


def test_disks_that_are_slower_than_links_share_out_their_bandwidth():
    assert fair_rates(reads(2, 4)).tolist() == pytest.approx([0.5e9] * 4)


def test_links_bound_a_single_reader_and_more_readers_draw_more_until_the_disks_are_full():
    fast = 1e12
    alone = float(fair_rates(reads(2, 1, fast)).sum())
    together = float(fair_rates(reads(2, 4, fast)).sum())
    assert alone < together < 2 * fast
    capacities = flows_of(reads(2, 1, fast), size=1.0)[1]
    assert alone <= max(capacities[:-2]) * 8


def test_a_read_takes_its_bytes_over_its_rate_and_the_latency():
    some = reads(2, 4)
    assert read_times(some, 1e9).tolist() == pytest.approx([2.0] * 4, rel=1e-4)


def test_a_checkpoint_on_the_same_disks_slows_the_reads():
    some = reads(2, 2)
    disk = len(flows_of(some, size=1.0)[1]) - 1
    beside = [Flow(route=(disk,), size=1e9, weight=2.0)]
    assert float(fair_rates(some, beside).sum()) == pytest.approx(1.5e9)
    quiet, busy = read_times(some, 1e9), read_times(some, 1e9, beside)
    assert busy.max() > quiet.max() * 1.3


def test_every_server_needs_a_place_and_somebody_must_read():
    good = reads(2, 2)
    with pytest.raises(InputError, match="places"):
        Reads(cluster=good.cluster, storage=good.storage, servers=(0,), readers=(8,))
    with pytest.raises(InputError, match="nobody"):
        Reads(cluster=good.cluster, storage=good.storage, servers=(0, 8), readers=())


def test_a_stream_draws_no_more_than_its_own_limit():
    some = reads(2, 1, 1e12)
    slow = Reads(cluster=some.cluster, servers=some.servers, readers=some.readers,
                 storage=StorageSystem(servers=2, read_bandwidth=1e12, stream_bandwidth=1e8))  # fmt: skip
    assert float(fair_rates(slow)[0]) == pytest.approx(2e8)
    assert math.isfinite(float(read_times(slow, 1e9)[0]))
