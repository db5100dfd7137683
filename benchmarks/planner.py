"""How many layouts per second one core prices: GPT-3 175B on 4,096 A100, exhaustively. Run it alone on the machine.

    python -m benchmarks.planner [--calculon CHECKOUT]

Two figures. *One question* is the whole search a user waits for: walk the space (every TP, PP, DP, virtual stages,
micro-batch, recomputation, ZeRO, sequence parallelism), reject, price all that may be possible, rank. It is small, so
the fixed cost of some thousand array calls shows. *Many batches* prices the plans of sixteen global batches in one
table: the rate of the pricing itself. "Priced" means lowered, memory account, step time; what breaks divisibility is
not counted. Nothing is cached between repetitions.

With a checkout of Calculon (github.com/calculon-ai/calculon) a third: its exhaustive search and ours on one problem
that it can finish in minutes, Megatron 22B on 8 A100 with batches of 4 (Korthikanti et al. 2022), with the rate of both
(layouts looked at per CPU second, rejected ones among them) and what each says of the other's choice. Both search TP,
PP, DP, chunks, micro-batch, recomputation, sharding of the optimizer and sequence parallelism; it also tries which
network carries what, and whether gradients overlap. Where its optimizer is sharded its gradients are, too: ZeRO-2.
"""

from __future__ import annotations

import argparse
import platform
import resource
from pathlib import Path
from time import process_time

import numpy as np

from benchmarks.calculon_found import Calculon
from simulator.costs.memory import usable_memory
from simulator.foundation.shipped import shipped
from simulator.foundation.units import GIGA, KIBI, MILLI
from simulator.mapping.plan import PlanTable
from simulator.planner.constraints import judge, on_geometry, on_options
from simulator.planner.objectives import objectives
from simulator.planner.priced import price_table
from simulator.planner.question import Question, question_of
from simulator.planner.search import search
from simulator.scenario import load_scenario

REPEATS = 15
BATCHES = tuple(range(512, 512 * 17, 512))


def question(batch: int) -> Question:
    """Return GPT-3 on 512 nodes of 8 A100 with a global batch; every option is open, ZeRO under a pipeline too."""
    scenario = load_scenario(
        shipped("scenarios") / "gpt3-175b.yaml",
        ["cluster.nodes[0].count=512", f"workloads[0].batch.global={batch}", "plan.choices={zero: [0, 1, 2, 3]}"],
    )
    return question_of(scenario)


def possible(asked: Question) -> list[PlanTable]:
    """Return the plans of a question that only memory may reject."""
    space, tables = asked.space(), []
    for geometries in space.walk(1 << 16):
        rows, _ = judge(geometries, asked.bounds, on_geometry)
        plans = space.with_options(geometries.take(np.flatnonzero(rows)))
        rows, _ = judge(plans, asked.bounds, on_options)
        tables.append(plans.take(np.flatnonzero(rows)))
    return tables


def one_question() -> float:
    """Time the whole search of one question; return the layouts looked at per second."""
    asked, seconds = question(4096), []
    for _ in range(REPEATS):
        start = process_time()
        found = search(asked, objectives["time"], keep=100)
        seconds.append(process_time() - start)
    best = min(seconds)
    print(f"one question: {found.considered:,} layouts in {best / MILLI:.1f} ms ({found.considered / best:,.0f}/s), "
          f"{found.priced:,} of them priced ({found.priced / best:,.0f}/s), {len(found.values):,} fit")  # fmt: skip
    return found.considered / best


def many_batches() -> None:
    """Time the pricing of many plans."""
    asked = question(4096)
    table = PlanTable.join([plans for batch in BATCHES for plans in possible(question(batch))])
    seconds = []
    for _ in range(REPEATS):
        start = process_time()
        priced = price_table(table, asked)
        seconds.append(process_time() - start)
    best = min(seconds)
    print(f"many batches: {len(priced):,} layouts priced in {best / MILLI:.1f} ms ({len(priced) / best:,.0f}/s)")


def beside_calculon(checkout: Path, rate: float) -> None:
    """Search one problem with both, and price each choice by both.

    Args:
        rate: layouts a CPU second that our search of the large question looks at.
    """
    asked = question_of(
        load_scenario(
            shipped("scenarios") / "gpt3-175b.yaml",
            ["workloads[0].model=megatron-gpt-22b", "cluster.nodes[0].count=1", "workloads[0].batch.global=4",
             "plan.choices={zero: [0, 1, 2], cp: [1], schedule: [1f1b]}"],
        )
    )  # fmt: skip
    start = process_time()
    found = search(asked, objectives["time"], keep=1)
    seconds = process_time() - start
    job, peer = asked.job, Calculon(checkout)
    theirs = peer.search(job.model, job.seq_len, asked.setting.devices, job.global_batch)
    plans = {"ours": found.best.table.row(0), "Calculon's": theirs.plan}
    its, own = theirs.tried / theirs.seconds, found.considered / seconds
    print(f"beside Calculon: it tries {theirs.tried:,} executions ({theirs.possible:,} possible) in "
          f"{theirs.seconds:.0f} s ({its:,.0f}/s); here {found.considered:,} layouts take {seconds / MILLI:.0f} ms "
          f"({own:,.0f}/s, {own / its:,.0f} times as many; on the large question {rate / its:,.0f} times)")  # fmt: skip
    for whose, plan in plans.items():
        priced = price_table(PlanTable.of([plan]), asked)
        said, held = peer.seconds(job.model, job.seq_len, plan), priced.memory.total[0] / GIGA
        fits = "fits" if held * GIGA <= usable_memory(asked.setting.smallest) else "does not fit"
        told = "refused" if said is None else f"{said:.3f} s"
        print(f"  {whose} choice: tp {plan.tp} pp {plan.pp} dp {plan.dp} vpp {plan.vpp} micro {plan.micro_batch} "
              f"{plan.recompute} zero {plan.zero} sp {plan.sequence_parallel}: {priced.estimate.step[0]:.3f} s "
              f"and {held:.0f} GB ({fits}) by us, {told} by Calculon")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calculon", type=Path, metavar="CHECKOUT", help="search beside a checkout of Calculon")
    peer_at = parser.parse_args().calculon
    rate_reached = one_question()
    many_batches()
    if peer_at is not None:
        beside_calculon(peer_at, rate_reached)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBI
    print(f"peak memory {peak / GIGA:.2f} GB; Python {platform.python_version()}, numpy {np.__version__}, one core")
