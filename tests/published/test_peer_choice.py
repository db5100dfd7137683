"""What the exhaustive search of another tool chooses, beside the planner's choice, both at the planner's prices."""

from __future__ import annotations

from benchmarks.calculon_found import plan_of
from simulator.foundation.shipped import shipped
from simulator.mapping.plan import PlanTable
from simulator.planner.objectives import objectives
from simulator.planner.priced import price_table
from simulator.planner.question import question_of
from simulator.planner.search import search
from simulator.scenario import load_scenario

#: what Calculon (github.com/calculon-ai/calculon, Isaev et al., SC'23) finds for Megatron 22B on 8 A100, batches of 4
CALCULON = {
    "tensor_par": 2, "pipeline_par": 1, "data_par": 4, "pipeline_interleaving": 1, "microbatch_size": 1,
    "batch_size": 4, "optimizer_sharding": True, "activation_recompute": "attn_only", "tensor_par_comm_type": "ar",
}  # fmt: skip


def test_the_search_finds_a_plan_at_least_as_fast_as_calculon_s_choice() -> None:
    asked = question_of(
        load_scenario(
            shipped("scenarios") / "gpt3-175b.yaml",
            ["workloads[0].model=megatron-gpt-22b", "cluster.nodes[0].count=1", "workloads[0].batch.global=4"],
        )
    )
    theirs = price_table(PlanTable.of([plan_of(CALCULON)]), asked)
    assert theirs.memory.total[0] <= asked.capacity
    assert search(asked, objectives["time"], keep=1).best.estimate.step[0] <= theirs.estimate.step[0]
