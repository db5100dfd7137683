"""Laws of training steps that are fed from a storage and saved to it."""

from __future__ import annotations

import json

import pytest

from simulator.cli import main
from simulator.costs.storage import Redundancy, StorageSystem
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.shipped import shipped
from simulator.results.result import Result
from simulator.scenario import load_scenario
from simulator.simulation import simulate
from simulator.simulation.feeding import write_time

FILE = shipped("scenarios") / "train-data-checkpoint.yaml"
FEED, SAVE = "workloads[0].data", "workloads[0].checkpoint"
ROADS = pytest.mark.parametrize("fidelity", ["estimate", "engine"])
FREE = (f"{FEED}.loader.decode=0 s", f"{FEED}.storage={{read: 1e6 GB/s}}", f"{FEED}.loader.network=1e6 GB/s")


def ask(*overrides: str, fidelity: str = "estimate", saved: bool = False) -> Result:
    chosen = [f"run.fidelity={fidelity}", *([] if saved else [f"{SAVE}=null"]), *overrides]
    return simulate(load_scenario(FILE, chosen))


@ROADS
def test_without_blocks_nothing_is_told_and_a_loader_that_costs_nothing_changes_nothing(fidelity):
    bare = ask(f"{FEED}=null", fidelity=fidelity)
    free = ask(*FREE, fidelity=fidelity)
    assert bare.feeding is None
    assert "feeding" not in bare.facts()
    assert not {"data", "shards", "checkpoint"} & bare.parts.keys()
    assert free.step_time == pytest.approx(bare.step_time, rel=1e-5)
    assert free.feeding.bottleneck == "none"
    assert free.feeding.mends == ()


def test_a_prefetched_step_takes_the_larger_of_computing_and_loading_and_else_their_sum():
    for decode in ("50 ms", "300 ms", "900 ms"):
        found = ask(f"{FEED}.loader.decode={decode}").feeding
        assert found.step_s == pytest.approx(max(found.alone_s, found.load_s))
        alone = ask(f"{FEED}.loader.decode={decode}", f"{FEED}.loader.prefetch=0").feeding
        assert alone.step_s == pytest.approx(alone.alone_s + alone.load_s)


def test_the_engine_and_the_closed_form_agree_on_a_step_that_waits():
    closed, played = ask().feeding, ask(fidelity="engine").feeding
    assert closed.stall_s > 0.1 * closed.alone_s
    assert played.step_s == pytest.approx(closed.step_s, rel=0.05)
    assert played.bottleneck == closed.bottleneck


@ROADS
def test_the_parts_add_up_and_what_is_read_is_what_is_trained_on(fidelity):
    result = ask(fidelity=fidelity, saved=True)
    assert sum(result.parts.values()) == pytest.approx(result.step_time, rel=1e-12)
    assert result.feeding.step_s == pytest.approx(result.step_time, rel=1e-12)
    assert result.feeding.bytes_per_step == pytest.approx(256 * 1.5e6)
    assert result.metrics["device_idle_fraction"] == pytest.approx(
        1 - sum(v for k, v in result.parts.items() if k not in ("data", "shards", "checkpoint")) / result.step_time
    )


@pytest.mark.parametrize(("override", "bottleneck"), [
    (f"{FEED}.loader={{cores: 0.5, decode: 500 ms, workers: 16}}", "CPU decode"),
    (f"{FEED}.storage.read=30 MB/s", "disk"),
    (f"{FEED}.loader.network=10 MB/s", "network"),
    (f"{FEED}.loader.workers=1", "loader workers"),
])  # fmt: skip
def test_the_bottleneck_is_named_and_the_mend_ends_the_wait(override, bottleneck):
    found = ask(override).feeding
    assert found.bottleneck == bottleneck
    assert found.mends
    assert found.mends[-1].stall_s < found.stall_s


def test_a_step_that_waits_gains_nothing_from_faster_devices():
    waiting = ask().gains
    assert max(gain for name, gain in waiting.items() if name not in ("storage", "loaders")) == 0.0
    assert waiting["storage"] > 0.0
    assert max(ask(*FREE).gains.values()) > 0.01


