"""``rackcast launch``: files that start what was decided on real software."""

from __future__ import annotations

from typing import Annotated

import typer

from simulator.cli import options, output
from simulator.cli.run import Workload

Emit = Annotated[
    str,
    typer.Option("--emit", metavar="ENGINE,...", show_default=False,
                 help="Training: megatron, torchtitan, deepspeed, fsdp, maxtext, slurm, jobset, rayjob; services: "
                 "vllm, sglang, trtllm, lws, rayserve."),
]  # fmt: skip


def command(
    scenario: options.ScenarioFile,
    emit: Emit,
    overrides: options.Overrides = None,
    workload: Workload = None,
    out: options.OutDir = None,
    as_json: options.Json = False,
) -> None:
    """Write launch files for a scenario's decision; a training job that is not decided is planned first.

    Each file names the version that its flags were checked against. What an engine cannot do is refused, with the
    reason. Without --out the files are printed.

    example: rackcast launch scenarios/gpt3-175b-megatron.yaml --emit megatron,slurm --out out/launch
    """
    from simulator.foundation.files import write_atomic
    from simulator.planner.launch.engines import launch_files
    from simulator.planner.launch.order import order_of
    from simulator.planner.recommendation import recommend
    from simulator.scenario import load_scenario
    from simulator.simulation import chosen_workload

    question = load_scenario(scenario, overrides or [])
    chosen = chosen_workload(question, workload)
    plan = None
    if getattr(chosen, "job", None) is not None and getattr(chosen, "plan", None) is None:
        plan = recommend(question, workload=chosen.id).plan
    names = [name.strip() for name in emit.split(",") if name.strip()]
    files = launch_files(order_of(question, plan=plan, workload=workload), names)
    if out is not None:
        written = [write_atomic(out / name, text) for name, text in files.items()]
        output.note(f"wrote {', '.join(path.name for path in written)} to {out}")
    if as_json:
        output.json_document({"scenario": question.name, "files": files})
    elif out is None:
        for text in files.values():
            output.line(text.rstrip("\n"))
