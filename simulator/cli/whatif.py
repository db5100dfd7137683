"""``rackcast whatif``: one thing changes; before, after, and the difference."""

from __future__ import annotations

from typing import Annotated

import typer

from simulator.cli import options, output
from simulator.cli.run import Workload

Changes = Annotated[
    list[str],
    typer.Argument(metavar="CHANGE...", show_default=False,
                   help="slow-node=3:0.7, link=leaf3:0.5, lose-node=12[@2h[:6h]], lose-link=clients@1m:9s, "
                        "gpu=a100:50%, surge=5x@1h:10m, attack=300/s@1m:30s; several happen together."),
]  # fmt: skip


def command(
    scenario: options.ScenarioFile,
    changes: Changes,
    overrides: options.Overrides = None,
    workload: Workload = None,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
) -> None:
    """Run a scenario as it is and with a change, and show every figure before and after.

    example: rackcast whatif scenarios/gpt3-175b-megatron.yaml slow-node=3:0.7
    """
    from simulator.cli.compare import show
    from simulator.scenario import load_scenario
    from simulator.study.compare import compare
    from simulator.study.rows import records_of, rows_of
    from simulator.study.whatif import whatif

    found = whatif(load_scenario(scenario, overrides or []), changes, workload=workload)
    frame = compare(found.before, found.after, names=("before", "after"))
    rows = rows_of(frame)
    if as_json:
        figures = records_of(frame)
        output.json_document({"causes": found.causes, "overrides": found.overrides, "figures": figures})
    elif as_csv:
        output.csv(list(frame.columns), rows)
    else:
        for cause in found.causes:
            output.line(f"What if {cause}?")
        show(list(frame.columns), rows)
