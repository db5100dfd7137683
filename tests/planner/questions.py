"""Questions small enough to be answered by loops, made from the shipped scenario."""

from __future__ import annotations

from simulator.foundation.shipped import shipped
from simulator.planner.question import Question, question_of
from simulator.scenario import Scenario, load_scenario


def scenario(*overrides: str, model: str = "gpt2-124m", nodes: int = 2, batch: int = 16) -> Scenario:
    """Return a training question on some nodes of eight A100, with an open layout."""
    small = (f"workloads[0].model={model}", "workloads[0].seq_len=1024", f"workloads[0].batch.global={batch}",
             f"cluster.nodes[0].count={nodes}")  # fmt: skip
    return load_scenario(shipped("scenarios") / "gpt3-175b.yaml", [*small, *overrides])


def question(*overrides: str, model: str = "gpt2-124m", nodes: int = 2, batch: int = 16) -> Question:
    """Return the same as the planner sees it."""
    return question_of(scenario(*overrides, model=model, nodes=nodes, batch=batch))
