"""How many layouts per second one core prices: GPT-3 175B on 4,096 A100, exhaustively. Run it alone on the machine.

    python benchmarks/planner.py

Two figures. *One question* is the whole search a user waits for: walk the space (every TP, PP, DP, virtual stages,
micro-batch, recomputation, ZeRO, sequence parallelism), reject, price all that may be possible, rank. It is small, so
the fixed cost of some thousand array calls shows. *Many batches* prices the plans of sixteen global batches in one
table: the rate of the pricing itself. "Priced" means lowered, memory account, step time; what breaks divisibility is
not counted. Nothing is cached between repetitions.
"""

from __future__ import annotations

import platform
import resource
from time import perf_counter

import numpy as np

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


def together(tables: list[PlanTable]) -> PlanTable:
    """Return one table of all plans."""
    return PlanTable(**{name: np.concatenate([getattr(table, name) for table in tables])
                        for name in PlanTable.__dataclass_fields__})  # fmt: skip


def one_question() -> None:
    """Time the whole search of one question."""
    asked, seconds = question(4096), []
    for _ in range(REPEATS):
        start = perf_counter()
        found = search(asked, objectives["time"], keep=100)
        seconds.append(perf_counter() - start)
    best = min(seconds)
    print(f"one question: {found.considered:,} layouts in {best / MILLI:.1f} ms ({found.considered / best:,.0f}/s), "
          f"{found.priced:,} of them priced ({found.priced / best:,.0f}/s), {len(found.values):,} fit")  # fmt: skip


def many_batches() -> None:
    """Time the pricing of many plans."""
    asked = question(4096)
    table = together([plans for batch in BATCHES for plans in possible(question(batch))])
    seconds = []
    for _ in range(REPEATS):
        start = perf_counter()
        priced = price_table(table, asked)
        seconds.append(perf_counter() - start)
    best = min(seconds)
    print(f"many batches: {len(priced):,} layouts priced in {best / MILLI:.1f} ms ({len(priced) / best:,.0f}/s)")


if __name__ == "__main__":
    one_question()
    many_batches()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBI
    print(f"peak memory {peak / GIGA:.2f} GB; Python {platform.python_version()}, numpy {np.__version__}, one core")
