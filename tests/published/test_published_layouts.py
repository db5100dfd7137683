"""Layouts that large runs were published with, among all others: Megatron-LM, Llama 3 and MaxText.

Megatron-LM: Narayanan et al. 2021, arXiv 2104.04473, table 1.
Full recomputation, no sequence parallelism, no sharding: what that software could do. Micro-batches and virtual stages
are those of the repository's scripts for the paper. "Searched" counts every plan that was looked at: those that break a
constraint or do not fit stand behind those that do.
"""

from __future__ import annotations

import pytest

from simulator.foundation.shipped import shipped
from simulator.mapping.plan import Plan, PlanTable
from simulator.planner.objectives import objectives
from simulator.planner.priced import price_table
from simulator.planner.question import question_of
from simulator.planner.recommendation import recommend
from simulator.planner.search import rank_of, search
from simulator.scenario import Scenario, load_scenario
from simulator.simulation import simulate
from simulator.workload.flop import TRAINING_PASSES, forward_flop

COLUMNS = ("model", "tp", "pp", "devices", "batch", "micro", "virtual")
LAYOUTS = [
    ("megatron-gpt-1.7b", 1, 1, 32, 512, 16, 1),
    ("megatron-gpt-3.6b", 2, 1, 64, 512, 16, 1),
    ("megatron-gpt-7.5b", 4, 1, 128, 512, 16, 1),
    ("megatron-gpt-18b", 8, 1, 256, 1024, 8, 1),
    ("megatron-gpt-39b", 8, 2, 512, 1536, 4, 1),
    ("megatron-gpt-76b", 8, 4, 1024, 1792, 2, 3),
    ("megatron-gpt-145b", 8, 8, 1536, 2304, 2, 2),
    ("megatron-gpt-310b", 8, 16, 1920, 2160, 1, 2),
    ("mt-nlg-530b", 8, 35, 2520, 2520, 1, 3),
    ("megatron-gpt-1t", 8, 64, 3072, 3072, 1, 1),
]
#: the deepest pipelines take some seconds to play
EACH = [pytest.param(*layout, marks=[pytest.mark.slow] if layout[2] > 16 else [], id=layout[0]) for layout in LAYOUTS]

#: how much slower than the planner's choice a published layout may be: the authors filled a node with TP by rule, and
#: the cost model is 2 to 11 % too fast where TP is 1, 2 or 4 and within 2 % at TP 8 with one or two stages (the same
#: table), so that it finds narrower TP with more stages better than they did
SLOWER = 0.35


def _asked(model: str, devices: int, batch: int) -> Scenario:
    return load_scenario(
        shipped("scenarios") / "gpt3-175b.yaml",
        [
            f"cluster.nodes[0].count={devices // 8}",
            f"workloads[0].model={model}",
            f"workloads[0].batch.global={batch}",
            "workloads[0].precision=fp16",
            "workloads[0].framework=megatron-lm-2021",
            "plan.choices={zero: [0], sequence_parallel: [false], recompute: [full], tp: [1, 2, 4, 8]}",
        ],
    )


def _published(tp: int, pp: int, devices: int, batch: int, micro: int, virtual: int) -> Plan:
    dp = devices // (tp * pp)
    return Plan(tp=tp, pp=pp, dp=dp, vpp=virtual, micro_batch=micro, micro_batches=batch // (micro * dp),
                recompute="full")  # fmt: skip


@pytest.mark.parametrize(COLUMNS, EACH)
def test_the_planner_s_choice_is_at_least_as_fast_as_the_published_layout(
    model: str, tp: int, pp: int, devices: int, batch: int, micro: int, virtual: int
) -> None:
    asked = _asked(model, devices, batch)
    published = simulate(asked, plan=_published(tp, pp, devices, batch, micro, virtual)).step_time
    chosen = recommend(asked, confirm=1).result.step_time
    assert chosen <= published * (1 + 1e-9)
    assert published <= chosen * (1 + SLOWER)


