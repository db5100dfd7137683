"""Adapters, pruning, rounding, distillation and optimizers of a training scenario: what each saves and costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs.compute import Machine, product_time
from simulator.foundation.errors import InputError
from simulator.profiles.catalogue import load_catalogue
from simulator.profiles.device import sparse_speed
from simulator.results.result import Result
from simulator.scenario import load_scenario
from simulator.simulation import simulate
from simulator.workload.jobs.training import Precision, TrainingJob
from simulator.workload.models.adapters import adapter_parameters
from simulator.workload.models.library import load_model
from simulator.workload.models.parameters import count_parameters
from simulator.workload.optimizers import optimizers, state_bytes_per_parameter

_A100 = load_catalogue().devices["nvidia-a100-sxm4-80gb"]
_SCENARIO = """
schema_version: 1
name: smaller
cluster:
  nodes: [{{profile: {node}, count: 1}}]
  fabric: {{link: ib-hdr}}
workloads:
  - id: job
    kind: train
    model: {model}
    precision: {precision}
    {length}
    batch: {{global: 64, micro: 1}}
    parallelism: {{dp: 8}}
    compress: {compress}
run: {{fidelity: estimate, seed: 0}}
"""


def result(folder: Path, compress: str = "null", *overrides: str, model: str = "llama-3.2-1b", precision: str = "bf16",
           node: str = "dgx-a100-640gb") -> Result:  # fmt: skip
    path = folder / "smaller.yaml"
    length = "" if model.startswith("resnet") else "seq_len: 2048"
    path.write_text(_SCENARIO.format(node=node, model=model, precision=precision, compress=compress, length=length))
    found = simulate(load_scenario(path, overrides))
    assert isinstance(found, Result)
    return found


@pytest.mark.parametrize("rank", [1, 16, 256])
def test_adapters_need_state_and_gradients_of_themselves_alone(tmp_path: Path, rank: int) -> None:
    full, adapted = result(tmp_path), result(tmp_path, f"{{lora: {{rank: {rank}}}}}")
    assert isinstance(adapted.job, TrainingJob)
    share = adapter_parameters(adapted.job.model, rank) / count_parameters(adapted.job.model).total
    for part in ("gradients", "optimizer"):
        assert adapted.memory[part] == pytest.approx(share * full.memory[part])
        assert adapted.memory[part] < full.memory[part]
    assert adapted.step_time < full.step_time
    assert adapted.metrics["model_flop_per_step"] == pytest.approx(
        (2 + share) / 3 * full.metrics["model_flop_per_step"]
    )


def test_replicas_of_adapters_exchange_adapters_alone(tmp_path: Path) -> None:
    sync = "workloads[0].sync={kind: all-reduce, compress: {kind: 8-bit}}"
    full, adapted = result(tmp_path, "null", sync), result(tmp_path, "{lora: {rank: 16}}", sync)
    assert isinstance(adapted.job, TrainingJob)
    share = adapter_parameters(adapted.job.model, 16) / count_parameters(adapted.job.model).total
    assert adapted.metrics["sent_bytes"] == pytest.approx(share * full.metrics["sent_bytes"])


def test_packed_weights_take_less_memory_and_more_time(tmp_path: Path) -> None:
    wide = result(tmp_path, "{lora: {rank: 16}}", model="llama-2-7b")
    packed = result(tmp_path, "{lora: {rank: 16}}", model="llama-2-7b", precision="nf4-weights")
    assert packed.memory["weights"] < 0.4 * wide.memory["weights"]
    assert packed.step_time > wide.step_time


def test_packed_weights_are_frozen(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="write adapters"):
        result(tmp_path, precision="nf4-weights")


@settings(deadline=None)
@given(m=st.integers(1, 65536), k=st.integers(16, 32768), n=st.integers(16, 32768))
def test_a_sparse_product_is_never_slower_and_never_more_than_twice_as_fast(m: int, k: int, n: int) -> None:
    dense, faster = Machine.of(_A100, Precision.of("bf16")), sparse_speed(_A100, "bf16")
    assert faster == 2.0
    sizes = [np.array([float(size)]) for size in (m, k, n, 1)]
    plain = product_time(*sizes, dense, pruned=True)
    skipped = product_time(*sizes, replace(dense, sparse=faster), pruned=True)
    assert plain / 2.0 <= skipped * (1 + 1e-12)
    assert skipped <= plain * (1 + 1e-12)


@pytest.mark.parametrize("model", ["llama-3.2-1b", "resnet50-v1.5"])
def test_two_of_four_zeros_speed_up_forward_and_input_gradients_only(tmp_path: Path, model: str) -> None:
    dense, sparse = result(tmp_path, model=model), result(tmp_path, '{sparsity: {pattern: "2:4"}}', model=model)
    assert dense.parts["compute"] / 2 < sparse.parts["compute"] < dense.parts["compute"]
    assert sparse.parts["optimizer"] >= dense.parts["optimizer"]
    assert sparse.memory["weights"] > dense.memory["weights"]  # dense ones are kept for the optimizer


def test_devices_that_skip_no_zeros_say_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="skips 2:4 zeros"):
        result(tmp_path, '{sparsity: {pattern: "2:4"}}', precision="fp16", node="dgx-1-v100")


def test_zeros_without_a_pattern_gain_no_speed_and_keep_a_mask(tmp_path: Path) -> None:
    dense, pruned = result(tmp_path), result(tmp_path, "{sparsity: {pattern: unstructured, density: 0.1}}")
    assert pruned.step_time >= dense.step_time
    assert isinstance(dense.job, TrainingJob)
    held = count_parameters(dense.job.model).total
    assert pruned.memory["weights"] - dense.memory["weights"] == pytest.approx(held, rel=0.01)


@pytest.mark.parametrize("model", ["llama-3.2-1b", "resnet50-v1.5"])
def test_rounding_for_the_service_costs_traffic_and_masks(tmp_path: Path, model: str) -> None:
    plain, rounded = result(tmp_path, model=model), result(tmp_path, "{quantize: int8}", model=model)
    assert rounded.parts["compute"] > plain.parts["compute"]
    assert rounded.memory["activations"] > plain.memory["activations"]
    assert rounded.memory["optimizer"] == plain.memory["optimizer"]


@pytest.mark.parametrize(("model", "teacher"), [("llama-3.2-1b", "llama-3.1-8b"), ("resnet50-v1.5", "resnet152")])
def test_a_student_takes_its_own_step_and_its_teachers_forward_passes(tmp_path: Path, model: str, teacher: str) -> None:
    alone, taught = result(tmp_path, model=model), result(tmp_path, f"{{distill: {{teacher: {teacher}}}}}", model=model)
    beside = result(tmp_path, model=teacher, precision="bf16") if model.startswith("resnet") else None
    assert taught.step_time > alone.step_time
    if beside is not None:  # a forward pass is about a third of the teacher's own passes
        added = taught.parts["compute"] - alone.parts["compute"]
        assert 0.2 * beside.parts["compute"] < added < 0.5 * beside.parts["compute"]
    found = load_model(teacher)
    held = count_parameters(found).total if not model.startswith("resnet") else 60.2e6  # type: ignore[arg-type]
    assert taught.memory["weights"] - alone.memory["weights"] == pytest.approx(2 * held, rel=0.01)
    assert taught.memory["optimizer"] == alone.memory["optimizer"]


@pytest.mark.parametrize("name", sorted(optimizers))
def test_each_optimizer_is_reached_from_a_scenario_with_its_bytes(tmp_path: Path, name: str) -> None:
    found = result(tmp_path, "null", f"workloads[0].optimizer={name}")
    assert isinstance(found.job, TrainingJob)
    rule = optimizers[name].on(found.job.model.hidden, found.job.model.ffn)
    held = count_parameters(found.job.model).total
    per_parameter = state_bytes_per_parameter(rule, weight_bytes=2)
    assert found.memory["optimizer"] == pytest.approx(held * per_parameter, rel=0.001)
    assert found.parts["optimizer"] > 0


def test_narrow_products_are_faster_than_wide_ones_on_a_device_that_has_them(tmp_path: Path) -> None:
    steps = {name: result(tmp_path, model="llama-3.1-8b", precision=name, node="hgx-b200-8").parts["compute"]
             for name in ("bf16", "fp8", "mxfp8", "nvfp4")}  # fmt: skip
    assert steps["bf16"] > steps["fp8"] >= steps["nvfp4"]
    assert steps["mxfp8"] == pytest.approx(steps["fp8"], rel=0.1)
