"""``rackcast explain``: where the time goes, in sentences."""

from __future__ import annotations

from simulator.cli import options, output
from simulator.cli.answer import answer_for
from simulator.cli.run import Workload


def command(
    scenario: options.ScenarioFile,
    overrides: options.Overrides = None,
    workload: Workload = None,
    as_json: options.Json = False,
) -> None:
    """Say what bounds the scenario, what ten per cent more of each resource would buy, and how sure that is.

    example: rackcast explain scenarios/gpt3-175b-megatron.yaml --set workloads[0].framework=megatron-bridge
    """
    answer = answer_for(scenario, overrides or [], workload)
    told = answer.explanation or "\n".join([answer.summary, *answer.missed])
    if as_json:
        output.json_document({**answer.facts, "explanation": told.splitlines()})
        return
    output.line(told)