@ROADS
def test_every_step_waits_for_the_largest_shard(fidelity):
    even = ask(*FREE, fidelity=fidelity)
    cut = ask(*FREE, f"{FEED}.sharding=uniform-cuts", fidelity=fidelity)
    assert cut.feeding.imbalance > 1.5
    assert cut.step_time / even.step_time == pytest.approx(cut.feeding.imbalance, rel=0.02)


def test_a_synchronous_checkpoint_adds_its_write_over_the_steps_between_two():
    plain, saved = ask(*FREE), ask(*FREE, f"{SAVE}.to={{read: 6 GB/s, write: 3 GB/s}}", saved=True)
    size = saved.feeding.saving.bytes
    assert size == pytest.approx(6.66e9 * 14, rel=0.01)  # 2 B of weights and 12 B of optimizer state
    assert saved.feeding.saving.write_s == pytest.approx(size / 3e9)
    assert saved.step_time - plain.step_time == pytest.approx(size / 3e9 / 200)


def test_of_an_asynchronous_checkpoint_only_what_fits_beside_no_step_shows():
    rare = ask(f"{SAVE}.mode=async", saved=True).feeding
    often = ask(f"{SAVE}.mode=async", f"{SAVE}.every=2", saved=True).feeding
    waiting = ask(f"{SAVE}.every=2", saved=True).feeding
    assert rare.saving.visible_s == 0.0
    assert often.saving.visible_s > 0.0
    assert often.step_s < waiting.step_s
    storage = often.bytes_per_step / 6e9 + often.saving.bytes / 3e9 / 2
    assert often.step_s >= storage * (1 - 1e-12)  # the storage serves both


def test_a_checkpoint_to_another_storage_leaves_the_reads_alone():
    own = (f"{SAVE}.mode=async", f"{SAVE}.every=2", f"{FEED}.storage.read=120 MB/s", f"{FEED}.storage.write=20 GB/s")
    shared = ask(*own, saved=True).feeding
    apart = ask(*own, f"{SAVE}.to={{read: 120 MB/s, write: 120 MB/s}}", saved=True).feeding
    assert apart.step_s == pytest.approx(apart.saving.bytes / 120e6 / 2)
    assert shared.step_s == pytest.approx(apart.step_s + apart.bytes_per_step / 120e6)


def test_a_checkpoint_alone_needs_a_place_and_is_told_alone():
    with pytest.raises(InputError, match="storage that it goes to"):
        ask(f"{FEED}=null", saved=True)
    found = ask(f"{FEED}=null", f"{SAVE}.to={{read: 6 GB/s, write: 3 GB/s}}", saved=True)
    assert "waits for data" not in found.summary
    assert "for checkpoints" in found.summary
    assert found.definitions["time_to_train_s"] == "steps x step time, without failures"
    assert any("every 200 steps" in line for line in found.explain().splitlines())


def test_redundancy_and_adapters_bound_a_write():
    system = StorageSystem(servers=4, read_bandwidth=8e9, write_bandwidth=3e9, redundancy=Redundancy(copies=3))
    assert write_time(system, 4e9) == pytest.approx(1.0)
    assert write_time(system, 4e9, 1e9) == pytest.approx(4.0)


def test_what_cannot_be_fed_is_refused():
    with pytest.raises(InputError, match="does not fill one step of 256"):
        ask(f"{FEED}.dataset.samples=255")
    with pytest.raises(Infeasible, match="memory"):
        ask(f"{FEED}.loader.memory=1 GB")


def test_the_answer_names_stall_bottleneck_and_mend(capsys):
    assert main(["run", str(FILE), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["feeding"]["bottleneck"] == "loader workers"
    assert 0.1 < found["metrics"]["data_stall_fraction"] < found["metrics"]["device_idle_fraction"] < 1
    assert main(["explain", str(FILE)]) == 0
    told = capsys.readouterr().out
    assert "the bottleneck is loader workers" in told
    assert "Cheapest mend: " in told