@pytest.mark.parametrize(COLUMNS, LAYOUTS, ids=[layout[0] for layout in LAYOUTS])
def test_the_published_layout_fits_and_ranks_in_the_top_five_per_cent_of_what_was_searched(
    model: str, tp: int, pp: int, devices: int, batch: int, micro: int, virtual: int
) -> None:
    asked, measure = question_of(_asked(model, devices, batch)), objectives["time"]
    found = search(asked, measure, keep=10_000)
    plan = _published(tp, pp, devices, batch, micro, virtual)
    assert plan in {found.best.table.row(row) for row in range(len(found.best))}
    assert rank_of(plan, found, asked, measure) <= 0.05 * found.considered


#: devices, tokens of a sample, CP, DP and the MFU that was reached (Grattafiori et al. 2024, arXiv 2407.21783, table 4)
LLAMA = [(8192, 8192, 1, 64, 0.43), (16384, 8192, 1, 128, 0.41), (16384, 131072, 16, 8, 0.38)]


@pytest.mark.parametrize(("devices", "seq_len", "cp", "dp", "mfu"), LLAMA)
def test_the_layouts_of_llama_3_on_h100_are_met_and_rank_in_the_top_five_per_cent_of_what_fits(
    devices: int, seq_len: int, cp: int, dp: int, mfu: float
) -> None:
    """TP 8, PP 16 with 16 million tokens per step, gradients sharded and weights not, one layer in each chunk.

    Section 3.3.2: with a layer less on the first and on the last stage their outer chunks hold embedding and head
    alone, so that eight chunks make a stage.
    """
    batch = 2**24 // seq_len
    asked = question_of(
        load_scenario(
            shipped("scenarios") / "gpt3-175b.yaml",
            [
                f"cluster.nodes[0]={{profile: dgx-h100, count: {devices // 8}}}",
                "workloads[0].model=llama-3.1-405b",
                f"workloads[0].seq_len={seq_len}",
                f"workloads[0].batch.global={batch}",
                "plan.choices={zero: [0, 1, 2]}",
            ],
        )
    )
    plan = Plan(tp=8, cp=cp, dp=dp, pp=16, vpp=8, micro_batches=batch // dp, zero=2, sequence_parallel=True)
    found = search(asked, objectives["time"], keep=1)
    assert rank_of(plan, found, asked, objectives["time"]) <= 0.02 * len(found.values)
    priced = price_table(PlanTable.of([plan]), asked)
    flop = TRAINING_PASSES * batch * forward_flop(asked.job.model, seq_len).total
    assert flop / (priced.estimate.step[0] * devices * asked.setting.machine.peak) == pytest.approx(mfu, rel=0.04)
    assert priced.memory.total[0] <= asked.capacity * (1.06 if devices == 8192 else 1.0)  # both ran


#: MaxText's table of measured steps on one v5e pod (AI-Hypercomputer/maxtext, README of 2024, Apache-2.0): samples of a
#: data-parallel rank, which are one for each of 16 chips of the largest model; TP always cuts what lies between layers
MAXTEXT = [("maxtext-32b", 1, 4), ("maxtext-64b", 1, 2), ("maxtext-128b", 16, 16)]


@pytest.mark.parametrize(("model", "tp", "micro"), MAXTEXT, ids=[layout[0] for layout in MAXTEXT])
def test_the_layouts_of_maxtext_on_a_v5e_pod_fit_and_rank_in_the_top_five_per_cent_of_what_fits(
    model: str, tp: int, micro: int
) -> None:
    """FSDP over 256 chips, the largest model with TP 16; layers are recomputed (in the largest all but QKV)."""
    dp = 256 // tp
    asked = question_of(
        load_scenario(
            shipped("scenarios") / "gpt3-175b.yaml",
            [
                "cluster.nodes[0]={profile: gcp-tpu-v5e-pod, count: 1}",
                f"workloads[0].model={model}",
                f"workloads[0].batch.global={micro * dp}",
                "workloads[0].framework=maxtext",
            ],
        )
    )
    plan = Plan(tp=tp, dp=dp, micro_batch=micro, zero=3, recompute="full", sequence_parallel=tp > 1)
    found = search(asked, objectives["time"], keep=1)
    assert price_table(PlanTable.of([plan]), asked).memory.total[0] <= asked.capacity
    assert rank_of(plan, found, asked, objectives["time"]) <= 0.05 * len(found.values)
