"""Calculon (Isaev et al., SC'23) in a checkout that the user names: its prediction of a plan, and its search.

It is run with a system file that it ships, ``systems/a100_80g.json``, and the switches of its own validation files:
``rs_ag`` with sequence parallelism, ``ar`` (interleaved: ``p2p_rs_ag``) without, gradients exchanged beside the
backward pass where Megatron's DDP was used (no pipeline).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from time import process_time
from typing import Any, Final

from simulator.mapping.plan import Plan
from simulator.workload.models.transformer import Transformer

NODE: Final = 8  # devices of a server
RECOMPUTED: Final = {"none": "none", "selective": "attn_only", "full": "full"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The best plan of its search, how many executions it tried and found possible, and the CPU seconds it took."""

    plan: Plan
    tried: int
    possible: int
    seconds: float


class Calculon:
    """A checkout of Calculon and its A100 of 80 GB, without the second memory that it could offload to."""

    def __init__(self, checkout: Path) -> None:
        sys.path.insert(0, str(checkout))
        import calculon
        from calculon.llm import Llm
        from calculon.llm.optimal_execution import OptimalExecution
        from calculon.system import System

        system = calculon.io.read_json_file(str(checkout / "systems" / "a100_80g.json"))
        system["mem2"] = {"GiB": 0, "GBps": 1, "MB_efficiency": [[0, 1.0]]}
        self.llm, self.searched, self.system = Llm, OptimalExecution, System(system)
        self.logger = logging.Logger("calculon")

    def application(self, model: Transformer, seq_len: int) -> Any:
        """Return a model as it takes it; it knows no vocabulary."""
        return self.llm.Application(
            {"hidden": model.hidden, "feedforward": model.ffn, "seq_size": seq_len, "attn_heads": model.heads,
             "attn_size": model.head_dim, "num_blocks": model.layers}
        )  # fmt: skip

    def seconds(self, model: Transformer, seq_len: int, plan: Plan) -> float | None:
        """Return its iteration time; None where it refuses the plan."""
        found = self.llm(self.application(model, seq_len), self.logger)
        try:
            found.compile(self.system, self.llm.Execution.from_json(execution(plan)))
            found.run(self.system)
        except (self.llm.Error, AssertionError):
            return None
        return float(found.get_total_time())

    def search(self, model: Transformer, seq_len: int, devices: int, batch: int) -> Search:
        """Return what its exhaustive search finds: every execution of ``batch`` samples, TP not overlapped."""
        application = self.application(model, seq_len)
        best: tuple[float, Any] = (0.0, None)
        tried = possible = 0
        start = process_time()
        for tp, pp, dp, chunks in self._geometries(application, devices):
            if self.searched.get_batch_size(dp, batch) != batch:
                continue
            shards = (True, False) if dp > 1 else (False,)
            for recompute, sharded, sends in product(RECOMPUTED.values(), shards, ("ar", "p2p_rs_ag", "rs_ag")):
                found, count, good, *_ = self.searched.search(
                    False, 1, False, devices, batch, "float16", application, self.system, tp, pp, dp, chunks, batch,
                    recompute, sharded, sends, [True], False, False, True,
                )  # fmt: skip
                tried, possible = tried + count, possible + good
                best = max([best, *((one[0], one[1]) for one in found)], key=lambda one: one[0])
        seconds = process_time() - start
        assert best[1] is not None
        return Search(plan=plan_of(best[1]), tried=tried, possible=possible, seconds=seconds)

    def _geometries(self, application: Any, devices: int) -> Iterator[tuple[int, int, int, int]]:
        for tp in self.llm.get_all_tensor_parallelisms(devices, application.hidden, application.attn_heads):
            for pp in self.llm.get_all_pipeline_parallelisms(devices, tp, application.num_blocks):
                dp = self.llm.get_data_parallelism(devices, tp, pp)
                for chunks in self.llm.get_valid_pipeline_interleavings(application.num_blocks, pp):
                    yield tp, pp, dp, chunks


def execution(plan: Plan) -> dict[str, Any]:
    """Return a plan as one of its execution files, with the switches of its own validation."""
    inside = plan.ranks <= NODE
    without = "p2p_rs_ag" if plan.vpp > 1 else "ar"
    return {
        "num_procs": plan.ranks, "tensor_par": plan.tp, "pipeline_par": plan.pp, "data_par": plan.dp,
        "tensor_par_net": 0 if plan.tp <= NODE else 1, "pipeline_par_net": 0 if inside else 1,
        "data_par_net": 0 if inside else 1, "batch_size": plan.global_batch, "microbatch_size": plan.micro_batch,
        "datatype": "float16", "fused_activation": False, "attention_type": "multihead",
        "activation_recompute": RECOMPUTED[plan.recompute], "pipeline_interleaving": plan.vpp,
        "optimizer_sharding": plan.zero > 0, "tensor_par_comm_type": "rs_ag" if plan.sequence_parallel else without,
        "tensor_par_overlap": "none", "seq_par_ag_redo": plan.sequence_parallel and plan.recompute != "full",
        "data_par_overlap": plan.pp == 1 and plan.dp > 1, "weight_offload": False, "activations_offload": False,
        "optimizer_offload": False, "training": True,
    }  # fmt: skip


def plan_of(found: dict[str, Any]) -> Plan:
    """Return one of its executions as a plan.

    Its ``optimizer_sharding`` is ZeRO-2: a rank holds one block's gradients whole and its share of the others.
    """
    recompute = {theirs: ours for ours, theirs in RECOMPUTED.items()}
    return Plan(
        tp=found["tensor_par"], pp=found["pipeline_par"], dp=found["data_par"], vpp=found["pipeline_interleaving"],
        micro_batch=found["microbatch_size"],
        micro_batches=found["batch_size"] // (found["microbatch_size"] * found["data_par"]),
        zero=2 if found["optimizer_sharding"] else 0, recompute=recompute[found["activation_recompute"]],
        sequence_parallel=found["tensor_par_comm_type"] == "rs_ag" and found["tensor_par"] > 1,
    )  # fmt: skip
