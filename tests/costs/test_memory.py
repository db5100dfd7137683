"""The memory account against formulas of the literature and against measured peaks."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.costs.memory import PARTS, account
from simulator.foundation.units import GIBI
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.program import lower
from simulator.profiles.catalogue import load_catalogue
from simulator.profiles.framework import framework_named
from simulator.topology import Fabric, build_cluster
from simulator.workload.jobs.training import Precision, TrainingJob
from simulator.workload.models.library import load_model
from simulator.workload.models.parameters import count_parameters

CATALOGUE = load_catalogue()


def tiers(node: str, count: int):
    part = CATALOGUE.nodes[node]
    group = (part, CATALOGUE.devices[part.device], count)
    return build_cluster(nodes=[group], fabric=Fabric(shape="fat-tree"), links=CATALOGUE.links).tiers


def memory(model: str, plan: Plan, *, seq_len: int, framework: str, node: str = "dgx-a100-80gb", count: int = 64):
    job = TrainingJob(model=load_model(model), seq_len=seq_len, global_batch=plan.global_batch,
                      precision=Precision.of("bf16"))  # fmt: skip
    return account(lower(job, PlanTable.of([plan]), tiers(node, count)), framework_named(framework))


def test_parts_add_up_to_the_total():
    found = memory("gpt3-6.7b", Plan(tp=2, dp=4, micro_batches=2, zero=1), seq_len=2048, framework="megatron-lm")
    assert found.total[0] == pytest.approx(sum(float(found.parts[name][0]) for name in PARTS))


def test_adam_in_mixed_precision_holds_eighteen_bytes_per_parameter_with_fp32_gradients():
    found = memory("gpt3-6.7b", Plan(), seq_len=2048, framework="megatron-lm")
    held = count_parameters(load_model("gpt3-6.7b")).total
    states = sum(float(found.parts[name][0]) for name in ("weights", "gradients", "optimizer"))
    assert states == pytest.approx(18 * held, rel=0.01)  # norms, biases and positions are not matrices


@pytest.mark.parametrize(("stage", "bytes_per_parameter"), [(0, 18), (1, 6 + 12 / 8), (2, 2 + 16 / 8), (3, 18 / 8)])
def test_each_zero_stage_shards_what_its_paper_says(stage, bytes_per_parameter):
    whole = memory("gpt3-6.7b", Plan(dp=8), seq_len=2048, framework="megatron-lm")
    found = memory("gpt3-6.7b", Plan(dp=8, zero=stage), seq_len=2048, framework="megatron-lm")
    states = sum(float(found.parts[name][0]) for name in ("weights", "gradients", "optimizer"))
    held = float(whole.parts["weights"][0]) / 2
    assert states == pytest.approx(bytes_per_parameter * held, rel=1e-9)


def test_stored_activations_of_a_layer_match_korthikanti():
    """s b h (34 + 5 a s / h) bytes per layer without tensor parallelism (arXiv 2205.05198, equation 1)."""
    model = load_model("gpt3-175b")
    found = memory("gpt3-175b", Plan(), seq_len=2048, framework="megatron-lm-2021")
    layer = float(found.parts["activations"][0]) / model.layers
    expected = 2048 * model.hidden * (34 + 5 * model.heads * 2048 / model.hidden)
    assert layer == pytest.approx(expected, rel=0.03)


def test_sequence_parallelism_divides_all_activations_of_a_layer():
    """Equation 4 of the same paper: s b h / t (34 + 5 a s / h)."""
    whole = memory("gpt3-175b", Plan(), seq_len=2048, framework="megatron-lm-2021").parts["activations"]
    cut = memory("gpt3-175b", Plan(tp=8, sequence_parallel=True), seq_len=2048, framework="megatron-lm-2021")
    assert cut.parts["activations"][0] == pytest.approx(whole[0] / 8, rel=1e-9)


def test_selective_recomputation_drops_the_scores_and_full_keeps_one_input_per_layer():
    model = load_model("gpt3-175b")
    plans = [Plan(recompute=name) for name in ("none", "selective", "full")]
    none, selective, full = (
        float(memory("gpt3-175b", plan, seq_len=2048, framework="megatron-lm-2021").parts["activations"][0])
        for plan in plans
    )
    assert none - selective == pytest.approx(5 * model.heads * 2048**2 * model.layers)
    kept = 2 * 2048 * model.hidden * model.layers
    assert full == pytest.approx(kept + none / model.layers)  # and the layer at work, whole


def test_a_1f1b_pipeline_holds_as_many_micro_batches_as_it_has_stages():
    def first(micro_batches: int) -> float:
        plan = Plan(pp=8, micro_batches=micro_batches, recompute="full")
        return float(memory("gpt3-175b", plan, seq_len=2048, framework="megatron-lm").parts["activations"][0])

    assert first(8) == first(64) > first(4) > first(1)


@pytest.mark.parametrize(("plan", "measured"), [
    (Plan(tp=1, pp=2, dp=4, micro_batches=4, zero=1), 66.5),
    (Plan(tp=2, dp=4, micro_batches=4, zero=1, sequence_parallel=True), 60.7),
    (Plan(tp=4, dp=2, micro_batches=4, zero=1, sequence_parallel=True), 39.1),
    (Plan(tp=8, micro_batches=4, zero=1, sequence_parallel=True), 28.3),
])  # fmt: skip
def test_measured_peaks_on_b200_are_met_within_five_per_cent(plan, measured):
    """Allocated GiB of a 12-layer Llama-3 70B (MooreThreads/SimuMax, docs/b200, Apache-2.0)."""
    found = memory("llama-3-70b-12l", plan, seq_len=4096, framework="megatron-lm", node="hgx-b200-8", count=1)
    assert found.total[0] / GIBI == pytest.approx(measured, rel=0.05)


def test_a_table_of_plans_is_accounted_like_each_plan_alone():
    plans = [Plan(tp=tp, pp=pp, dp=2, micro_batches=8, zero=zero, recompute=recompute)
             for tp in (1, 8) for pp in (1, 4) for zero in (0, 1, 3) for recompute in ("none", "full")]  # fmt: skip
    job = TrainingJob(model=load_model("gpt3-6.7b"), seq_len=2048, global_batch=16)
    framework, wires = framework_named("megatron-lm"), tiers("dgx-a100-80gb", 8)
    together = account(lower(job, PlanTable.of(plans), wires), framework).total
    alone = [account(lower(job, PlanTable.of([plan]), wires), framework).total[0] for plan in plans]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def adapted(model: str, precision: str, plan: Plan | None = None, *, seq_len: int, framework: str = "litgpt"):
    plan = plan or Plan()
    job = TrainingJob(model=load_model(model), seq_len=seq_len, global_batch=plan.global_batch, trained_share=0.0006,
                      precision=Precision.of(precision))  # fmt: skip
    return account(lower(job, PlanTable.of([plan]), tiers("dgx-a100-320gb", 1)), framework_named(framework))


@pytest.mark.parametrize(
    ("model", "precision", "micro_batch", "seq_len", "measured"),
    [
        ("llama-2-7b", "bf16", 1, 1304, 21.30e9),
        ("llama-2-7b", "bf16", 2, 1304, 29.07e9),
        ("llama-2-13b", "bf16", 1, 1304, 38.12e9),
        ("llama-2-7b", "nf4-weights", 1, 1304, 14.14e9),
        ("llama-2-13b", "nf4-weights", 1, 1304, 23.14e9),
    ],
)
def test_peaks_of_low_rank_fine_tuning_are_those_that_litgpt_prints(model, precision, micro_batch, seq_len, measured):
    """LitGPT tutorials/resource-tables.md (Apache-2.0): one A100 40GB, Alpaca, length of the longest example."""
    found = adapted(model, precision, Plan(micro_batch=micro_batch), seq_len=seq_len)
    assert float(found.total[0]) == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize("devices", [2, 4, 8])
def test_reading_a_checkpoint_into_gathered_weights_holds_the_model_and_a_shard_at_once(devices):
    plan = Plan(dp=devices, zero=3, recompute="full")
    found = adapted("llama-2-7b", "bf16", plan, seq_len=128)
    weights = 2.0 * count_parameters(load_model("llama-2-7b")).total
    assert float(found.total[0]) == pytest.approx(weights * (1 + 1 / devices), rel=0.01)
    assert float(adapted("llama-2-7b", "bf16", plan, seq_len=128, framework="pytorch-fsdp").total[0]) < 0.75 * weights


def test_pure_16_bit_adam_holds_eight_bytes_per_parameter():
    found = memory("gpt3-6.7b", Plan(), seq_len=2048, framework="litgpt")
    model = load_model("gpt3-6.7b")
    twice = 2.0 * model.vocab * model.hidden * model.tied_embeddings  # the head stands beside the embedding
    states = sum(float(found.parts[name][0]) for name in ("weights", "gradients", "optimizer"))
    assert states == pytest.approx(8 * count_parameters(model).total + twice, rel=0.01)


def test_packed_weights_leave_the_embedding_and_the_adapters_as_wide_as_activations():
    model = load_model("llama-2-7b")
    found = adapted("llama-2-7b", "nf4-weights", seq_len=512)
    embedding = model.vocab * model.hidden
    total = count_parameters(model).total
    adapters = 0.0006 * total  # as wide as activations too, beside what they adapt
    expected = 0.5625 * (total - embedding) + 2.0 * (embedding + adapters)
    assert float(found.parts["weights"][0]) == pytest.approx(expected, rel=0.001)
