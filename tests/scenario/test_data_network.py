"""Reads over the links of the cluster: as fast as a link of one's own while nobody shares, and no faster ever."""

from __future__ import annotations

import json

import pytest

from simulator.cli import main
from simulator.engine.data.on_network import link_rates
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.scenario import load_scenario

FILE = """
schema_version: 1
name: reads
cluster:
  nodes: [{profile: dgx-a100-80gb, count: COUNT}]
  fabric: {shape: fat-tree, oversubscription: 1}
workloads:
  - id: job
    kind: data
    dataset: {samples: 200000, size: 10 MB}
    storage: {count: 4, read: 900 GB/s}
    loader: {workers: 4, cores: 16, host: 900 GB/s}
    step: {batch: 32, compute: 1 ms}
    network: {servers: 'SERVERS'}
    epochs: 1
"""


@pytest.fixture
def workload(tmp_path):
    def make(count: int, servers: str, *overrides: str):
        file = tmp_path / "reads.yaml"
        file.write_text(FILE.replace("COUNT", str(count)).replace("SERVERS", servers))
        scenario = load_scenario(file, overrides)
        return scenario.workloads[0], scenario.cluster

    return make


def test_readers_that_share_no_link_draw_what_a_link_of_their_own_gives(workload):
    one, cluster = workload(5, "1-4")  # one node reads from four
    placed = one.on(cluster).job
    own = float(link_rates(one.network.reads(one.job, cluster)).sum())
    assert placed.devices == 8
    assert placed.loader.node_bandwidth == pytest.approx(own)
    private, _ = workload(5, "1-4", "workloads[0].network=null", f"workloads[0].loader.network={own:.12e} B/s")
    alone = private.job
    assert placed.account().rates["network"] == pytest.approx(alone.account().rates["network"], rel=1e-9)
    assert placed.account().bottleneck == "network"


def test_every_byte_crosses_the_adapters_of_the_servers(workload):
    one, cluster = workload(9, "8")  # eight nodes read from one
    rates = link_rates(one.network.reads(one.job, cluster))
    few, small = workload(2, "1")
    single = link_rates(few.network.reads(few.job, small))
    assert rates.sum() == pytest.approx(single.sum(), rel=1e-6)  # the server's node bounds both
    assert one.on(cluster).job.loader.node_bandwidth == pytest.approx(few.on(small).job.loader.node_bandwidth / 8)


def test_sharing_slows_and_disks_that_are_slower_than_links_make_it_all_one(workload):
    crowd, cluster = workload(9, "8")
    free, _ = workload(9, "8", "workloads[0].network=null")
    assert crowd.on(cluster).run(Streams(0)).steady.step_s > 4 * free.run(Streams(0)).steady.step_s
    slow = "workloads[0].storage.read=1 GB/s"
    crowd, cluster = workload(9, "8", slow)
    free, _ = workload(9, "8", slow, "workloads[0].network=null")
    assert crowd.on(cluster).job.account().step_s == pytest.approx(free.job.account().step_s * 8 / 9)


def test_a_place_that_is_none_is_told(workload):
    for servers, message in (("9", "the cluster has 5"), ("0-4", "none is left to read"), ("1, 1", "twice")):
        with pytest.raises(InputError, match=message):
            workload(5, servers)
    with pytest.raises(InputError, match="routing policy"):
        workload(5, "1", "workloads[0].network.routing=best")


def test_a_job_whose_servers_sit_in_a_cluster_is_not_played_without_it(workload):
    with pytest.raises(InputError, match="say which"):
        workload(5, "1")[0].run(Streams(0))


def test_the_command_runs_it(tmp_path, capsys):
    file = tmp_path / "reads.yaml"
    file.write_text(FILE.replace("COUNT", "9").replace("SERVERS", "8"))
    assert main(["run", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["metrics"]["bottleneck"] == "network"
    assert found["metrics"]["devices"] == 64
