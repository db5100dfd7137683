"""Training runs small enough that every layout on every cluster can be played by the engine, drawn at random."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from simulator.costs.estimate import straggling
from simulator.engine.clock import to_seconds
from simulator.engine.training.script import write_script
from simulator.engine.training.step import play
from simulator.foundation.shipped import shipped
from simulator.foundation.units import DAY, HOUR
from simulator.mapping.lowering import lower_job
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.unfolding import HEALTHY, replica_classes
from simulator.planner.machines import machines_of
from simulator.planner.priced import price_table
from simulator.planner.question import Question, question_of
from simulator.planner.training_cluster import on_machines
from simulator.scenario import Scenario, load_scenario
from simulator.simulation.marks import marks_of
from simulator.simulation.setting import setting_of
from tests.planner.loops import possible_plans

MACHINES = ("aws-p4d.24xlarge", "aws-p4de.24xlarge", "aws-p5.48xlarge", "aws-p5en.48xlarge")
MODELS = ("gpt2-124m", "gpt3-1.3b", "gpt3-6.7b")


def random_run(number: int) -> Scenario:
    """Return one of many small questions; the same number gives the same."""
    draw = np.random.default_rng(number)
    nodes = draw.choice(MACHINES, size=2, replace=False).tolist()
    counts = sorted(draw.choice([1, 2, 4], size=2, replace=False).tolist())
    degrees = [1, 2, 4, 8]
    tp = sorted(draw.choice(degrees, size=2, replace=False).tolist())
    pp = sorted(draw.choice([1, 2, 4], size=2, replace=False).tolist())
    return load_scenario(
        shipped("scenarios") / "plan-train-7b-deadline.yaml",
        [
            f"plan.choices.nodes=[{', '.join(nodes)}]",
            f"plan.choices.count={counts}",
            f"plan.choices.tp={tp}",
            f"plan.choices.pp={pp}",
            f"plan.choices.micro=[{draw.choice([1, 2, 4])}]",
            f"plan.choices.vpp=[{draw.choice([1, 1, 2])}]",
            f"plan.choices.zero=[{draw.choice([0, 1])}]",
            f"plan.choices.recompute=[{draw.choice(['none', 'full'])}]",
            "plan.choices.sequence_parallel=[false]",
            f"plan.objective={draw.choice(['cost', 'time'])}",
            f"workloads[0].model={draw.choice(MODELS)}",
            "workloads[0].seq_len=1024",
            f"workloads[0].batch.global={draw.choice([32, 64])}",
            "workloads[0].tokens=1e11",
            f"slo.finish={draw.choice([1, 4, 16, 1000])} d",
        ],
    )


def played_step(scenario: Scenario, plan: Plan) -> float:
    """Return the seconds of a step as the engine plays it."""
    entry = scenario.workloads[0]
    setting = setting_of(scenario, entry)
    classes = replica_classes(plan, marks_of(scenario, setting))
    program = lower_job(entry.job, PlanTable.of([plan]), setting.tiers)
    trace = play(write_script(plan, classes, {HEALTHY: setting.price(program, HEALTHY)}))
    return to_seconds(trace.end) * (1.0 + float(straggling(setting.nodes)))


def every_answer(asked: Scenario) -> Iterator[tuple[str, int, float, float]]:
    """Yield (node, count, seconds, USD) of the whole run for every layout that fits on every cluster, all played."""
    steps = asked.workloads[0].steps
    for machine in machines_of(asked, "cost", doubling=True):
        for count in machine.counts:
            alone = on_machines(asked, machine, count)
            question = question_of(alone, asked.workloads[0].id)
            for plan in possible_plans(question):
                if _chosen(plan, question) and _fits(plan, question):
                    seconds = steps * played_step(alone, plan)
                    yield machine.node.name, count, seconds, seconds / HOUR * count * machine.price


def _chosen(plan: Plan, question: Question) -> bool:
    names = {"micro": "micro_batch"}
    return all(getattr(plan, names.get(name, name)) in values for name, values in question.choices.items()
               if hasattr(plan, names.get(name, name)))  # fmt: skip


def _fits(plan: Plan, question: Question) -> bool:
    return bool(price_table(PlanTable.of([plan]), question).memory.total[0] <= question.capacity)


def deadline(asked: Scenario) -> float:
    """Return the limit in seconds."""
    return asked.slo.finish_s or DAY * 1e9
