"""Where shards lie and how they are compressed, as keys of a scenario: laws of what is read from where."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cli import main
from simulator.costs.placement import local_share
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.foundation.shipped import shipped
from simulator.scenario import load_scenario
from simulator.simulation import simulate

JOB = "workloads[0]"
DRIVES = f"{JOB}.storage={{read: 3 GB/s, count: 2}}"
FILE = shipped("scenarios") / "data-seed-sharding.yaml"
TRAIN = shipped("scenarios") / "train-data-checkpoint.yaml"


def cluster(nodes: int) -> tuple[str, str]:
    return f"cluster.nodes[0].count={nodes}", "cluster.fabric={}"


def placed(placement: str, shuffle: str, nodes: int = 4, *more: str):
    chosen = [*cluster(nodes), f"{JOB}.placement={placement}", f"{JOB}.loader.shuffle={shuffle}", DRIVES, *more]
    scenario = load_scenario(FILE, [*chosen, f"{JOB}.loader.network=10 GB/s"])
    return scenario.workloads[0]


@settings(max_examples=30, derandomize=True, deadline=None)
@given(nodes=st.integers(1, 10_000))
def test_a_global_shuffle_reads_all_but_one_part_in_n_from_other_nodes(nodes):
    for placement in ("local", "random"):
        assert 1 - local_share(placement, everywhere=True, copies=1, nodes=nodes) == pytest.approx(1 - 1 / nodes)


@settings(max_examples=30, derandomize=True, deadline=None)
@given(nodes=st.integers(1, 500), copies=st.integers(1, 10))
def test_more_copies_bring_reads_home_and_nobody_reads_more_than_everything(nodes, copies):
    shares = [local_share("random", everywhere=True, copies=count, nodes=nodes) for count in (copies, copies + 1)]
    assert 0 < shares[0] <= shares[1] <= 1
    assert local_share("remote", everywhere=True, copies=copies, nodes=nodes) == 0


@pytest.mark.parametrize("nodes", [2, 4])
@pytest.mark.parametrize(("placement", "shuffle", "share"), [
    ("local", "shard-wise", lambda n: 1.0),
    ("local", "none", lambda n: 1.0),
    ("local", "global", lambda n: 1 / n),
    ("random", "shard-wise", lambda n: 1 / n),
    ("random", "global", lambda n: 1 / n),
    ("remote", "shard-wise", lambda n: 0.0),
])  # fmt: skip
def test_local_and_remote_bytes_are_what_is_read_and_shares_follow_the_closed_form(placement, shuffle, share, nodes):
    run = placed(placement, shuffle, nodes).run(Streams(0))
    for epoch in run.epochs:
        assert epoch.local_bytes + epoch.network_bytes == pytest.approx(epoch.storage_bytes, rel=1e-12)
        assert epoch.local_bytes == pytest.approx(share(nodes) * epoch.storage_bytes)
    assert run.summary()["local_read_share"] == pytest.approx(share(nodes))


def test_a_thin_network_holds_back_what_crosses_it_and_nothing_else():
    thin = f"{JOB}.loader.network=1 MB/s"
    chosen = [DRIVES, thin, *cluster(4)]
    rates = {}
    for placement, shuffle in (("remote", "shard-wise"), ("random", "shard-wise"), ("local", "shard-wise")):
        keys = [f"{JOB}.placement={placement}", f"{JOB}.loader.shuffle={shuffle}"]
        rates[placement] = load_scenario(FILE, [*chosen, *keys]).workloads[0].job.account().rates["network"]
    assert rates["random"] == pytest.approx(rates["remote"] / (1 - 1 / 4))
    assert rates["local"] > 1e6 * rates["remote"]


def test_storage_of_the_whole_cluster_has_no_shards_on_its_nodes():
    other = shipped("scenarios") / "data-text-object-store.yaml"
    with pytest.raises(InputError, match="storage of the whole cluster"):
        load_scenario(other, [f"{JOB}.placement=local"])


def test_the_command_tells_what_is_read_at_home_and_what_crosses_the_network(capsys):
    keys = ["--set", DRIVES, "--set", f"{JOB}.placement=local", "--set", f"{JOB}.loader.shuffle=shard-wise"]
    assert main(["run", str(FILE), *keys, "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    assert metrics["local_read_share"] == 1.0
    assert metrics["network_bytes"] == 0.0


def test_compressed_samples_are_stored_smaller_take_more_cores_and_reach_the_device_alike():
    plain = placed("remote", "shard-wise")
    packed = placed("remote", "shard-wise", 4, f"{JOB}.dataset.compression=4", f"{JOB}.dataset.decompress=2 ms")
    expected = plain.job.sample.compressed(4.0, 0.002)
    found = packed.job.sample
    assert found.stored == pytest.approx(expected.stored)
    assert found.decoded == pytest.approx(expected.decoded)
    assert found.decode_s == pytest.approx(expected.decode_s)
    assert packed.job.dataset.bytes == pytest.approx(plain.job.dataset.bytes / 4)
    read = [job.run(Streams(0)).epochs[-1].storage_bytes for job in (plain, packed)]
    assert read[1] == pytest.approx(read[0] / 4, rel=1e-3)


def test_training_reads_at_home_what_its_reading_nodes_hold():
    keys = ["workloads[0].checkpoint=null", "workloads[0].data.storage={read: 3 GB/s}"]
    random = simulate(load_scenario(TRAIN, [*keys, "workloads[0].data.placement=random"])).feeding
    local = ["workloads[0].data.placement=local", "workloads[0].data.loader.shuffle=shard-wise"]
    home = simulate(load_scenario(TRAIN, [*keys, *local])).feeding
    assert 0 < random.local_share <= 1
    assert 1 / random.local_share == pytest.approx(round(1 / random.local_share))
    assert random.network_bytes == pytest.approx(random.bytes_per_step * (1 - random.local_share))
    assert home.local_share == 1.0
    assert home.network_bytes == 0.0


def test_compression_is_a_key_of_training_data_too():
    packed = ["workloads[0].data.dataset.compression=2", "workloads[0].data.dataset.decompress=1 ms"]
    plain = simulate(load_scenario(TRAIN)).feeding
    assert simulate(load_scenario(TRAIN, packed)).feeding.bytes_per_step == pytest.approx(plain.bytes_per_step / 2)


def test_a_restart_reads_what_was_written_over_the_same_storage_and_links():
    slow = simulate(load_scenario(TRAIN, ["workloads[0].data.storage={read: 1 GB/s, write: 1 GB/s}"])).feeding.saving
    fast = simulate(load_scenario(TRAIN, ["workloads[0].data.storage={read: 2 GB/s, write: 1 GB/s}"])).feeding.saving
    assert slow.read_s == pytest.approx(slow.write_s)
    assert fast.read_s == pytest.approx(slow.read_s / 2)
    assert slow.restart_s == pytest.approx(slow.read_s + slow.again_s)
    links = ["workloads[0].data.storage={read: 1e6 GB/s}", "workloads[0].data.loader.network=1 GB/s"]
    narrow = simulate(load_scenario(TRAIN, links)).feeding.saving
    wide = simulate(load_scenario(TRAIN, [*links[:1], "workloads[0].data.loader.network=2 GB/s"])).feeding.saving
    assert narrow.read_s == pytest.approx(2 * wide.read_s)
