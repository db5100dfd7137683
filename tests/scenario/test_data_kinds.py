"""The kinds ``data`` and ``batch-infer``: from a file to figures."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.foundation.shipped import shipped
from simulator.scenario import load_scenario

FOLDER = shipped("scenarios")


def shipped_job(name: str, *overrides: str):
    return load_scenario(FOLDER / f"{name}.yaml", overrides).workloads[0]


def test_an_imagenet_node_with_a_slow_disk_waits_for_it_and_is_told_what_helps():
    run = shipped_job("data-imagenet-stalls").run(Streams(0))
    found = run.summary()
    assert found["bottleneck"] == "storage"
    assert found["cache_hit_rate"] == pytest.approx(0.14, abs=0.03)  # page cache of a third: not a third
    assert found["stall_fraction"] > 0.3
    assert any("cache" in action for action in found["mends"])


def test_keeping_the_cache_from_replacing_saves_what_it_thrashed():
    page = shipped_job("data-imagenet-stalls").run(Streams(0)).summary()
    kept = shipped_job("data-imagenet-stalls", "workloads[0].loader.cache_policy=minio").run(Streams(0)).summary()
    assert kept["epoch_time_s"] < 0.85 * page["epoch_time_s"]


def test_the_article_s_split_is_a_scenario():
    even = shipped_job("data-seed-sharding", "workloads[0].sharding=balanced").run(Streams(0))
    split = shipped_job("data-seed-sharding").run(Streams(0))
    ratio = split.epochs[0].time_s / even.epochs[0].time_s
    assert ratio == pytest.approx(split.imbalance, rel=0.03)


def test_documents_must_be_packed_for_an_object_store():
    fewer = "workloads[0].dataset.samples=2000000"
    packed = shipped_job("data-text-object-store", fewer)
    single = shipped_job("data-text-object-store", fewer, "workloads[0].loader.shuffle=global")
    assert packed.job.account().bottleneck == ""
    assert single.job.account().bottleneck == "requests"
    assert single.run(Streams(0)).summary()["stall_fraction"] > 0.3


def test_a_mixed_cluster_finishes_a_batch_together_with_its_proportions():
    found = shipped_job("batch-infer-mixed", "workloads[0].dataset.samples=400000").run(Streams(0)).summary()
    assert found["efficiency"] > 0.9
    assert found["class_skew"] < 1e-3


def test_what_the_node_says_is_taken_from_it():
    job = shipped_job("data-text-object-store").job
    assert job.devices == 64
    assert job.loader.devices_per_node == 8
    assert job.loader.node_bandwidth == 12.5e9
    assert job.storage.read_rate == 5500
    assert math.isfinite(job.loader.host_bandwidth)


def test_local_drives_grow_with_the_nodes_and_cross_no_adapter():
    job = shipped_job("data-text-object-store", "workloads[0].storage.profile=micron-9550").job
    assert job.storage.servers == 8
    assert job.loader.local_share == 1.0


HEAD = """schema_version: 1
name: t
cluster: {nodes: [{profile: dgx-h100, count: 2}]}
workloads:
"""
GOOD = """  - id: d
    kind: data
    dataset: {samples: 1000, kind: image}
    storage: {read: 1 GB/s}
    loader: {cores: 4, network: 100 Gb/s}
    step: {batch: 4, compute: 1 s}
"""


@pytest.mark.parametrize(("old", "new", "message"), [
    ("kind: image", "kind: imag", "Did you mean 'image'"),
    ("kind: image", "size: 10 kB, kind: image", "one of the two"),
    ("read: 1 GB/s", "copies: 2", "no bandwidth and no request rate"),
    ("read: 1 GB/s", "read: 1 GB/s, stripes: 3", "at most one each"),
    ("read: 1 GB/s", "profile: micron-955", "micron-9550"),
    ("cores: 4", "cores: 4, cache_policy: lfu", "no cache policy 'lfu'"),
    ("batch: 4", "batch: 4, size: 3", "unknown key"),
    ("compute: 1 s", "compute: 1 s}\n    sharding: stratified\n    x: {a: b", "unknown key"),
    ("samples: 1000", "samples: 3", "each needs at least one"),
    ("kind: image", "kind: image, classes: {a: 0.5}", "sum to 1"),
    ("kind: image", "kind: image, fraction: 0.0", "above 0"),
    ("compute: 1 s}", "compute: 1 s}\n    sharding: balancd", "Did you mean 'balanced'"),
    ("compute: 1 s}", "compute: 1 s}\n    sharding: stratified", "dataset.classes"),
])  # fmt: skip
def test_a_wrong_data_job_is_told_with_its_place(tmp_path: Path, old: str, new: str, message: str):
    path = tmp_path / "t.yaml"
    path.write_text(HEAD + GOOD.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_scenario(path)
    assert message in str(caught.value)
    assert "t.yaml:" in str(caught.value)


def test_the_good_file_is_good(tmp_path: Path):
    path = tmp_path / "t.yaml"
    path.write_text(HEAD + GOOD)
    assert load_scenario(path).workloads[0].job.devices == 16


def test_devices_that_step_together_are_alike(tmp_path: Path):
    path = tmp_path / "t.yaml"
    head = HEAD.replace("count: 2}]", "count: 2}, {profile: dgx-a100-80gb}]")
    path.write_text(head + GOOD)
    with pytest.raises(InputError, match="mixes"):
        load_scenario(path)


def test_every_group_of_nodes_needs_its_rate():
    with pytest.raises(InputError, match="1 rates for 2 groups"):
        shipped_job("batch-infer-mixed", "workloads[0].rates=['900 /s']")
