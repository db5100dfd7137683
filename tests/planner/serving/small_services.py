"""Services small enough that every deployment can be played, made from the shipped scenario."""

from __future__ import annotations

from itertools import product

import numpy as np

from simulator.foundation.shipped import shipped
from simulator.planner.serving.cheapest import Trials
from simulator.planner.serving.deployments import deployments_of
from simulator.planner.serving.pricing import PricedDeployment, ServiceQuestion, service_question
from simulator.planner.serving.steady import Steady
from simulator.scenario import Scenario, load_scenario

MACHINES = (
    "aws-g6.xlarge",
    "aws-g6.12xlarge",
    "aws-g6e.xlarge",
    "aws-g5.12xlarge",
    "aws-p5.4xlarge",
    "aws-g7e.2xlarge",
)


def scenario(*overrides: str) -> Scenario:
    """Return an 8B service that asks for machines with few devices."""
    small = ("workloads[0].model=llama-3.1-8b", "plan.choices.nodes=[aws-g6.xlarge, aws-g6e.xlarge, aws-p5.4xlarge]",
             "workloads[0].traffic.seconds=10 s", "workloads[0].traffic.groups[0].rate=6 /s",
             "plan.choices.count=[1, 2, 3]", "plan.choices.max_num_seqs=[8, 64]",
             "plan.choices.max_num_batched_tokens=[2048]", "plan.seeds=2")  # fmt: skip
    return load_scenario(shipped("scenarios") / "plan-serve-70b.yaml", [*small, *overrides])


def random_scenario(number: int) -> Scenario:
    """Return one of many small services; the same number gives the same."""
    draw = np.random.default_rng(number)
    nodes = draw.choice(MACHINES, size=2, replace=False)
    group = "workloads[0].traffic.groups[0]"
    return scenario(
        f"plan.choices.nodes=[{', '.join(nodes)}]",
        f"{group}.rate={draw.uniform(1, 12):.3f} /s",
        f"{group}.prompt={{mean: {draw.integers(50, 3000)}, cv: {draw.uniform(0.1, 1.5):.2f}, maximum: 8192}}",
        f"{group}.output={{mean: {draw.integers(4, 150)}, cv: {draw.uniform(0.1, 1.0):.2f}, maximum: 300}}",
        f"workloads[0].limits={{ttft: {draw.integers(80, 2500)} ms, tpot: {draw.integers(8, 90)} ms, "
        f"attainment: {draw.choice([0.8, 0.9, 0.95, 1.0])}}}",
        f"workloads[0].precision={draw.choice(['fp8', 'bf16'])}",
        f"plan.choices.max_num_batched_tokens=[{draw.choice([512, 2048, 8192])}]",
        f"run.seed={number}",
    )


def random_split(number: int) -> Scenario:
    """Return one of many small services that may compute prompts on replicas of their own."""
    draw = np.random.default_rng(number)
    group = "workloads[0].traffic.groups[0]"
    return scenario(
        "plan.choices.nodes=[aws-g6.12xlarge]", "plan.choices.count=[1, 2]", "plan.choices.tp=[1]",
        f"plan.choices.prefill=[{number % 2}, 2, 3]", "plan.choices.max_num_seqs=[64]", f"run.seed={number}",
        f"{group}.rate={draw.uniform(0.5, 5):.3f} /s",
        f"{group}.prompt={{mean: {draw.integers(200, 2000)}, cv: 0.5, maximum: 8192}}",
        f"{group}.output={{mean: {draw.integers(8, 80)}, cv: 0.5, maximum: 300}}",
        f"workloads[0].limits={{ttft: {draw.integers(300, 2500)} ms, tpot: {draw.integers(45, 90)} ms}}",
    )  # fmt: skip


def question(asked: Scenario) -> ServiceQuestion:
    """Return the question of a scenario's only service."""
    return service_question(asked, asked.workloads[0], "cost", further=asked.plan.further_seeds)


def every_deployment(asked: ServiceQuestion) -> list[tuple[PricedDeployment, int]]:
    """Return every deployment on every number of nodes, without any bound."""
    nothing = Steady(rate=1.0, tokens=1.0, dense_s=1.0, context_s=0.0, prompt_s=0.0)
    found = []
    for machine in asked.machines:
        for one, nodes in product(deployments_of(asked.workload, machine, asked.choices), machine.counts):
            found.append(
                (PricedDeployment(deployment=one, fewest=1, likely=nodes, headroom=1.0, steady=nothing), nodes)
            )
    return found


def trials(asked: ServiceQuestion) -> Trials:
    """Return a player with runs enough for all."""
    return Trials(question=asked, most_runs=10**6)
