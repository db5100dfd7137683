"""Networks on samples as training scenarios: one number with ``validate``, laws of a step, what the planner finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.foundation.errors import Infeasible, InputError, InvalidFile
from simulator.planner.recommendation import recommend
from simulator.profiles.catalogue import load_catalogue
from simulator.results.result import Result
from simulator.scenario import load_scenario
from simulator.simulation import simulate
from simulator.validation.training_networks import predict_network_row

_SCENARIO = """
schema_version: 1
name: network
cluster:
  nodes: [{{profile: {node}, count: {count}}}]
workloads:
  - id: job
    kind: train
    model: {model}
    precision: {precision}
    optimizer: momentum
    batch: {{global: {batch}, micro: {micro}}}
    parallelism: {{}}
run: {{fidelity: estimate, seed: 0}}
"""


def result(folder: Path, *overrides: str, node: str = "dgx-a100-640gb", count: int = 1, model: str = "resnet50-v1.5",
           precision: str = "fp16-amp", micro: int = 64, batch: int | None = None) -> Result:  # fmt: skip
    path = folder / "network.yaml"
    devices = load_catalogue().nodes[node].device_count * count
    path.write_text(_SCENARIO.format(node=node, count=count, model=model, precision=precision, micro=micro,
                                     batch=batch or micro * devices))  # fmt: skip
    found = simulate(load_scenario(path, overrides))
    assert isinstance(found, Result)
    return found


@pytest.mark.parametrize(
    ("model", "node", "count", "precision", "micro"),
    [
        ("resnet50-v1.5", "dgx-a100-640gb", 1, "fp16-amp", 256),
        ("ssd300-resnet50", "dgx-1-v100", 1, "fp32", 32),
        ("gnmt", "dgx-a100-640gb", 1, "tf32", 128),
        ("dlrm-dcnv2", "dgx-a100-640gb", 2, "fp16-amp", 4096),
        ("unet-medical", "dgx-a100-640gb", 1, "tf32", 8),
        ("vit-b16-224", "hgx-h100-8", 1, "bf16-amp", 64),
        ("timm-densenet121", "dgx-a100-640gb", 2, "fp16-amp", 32),
    ],
)
def test_a_scenario_and_a_measured_row_of_the_same_run_have_one_number(
    tmp_path: Path, model: str, node: str, count: int, precision: str, micro: int
) -> None:
    catalogue = load_catalogue()
    server = catalogue.nodes[node]
    devices = server.device_count * count
    row = {
        "id": "row", "model_id": model, "device_id": server.device or "", "node_id": node, "n_accel": str(devices),
        "n_nodes": str(count), "precision": precision, "micro_batch_samples": str(micro), "optimizer": "momentum",
        "global_batch_samples": str(micro * devices), "metric": "samples_per_s", "kind_of_work": "cnn-train",
    }  # fmt: skip
    row |= dict.fromkeys(("engine", "assumption", "notes", "image_size_px", "devices_per_accel", "tp", "pp"), "")
    told = predict_network_row(row, catalogue).value
    found = result(tmp_path, node=node, count=count, model=model, precision=precision, micro=micro)
    assert found.metrics["samples_per_s"] == pytest.approx(told, rel=1e-12)


def test_the_engine_plays_what_the_closed_form_says(tmp_path: Path) -> None:
    closed = result(tmp_path, "workloads[0].batch.global=2048")
    played = result(tmp_path, "workloads[0].batch.global=2048", "run.fidelity=engine")
    assert closed.plan.micro_batches == 4
    assert played.step_time == pytest.approx(closed.step_time, rel=1e-9)


def test_a_step_without_a_pipeline_has_exactly_no_bubble(tmp_path: Path) -> None:
    for micro in range(1, 40):
        assert result(tmp_path, "run.fidelity=engine", micro=micro).parts["bubble"] == 0.0, micro


def test_memory_grows_with_the_micro_batch_and_what_is_per_weight_does_not(tmp_path: Path) -> None:
    small, large = result(tmp_path, micro=64), result(tmp_path, micro=128)
    assert large.memory["activations"] == pytest.approx(2 * small.memory["activations"])
    for part in ("weights", "gradients", "optimizer"):
        assert large.memory[part] == small.memory[part]


def test_fewer_launches_and_less_traffic_are_never_slower(tmp_path: Path) -> None:
    steps = [result(tmp_path, f"workloads[0].execution={how}", micro=8).step_time
             for how in ("eager", "captured", "fused")]  # fmt: skip
    assert steps[0] > steps[1] > steps[2]


def test_larger_images_take_longer_and_hold_more(tmp_path: Path) -> None:
    small, large = (result(tmp_path, f"workloads[0].sample_size={size}") for size in (160, 224))
    assert small.step_time < large.step_time
    assert large.memory["activations"] == pytest.approx((224 / 160) ** 2 * small.memory["activations"], rel=0.05)


@pytest.mark.parametrize("sync", [
    "{kind: all-reduce, compress: {kind: 1-bit}}", "{kind: ps, servers: 4, bandwidth: 25 GB/s}",
    "{kind: ps, servers: 4, mode: async, bandwidth: 25 GB/s}", "{kind: local, every: 16}",
])  # fmt: skip
def test_replicas_come_together_in_every_way_that_language_models_know(tmp_path: Path, sync: str) -> None:
    found = result(tmp_path, f"workloads[0].sync={sync}", count=2, model="vgg16")
    assert found.synchronization is not None
    assert found.synchronization.sent > 0
    assert sum(found.parts.values()) == pytest.approx(found.step_time)


def test_local_steps_send_less_than_an_all_reduce_by_the_steps_between(tmp_path: Path) -> None:
    every = result(tmp_path, "workloads[0].sync={kind: local, every: 1}", count=2, model="vgg16")
    seldom = result(tmp_path, "workloads[0].sync={kind: local, every: 16}", count=2, model="vgg16")
    assert every.metrics["sent_bytes"] == pytest.approx(16 * seldom.metrics["sent_bytes"])
    plain = result(tmp_path, count=2, model="vgg16")
    assert seldom.step_time < plain.step_time


def test_the_planner_chooses_the_micro_batch_that_fits_and_is_fastest(tmp_path: Path) -> None:
    result(tmp_path, batch=8192, micro=64)
    path = tmp_path / "network.yaml"
    free = ["workloads[0].parallelism=auto", "workloads[0].batch.micro=auto"]
    found = recommend(load_scenario(path, free))
    assert found.plan.dp == 8
    assert found.plan.micro_batch * found.plan.micro_batches == 1024
    fits = []
    for micro in (64, 128, 256, 512, 1024):
        try:
            fits.append(simulate(load_scenario(path, [f"workloads[0].batch.micro={micro}"])).step_time)
        except Infeasible:
            continue
    assert found.result.step_time <= min(fits) * (1 + 1e-9)  # it may shard, too
    found = recommend(load_scenario(path, [*free, "plan.choices={zero: [0]}"]))
    assert found.result.step_time == pytest.approx(min(fits), rel=1e-9)


def test_too_many_samples_at_a_time_are_infeasible_and_fewer_are_the_mend(tmp_path: Path) -> None:
    with pytest.raises(Infeasible, match="GB on the fullest device") as caught:
        result(tmp_path, micro=8192)
    assert caught.value.relaxation is not None
    assert "batch.micro" in caught.value.relaxation


@pytest.mark.parametrize("stage", range(4))
def test_sharded_replicas_are_played_as_the_closed_form_says(tmp_path: Path, stage: int) -> None:
    sharded = f"workloads[0].parallelism.zero={stage}"
    closed = result(tmp_path, sharded, "workloads[0].batch.global=2048")
    played = result(tmp_path, sharded, "workloads[0].batch.global=2048", "run.fidelity=engine")
    assert played.step_time == pytest.approx(closed.step_time, rel=1e-9)
    assert sum(played.parts.values()) == pytest.approx(played.step_time)


def test_offloaded_state_leaves_the_device_and_costs_time(tmp_path: Path) -> None:
    there = "workloads[0].offload={optimizer: host, host_bandwidth: 300 GB/s, link: 20 GB/s}"
    plain, away = result(tmp_path), result(tmp_path, there)
    assert away.memory["optimizer"] == 0 < plain.memory["optimizer"]
    assert away.step_time > plain.step_time
    assert away.parts["offload"] > 0
    assert away.gains["host_link"] > 0


def test_a_whole_run_of_stages_and_evaluations_is_counted_in_samples(tmp_path: Path) -> None:
    found = result(
        tmp_path, "workloads[0].stages=[{name: a, samples: 51200}, {name: b, samples: 102400}]",
        "workloads[0].evaluate={every: 100, samples: 5120}", "run.fidelity=engine",
    )  # fmt: skip
    assert found.metrics["steps"] == pytest.approx(300)
    assert found.run is not None
    assert found.run.ledger["evaluation"] > 0
    assert [stage.name for stage in found.run.stages] == ["a", "b"]
    assert found.run.stages[1].end_s == pytest.approx(found.run.time_s)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("workloads[0].parallelism={tp: 2}", "into stages"),
        ("workloads[0].seq_len=512", "sample_size"),
        ("workloads[0].tokens=1e9", "write samples"),
        ("workloads[0].batch.global=512 tokens", "number of samples"),
        ("workloads[0].precision=nf4-weights", "train all weights"),
    ],
)
def test_what_networks_do_not_know_is_told_with_its_mend(tmp_path: Path, override: str, said: str) -> None:
    with pytest.raises((InvalidFile, InputError), match=said):
        result(tmp_path, override)


def test_a_model_known_both_ways_is_trained_by_its_shape_where_tokens_are_asked_for(tmp_path: Path) -> None:
    by_layers = result(tmp_path, model="vit-b16-224", precision="bf16")
    by_shape = result(tmp_path, "workloads[0].seq_len=197", model="vit-b16-224", precision="bf16")
    assert "tokens_per_s" not in by_layers.metrics
    assert "tokens_per_s" in by_shape.metrics
    with pytest.raises(InputError, match="where seq_len is written"):
        result(tmp_path, "workloads[0].parallelism={tp: 2}", model="vit-b16-224", precision="bf16")
    inside = result(tmp_path, "workloads[0].seq_len=197", "workloads[0].parallelism={tp: 2}", model="vit-b16-224",
                    precision="bf16", batch=1024)  # fmt: skip
    assert inside.parts["exchange"] > 0
    assert by_layers.metrics["model_flop_per_step"] == pytest.approx(by_shape.metrics["model_flop_per_step"], rel=0.05)
